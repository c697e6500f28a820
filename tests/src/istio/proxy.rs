//! A proxy as istiod is told of it, before there is one.

use crate::harness::free_port;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};

/// The label by which manifests of this harness find one proxy.
const LABEL: &str = "switchyard-proxy";

/// The label by which istiod knows the proxies of a Gateway of the Gateway API.
pub const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// What says that such a proxy is a waypoint.
const MESH_CONTROLLER: [&str; 2] = ["gateway.istio.io/managed", "istio.io-mesh-controller"];

/// The port of HBONE.
const HBONE: u16 = 15008;

/// An address of this machine that nobody else in this process has.
fn loopback() -> [u8; 4] {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    [127, 3, 0, NEXT.fetch_add(1, Ordering::Relaxed)]
}

/// What a proxy is in the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Beside a workload, for what it calls; no traffic is intercepted, callers come to its listeners.
    Sidecar,
    /// A gateway.
    Gateway,
}

/// A proxy with its listeners. Ports are those of policies (80, 443, 9080 …); each is really served on a free port of
/// 127.0.0.1, which nothing but [`Proxy::address`] tells: in Istio, and in its routes, it remains what it is.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Its name.
    pub name: String,
    /// Sidecar or gateway.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Labels of its workload: what `sourceLabels` and a Gateway's `selector` look at.
    pub labels: BTreeMap<String, String>,
    /// How many proxies in front of it are trusted to tell the client's address in `x-forwarded-for`.
    pub trusted_hops: u32,
    ports: BTreeMap<u16, u16>,
    inbound: Vec<(SocketAddr, u16)>,
    hbone: Option<SocketAddr>,
    ip: String,
}

impl Proxy {
    /// A sidecar with a listener per port, at which it reaches every service that is exported to its namespace.
    pub fn sidecar(name: &str, namespace: &str, ports: impl IntoIterator<Item = u16>) -> Self {
        Self::new(Kind::Sidecar, name, namespace, ports)
    }

    /// A gateway. It listens on the ports of the Gateways that select its labels; those named here can be reached.
    pub fn gateway(name: &str, namespace: &str, ports: impl IntoIterator<Item = u16>) -> Self {
        Self::new(Kind::Gateway, name, namespace, ports)
    }

    /// The waypoint of a Gateway of the Gateway API that has its name: a gateway that is spoken to over HBONE. It listens at
    /// the second value, an address of this machine, which a `WorkloadEntry` is to name: proxies find it as an endpoint of its
    /// Service.
    pub fn waypoint(name: &str, namespace: &str) -> (Self, SocketAddr) {
        // All that speak HBONE go by this port, so that the address must be nobody's in another process either.
        static NEXT: AtomicU8 = AtomicU8::new(64);
        let [.., high, low] = std::process::id().to_be_bytes();
        let at = SocketAddr::from(([127, NEXT.fetch_add(1, Ordering::Relaxed), high, low], HBONE));
        let mut proxy = Self::new(Kind::Gateway, name, namespace, []);
        proxy.ip = at.ip().to_string();
        proxy.hbone = Some(at);
        (proxy.labelled([(GATEWAY_NAME.into(), name.into()), MESH_CONTROLLER.map(Into::into).into()]), at)
    }

