use super::*;
use crate::policy::Policy;
use crate::{compile_json, decide};
use serde_json::{Value, json};

fn text(written: &Value) -> Option<StringMatch> {
    crate::read::read(written).ok()
}

#[test]
fn texts_contradict_unless_one_is_plainly_part_of_the_other() {
    let (a, ab, b) = (json!({"prefix": "/a"}), json!({"prefix": "/ab"}), json!({"prefix": "/b"}));
    let (exact, regex, any) = (json!({"exact": "/a"}), json!({"regex": "/a"}), json!({}));
    let empty = json!({"exact": ""});
    for (root, leaf, expected) in [
        (&a, &a, false),
        (&a, &ab, false),
        (&ab, &a, true),
        (&a, &b, true),
        (&a, &exact, false),
        (&ab, &exact, true),
        (&exact, &exact, false),
        (&exact, &a, true),
        (&exact, &any, true),
        (&a, &any, true),
        (&a, &empty, true),
        (&any, &a, true),
        (&any, &any, true),
        (&empty, &empty, true),
        (&regex, &regex, true),
        (&regex, &any, true),
        (&any, &regex, true),
        (&a, &regex, true),
        (&regex, &exact, true),
    ] {
        let (root_text, leaf_text) = (text(root), text(leaf));
        assert_eq!(texts_contradict(root_text.as_ref(), leaf_text.as_ref()), expected, "{root} {leaf}");
        assert!(!texts_contradict(None, leaf_text.as_ref()) && !texts_contradict(root_text.as_ref(), None));
    }
}

fn block(written: &Value) -> HttpMatchRequest {
    crate::read::read(written).expect("a match block")
}

#[test]
fn blocks_contradict_by_what_both_ask() {
    let home = Home { namespace: "ns", domain: "cluster.local" };
    for (root, leaf, expected) in [
        (json!({"method": {"exact": "GET"}}), json!({"method": {"exact": "POST"}}), true),
        (json!({"method": {"exact": "GET"}}), json!({"headers": {"a": {"exact": "1"}}}), false),
        (json!({"headers": {"a": {"exact": "1"}}}), json!({"headers": {"a": {"exact": "2"}}}), true),
        (json!({"headers": {"a": {"exact": "1"}}}), json!({"headers": {"b": {"regex": "2"}}}), false),
        (json!({"headers": {"a": {"exact": "1"}}}), json!({"withoutHeaders": {"a": {"exact": "1"}}}), false),
        (json!({"withoutHeaders": {"a": {"exact": "1"}}}), json!({"withoutHeaders": {"a": null}}), false),
        (json!({"withoutHeaders": {"a": {}}}), json!({"withoutHeaders": {"a": {}}}), true),
        (json!({"queryParams": {"a": {"exact": "1"}}}), json!({"queryParams": {"a": {"exact": "2"}}}), true),
        (json!({"ignoreUriCase": true}), json!({}), true),
        (json!({"port": 80}), json!({"port": 81}), true),
        (json!({"port": 80}), json!({}), false),
        (json!({"sourceNamespace": "a"}), json!({}), true),
        (json!({"sourceNamespace": "a"}), json!({"sourceNamespace": "a"}), false),
        (json!({}), json!({"sourceNamespace": "a"}), false),
        (json!({"sourceLabels": {"a": "1"}}), json!({"sourceLabels": {"a": "2"}}), true),
        (json!({"sourceLabels": {"a": "1"}}), json!({"sourceLabels": {"b": "2"}}), false),
        (json!({"gateways": ["ns/a", "mesh"]}), json!({"gateways": ["a"]}), false),
        (json!({"gateways": ["ns/a"]}), json!({"gateways": ["mesh"]}), true),
        (json!({"gateways": ["ns/a"]}), json!({"gateways": ["a", "a"]}), true),
        (json!({"gateways": ["ns/a"]}), json!({}), false),
        (json!({}), json!({"gateways": ["a"]}), false),
    ] {
        let merged = blocks(&[block(&root)], home, &[block(&leaf)], home);
        assert_eq!(merged.is_none(), expected, "{root} {leaf}");
    }
}

