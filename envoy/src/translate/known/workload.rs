//! `WorkloadEntries`: endpoints that ServiceEntries select by their labels (istio.md 2.0).

use super::super::{Notes, numbered, selector, spec};
use super::entry::is_address;
use crate::manifest::{Kind, Manifests, ServiceEntry, WorkloadEntry};
use std::collections::BTreeMap;

/// A `WorkloadEntry` with its labels, of which those of its metadata come first.
pub struct Workload<'a> {
    namespace: &'a str,
    written: WorkloadEntry,
}

/// Every `WorkloadEntry`, by namespace and name.
pub fn read<'a>(manifests: &'a Manifests, notes: &mut Notes) -> Vec<Workload<'a>> {
    let mut all: BTreeMap<(&str, &str), Workload<'a>> = BTreeMap::new();
    for (_, manifest) in numbered(manifests, Kind::WorkloadEntry) {
        let Some(mut written) = notes.spec::<WorkloadEntry>(manifest) else { continue };
        if !written.address.is_empty() && !is_address(&written.address) {
            let message = format!("`{}` is no IP address and no name", written.address.escape_debug());
            notes.push(manifest.error(&spec("address"), &message));
        }
        selector::labels(manifest, "labels", &written.labels, notes);
        written.labels.extend(manifest.labels.clone());
        all.insert((&manifest.namespace, &manifest.name), Workload { namespace: &manifest.namespace, written });
    }
    all.into_values().collect()
}

/// The endpoints of a ServiceEntry: those that it lists, or those of its namespace that it selects.
pub fn endpoints(entry: &ServiceEntry, namespace: &str, workloads: &[Workload<'_>]) -> Vec<WorkloadEntry> {
    let Some(selector) = &entry.workload_selector else { return entry.endpoints.clone() };
    let is_selected = |workload: &&Workload<'_>| {
        let labels = &workload.written.labels;
        workload.namespace == namespace && selector.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    workloads.iter().filter(is_selected).map(|workload| workload.written.clone()).collect()
}
