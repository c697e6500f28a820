//! Manifests as the filter has to know them in a mesh: Istio itself finds endpoints, ends TLS and carries connections, so
//! that nothing of it need be right, or supported, here.

use super::Via;
use super::selection::{GATEWAY_API, Place, Target, api_gateway};
use super::server::HTTP;
use super::workload::number;
use crate::manifest::{Kind, Manifest, Manifests};
use crate::yaml::{Data, Entry, Node};
use serde_json::Value;
use std::collections::BTreeSet;

/// The manifests for one target: Gateways that are not its own keep their names and have no servers.
pub fn prepare(manifests: &Manifests, target: &Target, via: Via) -> Manifests {
    let mut prepared = Manifests {
        namespace: manifests.namespace.clone(),
        all: manifests.all.iter().filter_map(|manifest| one(manifest, target, via)).collect(),
        unread: vec![],
    };
    // Names of Kubernetes' own Gateways are known too; the listeners of the one that is targeted are servers.
    let named: BTreeSet<_> = prepared.of(Kind::Gateway).map(|own| (own.namespace.clone(), own.name.clone())).collect();
    let apis = manifests.unread.iter().filter(|manifest| {
        manifest.kind_name == "Gateway"
            && manifest.api_version.starts_with(GATEWAY_API)
            && !named.contains(&(manifest.namespace.clone(), manifest.name.clone()))
    });
    for manifest in apis {
        let id = format!("{}/{}", manifest.namespace, manifest.name);
        let is_own = target.place == Place::GatewayApi && target.gateways.contains(&id);
        let listeners = api_gateway(manifests, &id).filter(|_| is_own);
        let mut gateway = manifest.clone();
        gateway.kind = Kind::Gateway;
        let servers = listeners.map(servers).unwrap_or_default();
        set(&mut gateway.node, "spec", map(manifest.node.span, vec![("servers", servers_node(manifest, servers))]));
        prepared.all.push(gateway);
    }
    prepared
}

fn one(manifest: &Manifest, target: &Target, via: Via) -> Option<Manifest> {
    let mut manifest = manifest.clone();
    let Some(spec) = entry_mut(&mut manifest.node, "spec") else {
        return (!matches!(manifest.kind, Kind::EndpointSlice | Kind::WorkloadEntry)).then_some(manifest);
    };
    match manifest.kind {
        Kind::EndpointSlice | Kind::WorkloadEntry => return None,
        Kind::VirtualService => {
            // What TLS and TCP connections do stays Istio's.
            let others = ["tls", "tcp"].map(|field| remove(spec, field));
            if others.contains(&true) && spec.get("http").is_none() {
                return None;
            }
        }
        Kind::ServiceEntry => {
            for field in ["endpoints", "workloadSelector"] {
                remove(spec, field);
            }
            let span = spec.span;
            set(spec, "resolution", text(span, "STATIC"));
        }
        Kind::Gateway => {
            let is_own = target.gateways.contains(&format!("{}/{}", manifest.namespace, manifest.name));
            if let Some(Node { data: Data::List(servers), .. }) = entry_mut(spec, "servers") {
                servers.retain(|server| is_own && serves_http(server, via));
                servers.iter_mut().for_each(as_plain);
            }
        }
        _ => {}
    }
    Some(manifest)
}

/// Whether requests of a server reach HTTP filters and may be decided: where Istio redirects them (istio.md 3), no rule may
/// answer first. Tags answer nothing, and requests that a trusted balancer had over TLS are not redirected.
fn serves_http(server: &Node, via: Via) -> bool {
    let field = |node: &Node, name: &str| node.get(name).and_then(Node::as_str).map(str::to_ascii_uppercase);
    let protocol = server.get("port").and_then(|port| field(port, "protocol")).unwrap_or_default();
    let tls = server.get("tls");
    let asks = tls.and_then(|tls| tls.get("httpsRedirect")).map(Node::to_json) == Some(Value::Bool(true));
    let redirects = via == Via::ClusterHeader && asks && protocol != "HTTPS";
    let passes = tls.and_then(|tls| field(tls, "mode")).is_some_and(|mode| mode.ends_with("PASSTHROUGH"));
    // What is no protocol at all is told.
    let is_tcp = matches!(protocol.as_str(), "TCP" | "TLS" | "MONGO" | "MYSQL" | "REDIS" | "UDP");
    !redirects && !passes && !is_tcp
}