    fn new(kind: Kind, name: &str, namespace: &str, ports: impl IntoIterator<Item = u16>) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        // Never the address of an endpoint, which would make the proxy a workload of that service (istio.md 5.3).
        let ip = format!("10.255.255.{}", NEXT.fetch_add(1, Ordering::Relaxed).max(1));
        Self {
            name: name.into(),
            kind,
            namespace: namespace.into(),
            labels: BTreeMap::from([(LABEL.into(), name.into())]),
            trusted_hops: 0,
            ports: ports.into_iter().map(|port| (port, free_port())).collect(),
            inbound: Vec::new(),
            hbone: None,
            ip,
        }
    }

    /// With these labels too.
    #[must_use]
    pub fn labelled(mut self, labels: impl IntoIterator<Item = (String, String)>) -> Self {
        self.labels.extend(labels);
        self
    }

    /// The same on other ports: one that was planned long ago may find its own taken.
    pub(crate) fn elsewhere(&mut self) {
        for real in self.ports.values_mut() {
            *real = free_port();
        }
    }

    /// Where the listener of a port really is. Errors: it was not named.
    pub fn address(&self, port: u16) -> Result<SocketAddr, String> {
        let real = self.ports.get(&port).ok_or_else(|| format!("proxy `{}` has no port {port}", self.name))?;
        Ok(SocketAddr::from(([127, 0, 0, 1], *real)))
    }

    /// What istiod calls proxies like it.
    pub(crate) fn node_type(&self) -> &'static str {
        match (self.kind, self.hbone) {
            (Kind::Sidecar, _) => "sidecar",
            (Kind::Gateway, None) => "router",
            (Kind::Gateway, Some(_)) => "waypoint",
        }
    }

    /// The ports of policies at which it listens.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.ports.keys().copied()
    }

    /// What a `workloadSelector` selects it by, and nothing else.
    pub fn selector(&self) -> Value {
        json!({"labels": {LABEL: self.name}})
    }

    /// Its address in the mesh, where nobody listens but a waypoint.
    pub fn ip(&self) -> &str {
        &self.ip
    }

    /// With a port at which others reach its workload: the workload listens at `workload`, a port of 127.0.0.1, the
    /// sidecar at the address that is returned, whose IP is nobody else's, so that endpoints of ServiceEntries can name it.
    pub fn inbound(&mut self, workload: u16) -> SocketAddr {
        let at = SocketAddr::from((loopback(), free_port()));
        self.inbound.push((at, workload));
        at
    }

    /// What makes its listeners: to be among istiod's manifests.
    pub fn manifests(&self) -> Vec<Value> {
        let selector = self.selector();
        let context = match self.kind {
            Kind::Sidecar => "SIDECAR_OUTBOUND",
            Kind::Gateway => "GATEWAY",
        };
        if let Some(at) = self.hbone {
            return vec![self.of_waypoint(at)];
        }
        let moved = |(port, real): (&u16, &u16)| {
            json!({"applyTo": "LISTENER", "match": {"context": context, "listener": {"portNumber": port}},
                "patch": {"operation": "MERGE", "value":
                    {"address": {"socket_address": {"address": "127.0.0.1", "port_value": real}}}}})
        };
        let mut patches: Vec<Value> = self.ports.iter().map(moved).collect();
        if self.trusted_hops > 0 {
            let manager = json!({
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "use_remote_address": true, "xff_num_trusted_hops": self.trusted_hops,
            });
            let filter = json!({"filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager"}}});
            patches.push(json!({"applyTo": "NETWORK_FILTER", "match": {"context": context, "listener": filter},
                "patch": {"operation": "MERGE", "value": {"typed_config": manager}}}));
        }
        let mut all = vec![json!({
            "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
            "metadata": {"name": format!("switchyard-{}", self.name), "namespace": self.namespace},
            "spec": {"workloadSelector": selector, "configPatches": patches},
        })];
        if self.kind == Kind::Sidecar {
            let egress: Vec<Value> = self
                .ports
                .keys()
                .map(|port| {
                    json!({"port": {"number": port, "protocol": "HTTP", "name": format!("http-{port}")},
                        "bind": "127.0.0.1", "captureMode": "NONE", "hosts": ["*/*"]})
                })
                .collect();
            let mut spec = json!({"workloadSelector": selector, "egress": egress});
            if !self.inbound.is_empty() {
                spec["ingress"] = self.inbound.iter().map(ingress).collect();
            }
            all.push(json!({
                "apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
                "metadata": {"name": format!("switchyard-{}", self.name), "namespace": self.namespace},
                "spec": spec,
            }));
        }
        all
    }

    /// Its listener at its own address, and none of the filters that stock Envoy does not have. An EnvoyFilter that targets a
    /// waypoint counts there as one of inbound listeners.
    fn of_waypoint(&self, at: SocketAddr) -> Value {
        let context = "SIDECAR_INBOUND";
        let address = json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}});
        let moved = json!({"applyTo": "LISTENER",
            "match": {"context": context, "listener": {"name": "connect_terminate"}},
            "patch": {"operation": "MERGE", "value": {"address": address}}});
        let removed = ["downstream", "upstream"].into_iter().map(|side| {
            let filter = json!({"name": "envoy.filters.network.http_connection_manager",
                "subFilter": {"name": format!("waypoint_{side}_peer_metadata")}});
            json!({"applyTo": "HTTP_FILTER", "match": {"context": context, "listener": {"filterChain": {"filter": filter}}},
                "patch": {"operation": "REMOVE"}})
        });
        let target = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": self.name});
        json!({
            "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
            "metadata": {"name": format!("switchyard-{}", self.name), "namespace": self.namespace},
            "spec": {"targetRefs": [target], "configPatches": std::iter::once(moved).chain(removed).collect::<Value>()},
        })
    }

    /// The bootstrap of its Envoy (istio.md 5.4).
    pub(crate) fn bootstrap(&self, istiod: SocketAddr) -> Value {
        let kind = self.node_type();
        let ads = json!({"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"});
        let address = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        json!({
            "node": {
                "id": format!("{kind}~{}~{}.{ns}~{ns}.svc.cluster.local", self.ip, self.name, ns = self.namespace),
                "cluster": format!("{}.{}", self.name, self.namespace),
                "metadata": {
                    "NAMESPACE": self.namespace, "LABELS": self.labels, "INSTANCE_IPS": self.ip,
                    "ISTIO_VERSION": "1.29.1", "CLUSTER_ID": "Kubernetes", "INTERCEPTION_MODE": "NONE",
                    "NAME": self.name,
                },
            },
            "admin": {"address": address(0)},
            "dynamic_resources": {
                "lds_config": ads, "cds_config": ads,
                "ads_config": {
                    "api_type": "GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
                    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
                },
            },
            "static_resources": {"clusters": [{
                "name": "xds-grpc", "type": "STATIC", "connect_timeout": "1s",
                "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": {"http2_protocol_options": {}},
                }},
                "load_assignment": {"cluster_name": "xds-grpc", "endpoints":
                    [{"lb_endpoints": [{"endpoint": {"address": address(istiod.port())}}]}]},
            }]},
        })
    }
}

/// A port of a workload as a Sidecar without interception names it (istio.md 5.6).
fn ingress((at, workload): &(SocketAddr, u16)) -> Value {
    json!({
        "port": {"number": at.port(), "protocol": "HTTP", "name": format!("http-{}", at.port())},
        "bind": at.ip().to_string(), "captureMode": "NONE", "defaultEndpoint": format!("127.0.0.1:{workload}"),
    })
}
