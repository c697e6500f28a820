//! Servers of Gateways as they are written: which requests have routes of their own, and what a client must show for them.

use super::selection::{GATEWAY_API, Place, Target, selector_of};
use super::workload::{self, Workload, number};
use crate::manifest::{Kind, Manifest, Manifests};
use crate::translate::{ServedHost, covers, selects};
use crate::yaml::{Node, Path};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use switchyard_filter::compile::resolve_gateway;
use switchyard_filter::document::VirtualService;

/// Protocols of a server whose requests pass HTTP filters (pkg/config/protocol/instance.go, `IsHTTP`).
pub const HTTP: [&str; 6] = ["HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB", "HTTPS"];

/// Fields of `tls` that say who a client must be.
const CLIENT: [&str; 9] = [
    "mode",
    "caCertificates",
    "caCrl",
    "caCertCredentialName",
    "credentialName",
    "credentialNames",
    "subjectAltNames",
    "verifyCertificateSpki",
    "verifyCertificateHash",
];

/// Where a listener of the Gateway API says that clients show a certificate.
const API_MODE: &str = "gateway.istio.io/tls-terminate-mode";

/// A server whose requests pass HTTP filters.
#[derive(Debug)]
pub struct Server<'a> {
    /// Its Gateway.
    pub manifest: &'a Manifest,
    /// `namespace/name` of it.
    pub gateway: String,
    /// Where it is in the manifest.
    pub path: Path,
    /// Its port.
    pub port: u16,
    /// The port's name.
    port_name: String,
    /// The address, where it has one of its own.
    pub bind: String,
    /// Whether TLS ends here, which gives it routes of its own (istio.md 3).
    pub is_https: bool,
    /// Whether it sends everything to HTTPS; one for HTTPS serves it.
    pub redirects: bool,
    /// Its hosts.
    pub hosts: Vec<ServedHost>,
    /// What a client must show, as it is written; `None`: nothing.
    pub client: Option<Value>,
}

impl Server<'_> {
    /// Whether it is one of the target's.
    pub fn is_of(&self, target: &Target) -> bool {
        target.gateways.contains(&self.gateway)
    }

    /// Whether Istio has routes of a VirtualService for a host here.
    pub fn serves(&self, service: &VirtualService, host: &str) -> bool {
        let bound = service.gateways.iter().any(|one| resolve_gateway(one, &service.namespace) == self.gateway);
        bound && self.hosts.iter().any(|own| own.allows(&service.namespace) && covers(&own.host, host))
    }

    /// Whether requests come from it: not where all are sent to HTTPS.
    pub fn has_requests(&self) -> bool {
        self.is_https || !self.redirects
    }

    /// Whether Istio has one route configuration for both: that of the plain ones of a listener.
    pub fn shares_routes(&self, other: &Self) -> bool {
        !self.is_https && !other.is_https && self.bind == other.bind
    }

    /// What an EnvoyFilter finds its route configurations by, with the ports at which the gateway listens: plain servers of a
    /// port share one, an HTTPS server has its own.
    pub fn route_configurations(&self, behind: &BTreeSet<u16>) -> Vec<Value> {
        let Self { port, gateway, is_https, .. } = self;
        match (self.is_found_by_port(), is_https) {
            (true, false) => vec![json!({ "portNumber": port })],
            (true, true) => vec![json!({"gateway": gateway, "portNumber": port})],
            (false, _) => self.named(behind),
        }
    }

    /// The same by their names, so that no other one is meant (pilot/pkg/model/gateway.go, `gatewayRDSRouteName`).
    pub fn named(&self, behind: &BTreeSet<u16>) -> Vec<Value> {
        let Self { port, port_name, .. } = self;
        let bind = if self.bind.is_empty() { String::new() } else { format!(".{}", self.bind) };
        if self.is_https {
            let (namespace, name) = self.gateway.split_once('/').unwrap_or_default();
            return vec![json!({"name": format!("https.{port}.{port_name}.{name}.{namespace}{bind}")})];
        }
        behind.iter().map(|real| json!({"name": format!("http.{real}{bind}")})).collect()
    }

    /// Whether a plain one has routes that these ports of HTTPS servers find too. Istio keeps the ports of configurations whose
    /// names it cannot take apart in one list, and others by the port behind (`getTargetPortMap`).
    pub fn is_met_by(&self, https: &BTreeSet<u16>, behind: &BTreeSet<u16>) -> bool {
        let is_listed = !self.is_found_by_port() && !https.is_empty();
        is_listed || https.contains(&self.port) || !https.is_disjoint(behind)
    }

    /// Whether Istio takes the name of its route configuration apart: not with an address behind it or another dot in it
    /// (`ParseGatewayRDSRouteName`).
    fn is_found_by_port(&self) -> bool {
        self.bind.is_empty() && !(self.is_https && self.port_name.contains('.'))
    }
}

