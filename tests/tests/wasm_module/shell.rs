//! What the shell does with a decision.

use super::*;
use std::collections::BTreeMap;
use std::time::Duration;
use switchyard_filter::draw::{Draws, Recorded};
use switchyard_filter::recorded::Recording;
use switchyard_filter::request::Request;
use switchyard_filter::{compile_json, decide, edit};

fn text(state: &BTreeMap<String, Vec<u8>>, name: &str) -> String {
    String::from_utf8(state[name].clone()).expect("text")
}

#[test]
fn a_configuration_with_errors_is_refused_with_each_path_and_the_old_one_goes_on() {
    let (vm, old) = start(POLICY);
    let wrong = r#"{"tagz": [], "onUnmatched": "maybe", "tags": [{"header": "host", "rules": [{"value": "a"}]}]}"#;
    let refused = vm.configure(wrong.as_bytes()).map(drop).unwrap_err();
    assert_eq!(refused.trap, None);
    let lines: Vec<_> = refused.log.iter().map(|line| (line.level, line.text.as_str())).collect();
    assert!(lines.iter().all(|(level, text)| *level == 4 && text.starts_with("switchyard: configuration refused: ")));
    for path in ["tagz", "onUnmatched"] {
        assert!(lines.iter().any(|(_, text)| text.contains(&format!("refused: {path}: "))), "{path}: {lines:?}");
    }
    for text in ["", "{", "null", "\u{0}", "[[[[[["] {
        let refused = vm.configure(text.as_bytes()).map(drop).unwrap_err();
        assert_eq!((refused.trap, refused.log.len()), (None, 1), "{text:?}");
    }
    assert_eq!(
        values(&went_on(old.request(get(b"/old", &[]), &[]).outcome()), "x-switchyard-cluster"),
        [cluster("v1")]
    );
}

#[test]
fn the_configuration_in_force_is_logged_once_with_its_digest() {
    let (vm, _plugin) = start(POLICY);
    let log = vm.log();
    assert_eq!((log.len(), log[0].level), (1, 2), "{log:?}");
    let (line, rest) = log[0].text.split_once(": configuration ").expect("a digest");
    assert_eq!(line, format!("switchyard {}", env!("CARGO_PKG_VERSION")));
    let (digest, rest) = rest.split_once(' ').expect("more");
    assert!(digest.len() == 16 && digest.bytes().all(|b| b.is_ascii_hexdigit()), "{digest}");
    assert_eq!(rest, "in force: 3 rules, 1 tags, mode enforce");
}

#[test]
fn a_request_is_tagged_and_sent_to_its_cluster_with_one_read_and_no_write_too_many() {
    let (vm, plugin) = start(&plain_policy());
    let before = vm.calls();
    let stream = plugin.request(get(b"/old/a?b=c", &[]), &[]);
    let after = went_on(stream.outcome());
    assert_eq!(values(&after, "user-type"), ["external"]);
    assert_eq!(values(&after, "x-switchyard-cluster"), [cluster("v1")]);
    assert_eq!(values(&after, ":path"), ["/new/a?b=c"]);
    assert_eq!(values(&after, "x-envoy-original-path"), ["/old/a?b=c"]);
    let calls = vm.calls();
    let made = |name| calls.get(name).copied().unwrap_or(0) - before.get(name).copied().unwrap_or(0);
    assert_eq!(made("proxy_get_header_map_pairs"), 1);
    assert_eq!(made("proxy_increment_metric"), 0, "counts are handed over by the tick");
    let writes = after.len() as u64 - 4 + 1;
    assert_eq!((made("proxy_replace_header_map_value"), stream.route_cache_clears()), (writes, writes));
    for never in ["proxy_get_header_map_value", "proxy_get_property", "proxy_set_property", "proxy_log"] {
        assert_eq!(made(never), 0, "{never}");
    }
    // What is right already is not written again: of all that, only the path.
    let again = after.into_iter().map(|(name, value)| match name.as_slice() {
        b":path" => (name, b"/old/a?b=c".to_vec()),
        _ => (name, value),
    });
    let again = plugin.request(again.collect(), &[]);
    assert_eq!(values(&went_on(again.outcome()), ":path"), ["/new/a?b=c"]);
    assert_eq!(again.route_cache_clears(), 1);
}

