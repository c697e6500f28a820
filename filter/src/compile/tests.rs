use super::*;
use serde_json::{Value, json};

fn errors(document: &Value) -> Vec<String> {
    let text = document.to_string();
    match compile_json(text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// A document with one VirtualService of one rule.
fn with_rule(rule: Value) -> Value {
    let mut all = json!({"route": [{"destination": {"host": "a"}}]});
    let Value::Object(fields) = rule else { panic!("a rule is an object") };
    all.as_object_mut().unwrap().extend(fields);
    json!({"virtualServices": [{"name": "vs", "hosts": ["a"], "http": [all]}]})
}

#[test]
fn an_empty_configuration_and_one_that_is_no_json_are_refused() {
    assert_eq!(
        compile_json(b"").unwrap_err()[0].to_string(),
        "the configuration is empty: give the plugin its configuration as JSON"
    );
    assert!(compile_json(b"{").unwrap_err()[0].to_string().starts_with("the configuration is no JSON: "));
    assert_eq!(errors(&json!({})), [] as [&str; 0]);
}

#[test]
fn every_error_of_a_document_is_told_at_once() {
    let document = json!({
        "namespace": "Work_shop",
        "tags": [
            {"header": "Host", "rules": [{"value": ""}], "hosts": ["a:80"]},
            {"header": "user-type", "split": [{"value": "a", "weight": 0}]},
            {"header": "User_Type", "split": [{"value": "a", "weight": -1}, {"value": "b", "weight": 1}]},
        ],
        "virtualServices": [
            {"name": "a", "hosts": ["x.*", "b", "B"], "http": [
                {"route": [{"destination": {"host": "*"}, "weight": 1}, {"destination": {"host": "c", "subset": "V_1"}, "weight": -2}]},
                {"match": [{"uri": {"exact": "/", "prefix": "/"}, "headers": {"x-switchyard-cluster": {}, "y": {"prefix": ""}}}],
                 "route": [{"destination": {"host": "c"}}], "timeout": "0s", "stickyBy": {}},
                {"route": [{"destination": {"host": "c"}}, {"destination": {"host": "d"}}]},
                {},
            ]},
            {"name": "a", "hosts": ["e"], "http": [], "creationTimestamp": "yesterday"},
        ],
    });
    assert_eq!(
        errors(&document),
        [
            "namespace: `Work_shop` is no namespace: write lower-case letters, digits and `-`, at most 63",
            "tags[0].header: `Host`: host, content-length and hop-by-hop headers cannot be tags",
            "tags[0].hosts[0]: `a:80` is no host: leave the port out, it is ignored",
            "tags[0].rules[0].value: a tag's value cannot be empty: leave the rule out, then the header is not set",
            "tags[1].split: the sum of all weights is 0: give one at least 1",
            "tags[2].header: `User_Type` is tagged twice (`-` and `_` are alike)",
            "tags[2].split[0].weight: `-1` is negative",
            "virtualServices[0].hosts[2]: `B` and `b` overlap: leave one of them out",
            "virtualServices[0].hosts[0]: `x.*` is no host: a `*` can only be the whole first label",
            "virtualServices[0].http[0].route[0].destination.host: a destination is one host, not a wildcard",
            "virtualServices[0].http[0].route[1].destination.subset: `V_1` is no subset: write letters, digits and `-`, at most 63",
            "virtualServices[0].http[0].route[1].weight: `-2` is negative",
            "virtualServices[0].http[1].match[0].uri: only one of `exact`, `prefix` and `regex` can be set",
            "virtualServices[0].http[1].match[0].headers.x-switchyard-cluster: `x-switchyard-cluster` is a control header: it is removed before anything is matched",
            "virtualServices[0].http[1].match[0].headers.y.prefix: an empty prefix matches everything: write `{}` for presence",
            "virtualServices[0].http[1].stickyBy: set one of `httpCookie`, `httpHeaderName`, `httpQueryParameterName` and `useSourceIp: true`",
            "virtualServices[0].http[1].timeout: `0s`: at least `1ms`",
            "virtualServices[0].http[2].route: the sum of all weights is 0: give one destination at least 1",
            "virtualServices[0].http[3]: a rule needs `route`, `redirect`, `directResponse` or `delegate`",
            "virtualServices[1].name: `Work_shop/a` is there twice",
            "virtualServices[1]: `http` is missing: there is no rule",
            "virtualServices[1].creationTimestamp: `yesterday` is no time: write `2026-01-31T12:00:00Z`",
        ]
    );
}

#[test]
fn names_hosts_and_selectors_are_validated_as_istio_does() {
    let vs = |fields: Value| {
        let mut all = json!({"name": "vs", "hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"virtualServices": [all]})
    };
    let block = |block: Value| vs(json!({"http": [{"match": [block], "route": [{"destination": {"host": "a"}}]}]}));
    for (document, message) in [
        (
            vs(json!({"hosts": ["*"]})),
            "virtualServices[0].hosts[0]: `*` is not allowed in the mesh: name the hosts, or bind it to a gateway",
        ),
        (
            vs(json!({"hosts": ["a.b.c", "*.b.c"]})),
            "virtualServices[0].hosts[1]: `*.b.c` and `a.b.c` overlap: leave one of them out",
        ),
        (
            vs(json!({"hosts": ["a", "a.default.svc.cluster.local"]})),
            "virtualServices[0].hosts[1]: `a.default.svc.cluster.local` and `a` overlap: leave one of them out",
        ),
        (
            vs(json!({"name": "A/b"})),
            "virtualServices[0].name: `A/b` is no name: write lower-case letters, digits, `-` and `.`",
        ),
        (
            vs(json!({"gateways": ["a/b/c"]})),
            "virtualServices[0].gateways[0]: `a/b/c` is no gateway: write `mesh`, `name` or `namespace/name`",
        ),
        (block(json!({"port": 0})), "virtualServices[0].http[0].match[0].port: `0` is out of range: 1 to 65535"),
        (
            block(json!({"sourceNamespace": "Bad NS"})),
            "virtualServices[0].http[0].match[0].sourceNamespace: `Bad NS` is no namespace: write lower-case letters, digits and `-`, at most 63",
        ),
        (
            block(json!({"sourceLabels": {"a b": "c"}})),
            "virtualServices[0].http[0].match[0].sourceLabels[\"a b\"]: `a b: c` is no label",
        ),
        (
            vs(json!({"http": [{"name": "x\ny", "route": [{"destination": {"host": "a"}}]}]})),
            "virtualServices[0].http[0].name: `x\\ny` is no name: leave control characters out, at most 253 bytes",
        ),
        (
            vs(
                json!({"http": [{"retries": {"attempts": 1, "retryOn": "555"}, "route": [{"destination": {"host": "a"}}]}]}),
            ),
            "virtualServices[0].http[0].retries.retryOn: `555` is no retry condition",
        ),
        (json!({"proxy": {"port": 0}}), "proxy.port: `0` is out of range: 1 to 65535"),
        (json!({"domain": ".."}), "domain: `..` is no host"),
    ] {
        let told = errors(&document);
        assert!(told.len() == 1 && told[0].starts_with(message), "{told:?}");
    }
    assert_eq!(
        errors(&vs(json!({"gateways": ["gw.istio-system.svc.cluster.local", "ns/gw", "mesh", "gw"]}))),
        [] as [&str; 0]
    );
    let twice = br#"{"tags": [{"header": "a", "rules": [{"value": "b"}]}], "tags": []}"#;
    assert!(compile_json(twice).unwrap_err()[0].to_string().contains("`tags` is there twice"));
}

#[test]
fn a_cookie_is_issued_in_one_way_only() {
    let sticky = |ttl: Option<&str>| json!({"httpCookie": {"name": "uid", "ttl": ttl}});
    let document = |one: Option<&str>, other: Option<&str>| {
        json!({
            "tags": [{"header": "t", "split": [{"value": "a", "weight": 1}], "stickyBy": sticky(one)}],
            "virtualServices": [{"name": "vs", "hosts": ["a"], "http": [
                {"stickyBy": sticky(other), "route": [{"destination": {"host": "a"}}]}]}],
        })
    };
    assert_eq!(errors(&document(Some("1h"), Some("1h"))), [] as [&str; 0]);
    assert_eq!(
        errors(&document(Some("1h"), None)),
        [
            "virtualServices[0].http[0].stickyBy.httpCookie: cookie `uid` has another `ttl`, `path` or `attributes` in `tags[0].stickyBy`: write them alike"
        ]
    );
}

#[test]
fn a_rule_is_bound_only_to_gateways_of_its_virtual_service() {
    let bound = |top: Value, block: Value, proxy: &str| {
        let document = json!({"proxy": {"gateways": [proxy]}, "virtualServices": [{"name": "vs", "hosts": ["a.b"],
            "gateways": top, "http": [{"match": [{"gateways": block}], "route": [{"destination": {"host": "a"}}]}]}]});
        compile_json(document.to_string().as_bytes()).unwrap().hosts().iter().count() == 1
    };
    assert!(bound(json!(["a", "b"]), json!(["b"]), "default/b"));
    assert!(!bound(json!(["a", "b"]), json!(["b"]), "default/a"));
    assert!(!bound(json!(["a"]), json!(["b"]), "default/b"));
    assert!(!bound(json!([]), json!(["b"]), "default/b"));
    assert!(!bound(json!(["a"]), json!(["mesh"]), "mesh"));
}

#[test]
fn of_two_gateways_on_one_port_a_block_is_only_for_those_of_its_virtual_service() {
    let document = |gateways: Value| {
        json!({"proxy": {"gateways": ["a", "b"]}, "virtualServices": [{"name": "vs", "hosts": ["x.com"],
            "gateways": gateways, "http": [{"name": "b", "match": [{"gateways": ["b"]}],
            "route": [{"destination": {"host": "a"}}]}]}]})
    };
    let rules = |gateways: Value| compile_json(document(gateways).to_string().as_bytes()).expect("right").rules().len();
    assert_eq!((rules(json!(["a"])), rules(json!(["a", "default/b"])), rules(json!(["b"]))), (0, 1, 1));
}

#[test]
#[expect(clippy::disallowed_types, reason = "the test has a clock, what it tests has none")]
fn lists_are_compiled_in_time_that_grows_with_them() {
    // A loop over all pairs would take minutes here.
    let many = 50_000;
    let namespaces: Vec<_> = (0..many).map(|n| format!("n{n}")).collect();
    let mirrors = vec![json!({"destination": {"host": "a"}}); many];
    let route = vec![json!({"destination": {"host": "a"}, "weight": 1}); many];
    let mut document = with_rule(json!({"mirrors": mirrors, "route": route}));
    document["metrics"] = json!("total");
    document["virtualServices"][0]["exportTo"] = json!(namespaces);
    let start = std::time::Instant::now();
    assert_eq!(errors(&document), [] as [&str; 0]);
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

#[test]
fn what_envoy_takes_no_header_for_is_refused_with_the_reason() {
    for field in ["retryIgnorePreviousHosts", "retryRemoteLocalities", "backoff"] {
        let seen = errors(&with_rule(json!({"retries": {"attempts": 1, field: "1s"}})));
        let start = format!("virtualServices[0].http[0].retries.{field}: Envoy takes no header for it: ");
        assert!(
            seen.len() == 1 && seen[0].starts_with(&start) && seen[0].ends_with("; leave the field out"),
            "{seen:?}"
        );
    }
}

#[test]
fn actions_exclude_each_other() {
    let redirect = json!({"uri": "/b"});
    assert_eq!(
        errors(&with_rule(
            json!({"redirect": redirect, "mirror": {"host": "a"}, "mirrors": [{"destination": {"host": "a"}}]})
        )),
        [
            "virtualServices[0].http[0]: `route` and `redirect` exclude each other: leave one of them out",
            "virtualServices[0].http[0].mirrors: `mirror` and `mirrors` exclude each other: leave one of them out",
        ]
    );
    let answers =
        with_rule(json!({"route": [], "redirect": redirect, "fault": {"delay": {}}, "rewrite": {"uri": "/c"}}));
    assert_eq!(
        errors(&answers),
        [
            "virtualServices[0].http[0].fault: `fault` does not go with `redirect`: leave one of them out",
            "virtualServices[0].http[0].rewrite: `rewrite` does not go with `redirect`: leave one of them out",
        ]
    );
}

#[test]
fn corner_cases_of_matches_are_validated_as_istio_does() {
    let cases = [
        (
            json!({"headers": {"x": {"regex": "*"}}}),
            "headers.x.regex: regex `*` is not valid at character 1: repetition operator missing expression",
        ),
        (json!({"headers": {"x": null}}), "headers.x: expected an object, found nothing"),
        (
            json!({"headers": {"@request.auth.claims.sub": {"exact": "a"}}}),
            "headers[\"@request.auth.claims.sub\"]: claims of a verified token are Envoy metadata, which a Proxy-Wasm filter cannot read safely: let RequestAuthentication copy the claim to a header (`outputClaimToHeaders`) and match that",
        ),
        (json!({"headers": {"a b": {}}}), "headers[\"a b\"]: `a b` is no header name"),
        (
            json!({"sourceIp": ["10.0.0.0/8"]}),
            "sourceIp: `sourceIp` is no field of a VirtualService: set a tag by it, and match the tag's header",
        ),
        (
            json!({"method": {"prefix": ""}}),
            "method.prefix: an empty prefix matches everything: write `{}` for presence",
        ),
    ];
    for (block, message) in cases {
        let expected = format!("virtualServices[0].http[0].match[0].{message}");
        assert_eq!(errors(&with_rule(json!({"match": [block]}))), [expected]);
    }
    for block in [
        json!({"withoutHeaders": {"x": {"regex": "*"}}}),
        json!({"withoutHeaders": {"x": null}}),
        json!({"uri": {"prefix": ""}}),
        json!({"headers": {":path": {"prefix": "/"}, "host": {"exact": "a"}}}),
        json!({}),
    ] {
        assert_eq!(errors(&with_rule(json!({"match": [block]}))), [] as [&str; 0]);
    }
}

#[test]
fn a_short_name_is_served_under_its_aliases() {
    let same = ["a.ns.svc.cluster.local", "a.ns", "a.ns.svc", "a"];
    assert_eq!(aliases("a.ns.svc.cluster.local", "ns"), [same[1], same[2], same[3]]);
    assert_eq!(aliases("a.ns.svc.cluster.local", "other"), ["a.ns", "a.ns.svc"]);
    assert_eq!(aliases("example.com", "ns"), [] as [&str; 0]);
    assert_eq!(aliases("*.ns.svc.cluster.local", "ns"), [] as [&str; 0]);
    assert_eq!(resolve("a", "ns", "cluster.local"), same[0]);
    assert_eq!(resolve("a.b", "ns", "cluster.local"), "a.b");
    assert_eq!(resolve("::1", "ns", "cluster.local"), "[::1]");
}
