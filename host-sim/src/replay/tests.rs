use super::*;
use share::Over;
use std::fmt::Write as _;
use switchyard_filter::compile_json;

/// Tags by rule and by share, a rule that asks for a header, a canary that a cookie keeps.
const POLICY: &str = r#"{
    "seed": "s",
    "services": [{"host": "shop.default.svc.cluster.local", "ports": [80], "subsets": [{"name": "v1"}, {"name": "v2"}]}],
    "tags": [{"header": "user-type",
        "rules": [{"match": [{"sourceIp": ["10.20.0.0/16"]}], "value": "internal"}],
        "split": [{"value": "internal", "weight": 30}, {"value": "external", "weight": 70}]}],
    "virtualServices": [{"name": "shop", "hosts": ["shop"], "http": [
        {"name": "beta", "match": [{"headers": {"x-beta": {"exact": "yes"}}}], "route": [{"destination": {"host": "shop", "subset": "v2"}}]},
        {"name": "internal", "match": [{"headers": {"user-type": {"exact": "internal"}}}], "route": [{"destination": {"host": "shop", "subset": "v2"}}]},
        {"name": "rest", "stickyBy": {"httpCookie": {"name": "uid"}}, "route": [
            {"destination": {"host": "shop", "subset": "v1"}, "weight": 90},
            {"destination": {"host": "shop", "subset": "v2"}, "weight": 10}]}]}]}"#;

fn run(recording: &str, listeners: &[&str]) -> (ReplayReport, String) {
    let policy = compile_json(POLICY.as_bytes()).unwrap();
    let sides: Vec<_> = listeners.iter().map(|listener| Side { listener, policy: &policy }).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording.json");
    std::fs::write(&file, recording).unwrap();
    let mut decisions = Vec::new();
    let files = [file.to_str().unwrap().to_owned()];
    let report = replay(&sides, &files, Some(&mut decisions), &ProgressBar::hidden(), &mut |_| {}).unwrap();
    (report, String::from_utf8(decisions).unwrap())
}

/// A request with everything that the policy asks for.
fn request(id: u64, user: u64, recorded: Option<&str>) -> String {
    let cluster = recorded
        .map_or("null".to_owned(), |cluster| format!("\"outbound|80|{cluster}|shop.default.svc.cluster.local\""));
    format!(
        r#"{{"id":"{id}","rid":"request-{id}","m":"GET","a":"shop","p":"/","h":{{"cookie":"uid=user-{user}"}},"ra":"10.0.0.1","uc":{cluster}}}"#
    ) + "\n"
}

#[test]
fn a_sticky_choice_is_counted_over_subjects_and_another_over_requests() {
    let recording: String = (0..1000).map(|id| request(id, id % 50, None)).collect();
    let (report, _) = run(&recording, &["mesh"]);
    assert_eq!(report.input.requests, 1000);
    let internal = &report.tags[0];
    assert_eq!(
        (internal.value.as_deref(), internal.share.over, internal.share.n),
        (Some("internal"), Over::Requests, 1000)
    );
    assert_eq!(internal.share.expected, Some(0.3));
    assert!(internal.share.low < Some(0.3) && Some(0.3) < internal.share.high, "{internal:?}");
    let rest: Vec<_> = report.destinations.iter().filter(|row| row.rule == "rest").collect();
    assert_eq!((rest[0].share.over, rest[0].share.n), (Over::Subjects, 50));
    assert_eq!((rest[0].share.expected, rest[1].share.expected), (Some(0.9), Some(0.1)));
    assert_eq!(rest[0].share.requests + rest[1].share.requests, report.rules[2].share.requests);
    assert_eq!(report.rules[0].share.requests, 0, "a rule that nothing reaches is told too");
    assert_eq!(report.rules[1].share.expected, Some(0.3));
}

#[test]
fn a_rule_of_the_tag_counts_in_what_is_expected() {
    let inside = request(1, 1, None).replace("10.0.0.1", "10.20.0.1");
    let (report, _) = run(&(inside + &request(2, 2, None)), &["mesh"]);
    assert_eq!(report.tags[0].share.expected, Some(0.65), "the mean of 1 and 0.3");
}

