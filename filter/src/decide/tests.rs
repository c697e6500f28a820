use super::*;
use crate::compile_json;
use crate::request::{Header, Unlisted};
use proptest::prelude::*;
use serde_json::{Value, json};

fn policy(document: &Value) -> Policy {
    compile_json(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The demo's shape: a tag by rule and share, a rule on the tag, a sticky share with an issued cookie, a rewrite.
fn shop() -> Policy {
    let cookie = json!({"httpCookie": {"name": "uid", "ttl": "720h"}});
    policy(&json!({
        "namespace": "shop", "seed": "s",
        "tags": [{
            "header": "user-type",
            "rules": [{"match": [{"sourceIp": ["10.0.0.0/8"]}, {"headers": {"x-staff": {}}}], "value": "internal"}],
            "split": [{"value": "internal", "weight": 30}, {"value": "external", "weight": 70}],
            "stickyBy": cookie,
        }],
        "virtualServices": [{"name": "detail", "hosts": ["detail", "*.example.com"], "http": [
            {"name": "old", "match": [{"uri": {"prefix": "/v1/"}}], "rewrite": {"uri": "/"},
             "route": [{"destination": {"host": "detail", "subset": "v1"}}]},
            {"name": "internal", "match": [{"headers": {"user-type": {"exact": "internal"}}}],
             "route": [{"destination": {"host": "detail", "subset": "v2", "port": {"number": 3000}}}]},
            {"name": "rest", "stickyBy": cookie, "route": [
                {"destination": {"host": "detail", "subset": "v1"}, "weight": 90},
                {"destination": {"host": "detail", "subset": "v2"}, "weight": 10}]},
        ]}],
    }))
}

fn headers<'a>(authority: &'a [u8], path: &'a [u8], more: &[Header<'a>]) -> Vec<Header<'a>> {
    let mut all: Vec<Header<'a>> =
        vec![(b":method", b"GET"), (b":authority", authority), (b":path", path), (b":scheme", b"http")];
    all.extend_from_slice(more);
    all
}

fn cluster<'a>(decision: &'a Decision<'_>) -> &'a str {
    decision.forward().map_or("-", |forward| &forward.destination.cluster)
}

#[test]
fn a_tag_decides_the_route_and_a_client_cannot_send_it() {
    let policy = shop();
    let staff = headers(b"detail", b"/", &[(b"x-staff", b"1"), (b"user-type", b"external")]);
    let decision = decide(&policy, &Request::new(&staff, None), &Draws { fresh: Some(1), ..Draws::default() });
    assert_eq!(decision.tags, [TagState::Value("internal")]);
    assert_eq!(cluster(&decision), "outbound|3000|v2|detail.shop.svc.cluster.local");
    assert!(decision.removes(&policy, b"user_type") && !decision.removes(&policy, b"user-type"));
    assert!(decision.removes(&policy, b"x-switchyard-mirror-1") && !decision.removes(&policy, b"x-staff"));
    assert!(decision.removes(&policy, b"x-envoy-upstream-rq-timeout-ms"));
    assert!(!decision.removes(&policy, b"x-envoy-retry-on"), "overwritten by Istio's default");
}

#[test]
fn a_cookie_is_issued_once_and_decides_as_if_it_had_been_sent() {
    let policy = shop();
    let first = headers(b"detail", b"/", &[]);
    let draws = Draws { fresh: Some(0xabc), ..Draws::default() };
    let decision = decide(&policy, &Request::new(&first, None), &draws);
    assert_eq!(decision.cookies.len(), 1);
    assert_eq!(
        decision.cookies[0].set_cookie(),
        "uid=00000000000000000000000000000abc; Max-Age=2592000; Path=/; HttpOnly"
    );
    let sent = format!("a=b; uid={}", decision.cookies[0].value);
    let again = headers(b"detail", b"/", &[(b"cookie", sent.as_bytes())]);
    let second = decide(&policy, &Request::new(&again, None), &Draws { fresh: Some(7), ..Draws::default() });
    assert!(second.cookies.is_empty());
    assert_eq!((cluster(&decision), &decision.tags), (cluster(&second), &second.tags));
}

#[test]
fn a_rewrite_keeps_the_query_and_remembers_the_path() {
    let policy = shop();
    let lines = headers(b"detail", b"/v1/a?b=1", &[(b"cookie", b"uid=x")]);
    let decision = decide(&policy, &Request::new(&lines, None), &Draws::default());
    let forward = decision.forward().expect("forwarded");
    assert_eq!(forward.path.as_deref(), Some(&b"/a?b=1"[..]));
    let original = decision.request_headers(&policy).find(|(name, _)| *name == headers::ORIGINAL_PATH);
    assert_eq!(original.map(|(_, path)| path.into_owned()), Some(b"/v1/a?b=1".to_vec()));
}