/// The ports at which the target's gateways end TLS.
pub fn https_ports(manifests: &Manifests, target: &Target) -> BTreeSet<u16> {
    let own = |manifest: &&Manifest| target.gateways.contains(&format!("{}/{}", manifest.namespace, manifest.name));
    let items =
        |manifest, field| spec_of(manifest).and_then(|spec| spec.get(field)).map(Node::items).unwrap_or_default();
    let servers = manifests.of(Kind::Gateway).filter(own).flat_map(|manifest| items(manifest, "servers"));
    let of_api = target.gateways.iter().filter_map(|id| api_gateway(manifests, id));
    let listeners = of_api.flat_map(|manifest| items(manifest, "listeners"));
    let ports = servers.filter_map(|server| server.get("port")).map(|port| (port, "number"));
    let ports = ports.chain(listeners.map(|listener| (listener, "port")));
    let is_https = |node: &Node| {
        node.get("protocol").and_then(Node::as_str).is_some_and(|protocol| protocol.eq_ignore_ascii_case("HTTPS"))
    };
    ports.filter(|(node, _)| is_https(node)).filter_map(|(node, field)| number(node.get(field)?)).collect()
}

fn spec_of(manifest: &Manifest) -> Option<&Node> {
    manifest.node.get("spec")
}

/// A server without what Istio does before any filter.
fn as_plain(server: &mut Node) {
    for field in ["tls", "bind", "defaultEndpoint"] {
        remove(server, field);
    }
    if let Some(port) = entry_mut(server, "port") {
        remove(port, "targetPort");
        let known = |node: &Node| node.as_str().is_some_and(|known| HTTP.contains(&&*known.to_ascii_uppercase()));
        if port.get("protocol").is_some_and(known) {
            let span = port.span;
            set(port, "protocol", text(span, "HTTP"));
        }
    }
}

/// What a listener of the Gateway API says: port, name and host.
fn servers(manifest: &Manifest) -> Vec<(Value, String, String)> {
    let listeners = spec_of(manifest).and_then(|spec| spec.get("listeners")).map(Node::items).unwrap_or_default();
    let field = |node: &Node, name: &str| node.get(name).and_then(Node::as_str).unwrap_or_default().to_owned();
    let serves = |listener: &&Node| matches!(field(listener, "protocol").as_str(), "HTTP" | "HTTPS");
    let as_server = |(index, listener): (usize, &Node)| {
        let host = Some(field(listener, "hostname")).filter(|host| !host.is_empty()).unwrap_or_else(|| "*".into());
        let port = listener.get("port").map(Node::to_json).unwrap_or_default();
        (port, format!("{index}-{}", field(listener, "name")), host)
    };
    listeners.iter().filter(serves).enumerate().map(as_server).collect()
}

fn servers_node(manifest: &Manifest, servers: Vec<(Value, String, String)>) -> Node {
    let span = manifest.node.span;
    let scalar = |value: Value| Node { data: Data::Scalar { raw: value.to_string(), value }, span };
    let server = |(port, name, host): (Value, String, String)| {
        let port =
            map(span, vec![("number", scalar(port)), ("name", text(span, &name)), ("protocol", text(span, "HTTP"))]);
        let hosts = Node { data: Data::List(vec![text(span, &host)]), span };
        map(span, vec![("port", port), ("hosts", hosts)])
    };
    Node { data: Data::List(servers.into_iter().map(server).collect()), span }
}

fn map(span: crate::source::Span, fields: Vec<(&str, Node)>) -> Node {
    let entry = |(key, value): (&str, Node)| Entry { key: key.into(), key_span: span, value };
    Node { data: Data::Map(fields.into_iter().map(entry).collect()), span }
}

fn text(span: crate::source::Span, value: &str) -> Node {
    Node { data: Data::Scalar { value: value.into(), raw: value.into() }, span }
}

pub(super) fn entry_mut<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    let Data::Map(entries) = &mut node.data else { return None };
    entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value)
}

/// Whether it was there.
fn remove(node: &mut Node, key: &str) -> bool {
    let Data::Map(entries) = &mut node.data else { return false };
    let before = entries.len();
    entries.retain(|entry| entry.key != key);
    entries.len() < before
}

pub(super) fn set(node: &mut Node, key: &str, value: Node) {
    remove(node, key);
    let Data::Map(entries) = &mut node.data else { return };
    entries.push(Entry { key: key.into(), key_span: value.span, value });
}