#[test]
fn parity_is_of_decidable_requests_with_a_recorded_cluster() {
    let once = |id: u64| run(&request(id, 7, None), &["mesh"]).1;
    let mut recording = String::new();
    let mut expected = 0;
    for id in 0..20 {
        let to_v2 = once(id).contains("|v2|");
        // Envoy is said to have sent all of them to v2.
        expected += u64::from(to_v2);
        recording += &request(id, 7, Some("v2"));
    }
    recording += &request(20, 7, None);
    recording += &request(21, 7, Some("v2")).replace(r#""ra":"10.0.0.1","#, "");
    let (report, decisions) = run(&recording, &["mesh"]);
    assert_eq!((report.parity.compared, report.parity.equal), (20, expected));
    assert!(0 < expected && expected < 20, "both happen: {expected}");
    let kind = &report.parity.kinds[0];
    assert_eq!((kind.rule.as_deref(), kind.requests), (Some("default/shop/rest"), 20 - expected));
    assert_eq!(kind.expected.as_deref(), Some("outbound|80|v1|shop.default.svc.cluster.local"));
    assert_eq!(decisions.matches(r#""parity":false"#).count() as u64, 20 - expected);
    assert_eq!(decisions.matches(r#""parity":null"#).count(), 2);
}

#[test]
fn a_request_is_undecidable_when_the_first_rule_that_is_not_false_is_unknown() {
    let mut recording = String::new();
    for (lines, line) in [
        // Nothing of the headers: `beta` may match.
        (3, r#"{"rid":"1","m":"GET","a":"shop","p":"/","ra":"10.0.0.1"}"#),
        // Listed as absent: `beta` is false, and the tag hangs on the address.
        (2, r#"{"rid":"1","m":"GET","a":"shop","p":"/","h":{"x-beta":null},"hp":"listed"}"#),
        // `beta` is true, whatever the tag is.
        (1, r#"{"m":"GET","a":"shop","p":"/","h":{"x-beta":"yes"},"hp":"listed"}"#),
        // A whole map lacks the cookie: the request id decides, which is known not to be there.
        (1, r#"{"m":"GET","a":"shop","p":"/","h":{"x-beta":"no"},"ra":"10.0.0.1"}"#),
        (1, r#"{"m":"GET","p":"/","h":{}, "a":"elsewhere"}"#),
    ] {
        for _ in 0..lines {
            let _ = writeln!(recording, "{line}");
        }
    }
    let (report, _) = run(&recording, &["mesh"]);
    let missing: Vec<_> = report.undecidable.iter().map(|row| (row.missing.as_str(), row.requests)).collect();
    assert_eq!(missing, [("header `x-beta`", 3), ("source address", 2), ("header `x-request-id`", 1)]);
    assert_eq!(report.actions["forward"], 1);
    assert_eq!(report.actions["pass"], 1);
    assert_eq!(report.rules.last().map(|row| row.rule.as_str()), Some("pass"));
}

/// As Envoy 1.40.0 wrote it for `GET /a#b`; a start, or a word of the filter, would say that it got further.
#[test]
fn a_request_that_envoy_refused_is_not_counted() {
    let refused = r#"{"a":"shop","c":400,"cluster":null,"d":"path_normalization_failed","draws":null,"h":{"x-beta":null},"hp":"listed","id":"-/30/1","m":"GET","p":"/a#b","rid":null,"type":"DownstreamEnd","uc":null}"#;
    let started = refused.replace("DownstreamEnd", "DownstreamStart");
    let decided = refused.replace(r#""cluster":null"#, r#""cluster":"-""#);
    for (recording, requests) in [(refused.to_owned(), 0), (format!("{started}\n{refused}"), 1), (decided, 1)] {
        let (report, _) = run(&recording, &["mesh"]);
        assert_eq!((report.input.requests, report.input.refused), (requests, 1 - requests));
    }
}

#[test]
fn of_several_listeners_the_recorded_one_decides() {
    let named = |name: &str| request(1, 1, None).replace(r#""m":"#, &format!(r#""listener":"{name}","m":"#));
    let recording = [named("mesh"), named("gateway-80"), named("other"), request(1, 1, None)].concat();
    let (report, decisions) = run(&recording, &["mesh", "gateway-80"]);
    let missing: Vec<_> = report.undecidable.iter().map(|row| row.missing.as_str()).collect();
    assert_eq!(missing, ["listener", "listener `other`, which these manifests do not have"]);
    assert_eq!(decisions.lines().count(), 4);
    // One policy decides whatever the listener was called.
    assert_eq!(run(&recording, &["mesh"]).0.undecidable, []);
}

#[test]
fn equal_input_gives_equal_output() {
    let recording: String = (0..20_000).map(|id| request(id, id % 977, Some("v1"))).collect();
    let (first, lines) = run(&recording, &["mesh"]);
    let (second, again) = run(&recording, &["mesh"]);
    assert_eq!(serde_json::to_string(&first.rules).unwrap(), serde_json::to_string(&second.rules).unwrap());
    assert_eq!(serde_json::to_string(&first.parity).unwrap(), serde_json::to_string(&second.parity).unwrap());
    assert!(lines == again);
    assert_eq!(lines.lines().count(), 20_000);
}

#[test]
fn observed_traffic_is_compared_with_what_the_filter_would_have_done() {
    let observe = POLICY.replacen('{', r#"{"mode": "observe","#, 1);
    let policy = compile_json(observe.as_bytes()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let line = r#"{"id":"1","m":"GET","a":"shop","p":"/","h":{"x-beta":"yes"},"uc":"envoys-own","cluster":"outbound|80|v2|shop.default.svc.cluster.local"}"#;
    std::fs::write(&file, line).unwrap();
    let sides = [Side { listener: "mesh", policy: &policy }];
    let files = [file.to_str().unwrap().to_owned()];
    let report = replay(&sides, &files, None, &ProgressBar::hidden(), &mut |_| {}).unwrap();
    assert_eq!((report.parity.compared, report.parity.equal), (1, 1));
}
