//! `EndpointSlices` of Kubernetes: the addresses of a Service's pods, as `kubectl get endpointslices -o yaml` prints them.

use super::Ignored;
use switchyard_filter::record;

record! {
    /// Addresses of a Service, which the label `kubernetes.io/service-name` names. It has no `spec`.
    pub struct EndpointSlice {
        /// `IPv4`, `IPv6` or `FQDN`; names are left out, as in Istio.
        address_type: String = "addressType" required,
        /// The endpoints.
        endpoints: Vec<SliceEndpoint> = "endpoints",
        /// The ports of all of them.
        ports: Vec<SlicePort> = "ports",
    }
}

record! {
    /// An endpoint.
    pub struct SliceEndpoint {
        /// Its addresses, each an endpoint.
        addresses: Vec<String> = "addresses" required,
        /// Whether it takes requests.
        conditions: SliceConditions = "conditions",
        /// Ignored, as in Istio: its place is that of its node.
        zone: Ignored = "zone",
        /// Its node.
        node_name: String = "nodeName",
        /// What it is, mostly a pod.
        target_ref: TargetRef = "targetRef",
        /// Ignored.
        hostname: Ignored = "hostname",
        /// Ignored.
        hints: Ignored = "hints",
        /// Ignored.
        deprecated_topology: Ignored = "deprecatedTopology",
    }
}

record! {
    /// What an endpoint is.
    pub struct TargetRef {
        /// `Pod`, mostly.
        kind: String = "kind",
        /// Its name.
        name: String = "name",
        /// Its namespace: that of the slice.
        namespace: Ignored = "namespace",
        /// Ignored.
        uid: Ignored = "uid",
        /// Ignored.
        api_version: Ignored = "apiVersion",
        /// Ignored.
        resource_version: Ignored = "resourceVersion",
        /// Ignored.
        field_path: Ignored = "fieldPath",
    }
}

record! {
    /// Whether an endpoint takes requests.
    pub struct SliceConditions {
        /// It does. Default: yes.
        ready: Option<bool> = "ready",
        /// It could, though it is about to end.
        serving: Option<bool> = "serving",
        /// It is about to end. Default: no.
        terminating: Option<bool> = "terminating",
    }
}

record! {
    /// A port of all endpoints of a slice.
    pub struct SlicePort {
        /// The name of the Service's port.
        name: String = "name",
        /// Its number; none: all.
        port: Option<u16> = "port",
        /// `TCP`, `UDP` or `SCTP`.
        protocol: String = "protocol",
        /// Its protocol, to Istio: the Service's counts.
        app_protocol: Ignored = "appProtocol",
    }
}

impl SliceEndpoint {
    /// Whether it gets requests: ready, also where it is about to end (`endpointHealthStatus` of istiod).
    pub fn takes_requests(&self) -> bool {
        self.conditions.ready != Some(false)
    }
}
