//! Pods and their nodes: the labels and the place of an address in an `EndpointSlice`.

use super::super::locality::Locality;
use super::super::{Mesh, numbered, spec};
use super::entry::labelled_locality;
use crate::manifest::{Kind, Manifest, Manifests, SliceEndpoint};
use crate::yaml::Node;
use std::collections::BTreeMap;

/// The label of proxies and endpoints that names their node.
pub const HOSTNAME: &str = "kubernetes.io/hostname";
/// Labels of a node, region first.
const PLACE: [&str; 3] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

/// Those that are known.
#[derive(Debug)]
pub struct Pods<'a> {
    pods: BTreeMap<(&'a str, &'a str), &'a Manifest>,
    nodes: BTreeMap<&'a str, &'a Manifest>,
}

impl<'a> Pods<'a> {
    /// Those of the manifests.
    pub fn of(manifests: &'a Manifests) -> Self {
        let all = |kind| numbered(manifests, kind).map(|(_, manifest)| manifest);
        Self {
            pods: all(Kind::Pod).map(|pod| ((pod.namespace.as_str(), pod.name.as_str()), pod)).collect(),
            nodes: all(Kind::Node).map(|node| (node.name.as_str(), node)).collect(),
        }
    }

    /// The labels of an endpoint and `region/zone/subzone` of it, as far as they are known: as istiod has them, a label
    /// of the pod comes before its node's place (istio.md 2.0).
    pub fn about(&self, endpoint: &'a SliceEndpoint, namespace: &str) -> (BTreeMap<String, String>, String) {
        let mut labels = self.pod(endpoint, namespace).map(|pod| pod.labels.clone()).unwrap_or_default();
        let of_node = || {
            let node = self.nodes.get(endpoint.node_name.as_str())?;
            let label = |name: &str| node.labels.get(name).map_or("", String::as_str);
            Some(PLACE.map(label).join("/").trim_end_matches('/').to_owned())
        };
        let locality = labelled_locality(&labels).or_else(of_node).unwrap_or_default();
        Locality::parse(&locality).label(&mut labels);
        // `AugmentLabels` of istiod, whose first cluster has this name; the node is that of the pod.
        labels.insert("topology.istio.io/cluster".into(), "Kubernetes".into());
        if let Some(node) = self.node_of(endpoint, namespace) {
            labels.insert(HOSTNAME.into(), node.into());
        }
        (labels, locality)
    }

    /// What the certificate of an endpoint says where it is a known pod: that of its account.
    pub fn identity(&self, endpoint: &SliceEndpoint, namespace: &str, mesh: &Mesh) -> Option<String> {
        let account = self.pod(endpoint, namespace)?.node.at(&spec("serviceAccountName")).and_then(Node::as_str);
        // As Kubernetes has it.
        Some(mesh.identity(namespace, account.unwrap_or("default")))
    }

    /// The node of an endpoint: its pod's, else what the slice says.
    pub fn node_of(&self, endpoint: &'a SliceEndpoint, namespace: &str) -> Option<&'a str> {
        let of_pod =
            self.pod(endpoint, namespace).and_then(|pod| pod.node.at(&spec("nodeName"))).and_then(Node::as_str);
        of_pod.or(Some(endpoint.node_name.as_str())).filter(|node| !node.is_empty())
    }

    fn pod(&self, endpoint: &SliceEndpoint, namespace: &str) -> Option<&'a Manifest> {
        let target = &endpoint.target_ref;
        self.pods.get(&(namespace, target.name.as_str())).copied().filter(|_| target.kind == "Pod")
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::manifests;
    use super::super::super::{Model, Options};

    #[test]
    fn an_address_has_the_labels_of_its_pod_and_the_place_of_its_node() {
        let text = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: shop, namespace: demo}
  spec: {ports: [{port: 80}]}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: shop-1, namespace: demo, labels: {kubernetes.io/service-name: shop}}
  addressType: IPv4
  ports: [{port: 8080}]
  endpoints:
  - {addresses: [10.0.0.1], nodeName: n1, targetRef: {kind: Pod, name: a, namespace: demo, uid: u}}
  - {addresses: [10.0.0.2], nodeName: n1, targetRef: {kind: Pod, name: b, namespace: demo}}
  - {addresses: [10.0.0.3], nodeName: n2, targetRef: {kind: Pod, name: c, namespace: demo}}
- {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: demo, labels: {version: v1}}, spec: {nodeName: n1, serviceAccountName: shop}, status: {}}
- {apiVersion: v1, kind: Pod, metadata: {name: b, namespace: demo, labels: {version: v2, istio-locality: eu.b}}}
- {apiVersion: v1, kind: Pod, metadata: {name: c, namespace: elsewhere, labels: {version: v1}}}
- {apiVersion: v1, kind: Node, metadata: {name: n1, labels: {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: a}}}
- apiVersion: networking.istio.io/v1
  kind: DestinationRule
  metadata: {name: shop, namespace: demo}
  spec: {host: shop, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
";
        let manifests = manifests(&[text]);
        assert_eq!(manifests.namespace, "demo");
        let model = Model::new(&manifests, &Options::default()).unwrap_or_else(|said| panic!("{said:?}"));
        assert_eq!(model.warnings(), []);
        let known = &model.services()["shop.demo.svc.cluster.local"];
        let shown = |subset| {
            let endpoints = known.endpoints_of(subset);
            endpoints.map(|endpoint| format!("{} {}", endpoint.address, endpoint.locality)).collect::<Vec<_>>()
        };
        assert_eq!(shown(None), ["10.0.0.1 eu/a", "10.0.0.2 eu/b", "10.0.0.3 "]);
        assert_eq!(shown(known.subsets.first()), ["10.0.0.1 eu/a"]);
        assert_eq!(shown(known.subsets.get(1)), ["10.0.0.2 eu/b"]);
        let account = |name: &str| format!("spiffe://cluster.local/ns/demo/sa/{name}");
        assert_eq!(known.subject_alt_names, [account("default"), account("shop")]);
        assert_eq!(known.endpoints[0].labels["topology.kubernetes.io/zone"], "a");
    }
}
