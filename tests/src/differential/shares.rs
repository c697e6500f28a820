//! What hangs on chance: weights and percentages other than 0 and 100. Each side's count must lie where at most one run
//! of a million puts it by chance.

use super::compare::Pair;
use super::outcome::Outcome;
use super::probe::Probe;
use super::seen::Seen;
use super::world::{Entry, HOME};
use crate::demo::expected_999999;
use serde_json::{Value, json};

/// Requests to each side for each policy.
const REQUESTS: usize = 400;

/// Something that happens to a share of the requests.
struct Share {
    what: &'static str,
    expected: f64,
    /// Whether it is two draws together: Envoy's own hang on one number (`reference/envoy.md` 1.2), ours do not.
    both: bool,
    happens: fn(&Seen) -> bool,
}

/// A policy, by the fields of its rule, and what it makes of how many requests.
struct Policy {
    rule: Value,
    shares: Vec<Share>,
}

fn went(seen: &Seen, endpoint: &str) -> bool {
    seen.endpoint() == Some(endpoint)
}

/// Whether a copy came to an endpoint that did not answer.
fn copied(seen: &Seen, endpoint: &str) -> bool {
    seen.arrivals.iter().any(|arrival| arrival.at == endpoint)
}

const V1: &str = "127.10.1.1/first";
const V2: &str = "127.10.1.2/first";
const V3: &str = "127.10.1.3/first";

fn policies() -> Vec<Policy> {
    let to = |subset: &str| json!({"host": "shop.demo.svc.cluster.local", "subset": subset});
    let route = |weights: &[(&str, u32)]| -> Value {
        weights.iter().map(|(subset, weight)| json!({"destination": to(subset), "weight": weight})).collect()
    };
    let v1 = route(&[("v1", 1)]);
    let share = |what, share, happens| Share { what, expected: share, both: what.starts_with("both"), happens };
    let policy = |rule, shares| Policy { rule, shares };
    vec![
        policy(
            json!({"route": route(&[("v1", 90), ("v2", 10)])}),
            vec![share("v1 of 90/10", 0.9, |seen| went(seen, V1)), share("v2 of 90/10", 0.1, |seen| went(seen, V2))],
        ),
        policy(
            json!({"route": route(&[("v1", 5), ("v2", 3), ("v3", 2)])}),
            vec![
                share("v1 of 5/3/2", 0.5, |seen| went(seen, V1)),
                share("v2 of 5/3/2", 0.3, |seen| went(seen, V2)),
                share("v3 of 5/3/2", 0.2, |seen| went(seen, V3)),
            ],
        ),
        policy(
            json!({"route": route(&[("v1", 100), ("v2", 0), ("v3", 50)])}),
            vec![
                share("v3 of 100/0/50", 1.0 / 3.0, |seen| went(seen, V3)),
                share("v2 of 100/0/50", 0.0, |seen| went(seen, V2)),
            ],
        ),
        policy(
            json!({"route": v1, "fault": {"abort": {"httpStatus": 418, "percentage": {"value": 33.3333}}}}),
            vec![share("abort 33.3333 %", 0.333_333, |seen| seen.status == 418)],
        ),
        policy(
            json!({"route": v1, "fault": {
                "delay": {"fixedDelay": "1ms", "percent": 50}, "abort": {"httpStatus": 418, "percentage": {"value": 50}}}}),
            vec![
                share("delay 50 %, deprecated percent", 0.5, |seen| seen.flags.contains("DI")),
                share("abort 50 % beside it", 0.5, |seen| seen.flags.contains("FI")),
                share("both", 0.25, |seen| seen.flags.contains("DI") && seen.flags.contains("FI")),
            ],
        ),
        policy(
            json!({"route": v1, "mirror": to("v2"), "mirrorPercentage": {"value": 25.5}}),
            vec![share("mirror 25.5 %", 0.255, |seen| copied(seen, V2))],
        ),
        policy(
            json!({"route": v1, "mirrors": [
                {"destination": to("v2"), "percentage": {"value": 50}}, {"destination": to("v3"), "percentage": {"value": 20}}]}),
            vec![
                share("mirror 50 % of two", 0.5, |seen| copied(seen, V2)),
                share("mirror 20 % of two", 0.2, |seen| copied(seen, V3)),
                share("both mirrors", 0.1, |seen| copied(seen, V2) && copied(seen, V3)),
            ],
        ),
    ]
}

fn host(policy: usize) -> String {
    format!("share{policy}.test")
}

/// Their VirtualServices.
pub fn manifests() -> Vec<Value> {
    let one = |(number, policy): (usize, Policy)| {
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": format!("share{number}"), "namespace": HOME},
            "spec": {"hosts": [host(number)], "gateways": ["gw"], "http": [policy.rule]},
        })
    };
    policies().into_iter().enumerate().map(one).collect()
}

/// Their requests.
pub fn probes() -> Vec<Probe> {
    let one = |number: usize| Probe {
        entry: Entry::Gateway(80),
        method: "GET".into(),
        host: host(number / REQUESTS),
        target: "/".into(),
        headers: Vec::new(),
        body: String::new(),
    };
    (0..policies().len() * REQUESTS).map(one).collect()
}

/// Compares what became of them.
pub fn compare(pairs: &[(usize, Pair)], outcome: &mut Outcome) {
    for (number, policy) in policies().iter().enumerate() {
        let own: Vec<&Pair> =
            pairs.iter().map(|(_, pair)| pair).filter(|pair| pair.probe.host == host(number)).collect();
        for share in &policy.shares {
            let (low, high) = expected_999999(own.len(), share.expected);
            for (side, count) in [
                ("Istio", own.iter().filter(|pair| (share.happens)(&pair.istio)).count()),
                ("we", own.iter().filter(|pair| (share.happens)(&pair.ours)).count()),
            ] {
                if share.both && side == "Istio" {
                    continue;
                }
                outcome.shares += 1;
                if !(low..=high).contains(&count) {
                    let wrong = format!("{}: {side} {count} of {}, expected {low} to {high}", share.what, own.len());
                    outcome.wrong_shares.push(wrong);
                }
            }
        }
    }
}
