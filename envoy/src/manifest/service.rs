//! Services of Kubernetes: hosts that exist.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use switchyard_filter::error::At;
use switchyard_filter::read::Read;
use switchyard_filter::record;

/// The type of a Service that is another name for a host.
pub const EXTERNAL_NAME: &str = "ExternalName";

record! {
    /// What is read of a Service: its ports. A server fills in the rest.
    pub struct Service {
        /// Its ports.
        ports: Vec<ServicePort> = "ports",
        /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
        kind: String = "type",
        /// Selects `WorkloadEntries`; the pods that it selects are in `EndpointSlices`.
        selector: BTreeMap<String, String> = "selector",
        /// `None` for a headless one, whose name is that of its pods; else ignored.
        cluster_ip: Ignored = "clusterIP",
        /// Ignored.
        cluster_ips: Ignored = "clusterIPs",
        /// Ignored.
        external_ips: Ignored = "externalIPs",
        /// Of an `ExternalName`, the host that it stands for.
        external_name: String = "externalName",
        /// Ignored.
        external_traffic_policy: Ignored = "externalTrafficPolicy",
        /// `Local`: only endpoints of the proxy's own node.
        internal_traffic_policy: String = "internalTrafficPolicy",
        /// Ignored.
        health_check_node_port: Ignored = "healthCheckNodePort",
        /// Ignored.
        ip_families: Ignored = "ipFamilies",
        /// Ignored.
        ip_family_policy: Ignored = "ipFamilyPolicy",
        /// Ignored.
        load_balancer_ip: Ignored = "loadBalancerIP",
        /// Ignored.
        load_balancer_class: Ignored = "loadBalancerClass",
        /// Ignored.
        load_balancer_source_ranges: Ignored = "loadBalancerSourceRanges",
        /// Ignored.
        allocate_load_balancer_node_ports: Ignored = "allocateLoadBalancerNodePorts",
        /// Ignored.
        publish_not_ready_addresses: Ignored = "publishNotReadyAddresses",
        /// Ignored: between pods, which Envoy balances by itself.
        session_affinity: Ignored = "sessionAffinity",
        /// Ignored.
        session_affinity_config: Ignored = "sessionAffinityConfig",
        /// `PreferSameZone` (`PreferClose`) or `PreferSameNode`: which endpoints come first.
        traffic_distribution: String = "trafficDistribution",
    }
}

record! {
    /// A port of a Service.
    pub struct ServicePort {
        /// Its number, 1 to 65535.
        port: u16 = "port" required,
        /// Its name; says the protocol to Istio.
        name: String = "name",
        /// `TCP`, `UDP` or `SCTP`. Default: `TCP`.
        protocol: String = "protocol",
        /// Its protocol, to Istio.
        app_protocol: String = "appProtocol",
        /// The port of its pods, a number or a name, where the Service is headless, and of the `WorkloadEntries` that it
        /// selects.
        target_port: Ignored = "targetPort",
        /// Ignored.
        node_port: Ignored = "nodePort",
    }
}

impl Service {
    /// Whether it is another name for a host, and nothing else.
    pub fn is_alias(&self) -> bool {
        self.kind == EXTERNAL_NAME && !self.external_name.is_empty()
    }
}

/// Something that Kubernetes does with a Service and that decides no request: any value.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ignored(Value);

impl Ignored {
    /// Whether it is this text.
    pub fn is(&self, text: &str) -> bool {
        self.0 == text
    }

    /// The text that it is, if it is one.
    pub fn text(&self) -> Option<&str> {
        self.0.as_str()
    }

    /// The port that it is, if it is one.
    pub fn number(&self) -> Option<u16> {
        self.0.as_u64().and_then(|number| u16::try_from(number).ok()).filter(|number| *number > 0)
    }
}

impl Read for Ignored {
    fn read(value: &Value, _: &mut At) -> Option<Self> {
        Some(Self(value.clone()))
    }
}