#[test]
fn the_source_address_is_read_where_the_policy_asks_for_it() {
    let (_vm, plugin) = start(POLICY);
    for (address, tag) in [
        (&b"10.20.1.2:4711"[..], "internal"),
        (b"10.21.1.2:4711", "external"),
        (b"[2001:db8::1]:80", "internal"),
        (b"10.20.1.2", "internal"),
        (b"/run/socket", "external"),
        (b"\xff", "external"),
        (b"", "external"),
    ] {
        let stream = plugin.request(get(b"/old", &[]), &[("source.address", address)]);
        assert_eq!(values(&went_on(stream.outcome()), "user-type"), [tag], "{}", String::from_utf8_lossy(address));
    }
}

#[test]
fn an_issued_cookie_goes_out_once_and_keeps_its_destination() {
    let (vm, plugin) = start(POLICY);
    let mut clusters = BTreeMap::<String, u32>::new();
    for _ in 0..40 {
        let mut first = plugin.request(get(b"/kept", &[]), &[]);
        let chosen = values(&went_on(first.outcome()), "x-switchyard-cluster");
        let response = first.respond(vec![(b":status".to_vec(), b"200".to_vec())]).expect("no trap");
        let [cookie] = values(&response, "set-cookie").try_into().expect("one cookie");
        assert!(cookie.ends_with("; Max-Age=2592000; Path=/; HttpOnly"), "{cookie}");
        let cookie = cookie.split(';').next().expect("a pair");
        let value = cookie.strip_prefix("uid=").expect("uid");
        for (name, state) in first.filter_state() {
            assert!(!String::from_utf8_lossy(&state).contains(value), "{name} holds the cookie's value");
        }
        let mut second = plugin.request(get(b"/kept/more", &[(b"cookie", cookie.as_bytes())]), &[]);
        assert_eq!(values(&went_on(second.outcome()), "x-switchyard-cluster"), chosen);
        assert_eq!(second.respond(vec![]).expect("no trap"), []);
        *clusters.entry(chosen.concat()).or_default() += 1;
    }
    assert_eq!(clusters.len(), 2, "{clusters:?}");
    assert_eq!(vm.calls()["random_get"], 1, "one seed for all requests");
}

#[test]
fn what_the_access_log_is_told_replays_to_the_same_decision() {
    let (_vm, plugin) = start(POLICY);
    let policy = compile_json(POLICY.as_bytes()).expect("the policy is right");
    let none: &[(&[u8], &[u8])] = &[];
    let alice: &[(&[u8], &[u8])] = &[(b"cookie", b"uid=alice")];
    let requests: [(&[u8], _); 4] = [(b"/kept", none), (b"/kept", alice), (b"/drawn", none), (b"/old/", none)];
    for (path, lines) in requests.into_iter().cycle().take(80) {
        let sent = get(path, lines);
        let stream = plugin.request(sent.clone(), &[]);
        let chosen = values(&went_on(stream.outcome()), "x-switchyard-cluster").concat();
        let state = stream.filter_state();
        assert_eq!(text(&state, "wasm.switchyard_cluster"), chosen);
        assert_eq!(text(&state, "wasm.switchyard_tags"), "user-type=external");
        assert!(text(&state, "wasm.switchyard_rule").starts_with("workshop/shop/"));
        let recording = Recording::parse(&text(&state, "wasm.switchyard_draws")).expect("a recording");
        let digests: Vec<_> = recording.digests.iter().map(|(key, digest)| (key.as_str(), *digest)).collect();
        let recorded = Recorded { seed: recording.seed, digests: &digests };
        let draws = Draws { recorded, ..Draws::default() };
        let lines: Vec<_> = sent.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let request = Request::new(&lines, None);
        let again = decide(&policy, &request, &draws);
        assert_eq!(again.forward().map(|forward| &*forward.destination.cluster), Some(chosen.as_str()));
    }
}