/// Those of every Gateway that selects proxies of the target, as far as is told.
pub fn all<'a>(manifests: &'a Manifests, target: &Target, workloads: &[Workload<'_>]) -> Vec<Server<'a>> {
    let shares = |manifest: &&Manifest| {
        let selector = selector_of(manifest);
        target.gateways.contains(&format!("{}/{}", manifest.namespace, manifest.name))
            || selector.is_empty()
            || selects(&selector, &target.labels)
            || workload::meet(&selector, &target.labels, workloads)
    };
    match target.place {
        Place::Sidecar | Place::Waypoint => vec![],
        Place::Gateway => manifests.of(Kind::Gateway).filter(shares).flat_map(of_istio).collect(),
        Place::GatewayApi => {
            let is_own = |manifest: &&Manifest| {
                manifest.kind_name == "Gateway"
                    && manifest.api_version.starts_with(GATEWAY_API)
                    && target.gateways.contains(&format!("{}/{}", manifest.namespace, manifest.name))
            };
            manifests.unread.iter().filter(is_own).flat_map(of_api).collect()
        }
    }
}

fn text<'a>(node: &'a Node, name: &str) -> &'a str {
    node.get(name).and_then(Node::as_str).unwrap_or_default()
}

fn of_istio(manifest: &Manifest) -> Vec<Server<'_>> {
    let servers = manifest.node.get("spec").and_then(|spec| spec.get("servers")).map(Node::items).unwrap_or_default();
    let one = |(index, server): (usize, &Node)| {
        let port = server.get("port")?;
        let protocol = text(port, "protocol").to_ascii_uppercase();
        let tls = server.get("tls").map(Node::to_json).unwrap_or_default();
        let mode = tls["mode"].as_str().unwrap_or("PASSTHROUGH").to_ascii_uppercase();
        let is_https = protocol == "HTTPS";
        if !HTTP.contains(&&*protocol) || is_https && mode.ends_with("PASSTHROUGH") {
            return None;
        }
        let shown: serde_json::Map<_, _> =
            CLIENT.iter().filter_map(|field| Some(((*field).to_owned(), tls.get(field)?.clone()))).collect();
        Some(Server {
            manifest,
            gateway: format!("{}/{}", manifest.namespace, manifest.name),
            path: Path::root().field("spec").field("servers").index(index),
            port: number(port.get("number")?)?,
            port_name: text(port, "name").to_owned(),
            bind: text(server, "bind").to_owned(),
            is_https,
            redirects: !is_https && tls["httpsRedirect"] == true,
            hosts: server
                .get("hosts")
                .map(Node::items)
                .unwrap_or_default()
                .iter()
                .filter_map(Node::as_str)
                .map(|host| ServedHost::new(host, &manifest.namespace))
                .collect(),
            client: (is_https && mode != "SIMPLE").then_some(Value::Object(shown)),
        })
    };
    servers.iter().enumerate().filter_map(one).collect()
}

fn of_api(manifest: &Manifest) -> Vec<Server<'_>> {
    let listeners =
        manifest.node.get("spec").and_then(|spec| spec.get("listeners")).map(Node::items).unwrap_or_default();
    let one = |(index, listener): (usize, &Node)| {
        let protocol = text(listener, "protocol");
        let tls = listener.get("tls").map(Node::to_json).unwrap_or_default();
        let shown = json!([tls["frontendValidation"], tls["options"][API_MODE]]);
        let asks = shown[0].is_object() || shown[1].as_str().is_some_and(|mode| mode != "SIMPLE");
        let host = Some(text(listener, "hostname")).filter(|host| !host.is_empty()).unwrap_or("*");
        matches!(protocol, "HTTP" | "HTTPS").then_some(())?;
        Some(Server {
            manifest,
            gateway: format!("{}/{}", manifest.namespace, manifest.name),
            path: Path::root().field("spec").field("listeners").index(index),
            port: number(listener.get("port")?)?,
            port_name: String::new(),
            bind: String::new(),
            is_https: protocol == "HTTPS",
            redirects: false,
            hosts: vec![ServedHost::new(host, &manifest.namespace)],
            client: asks.then_some(shown),
        })
    };
    listeners.iter().enumerate().filter_map(one).collect()
}