#[test]
fn the_first_rule_that_is_not_false_leaves_a_request_undecidable() {
    let policy = shop();
    let lines = headers(b"detail", b"/", &[]);
    let listed: [&[u8]; 1] = [b"cookie"];
    let request = Request::recorded(&lines, Unlisted::UnknownExcept(&listed), Known::Absent, true);
    let decision = decide(&policy, &request, &Draws { fresh: Some(1), ..Draws::default() });
    assert!(matches!(decision.action, Action::Undecidable(Missing::Header("x-staff"))), "{:?}", decision.action);
    // A rule before that stands.
    let lines = headers(b"detail", b"/v1/", &[]);
    let request = Request::recorded(&lines, Unlisted::UnknownExcept(&listed), Known::Absent, true);
    let decision = decide(&policy, &request, &Draws::default());
    assert_eq!(cluster(&decision), "outbound|80|v1|detail.shop.svc.cluster.local");
}

#[test]
fn a_recording_stands_in_for_the_cookie() {
    let policy = shop();
    let lines = headers(b"detail", b"/", &[(b"cookie", b"uid=alice")]);
    let live = decide(&policy, &Request::new(&lines, None), &Draws { fresh: Some(1), ..Draws::default() });
    let recording = crate::recorded::Recording::new(&policy, &Request::new(&lines, None), &Draws::default(), &live);
    let digests: Vec<_> = recording.digests.iter().map(|(key, digest)| (key.as_str(), *digest)).collect();
    let recorded = crate::draw::Recorded { seed: recording.seed, digests: &digests };
    let lines = headers(b"detail", b"/", &[]);
    let listed: [&[u8]; 2] = [b"x-staff", b"x-request-id"];
    let request = Request::recorded(&lines, Unlisted::UnknownExcept(&listed), Known::Absent, true);
    let again = decide(&policy, &request, &Draws { recorded, ..Draws::default() });
    assert_eq!((cluster(&live), &live.tags), (cluster(&again), &again.tags));
}

#[test]
fn an_open_choice_is_named_and_can_be_given() {
    let policy = shop();
    let lines = headers(b"detail", b"/", &[]);
    let open = decide(&policy, &Request::new(&lines, None), &Draws::default());
    assert_eq!(open.open.map(|split| &*split.name), Some("tag/user-type"));
    let forced = [("tag/user-type", 1), ("shop/detail/rest/split", 1)];
    let given = decide(&policy, &Request::new(&lines, None), &Draws { forced: &forced, ..Draws::default() });
    assert_eq!(cluster(&given), "outbound|80|v2|detail.shop.svc.cluster.local");
    assert!(given.open.is_none());
}

#[test]
fn the_only_option_of_a_choice_is_known_whoever_asks() {
    let cookie = json!({"httpCookie": {"name": "uid", "ttl": "720h"}});
    for (weight, open) in [(0, false), (1, true)] {
        let split = json!([{"value": "a", "weight": 9}, {"value": "b", "weight": weight}]);
        let tag = json!({"header": "x-part", "hosts": ["*"], "split": split, "stickyBy": cookie});
        let policy = policy(&json!({"tags": [tag]}));
        let headers = headers(b"shop", b"/", &[]);
        let decision = decide(&policy, &Request::new(&headers, None), &Draws::default());
        assert_eq!(decision.open.is_some(), open);
        assert_eq!(decision.tags[0] == TagState::Value("a"), !open);
        assert!(decision.cookies.is_empty(), "nobody knows its value");
        let decision = decide(&policy, &Request::new(&headers, None), &Draws { fresh: Some(1), ..Draws::default() });
        assert_eq!((decision.open.is_some(), decision.cookies.len()), (false, 1));
    }
}

