//! What a service says itself of where its requests go: `trafficDistribution`.

use crate::manifest::LocalityLbSetting;
use std::collections::BTreeMap;

/// The annotation that says the same, of Services and ServiceEntries.
const ANNOTATION: &str = "networking.istio.io/traffic-distribution";
/// Labels of proxies and endpoints, the most important first: as `GetLocalityLbSetting` of istiod.
const SAME_NODE: [&str; 5] = [
    "topology.istio.io/network",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
    "kubernetes.io/hostname",
];

/// What the field says, else the annotation (`GetTrafficDistribution` of istiod); `None`: nothing, or nothing known.
pub fn of(written: &str, annotations: &BTreeMap<String, String>) -> Option<LocalityLbSetting> {
    let annotation = || annotations.get(ANNOTATION).map(|value| value.to_ascii_lowercase());
    let count = match written {
        "PreferSameZone" | "PreferClose" => 3,
        "PreferSameNode" => SAME_NODE.len(),
        _ => match annotation().as_deref() {
            Some("preferclose" | "prefersamezone") => 3,
            Some("prefersamenode") => SAME_NODE.len(),
            _ => return None,
        },
    };
    let failover_priority = SAME_NODE.iter().take(count).map(|label| (*label).to_owned()).collect();
    Some(LocalityLbSetting { failover_priority, ..LocalityLbSetting::default() })
}
