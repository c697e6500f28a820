//! Configurations that are as large as anybody could write: each is taken or refused, in time, and nothing traps.

use super::*;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a worker may be busy with a configuration (issue 4).
const PATIENCE: Duration = Duration::from_secs(2);

fn document(rules: &[Value]) -> Value {
    json!({"metrics": "total", "virtualServices": [{"name": "shop", "hosts": ["shop"], "http": rules}]})
}

fn route() -> Value {
    json!([{"destination": {"host": "shop", "subset": "v1"}}])
}

/// Configures, and checks how long that took. What was said against it.
fn configure(document: &Value) -> Result<(Vm, Plugin), String> {
    let text = document.to_string();
    let vm = Vm::start(&MODULE, Options::default()).expect("the VM starts");
    let start = busy();
    let configured = vm.configure(text.as_bytes());
    let took = busy().saturating_sub(start);
    assert_eq!(vm.failed(), None);
    assert!(took <= PATIENCE, "a configuration of {} bytes takes {took:?}", text.len());
    configured.map(|plugin| (vm, plugin)).map_err(|error| format!("{error:?}"))
}

/// How long this thread has run: others may have the processor too, and that is not the filter's time.
fn busy() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    Duration::from_nanos(text.split(' ').next().expect("a number").parse().expect("a number"))
}

#[test]
fn ten_thousand_rules_are_taken() {
    let rule = |n: usize| {
        json!({
            "name": format!("rule-{n}"),
            "match": [{"uri": {"prefix": format!("/path-{n}/")}, "headers": {"x-tenant": {"exact": format!("tenant-{n}")}}}],
            "rewrite": {"uri": "/"},
            "route": route(),
            "timeout": "2s",
            "headers": {"request": {"set": {"x-rule": format!("{n}")}}},
        })
    };
    let (_vm, plugin) = configure(&document(&(0..10_000).map(rule).collect::<Vec<_>>())).expect("taken");
    let last = get(b"/path-9999/a", &[(b"x-tenant", b"tenant-9999")]);
    let after = went_on(plugin.request(last, &[]).outcome());
    assert_eq!((values(&after, ":path"), values(&after, "x-rule")), (vec!["/a".to_owned()], vec!["9999".to_owned()]));
    assert!(matches!(plugin.request(get(b"/other", &[]), &[]).outcome(), Outcome::LocalReply { status: 404, .. }));
}

#[test]
fn a_thousand_headers_in_one_rule_are_taken() {
    let all = |n: usize| (format!("x-{n}"), json!(format!("value-{n}")));
    let matches: serde_json::Map<String, Value> =
        (0..1_000).map(|n| (format!("y-{n}"), json!({"exact": "a"}))).collect();
    let set: serde_json::Map<String, Value> = (0..1_000).map(all).collect();
    let rules = vec![
        json!({"match": [{"headers": matches}], "route": route()}),
        json!({"headers": {"request": {"set": set}}, "route": route()}),
    ];
    let (_vm, plugin) = configure(&document(&rules)).expect("taken");
    let after = went_on(plugin.request(get(b"/", &[(b"x-7", b"mine")]), &[]).outcome());
    assert_eq!(values(&after, "x-7"), ["value-7"]);
    assert!(after.len() > 1_000);
}

#[test]
fn a_megabyte_is_a_direct_response_and_more_is_refused() {
    let answer =
        |size: usize| document(&[json!({"directResponse": {"status": 200, "body": {"string": "a".repeat(size)}}})]);
    let (_vm, plugin) = configure(&answer(1 << 20)).expect("taken");
    let outcome = plugin.request(get(b"/", &[]), &[]).outcome();
    assert!(
        matches!(&outcome, Outcome::LocalReply { status: 200, body, .. } if body.len() == 1 << 20),
        "{outcome:.200?}"
    );
    let refused = configure(&answer((1 << 20) + 1)).err().expect("refused");
    assert!(refused.contains("directResponse.body"), "{refused}");
}

#[test]
fn numbers_beyond_all_bounds_are_refused() {
    for (field, value, said) in [
        ("fault", json!({"delay": {"percentage": {"value": 1e300}, "fixedDelay": "1s"}}), "`1e+300` is no percentage"),
        ("fault", json!({"abort": {"percentage": {"value": -1}, "httpStatus": 500}}), "is no percentage"),
        ("fault", json!({"delay": {"fixedDelay": "999999999999h"}}), "is longer than 100 years"),
        ("timeout", json!("1e9s"), "is no duration"),
        ("retries", json!({"attempts": 4_294_967_296_u64}), "is out of range"),
    ] {
        let refused = configure(&document(&[json!({"route": route(), field: value})])).err().expect("refused");
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn regexes_that_would_explode_are_refused() {
    let nested = "(?:(?:(?:a{1,50}){1,50}){1,50}){1,50}";
    for (field, value) in [
        ("match", json!([{"uri": {"regex": nested}}])),
        ("corsPolicy", json!({"allowOrigins": [{"regex": nested}]})),
        ("rewrite", json!({"uriRegexRewrite": {"match": nested, "rewrite": "/"}})),
    ] {
        let refused = configure(&document(&[json!({"route": route(), field: value})])).err().expect("refused");
        assert!(refused.contains("is more than RE2's 1000"), "{refused}");
    }
}