#[test]
fn on_a_gateway_virtual_services_merge_and_what_takes_all_comes_last() {
    let vs = |name: &str, prefix: Option<&str>| {
        let matches = prefix.map_or_else(|| json!([]), |prefix| json!([{"uri": {"prefix": prefix}}]));
        json!({"name": name, "hosts": ["shop.test"], "gateways": ["gw"],
               "http": [{"name": name, "match": matches, "route": [{"destination": {"host": name}}]}]})
    };
    let document = |gateways: Value| {
        let mut services = json!([vs("a", None), vs("b", Some("/b"))]);
        for service in services.as_array_mut().unwrap() {
            if gateways == json!(["mesh"]) {
                service["gateways"] = json!(["mesh"]);
            }
        }
        policy(&json!({"proxy": {"gateways": gateways}, "virtualServices": services}))
    };
    let lines = headers(b"shop.test", b"/b", &[]);
    let on = |policy: &Policy| cluster(&decide(policy, &Request::new(&lines, None), &Draws::default())).to_owned();
    assert_eq!(on(&document(json!(["default/gw"]))), "outbound|80||b.default.svc.cluster.local");
    assert_eq!(on(&document(json!(["mesh"]))), "outbound|80||a.default.svc.cluster.local");
    assert_eq!(on(&document(json!(["default/other"]))), "-");
}

#[test]
fn inserting_a_rule_moves_nobody_of_the_others() {
    let rule = |name: &str, header: &str| {
        json!({"name": name, "match": [{"headers": {header: {}}}], "stickyBy": {"httpHeaderName": "x-user"}, "route": [
            {"destination": {"host": "a"}, "weight": 50}, {"destination": {"host": "b"}, "weight": 50}]})
    };
    let with = |rules: Vec<Value>| policy(&json!({"virtualServices": [{"name": "vs", "hosts": ["a"], "http": rules}]}));
    let (before, after) = (
        with(vec![rule("one", "x-one")]),
        with(vec![rule("zero", "x-zero"), rule("one", "x-one"), rule("two", "x-two")]),
    );
    for user in 0..500 {
        let user = user.to_string();
        let lines = headers(b"a", b"/", &[(b"x-one", b""), (b"x-user", user.as_bytes())]);
        let request = Request::new(&lines, None);
        let draws = Draws::default();
        assert_eq!(cluster(&decide(&before, &request, &draws)), cluster(&decide(&after, &request, &draws)), "{user}");
    }
}

proptest! {
    /// Whatever bytes come, there is a decision; and what is decided without knowing everything stands when one does.
    #[test]
    fn any_bytes_have_a_decision_and_less_knowledge_never_decides_otherwise(
        authority in prop_oneof![Just(b"detail".to_vec()), Just(b"x.Example.com:1".to_vec()), any::<Vec<u8>>()],
        path in prop_oneof![Just(b"/v1/x?a=b".to_vec()), Just(b"/".to_vec()), any::<Vec<u8>>()],
        more in prop::collection::vec((
            prop_oneof![Just(b"cookie".to_vec()), Just(b"x-staff".to_vec()), Just(b"user-type".to_vec()), Just(b"x-request-id".to_vec()), any::<Vec<u8>>()],
            any::<Vec<u8>>(),
        ), 0..6),
        known in prop::collection::vec(any::<bool>(), 10),
        address: Option<std::net::IpAddr>,
        fresh: Option<u128>,
    ) {
        let policy = shop();
        let more: Vec<Header<'_>> = more.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        let lines = headers(&authority, &path, &more);
        let draws = Draws { fresh, ..Draws::default() };
        let full = Request::new(&lines, address);
        let decision = decide(&policy, &full, &draws);
        for (name, _) in &lines {
            let _ = decision.removes(&policy, name);
        }
        let report = crate::report::Report::new(&policy, &decision, Some(&path), Some(&authority));
        // Names are known or not as a whole: every line of one, or none.
        let is_known = |name: &[u8]| known[usize::from(name.first().copied().unwrap_or(0)) % known.len()];
        let fewer: Vec<Header<'_>> = lines.iter().copied().filter(|(name, _)| is_known(name)).collect();
        let absent: Vec<&[u8]> = [&b"cookie"[..], b"x-staff", b"x-request-id", b"user-type"].into_iter().filter(|name| is_known(name)).collect();
        let address = if known[0] { full.source_address() } else { Known::Unknown };
        let partial = Request::recorded(&fewer, Unlisted::UnknownExcept(&absent), address, true);
        let guess = decide(&policy, &partial, &draws);
        if !matches!(guess.action, Action::Undecidable(_)) {
            let guessed = crate::report::Report::new(&policy, &guess, Some(&path), Some(&authority));
            prop_assert_eq!(guessed.cluster, report.cluster);
            prop_assert_eq!(guessed.path, report.path);
            prop_assert_eq!(guessed.reply, report.reply);
        }
    }
}
