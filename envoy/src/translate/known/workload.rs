//! `WorkloadEntries`: endpoints that ServiceEntries select by their labels (istio.md 2.0).

use super::super::{Notes, numbered, selector, spec};
use super::entry::{is_address, port_name};
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
        for (name, number) in &written.ports {
            let path = spec("ports").field(name);
            port_name(manifest, &path, name, notes);
            if *number == 0 {
                notes.push(manifest.error(&path, "`0` is out of range: 1 to 65535"));
            }
        }
        selector::labels(manifest, "labels", &written.labels, notes);
        written.labels.extend(manifest.labels.clone());
        all.insert((&manifest.namespace, &manifest.name), Workload { namespace: &manifest.namespace, written });
    }
    all.into_values().collect()
}

impl Workload<'_> {
    /// It, where it is of this namespace and has these labels.
    pub fn selected(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Option<&WorkloadEntry> {
        (self.namespace == namespace && selector::selects(labels, &self.written.labels)).then_some(&self.written)
    }
}

/// The endpoints of a ServiceEntry: those that it lists, or those of its namespace that it selects.
pub fn endpoints(entry: &ServiceEntry, namespace: &str, workloads: &[Workload<'_>]) -> Vec<WorkloadEntry> {
    let Some(selector) = &entry.workload_selector else { return entry.endpoints.clone() };
    workloads.iter().filter_map(|workload| workload.selected(namespace, &selector.labels)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::told;

    #[test]
    fn what_is_selected_is_checked_as_what_is_listed() {
        let workload = "apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: a, namespace: shop}
spec: {address: 10.0.0.1, ports: {a_b: 1, c: 0}}
";
        let said =
            ["error a.yaml:4:40: `a_b` is no name of a port", "error a.yaml:4:46: `0` is out of range: 1 to 65535"];
        assert_eq!(told(&[workload]), said);
    }
}
