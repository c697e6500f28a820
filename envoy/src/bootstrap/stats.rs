//! What makes labels of the filter's counters: `stats_tags`, as Istio's own bootstrap has them for `extraStatTags`.

use crate::translate::Listener;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The statistics' configuration; `null` where no listener counts by label.
pub fn stats(listeners: &[Listener<'_>]) -> Value {
    let labels: BTreeSet<String> =
        listeners.iter().flat_map(|listener| listener.policy.series().labels(&listener.policy)).collect();
    // The first group is taken out of the name, the second is the value.
    let tag = |label: &String| json!({"tag_name": label, "regex": format!("(?:\\.|;)({label}=\\.=(.*?);\\.;)")});
    if labels.is_empty() { Value::Null } else { json!({"stats_tags": labels.iter().map(tag).collect::<Vec<_>>()}) }
}
