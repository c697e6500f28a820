//! Servers of one port become one listener, as Istio's `mergeGateways` has it (istio.md 3): plain ones together, HTTPS
//! ones each with routes of its own. What Istio leaves out with a line in its log is an error here.

use super::super::known::Origin;
use super::super::{Notes, Options, spec};
use super::edge::{Edge, EdgeTls};
use super::host::ServedHost;
use super::server::{EdgeServer, Servers};
use super::{Member, check, id};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Manifest, Manifests, Server};
use crate::yaml::Path;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What the first server of an address and port says of it.
struct First<'a> {
    gateway: &'a Member<'a>,
    field: String,
    is_https: bool,
}

/// All edges: by port, then address, then in the order in which Istio merges.
pub fn merge(manifests: &Manifests, options: &Options, served: &[Member<'_>], notes: &mut Notes) -> Vec<Edge> {
    let mut all: BTreeMap<(u16, Option<IpAddr>), Vec<Edge>> = BTreeMap::new();
    let mut firsts: BTreeMap<(u16, Option<IpAddr>), First<'_>> = BTreeMap::new();
    for gateway in served {
        let manifest = gateway.manifest;
        for (index, server) in gateway.written.servers.iter().enumerate() {
            let field = format!("servers[{index}]");
            // What cannot be served has been told.
            let Some((bind, is_https)) = check::address(server) else { continue };
            let key = (server.port.number, bind);
            let port = spec(&format!("{field}.port.number"));
            let own = First { gateway, field: field.clone(), is_https };
            let first = firsts.entry(key).or_insert(own);
            if options.labels.is_empty() && first.gateway.written.selector != gateway.written.selector {
                notes.push(other_proxies(first.gateway.manifest, manifest, &port, server.port.number));
            }
            let edges = all.entry(key).or_default();
            if first.is_https != is_https {
                notes.push(mixed(first, manifest, &field, server));
            } else if let Some(edge) = edges.first_mut().filter(|_| !is_https) {
                edge.servers.push(entry(manifest, server));
            } else if let Some(edge) = edge(gateway, server, &field, bind, is_https) {
                notes.all.extend(taken(manifests, manifest, &field, edges, &edge));
                edges.push(edge);
            }
        }
    }
    all.into_values().flatten().collect()
}

fn entry(manifest: &Manifest, server: &Server) -> EdgeServer {
    EdgeServer {
        gateway: id(manifest),
        hosts: server.hosts.iter().map(|host| ServedHost::new(host, &manifest.namespace)).collect(),
        redirects: server.tls.as_ref().is_some_and(|tls| tls.https_redirect),
    }
}

fn edge(gateway: &Member<'_>, server: &Server, field: &str, bind: Option<IpAddr>, is_https: bool) -> Option<Edge> {
    let manifest = gateway.manifest;
    let port = server.port.number;
    let listener = match bind {
        None => format!("gateway-{port}"),
        Some(address) => format!("gateway-{}-{port}", address.to_string().replace(':', "_")),
    };
    let own = entry(manifest, server);
    let tls = if is_https {
        let names: BTreeSet<_> = own.hosts.iter().map(|host| host.host.clone()).collect();
        // With a host that stands for all, names are not looked at (istio.md 3).
        let server_names = if names.contains("*") { vec![] } else { names.into_iter().collect() };
        let origin = Origin { manifest: gateway.own, field: format!("{field}.tls") };
        Some(EdgeTls { written: server.tls.clone()?, origin, server_names })
    } else {
        None
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let port_name: String = server.port.name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let name = match tls {
        None => listener.clone(),
        Some(_) => format!("{listener}.{port_name}.{}.{}", manifest.name, manifest.namespace),
    };
    let place = manifest.place(&spec(&format!("{field}.port.number")));
    Some(Edge { name, listener, port, bind, tls, place, servers: Servers::new(own) })
}

/// Gateways of one port that select unequal proxies: one Envoy cannot be both.
fn other_proxies(first: &Manifest, manifest: &Manifest, path: &Path, port: u16) -> Diagnostic {
    let message = format!(
        "the Gateways `{}` and `{}` share port {port}, which is one listener here, and select other proxies",
        id(first),
        id(manifest)
    );
    let help = "give them ports of their own, or the same `selector`, or say which proxy this is: `--labels`";
    manifest.error(path, &message).help(help).also(first.place(&spec("selector")), "the other `selector`")
}

/// TLS and plain text on one port.
fn mixed(first: &First<'_>, manifest: &Manifest, field: &str, server: &Server) -> Diagnostic {
    let port = server.port.number;
    let message = format!("port {port} speaks plain HTTP in one server and HTTPS in another one");
    let found = manifest.error(&spec(&format!("{field}.port.protocol")), &message);
    let other = first.gateway.manifest.place(&spec(&format!("{}.port.protocol", first.field)));
    found
        .help("give each a port of its own, or an address of its own: `bind`")
        .also(other, "the first server of the port")
}

/// A name that two HTTPS servers of a port have: no client could say which it means.
fn taken(manifests: &Manifests, manifest: &Manifest, field: &str, before: &[Edge], edge: &Edge) -> Option<Diagnostic> {
    let names = |edge: &Edge| -> Vec<String> {
        let names = edge.tls.as_ref().map(|tls| tls.server_names.clone()).unwrap_or_default();
        if names.is_empty() { vec!["*".to_owned()] } else { names }
    };
    let own = names(edge);
    let (other, name) = before.iter().find_map(|other| {
        let name = names(other).into_iter().find(|name| own.contains(name))?;
        Some((other, name))
    })?;
    let message =
        format!("`{name}` is served on port {} by another HTTPS server: Istio leaves this one out", edge.port);
    let found = manifest.error(&spec(&format!("{field}.hosts")), &message);
    let origin = &other.tls.as_ref()?.origin;
    let hosts = origin.field.strip_suffix(".tls").unwrap_or_default();
    let place = manifests.all.get(origin.manifest)?.place(&spec(&format!("{hosts}.hosts")));
    Some(found.help("a host has one certificate on a port: join the servers").also(place, "the other server"))
}
