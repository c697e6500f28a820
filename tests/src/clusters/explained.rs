//! The differences that are meant: all of them, in this one place. What has another form and means the same is in
//! [`super::compare`], each with its reason at its function: files in place of SDS, typed subject alt names, endpoints in
//! place of EDS, `envoy.cluster.dns`, Istio's metadata.

use super::set::Set;
use serde_json::{Value, json};

/// A cluster on both sides.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Ours, if there is one.
    pub ours: Option<Value>,
    /// Istio's.
    pub istio: Option<Value>,
}

/// A difference that is meant.
#[derive(Clone, Copy, Debug)]
pub struct Explained {
    /// What it is.
    pub what: &'static str,
    /// Why.
    pub why: &'static str,
    /// Undoes it where it is, and says whether it was.
    pub undo: fn(&mut Pair, &Set) -> bool,
}

/// What clusters may differ in.
pub const EXPLAINED: [Explained; 4] = [
    Explained {
        what: "an empty retryBudget",
        why: "is 0.2 percent in 1.29.1 and 20 in 1.29.6, as here (istio.md 5.0)",
        undo: |pair, _| {
            let percent = budget(&mut pair.istio).and_then(|budget| budget.get_mut("budget_percent"));
            percent.filter(|percent| percent["value"] == json!(0.2)).is_some_and(|percent| {
                *percent = json!({"value": 20.0});
                true
            })
        },
    },
    Explained {
        what: "a retryBudget that counts for a subset",
        why: "is dropped in 1.29.1 where the subset has a policy, and is not in 1.29.6, nor here (istio.md 5.0)",
        undo: |pair, _| {
            let is_of_subset = pair
                .istio
                .as_ref()
                .is_some_and(|istio| istio["name"].as_str().is_some_and(|name| name.split('|').nth(2) != Some("")));
            if !is_of_subset || budget(&mut pair.istio).is_some() {
                return false;
            }
            threshold(&mut pair.ours).is_some_and(|threshold| threshold.remove("retry_budget").is_some())
        },
    },
    Explained {
        what: "warmup beside an empty ringHash",
        why: "istiod leaves what another policy than the ring would take of it; Envoy does not look at it",
        undo: |pair, _| {
            let is_ring = pair.istio.as_ref().is_some_and(|istio| istio["lb_policy"] == "RING_HASH");
            let fields = pair.istio.as_mut().filter(|_| is_ring).and_then(Value::as_object_mut);
            fields.is_some_and(|fields| {
                let by_load = fields.remove("least_request_lb_config");
                by_load.or(fields.remove("round_robin_lb_config")).is_some()
            })
        },
    },
    Explained {
        what: "consecutiveErrors",
        why: "is ignored by Istio; tutorials teach it and mean consecutive5xxErrors, which it is read as, with a warning",
        undo: |pair, set| {
            let outlier = |side: &mut Option<Value>| {
                side.as_mut().and_then(|cluster| cluster["outlier_detection"].as_object_mut()).map(std::mem::take)
            };
            let is_written = set.manifests.iter().any(|manifest| manifest.to_string().contains("consecutiveErrors"));
            let Some(istio) = outlier(&mut pair.istio.clone()).filter(|_| is_written) else { return false };
            let Some(ours) = pair.ours.as_mut().and_then(|ours| ours["outlier_detection"].as_object_mut()) else {
                return false;
            };
            !istio.contains_key("consecutive_5xx")
                && ours.remove("consecutive_5xx").is_some()
                && ours.remove("enforcing_consecutive_5xx").is_some()
        },
    },
];

/// Sets that we alone refuse, by part of what we say, with the reason.
pub const REFUSED: [(&str, &str); 6] = [
    ("not supported", "what is not HTTP, or newer than 1.29, is an error and never dropped in silence"),
    ("to 65535", "there is no such port, though istiod does not look at those of portLevelSettings"),
    ("takes one endpoint", "Envoy refuses such a cluster, and Istio's proxies go without it"),
    (
        "is out of range: 0 to 100",
        "the API server refuses such a retryBudget (CRD), and Envoy too; istiod does not look",
    ),
    (
        "is no whole number of milliseconds",
        "an idleTimeout of TCP below 1 ms, which istiod lets pass, ends connections at once",
    ),
    ("overlaps with", "istiod finds `eu/a` beside `eu/*` in every second look: it goes by the order of a map"),
];

fn threshold(side: &mut Option<Value>) -> Option<&mut serde_json::Map<String, Value>> {
    side.as_mut()?.pointer_mut("/circuit_breakers/thresholds/0")?.as_object_mut()
}

fn budget(side: &mut Option<Value>) -> Option<&mut Value> {
    threshold(side)?.get_mut("retry_budget")
}
