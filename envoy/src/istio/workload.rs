//! Pods, as far as manifests tell: whose labels they have decides what selects them.

use crate::manifest::{Kind, Manifests};
use crate::translate::selects;
use crate::yaml::Node;
use std::collections::BTreeMap;

/// Kinds whose `spec.template` is a pod, in the group `apps`.
const TEMPLATES: [&str; 4] = ["Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"];

/// Labels, or a selector of them.
pub type Labels = BTreeMap<String, String>;

/// A pod, or what makes pods.
#[derive(Debug)]
pub struct Workload<'a> {
    /// `Deployment demo/shop`.
    pub shown: String,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its labels; what injection adds is not among them.
    pub labels: Labels,
    /// The pod's `spec`.
    pod: Option<&'a Node>,
}

impl Workload<'_> {
    /// The container's port of this name.
    pub fn port(&self, name: &str) -> Option<u16> {
        let containers = self.pod?.get("containers")?.items();
        let mut ports = containers.iter().filter_map(|container| container.get("ports")).flat_map(Node::items);
        let found = ports.find(|port| port.get("name").and_then(Node::as_str) == Some(name))?;
        number(found.get("containerPort")?)
    }
}

/// All of them.
pub fn all(manifests: &Manifests) -> Vec<Workload<'_>> {
    let pods = manifests.of(Kind::Pod).map(|pod| Workload {
        shown: pod.to_string(),
        namespace: &pod.namespace,
        labels: pod.labels.clone(),
        pod: pod.node.get("spec"),
    });
    let makers = manifests
        .unread
        .iter()
        .filter(|one| one.api_version.starts_with("apps/") && TEMPLATES.contains(&&*one.kind_name));
    let made = makers.filter_map(|maker| {
        let template = maker.node.get("spec")?.get("template")?;
        let labels = template.get("metadata").and_then(|metadata| metadata.get("labels")).map(pairs);
        Some(Workload {
            shown: maker.to_string(),
            namespace: &maker.namespace,
            labels: labels.unwrap_or_default(),
            pod: template.get("spec"),
        })
    });
    pods.chain(made).collect()
}

/// Whether no label can have both values.
pub fn contradict(a: &Labels, b: &Labels) -> bool {
    a.iter().any(|(key, value)| b.get(key).is_some_and(|other| other != value))
}

/// Whether two selectors are for the same pods, as far as is told: a workload of the manifests has both, or they ask for a
/// label in common and nothing says otherwise.
pub fn meet(a: &Labels, b: &Labels, workloads: &[Workload<'_>]) -> bool {
    let of = |selector: &Labels| workloads.iter().filter(|one| selects(selector, &one.labels)).count();
    let both = workloads.iter().any(|one| selects(a, &one.labels) && selects(b, &one.labels));
    let is_told = of(a) > 0 && of(b) > 0;
    both || !is_told && !contradict(a, b) && a.iter().any(|(key, value)| b.get(key) == Some(value))
}

/// A map of strings.
pub fn pairs(node: &Node) -> Labels {
    node.entries().iter().filter_map(|entry| Some((entry.key.clone(), entry.value.as_str()?.to_owned()))).collect()
}

/// `k=v,…`, as `--workload` takes it.
pub fn shown(labels: &Labels) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// A port.
pub fn number(node: &Node) -> Option<u16> {
    node.to_json().as_u64()?.try_into().ok()
}
