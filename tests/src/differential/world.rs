//! What all random policies share: gateways, services with their subsets, and the proxies in front of them.
//!
//! Every endpoint has an address of its own, so the upstream can tell which one was reached.

use serde_json::{Value, json};
use std::net::SocketAddr;

/// The namespace of the proxies, and of most policies.
pub const HOME: &str = "demo";
/// The other namespace.
pub const AWAY: &str = "other";
/// The gateways' ports, with the Gateway that each is of.
pub const GATEWAY_PORTS: [(u16, &str); 3] = [(80, "gw"), (8081, "gw"), (8080, "gw2")];
/// The port of the mesh.
pub const MESH_PORT: u16 = 80;
/// The sidecar's ports: it knows only services that have one of them.
pub const MESH_PORTS: [u16; 2] = [80, 8080];
/// What `sourceLabels` can find at the sidecar.
pub const LABELS: [(&str, &str); 2] = [("app", "front"), ("tier", "web")];

/// Where a request enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// The sidecar's listener.
    Mesh,
    /// A port of the gateway.
    Gateway(u16),
}

impl Entry {
    /// Every entry.
    pub const ALL: [Self; 4] = [Self::Mesh, Self::Gateway(80), Self::Gateway(8080), Self::Gateway(8081)];

    /// The name of our listener.
    pub fn listener(self) -> String {
        match self {
            Self::Mesh => "mesh".into(),
            Self::Gateway(port) => format!("gateway-{port}"),
        }
    }
}

/// A service that policies route to.
struct Service {
    name: &'static str,
    host: &'static str,
    namespace: &'static str,
    ports: &'static [u16],
    subsets: &'static [&'static str],
    /// How many endpoints there are without subsets.
    endpoints: usize,
    /// The field of `consistentHash`.
    hash: Option<(&'static str, &'static str)>,
}

const PLAIN: Service =
    Service { name: "", host: "", namespace: HOME, ports: &[80], subsets: &[], endpoints: 1, hash: None };

const SERVICES: [Service; 8] = [
    Service { name: "shop", host: "shop.demo.svc.cluster.local", subsets: &["v1", "v2", "v3"], ..PLAIN },
    Service { name: "cart", host: "cart.demo.svc.cluster.local", ports: &[80, 8080], subsets: &["v1", "v2"], ..PLAIN },
    Service { name: "alt", host: "alt.demo.svc.cluster.local", ports: &[8080], subsets: &["v1"], ..PLAIN },
    Service { name: "far", host: "far.other.svc.cluster.local", namespace: AWAY, subsets: &["v1"], ..PLAIN },
    Service { name: "out", host: "out.example.com", ..PLAIN },
    Service { name: "dead", host: "dead.demo.svc.cluster.local", ..PLAIN },
    Service {
        name: "ring",
        host: "ring.demo.svc.cluster.local",
        endpoints: 5,
        hash: Some(("httpHeaderName", HASHED)),
        ..PLAIN
    },
    Service {
        name: "near",
        host: "near.demo.svc.cluster.local",
        endpoints: 5,
        hash: Some(("useSourceIp", "")),
        ..PLAIN
    },
];

/// The header that a destination hashes; every request has it, since without it an endpoint is chosen at random.
pub const HASHED: &str = "x-hash";

/// The upstream's two addresses: for services' port 80, and for their other ones.
#[derive(Clone, Copy, Debug)]
pub struct Upstream {
    /// Port 80.
    pub first: SocketAddr,
    /// Any other.
    pub second: SocketAddr,
    /// A port at which nobody listens.
    pub dead: u16,
}

/// All manifests that policies share.
pub fn manifests(upstream: Upstream) -> Vec<Value> {
    let mut all = vec![gateway("gw", &[(80, "*"), (8081, "*")]), gateway("gw2", &[(8080, "demo/*.test")])];
    for (number, service) in SERVICES.iter().enumerate() {
        let labels: Vec<Value> = if service.subsets.is_empty() {
            vec![json!({}); service.endpoints]
        } else {
            service.subsets.iter().map(|subset| json!({"version": subset})).collect()
        };
        let endpoints = labels.iter().enumerate().map(|(endpoint, labels)| {
            let address = format!("127.10.{}.{}", number + 1, endpoint + 1);
            (address, labels.clone())
        });
        let own = if service.name == "dead" { upstream.dead } else { upstream.first.port() };
        let upstream = Upstream { first: SocketAddr::new(upstream.first.ip(), own), ..upstream };
        all.push(entry(service.name, service.namespace, &[service.host], service.ports, endpoints, upstream));
        let subsets: Vec<_> =
            service.subsets.iter().map(|subset| json!({"name": subset, "labels": {"version": subset}})).collect();
        let mut spec = json!({"host": service.host});
        if !subsets.is_empty() {
            spec["subsets"] = json!(subsets);
        }
        if let Some((field, value)) = service.hash {
            let value = if value.is_empty() { json!(true) } else { json!(value) };
            spec["trafficPolicy"] = json!({"loadBalancer": {"consistentHash": {field: value}}});
        }
        all.push(json!({
            "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
            "metadata": {"name": service.name, "namespace": service.namespace}, "spec": spec,
        }));
    }
    all
}

/// A service of a policy's own: the sidecar serves only hosts that are known.
pub fn own_service(name: &str, hosts: &[&str], number: usize, upstream: Upstream) -> Value {
    let address = format!("127.20.{}.{}", number / 200, 1 + number % 200);
    entry(name, HOME, hosts, &[80], [(address, json!({}))].into_iter(), upstream)
}

fn gateway(name: &str, servers: &[(u16, &str)]) -> Value {
    let servers: Vec<_> = servers
        .iter()
        .map(|(port, host)| {
            json!({"port": {"number": port, "name": format!("http-{port}"), "protocol": "HTTP"}, "hosts": [host]})
        })
        .collect();
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "namespace": HOME},
        "spec": {"selector": {"istio": "gw"}, "servers": servers},
    })
}

fn entry(
    name: &str,
    namespace: &str,
    hosts: &[&str],
    ports: &[u16],
    endpoints: impl Iterator<Item = (String, Value)>,
    upstream: Upstream,
) -> Value {
    let at = |port: u16| if port == 80 { upstream.first.port() } else { upstream.second.port() };
    let listed: Vec<_> =
        ports.iter().map(|port| json!({"number": port, "name": format!("http-{port}"), "protocol": "HTTP"})).collect();
    let mapped: serde_json::Map<_, _> = ports.iter().map(|port| (format!("http-{port}"), json!(at(*port)))).collect();
    let endpoints: Vec<_> =
        endpoints.map(|(address, labels)| json!({"address": address, "ports": mapped, "labels": labels})).collect();
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hosts": hosts, "location": "MESH_INTERNAL", "resolution": "STATIC", "ports": listed, "endpoints": endpoints},
    })
}