#[test]
fn an_answer_names_its_reason_and_passes_as_a_response_untouched() {
    let (vm, plugin) = start(POLICY);
    let stream = plugin.request(get(b"/none", &[(b"x-switchyard-cluster", b"evil")]), &[]);
    let Outcome::LocalReply { status, details, headers, body, grpc } = stream.outcome() else {
        panic!("{:?}", stream.outcome())
    };
    assert_eq!((status, details.as_str(), body.len(), grpc), (404, "switchyard{no_route}", 0, None));
    assert_eq!(headers, [(b":status".to_vec(), b"404".to_vec())]);
    assert_eq!(stream.misuse(), [""; 0]);
    let grpc = plugin.request(get(b"/none", &[(b"content-type", b"application/grpc")]), &[]);
    let Outcome::LocalReply { headers, .. } = grpc.outcome() else { panic!("{:?}", grpc.outcome()) };
    assert_eq!(values(&headers, "grpc-status"), ["12"]);
    vm.advance(Duration::from_secs(1)).expect("no trap");
    assert_eq!(vm.metrics()["switchyard_reply"], 2);
}

#[test]
fn an_answer_carries_the_cookie_that_its_tag_issued() {
    let policy = r#"{"tags": [{"header": "user-type", "split": [{"value": "a", "weight": 1}, {"value": "b", "weight": 1}],
            "stickyBy": {"httpCookie": {"name": "uid", "ttl": "0s"}}}],
        "virtualServices": [{"name": "shop", "hosts": ["shop"], "http": [{"match": [{"uri": {"exact": "/"}}],
            "route": [{"destination": {"host": "shop"}}]}]}]}"#;
    let (_vm, plugin) = start(policy);
    let stream = plugin.request(get(b"/none", &[]), &[]);
    let Outcome::LocalReply { headers, .. } = stream.outcome() else { panic!("{:?}", stream.outcome()) };
    let cookies = values(&headers, "set-cookie");
    assert!(cookies.len() == 1 && cookies[0].starts_with("uid="), "{cookies:?}");
}