#[test]
fn every_pair_that_goes_together_is_a_block_and_the_delegates_part_comes_first() {
    let home = Home { namespace: "ns", domain: "cluster.local" };
    let prefix = |prefix: &str| block(&json!({"uri": {"prefix": prefix}}));
    let (a, ab, b) = (prefix("/a"), prefix("/ab"), prefix("/b"));
    let roots = [a.clone(), block(&json!({"headers": {"x": {"exact": "1"}}, "name": "r"}))];
    let (merged, origins) = blocks(&roots, home, &[ab.clone(), b], home).expect("they go together");
    assert_eq!(origins, [(Some(0), Some(0)), (Some(1), Some(0)), (Some(1), Some(1))]);
    assert_eq!(merged[0], ab);
    assert_eq!(merged[1].uri, ab.uri);
    assert!(merged[1].headers.contains_key("x") && merged[1].name == "r");
    // A block of the delegate's without a partner takes its whole rule away.
    assert!(blocks(std::slice::from_ref(&a), home, &[ab.clone(), prefix("/c")], home).is_none());
    assert_eq!(blocks(&[], home, std::slice::from_ref(&ab), home).expect("all of the delegate's").1, [(None, Some(0))]);
    assert_eq!(blocks(&[a], home, &[], home).expect("all of the other's").1, [(Some(0), None)]);
}

#[test]
fn who_sees_what() {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (export_to, own, proxy, expected) in [
        (&[][..], "a", "b", Some(2)),
        (&["*"], "a", "b", Some(2)),
        (&["."], "a", "a", Some(0)),
        (&["a"], "a", "a", Some(0)),
        (&["."], "a", "b", None),
        (&["b"], "a", "b", Some(1)),
        (&["b", "."], "a", "a", Some(0)),
        (&["b"], "a", "a", None),
        (&["~"], "a", "a", None),
    ] {
        assert_eq!(visibility(&list(export_to), own, proxy), expected, "{export_to:?} of {own} to {proxy}");
    }
}

fn delegating(root: &Value, leaf: &Value) -> Value {
    json!({"virtualServices": [
        {"name": "root", "hosts": ["shop"], "http": root},
        {"name": "leaf", "namespace": "other", "http": leaf},
    ]})
}

