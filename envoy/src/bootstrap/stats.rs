//! What makes labels of counters: `stats_tags`, as Istio's own bootstrap has them for clusters and for `extraStatTags`.

use crate::translate::Listener;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a cluster's name ends with in its statistics, as istiod writes it (istio.md 2.0).
pub const STAT_NAME_END: char = ';';

/// The statistics' configuration: the whole name of a cluster as `cluster_name` (Envoy's own `envoy_cluster_name` ends at
/// the first dot and leaves the rest to the metric's name), and the filter's labels.
pub fn stats(listeners: &[Listener<'_>]) -> Value {
    let labels: BTreeSet<String> =
        listeners.iter().flat_map(|listener| listener.policy.series().labels(&listener.policy)).collect();
    // The first group is taken out of the name, the second is the value.
    let tag = |label: &String| json!({"tag_name": label, "regex": format!("(?:\\.|;)({label}=\\.=(.*?);\\.;)")});
    let cluster = json!({"tag_name": "cluster_name", "regex": format!("^cluster\\.((.+?){STAT_NAME_END}\\.)")});
    json!({"stats_tags": std::iter::once(cluster).chain(labels.iter().map(tag)).collect::<Vec<_>>()})
}