#[test]
fn observing_tells_and_counts_and_changes_nothing() {
    let policy = POLICY.replace(r#""accessLog": "draws","#, r#""mode": "observe","#);
    let (vm, plugin) = start(&policy);
    for (path, rule, cluster) in
        [(&b"/old"[..], "workshop/shop/old", cluster("v1")), (b"/none", "no_route", "-".to_owned())]
    {
        let sent = get(path, &[(b"user-type", b"internal"), (b"x-envoy-fault-delay-request", b"1")]);
        // Nobody has a use for it but the routes that may be there already.
        let evil = get(path, &[(b"user-type", b"internal"), (b"x-switchyard-cluster", b"evil")]);
        assert_eq!(went_on(plugin.request(evil, &[]).outcome()), get(path, &[(b"user-type", b"internal")]));
        let mut stream = plugin.request(sent.clone(), &[]);
        assert_eq!(went_on(stream.outcome()), sent);
        assert_eq!(stream.route_cache_clears(), 0);
        let state = stream.filter_state();
        assert_eq!(text(&state, "wasm.switchyard_rule"), rule);
        assert_eq!(text(&state, "wasm.switchyard_cluster"), cluster);
        assert_eq!(text(&state, "wasm.switchyard_tags"), "user-type=external");
        assert_eq!(stream.respond(vec![]).expect("no trap"), []);
    }
    vm.advance(Duration::from_secs(1)).expect("no trap");
    let metrics = vm.metrics();
    assert_eq!((metrics["switchyard_forward"], metrics["switchyard_reply"], metrics["switchyard_pass"]), (2, 2, 0));
}

#[test]
fn one_vm_holds_several_configurations() {
    let (vm, first) = start(&plain_policy());
    let second = vm.configure(plain_policy().replace("external", "other").as_bytes()).expect("right");
    let tag = |plugin: &Plugin| values(&went_on(plugin.request(get(b"/old", &[]), &[]).outcome()), "user-type");
    let waiting = first.request(get(b"/old", &[]), &[]);
    assert_eq!(
        (tag(&first), tag(&second), tag(&first)),
        (vec!["external".into()], vec!["other".into()], vec!["external".into()])
    );
    drop(first);
    waiting.end().expect("no trap");
    assert_eq!(tag(&second), ["other"]);
    assert_eq!(vm.failed(), None);
}

/// The lines that the core would send on, without the .wasm.
fn native(policy: &switchyard_filter::Policy, sent: &[Header]) -> Option<Vec<Header>> {
    let lines: Vec<_> = sent.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
    let request = Request::new(&lines, None);
    let decision = decide(policy, &request, &Draws { fresh: Some(0), ..Draws::default() });
    let is_reply = matches!(decision.action, switchyard_filter::decision::Action::Reply(_));
    (!is_reply).then(|| edit::apply(&edit::edits(policy, &decision, &request), &lines))
}

#[test]
fn it_does_with_any_headers_what_the_core_does_natively() {
    let policy = compile_json(plain_policy().as_bytes()).expect("the policy is right");
    let (vm, plugin) = start(&plain_policy());
    let mut state = 7_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let names: [&[u8]; 12] = [
        b"user-type",
        b"user_type",
        b"x-badge",
        b"cookie",
        b"x-switchyard-cluster",
        b"x_switchyard-hash",
        b"x-envoy-retry-on",
        b"x-envoy-max-retries",
        b"x-envoy-fault-abort-request",
        b"x-envoy-original-path",
        b"accept",
        b"x-\xe9",
    ];
    let texts: [&[u8]; 8] =
        [b"external", b"staff", b"caf\xc3\xa9", b"caf\xe9", b"", b"uid=a; b", b"5", b"\x80\xff\x00"];
    let paths: [&[u8]; 8] = [b"/old", b"/old/x?y=%00", b"/kept/1", b"/drawn", b"/none", b"", b"*", b"/dr\xe9"];
    let mut replies = 0;
    for number in 0..2000 {
        let id = format!("request-{number}");
        let mut sent = get(paths[random(paths.len())], &[(b"x-request-id", id.as_bytes())]);
        for _ in 0..random(8) {
            sent.push((names[random(names.len())].to_vec(), texts[random(texts.len())].to_vec()));
        }
        if random(8) == 0 {
            sent.remove(random(4));
        }
        let outcome = plugin.request(sent.clone(), &[]).outcome();
        if let Some(expected) = native(&policy, &sent) {
            assert_eq!(went_on(outcome), expected, "{sent:?}");
        } else {
            assert!(matches!(outcome, Outcome::LocalReply { status: 404, .. }), "{outcome:?} {sent:?}");
            replies += 1;
        }
    }
    assert!((100..1900).contains(&replies), "{replies}");
    assert_eq!(vm.metrics()["switchyard_host_errors"], 0);
}

#[test]
fn counts_are_handed_over_by_a_tick_that_is_armed_only_while_there_are_any() {
    let (vm, plugin) = start(&plain_policy());
    let calls = || vm.calls().get("proxy_increment_metric").copied().unwrap_or_default();
    let ticks = || vm.calls().get("proxy_set_tick_period_milliseconds").copied().unwrap_or_default();
    assert_eq!(ticks(), 0, "an idle filter has no tick");
    for _ in 0..100 {
        went_on(plugin.request(get(b"/old", &[]), &[]).outcome());
    }
    assert_eq!((calls(), ticks()), (0, 1));
    vm.advance(Duration::from_millis(999)).expect("no trap");
    assert_eq!(calls(), 0);
    vm.advance(Duration::from_millis(1)).expect("no trap");
    let labels = format!(
        "virtual_service=.=workshop/shop;.;destination=.={};.;outcome=.=forward;.;tag_user_type=.=external;.;",
        cluster("v1")
    );
    let metrics = vm.metrics();
    assert_eq!((metrics["switchyard_forward"], metrics[&format!("{labels}switchyard_requests")]), (100, 100));
    assert_eq!((calls(), ticks()), (2, 2), "one for each counter, and the tick is off");
    vm.advance(Duration::from_mins(1)).expect("no trap");
    assert_eq!((calls(), ticks()), (2, 2));
}
