//! Proxies that clusters are made for.

use crate::rng::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Sets that share a proxy.
const SETS: usize = 5;
/// Places that there are.
pub const PLACES: [&str; 7] = ["", "eu", "eu/a", "eu/a/1", "eu/a/2", "eu/b/1", "us/c/1"];
/// The labels of a place.
const LABELS: [&str; 3] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proxy {
    /// Its namespace.
    pub namespace: String,
    /// Its labels, without those of its place.
    pub labels: BTreeMap<String, String>,
    /// Where it is: `region/zone/subzone`, as far as it is known.
    pub locality: String,
    /// A gateway, or beside a workload.
    pub is_gateway: bool,
}

impl Proxy {
    /// That of the set `number`, which it shares with its neighbours.
    pub fn new(seed: u64, number: usize) -> Self {
        let group = number / SETS;
        let mut rng = Rng::of(!seed, group);
        let tier = rng.pick(&["a", "b"]);
        let labels = [("app", "front"), ("tier", tier)];
        Self {
            namespace: format!("p{group}-ns"),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            locality: rng.pick(&PLACES).to_owned(),
            is_gateway: rng.chance(50),
        }
    }

    /// As Envoy is started for istiod: with clusters and nothing else.
    pub fn bootstrap(&self, istiod: SocketAddr, secrets: SocketAddr) -> Value {
        let Self { namespace, is_gateway, .. } = self;
        let kind = if *is_gateway { "router" } else { "sidecar" };
        let mut labels = self.labels.clone();
        let parts = LABELS.into_iter().zip(self.locality.split('/')).filter(|(_, part)| !part.is_empty());
        labels.extend(parts.map(|(key, part)| (key.to_owned(), part.to_owned())));
        let address = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        json!({
            "node": {
                // Never the address of an endpoint, which would make it a workload of that service (istio.md 5.3).
                "id": format!("{kind}~10.255.255.1~judge.{namespace}~{namespace}.svc.cluster.local"),
                "cluster": format!("judge.{namespace}"),
                "metadata": {
                    "NAMESPACE": namespace, "LABELS": labels, "INSTANCE_IPS": "10.255.255.1",
                    "ISTIO_VERSION": "1.29.1", "CLUSTER_ID": "Kubernetes", "NAME": "judge",
                    "NODE_NAME": self.labels.get("kubernetes.io/hostname"),
                },
            },
            "admin": {"address": address(0)},
            "dynamic_resources": {
                "cds_config": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"},
                "ads_config": {
                    "api_type": "GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
                    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
                },
            },
            "static_resources": {"clusters": [upstream("xds-grpc", &address(istiod.port())),
                upstream("sds-grpc", &address(secrets.port()))]},
        })
    }
}

fn upstream(name: &str, address: &Value) -> Value {
    json!({
        "name": name, "type": "STATIC", "connect_timeout": "1s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
    })
}
