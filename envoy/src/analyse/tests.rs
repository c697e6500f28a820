use super::cover::{Covering, Verdict};
use super::search::Budget;
use super::site::Site;

mod property;
mod scale;
mod warnings;

use serde_json::{Value, json};
use switchyard_filter::{Policy, compile_json};

pub(super) fn policy(document: &Value) -> Policy {
    compile_json(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The policy of these match blocks, a rule each, on one host.
fn rules(blocks: &[Value]) -> Policy {
    let rules: Vec<_> =
        blocks.iter().map(|block| json!({"match": [block], "route": [{"destination": {"host": "shop"}}]})).collect();
    policy(&json!({"virtualServices": [{"name": "shop", "hosts": ["shop.example.com"], "http": rules}]}))
}

/// What is found of the last of some rules: the request that reaches it, or who is before.
fn last(blocks: &[Value]) -> String {
    told(&rules(blocks), blocks.len() - 1)
}

fn told(policy: &Policy, route: usize) -> String {
    let sites = Site::all(policy);
    let mut budget = Budget::default();
    match Covering::new(&sites[0], &mut budget).verdict(route) {
        Verdict::Reached(point) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let mut told = format!("{} {}", text(point.method()), text(&point.full_path()));
            for (name, value) in point.headers() {
                told = format!("{told} {}={}", text(name), text(value));
            }
            for said in point.tags.iter().flatten() {
                told = format!("{told} tag {said}");
            }
            told
        }
        Verdict::Hidden(by) => format!("hidden by {by:?}"),
        Verdict::Never(field) => format!("never: {field}"),
        Verdict::Undecided => "undecided".into(),
    }
}

#[test]
fn a_path_that_is_taken_before_is_hidden() {
    for (before, later, expected) in [
        (json!({"uri": {"prefix": "/api"}}), json!({"uri": {"exact": "/api/v1"}}), "hidden by [0]"),
        (json!({"uri": {"prefix": "/api"}}), json!({"uri": {"prefix": "/api/v1"}}), "hidden by [0]"),
        (json!({"uri": {"prefix": "/api"}}), json!({"uri": {"regex": "/api/v[0-9]+/.*"}}), "hidden by [0]"),
        (json!({"uri": {"regex": "/api/v[0-9]+/.*"}}), json!({"uri": {"prefix": "/api/v2/"}}), "hidden by [0]"),
        (json!({"uri": {"regex": "/(a|b)/.*"}}), json!({"uri": {"regex": "/[ab]/[0-9]+"}}), "hidden by [0]"),
        (json!({"uri": {"regex": "/[ab]/[0-9]+"}}), json!({"uri": {"regex": "/(a|b)/.*"}}), "GET /a/"),
        (
            json!({"uri": {"prefix": "/API"}, "ignoreUriCase": true}),
            json!({"uri": {"prefix": "/api/"}}),
            "hidden by [0]",
        ),
        (json!({"uri": {"prefix": "/API"}}), json!({"uri": {"prefix": "/api/"}}), "GET /api/"),
        (json!({"uri": {"prefix": "/api"}}), json!({"uri": {"exact": "/API"}, "ignoreUriCase": true}), "GET /apI"),
        (json!({"uri": {"prefix": "/a"}}), json!({"uri": {"prefix": "/"}}), "GET /"),
        (json!({"uri": {"exact": "/"}}), json!({"uri": {"prefix": "/"}}), "GET /a"),
        (json!({"uri": {"regex": ".*"}, "method": {"exact": "GET"}}), json!({"uri": {"exact": "/x"}}), "POST /x"),
        (json!({"uri": {"regex": "/.+"}}), json!({"uri": {"prefix": "/x"}}), "hidden by [0]"),
        (json!({"uri": {"prefix": ""}}), json!({"uri": {"prefix": "/x"}}), "hidden by [0]"),
    ] {
        assert_eq!(last(&[before.clone(), later.clone()]), expected, "{before} before {later}");
    }
}

#[test]
fn conditions_on_headers_are_compared_value_by_value() {
    let x = |matcher: Value| json!({"headers": {"x": matcher}});
    let without = |matcher: Value| json!({"withoutHeaders": {"x": matcher}});
    for (before, later, expected) in [
        (x(json!({})), x(json!({"exact": "a"})), "hidden by [0]"),
        (x(json!({"prefix": "a"})), x(json!({"regex": "ab+"})), "hidden by [0]"),
        (x(json!({"regex": "a|b"})), x(json!({"exact": "b"})), "hidden by [0]"),
        (x(json!({"exact": "a"})), x(json!({"prefix": "a"})), "GET / x=aa"),
        (x(json!({"exact": "a"})), json!({"uri": {"exact": "/p"}}), "GET /p"),
        (without(json!({})), json!({"uri": {"exact": "/p"}}), "GET /p x=1"),
        (without(json!({"exact": "a"})), x(json!({"exact": "b"})), "hidden by [0]"),
        (without(json!({"exact": "a"})), x(json!({})), "GET / x=a"),
        (without(json!({"exact": "a"})), without(json!({"prefix": "a"})), "hidden by [0]"),
        (without(json!({"exact": ""})), without(json!({})), "GET /"),
        // A missing header counts as empty; a value that is no UTF-8 is none that `.*` takes.
        (json!({"uri": {"exact": "/p"}}), without(json!({"regex": ".*"})), "GET / x=\u{fffd}"),
        (
            json!({"uri": {"exact": "/p"}}),
            json!({"headers": {"x": {"exact": "a"}}, "withoutHeaders": {"x": {"prefix": "a"}}}),
            "never: withoutHeaders.x",
        ),
        (json!({"method": {"regex": "GET|POST"}}), json!({"method": {"exact": "POST"}}), "hidden by [0]"),
        (json!({"method": {"regex": "GET|POST"}}), json!({"method": {}}), "PUT /"),
        (json!({"authority": {"prefix": "shop."}}), json!({"uri": {"exact": "/p"}}), "GET /p"),
        (json!({"scheme": {"exact": "http"}}), json!({"uri": {"exact": "/p"}}), "GET /p"),
        (json!({"uri": {"exact": "/p"}}), json!({"authority": {"exact": "other.example.com"}}), "never: authority"),
        (json!({"queryParams": {"q": {}}}), json!({"queryParams": {"q": {"exact": ""}}}), "hidden by [0]"),
        (json!({"queryParams": {"q": {"prefix": "a"}}}), json!({"queryParams": {"q": {}}}), "GET /?q=1"),
        (json!({"queryParams": {"q": {"exact": "a"}}}), json!({"uri": {"exact": "/p"}}), "GET /p"),
        (json!({"uri": {"exact": "/p"}}), json!({"queryParams": {"a=b": {}}}), "never: queryParams[\"a=b\"]"),
    ] {
        assert_eq!(last(&[before.clone(), later.clone()]), expected, "{before} before {later}");
    }
}

#[test]
fn several_rules_hide_what_none_hides_alone() {
    let x = |exact: &str| json!({"uri": {"prefix": "/a"}, "headers": {"x": {"exact": exact}}});
    let get = json!({"uri": {"prefix": "/a"}, "method": {"exact": "GET"}});
    let rest = json!({"uri": {"prefix": "/a/"}});
    let not = json!({"uri": {"prefix": "/a"}, "withoutHeaders": {"x": {"exact": "1"}}});
    for (blocks, expected) in [
        (vec![x("1"), not.clone(), rest.clone()], "hidden by [0, 1]"),
        (vec![x("2"), not, rest.clone()], "GET /a/ x=1"),
        (vec![x("1"), get, rest], "POST /a/"),
        (
            vec![json!({"uri": {"exact": "/a"}}), json!({"uri": {"exact": "/b"}}), json!({"uri": {"regex": "/[ab]"}})],
            "hidden by [0, 1]",
        ),
        (
            vec![
                json!({"uri": {"exact": "/"}}),
                json!({"uri": {"exact": "/a"}}),
                json!({"uri": {"regex": "/.*"}}),
                json!({"uri": {"regex": "/[a-z]*"}}),
            ],
            "hidden by [2]",
        ),
    ] {
        assert_eq!(last(&blocks), expected, "{blocks:?}");
    }
}

#[test]
fn a_condition_that_no_request_fulfils_is_told() {
    for (block, expected) in [
        (json!({"uri": {"exact": "/a?x=1"}}), "never: uri"),
        (json!({"uri": {"regex": "/a\\?x=.*"}}), "never: uri"),
        (json!({"uri": {"prefix": "api/"}}), "never: uri"),
        (json!({"uri": {"regex": "[^/].*"}}), "never: uri"),
        (json!({"uri": {"exact": "*"}}), "never: uri"),
        (json!({"uri": {"exact": "/a b"}}), "never: uri"),
        (json!({"uri": {"regex": "/a.*#top"}}), "never: uri"),
        (json!({"headers": {"x": {"regex": "a\\nb"}}}), "never: headers.x"),
    ] {
        assert_eq!(last(core::slice::from_ref(&block)), expected, "{block}");
    }
}

#[test]
fn a_tag_says_what_it_can_say() {
    let document = |hosts: Value, split: Value| {
        let rule = |value: &str| json!({"match": [{"headers": {"tier": {"exact": value}}}], "route": [{"destination": {"host": "shop"}}]});
        let rest = json!({"route": [{"destination": {"host": "shop"}}]});
        policy(&json!({
            "tags": [{"header": "tier", "hosts": hosts, "rules": [
                {"match": [{"sourceIp": ["10.0.0.0/8"]}], "value": "staff"}], "split": split}],
            "virtualServices": [{"name": "shop", "hosts": ["shop.example.com"],
                "http": [rule("staff"), rule("stuff"), rule("guest"), rest]}],
        }))
    };
    let shares = json!([{"value": "guest", "weight": 1}]);
    let all = |policy: &Policy| (0..4).map(|route| told(policy, route)).collect::<Vec<_>>();
    let always = document(json!(["shop.example.com"]), shares.clone());
    assert_eq!(all(&always), ["GET / tag staff", "never: headers.tier", "GET / tag guest", "hidden by [0, 2]"]);
    let sometimes = document(json!(["*.example.com"]), json!([]));
    assert_eq!(all(&sometimes), ["GET / tag staff", "never: headers.tier", "never: headers.tier", "GET /"]);
    let elsewhere = document(json!(["other.example.com"]), shares);
    assert_eq!(all(&elsewhere), ["GET / tier=staff", "GET / tier=stuff", "GET / tier=guest", "GET /"]);
}
