//! Services of Kubernetes: hosts that exist.

use serde::Serialize;
use serde_json::Value;
use switchyard_filter::error::At;
use switchyard_filter::read::Read;
use switchyard_filter::record;

record! {
    /// What is read of a Service: its ports. A server fills in the rest.
    pub struct Service {
        /// Its ports.
        ports: Vec<ServicePort> = "ports",
        /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
        kind: String = "type",
        /// Selects pods, which are not known here.
        selector: Ignored = "selector",
        /// `None` for a headless one, whose name is that of its pods; else ignored.
        cluster_ip: Ignored = "clusterIP",
        /// Ignored.
        cluster_ips: Ignored = "clusterIPs",
        /// Ignored.
        external_ips: Ignored = "externalIPs",
        /// Ignored.
        external_name: Ignored = "externalName",
        /// Ignored.
        external_traffic_policy: Ignored = "externalTrafficPolicy",
        /// Ignored.
        internal_traffic_policy: Ignored = "internalTrafficPolicy",
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
        /// Ignored.
        traffic_distribution: Ignored = "trafficDistribution",
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
        /// The port of its pods, which only counts for a headless one: a number, or a name that only pods know.
        target_port: Ignored = "targetPort",
        /// Ignored.
        node_port: Ignored = "nodePort",
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