fn compiled(root: &Value, leaf: &Value) -> Result<Policy, Vec<String>> {
    let document = delegating(root, leaf).to_string();
    compile_json(document.as_bytes()).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

const TO: &str = "leaf";

fn to(more: &Value) -> Value {
    let mut rule = json!({"delegate": {"name": TO, "namespace": "other"}});
    rule.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    rule
}

#[test]
fn merged_rules_are_named_after_both_and_keep_their_draws_where_others_are_inserted() {
    let route = json!([{"destination": {"host": "a"}, "weight": 1}, {"destination": {"host": "b"}, "weight": 1}]);
    let a = json!({"match": [{"uri": {"exact": "/a"}}], "route": route});
    let with_name = json!({"name": "leaf", "match": [{"uri": {"exact": "/b"}}], "route": route});
    let leaf = json!([a, with_name, a]);
    for (name, expected) in
        [("", ["http[0]-http[0]", "leaf", "http[0]-http[2]"]), ("root", ["root", "root-leaf", "root#2"])]
    {
        let policy = compiled(&json!([to(&json!({"name": name}))]), &leaf).expect("right");
        let names: Vec<_> = policy.rules().iter().map(|rule| &*rule.name).collect();
        assert_eq!(names, expected);
        let split = policy.rules()[1].split.as_ref().expect("a choice");
        assert_eq!(*split.name, format!("default/root/{}/split", expected[1]));
        assert_eq!(&*policy.rules()[0].destinations[0].host, "a.other.svc.cluster.local");
        assert_eq!(policy.rules()[2].written(), (1, 2));
    }
}

#[test]
fn a_trace_points_to_where_each_half_is_written() {
    let root = json!([to(&json!({"match": [{"uri": {"prefix": "/"}, "headers": {"x-a": {"exact": "1"}}}]}))]);
    let leaf = json!([{"match": [{"headers": {"x-b": {}}}], "route": [{"destination": {"host": "a"}}]},
        {"route": [{"destination": {"host": "a"}}]}]);
    let policy = compiled(&root, &leaf).expect("right");
    let headers: [crate::request::Header<'_>; 2] = [(b":authority", b"shop"), (b":path", b"/")];
    let request = crate::request::Request::new(&headers, None);
    let decision = decide(&policy, &request, &crate::draw::Draws::default());
    let trace = crate::trace::trace(&policy, &request, &decision);
    let fields: Vec<_> = trace.routes.iter().map(|route| route.block.field.as_str()).collect();
    assert_eq!(fields, ["virtualServices[1].http[0].match[0]", "virtualServices[0].http[0].match[0]"]);
    let first = trace.routes[0].block.conditions.iter().map(|condition| condition.field.as_str()).collect::<Vec<_>>();
    let (own, outer) = (fields[0], fields[1]);
    assert_eq!(first, [format!("{outer}.headers.x-a"), format!("{own}.headers.x-b")]);
    let policy = &policy.rules()[0];
    assert_eq!((policy.virtual_service_index, policy.index, &*policy.virtual_service), (0, 0, "default/root"));
}

#[test]
fn what_is_wrong_is_told_once_where_it_is_written() {
    let bad = json!({"timeout": "0s", "match": [{"uri": {"regex": "("}}], "route": [{"destination": {"host": "a"}}]});
    let root = json!([to(&json!({})), to(&json!({"retries": {"attempts": -1}}))]);
    let seen = compiled(&root, &json!([bad])).expect_err("wrong");
    let paths: Vec<_> = seen.iter().map(|error| error.split_once(": ").expect("a path").0).collect();
    let own = "virtualServices[1].http[0]";
    assert_eq!(
        paths,
        [
            format!("{own}.match[0].uri.regex"),
            format!("{own}.timeout"),
            "virtualServices[0].http[1].retries.attempts".to_owned()
        ]
    );
}

#[test]
fn what_a_rule_that_delegates_and_a_delegate_cannot_have_is_told() {
    let route = json!([{"destination": {"host": "a"}}]);
    let root = json!([to(&json!({"route": route, "redirect": {"uri": "/a"}})), {"delegate": {}}]);
    let mut document = delegating(&root, &json!([to(&json!({}))]));
    document["virtualServices"][1]["gateways"] = json!(["mesh"]);
    document["virtualServices"][1]["exportTo"] = json!([".", "other", "*", "~", "A"]);
    let errors = compile_json(document.to_string().as_bytes()).expect_err("wrong");
    let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "virtualServices[1].gateways: a VirtualService without `hosts` is a delegate: it is served where the rules are that name it",
            "virtualServices[1].exportTo[1]: `other` is listed twice (`.` is `other`)",
            "virtualServices[1].exportTo[2]: `*` is everybody: leave the others out",
            "virtualServices[1].exportTo[3]: `~` would hide it from everybody: leave the VirtualService out",
            "virtualServices[1].exportTo[4]: `A` is no namespace: write `.`, `*` or a name",
            "virtualServices[1].http[0].delegate: a delegate cannot delegate again: name the other one where this one is named",
            "virtualServices[0].http[0].route: `route` does not go with `delegate`: the delegate's rules have their own",
            "virtualServices[0].http[0].redirect: `redirect` does not go with `delegate`: the delegate's rules have their own",
            "virtualServices[0].http[1].delegate: `name` is missing",
        ]
    );
}

#[test]
fn delegates_cannot_multiply_without_end() {
    let blocks: Vec<_> =
        (0..400).map(|n| json!({"uri": {"prefix": "/a"}, "headers": {format!("x-{n}"): {}}})).collect();
    let leaf = json!([{"match": blocks, "route": [{"destination": {"host": "a"}}]}]);
    let seen = compiled(&json!([to(&json!({"match": blocks}))]), &leaf).expect_err("too many");
    assert_eq!(
        seen,
        [
            "virtualServices[0].http[0].delegate: delegates multiply: with this one the merged rules have more than 100000 conditions, operations, destinations and kilobytes of bodies"
        ]
    );
}

#[test]
fn what_is_copied_into_each_merged_rule_counts_too() {
    let leaves = |count: usize| -> Value {
        let rule = |n: usize| json!({"match": [{"uri": {"prefix": format!("/{n}")}}], "route": [{"destination": {"host": "a"}}]});
        (0..count).map(rule).collect()
    };
    let body = json!({"directResponse": {"status": 200, "body": {"string": "a".repeat(1 << 20)}}});
    assert!(compiled(&json!([to(&body)]), &leaves(50)).is_ok());
    let seen = compiled(&json!([to(&body)]), &leaves(200)).expect_err("200 MB");
    assert!(seen.len() == 1 && seen[0].contains("delegates multiply"), "{seen:?}");
}
