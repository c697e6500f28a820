//! Gateways: which ports there are, and which hosts of a VirtualService are served on one (istio.md 3).

use super::name::server_host_error;
use super::virtual_service::Routed;
use super::{Notes, numbered, spec};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::{Gateway, Kind, Manifest, Manifests, Server};
use crate::source::Place;
use crate::yaml::Path;
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::compile::{resolve, resolve_gateway};

/// The gateway that stands for the mesh.
pub const MESH: &str = "mesh";

/// A port of gateways.
#[derive(Debug, Default)]
pub struct EdgePort {
    /// Hosts by gateway (`namespace/name`).
    pub gateways: BTreeMap<String, Vec<ServedHost>>,
    /// Where the port is written first.
    pub place: Option<Place>,
    /// The first Gateway that has it, by its place in the list of all manifests, and the proxies that it selects.
    owner: Option<(usize, BTreeMap<String, String>)>,
}

/// A host of a server.
#[derive(Debug)]
pub struct ServedHost {
    /// The namespace whose VirtualServices may bind; `None` for any.
    namespace: Option<String>,
    /// A name, `*.suffix` or `*`, in lower case.
    host: String,
}

/// Reads every Gateway and checks those that VirtualServices name.
pub fn ports(manifests: &Manifests, routed: &[Routed], notes: &mut Notes) -> BTreeMap<u16, EdgePort> {
    let mut all: BTreeMap<u16, EdgePort> = BTreeMap::new();
    let mut names = BTreeSet::from([MESH.to_owned()]);
    for (own, manifest) in numbered(manifests, Kind::Gateway) {
        let id = format!("{}/{}", manifest.namespace, manifest.name);
        names.insert(id.clone());
        let Some(gateway) = notes.spec::<Gateway>(manifest) else { continue };
        for (index, server) in gateway.servers.iter().enumerate() {
            let at = |field: &str| spec(&format!("servers[{index}].{field}"));
            if !matches!(server.port.protocol.to_ascii_uppercase().as_str(), "HTTP" | "HTTP2" | "GRPC") {
                let message = format!("the protocol `{}` is not supported yet", server.port.protocol);
                notes.push(manifest.error(&at("port.protocol"), &message).help("write `HTTP`, `HTTP2` or `GRPC`"));
            }
            if server.port.number == 0 {
                notes.push(manifest.error(&at("port.number"), "`0` is out of range: 1 to 65535"));
            }
            let alike = |other: &Server| other.port.name == server.port.name;
            if gateway.servers.iter().take(index).any(alike) {
                let message = format!("the port `{}` is listed twice: give each a name of its own", server.port.name);
                notes.push(manifest.error(&at("port.name"), &message));
            }
            for (host, written) in server.hosts.iter().enumerate() {
                if let Some(why) = server_host_error(written) {
                    let message = format!("`{}` is no host: {why}", written.escape_debug());
                    notes.push(manifest.error(&at(&format!("hosts[{host}]")), &message));
                }
            }
            if server.hosts.is_empty() {
                notes.push(manifest.error(&at("hosts"), "`hosts` is empty: name a host, or `*`"));
            }
            if server.port.number == 0 {
                continue;
            }
            let hosts = server.hosts.iter().map(|host| ServedHost::new(host, &manifest.namespace));
            let port = all.entry(server.port.number).or_default();
            port.place.get_or_insert_with(|| manifest.place(&at("port.number")));
            let (first, selector) = port.owner.get_or_insert_with(|| (own, gateway.selector.clone()));
            if *selector != gateway.selector {
                notes.all.extend(other_proxies(manifests, manifest, *first, &at("port.number"), server.port.number));
            }
            port.gateways.entry(id.clone()).or_default().extend(hosts);
        }
    }
    for routed in routed {
        check(routed, manifests, &names, &all, notes);
    }
    all
}

/// Gateways of one port that select unequal proxies: one Envoy cannot be both.
fn other_proxies(
    manifests: &Manifests,
    manifest: &Manifest,
    first: usize,
    path: &Path,
    port: u16,
) -> Option<Diagnostic> {
    let first = manifests.all.get(first)?;
    let message = format!(
        "the Gateways `{}/{}` and `{}/{}` share port {port}, which is one listener here, and select other proxies",
        first.namespace, first.name, manifest.namespace, manifest.name
    );
    let found = manifest.error(path, &message).help("give them ports of their own, or the same `selector`");
    Some(found.also(first.place(&spec("selector")), "the other `selector`"))
}

fn check(
    routed: &Routed,
    manifests: &Manifests,
    names: &BTreeSet<String>,
    ports: &BTreeMap<u16, EdgePort>,
    notes: &mut Notes,
) {
    let Some(manifest) = manifests.all.get(routed.manifest) else { return };
    for (index, gateway) in routed.written.gateways.iter().enumerate() {
        let full = resolve_gateway(gateway, &manifest.namespace);
        if !names.contains(&full) {
            let mut found =
                manifest.error(&spec(&format!("gateways[{index}]")), &format!("there is no Gateway `{full}`"));
            found.help = did_you_mean(&full, names.iter().map(String::as_str));
            notes.missing(found);
        }
    }
    // On a port that gateways share, all of them are one proxy to the filter.
    let shared = ports.iter().find(|(_, port)| {
        port.gateways.len() > 1 && port.gateways.keys().any(|gateway| routed.gateways.contains(gateway))
    });
    let Some((port, _)) = shared else { return };
    for (rule, http) in routed.written.http.iter().enumerate() {
        for (block, matches) in http.matches.iter().enumerate() {
            if !matches.gateways.is_empty() {
                let message = format!("`gateways` is not supported yet on port {port}, which several gateways share");
                notes.push(manifest.error(&spec(&format!("http[{rule}].match[{block}].gateways")), &message));
            }
        }
    }
}

impl ServedHost {
    fn new(written: &str, own: &str) -> Self {
        let (namespace, host) = written.split_once('/').unwrap_or(("*", written));
        let namespace = match namespace {
            "*" => None,
            "." => Some(own.to_owned()),
            other => Some(other.to_owned()),
        };
        Self { namespace, host: host.to_ascii_lowercase() }
    }
}

impl EdgePort {
    /// The hosts of a VirtualService that are served here: of each pair that meets, the more specific one.
    pub fn hosts(&self, routed: &Routed, domain: &str) -> Vec<String> {
        self.hosts_of(|gateway| routed.gateways.contains(gateway), routed, domain)
    }

    /// Whether one of its gateways serves any of them.
    pub fn serves(&self, gateway: &str, routed: &Routed, domain: &str) -> bool {
        !self.hosts_of(|other| other == gateway, routed, domain).is_empty()
    }

    /// A gateway that serves a host to a namespace's VirtualServices. A server for `*` serves names of services, which
    /// nobody outside asks for, only in theory: it does not count for them.
    pub fn gateway_of(&self, host: &str, namespace: &str) -> Option<&str> {
        let serves = |served: &ServedHost| {
            served.namespace.as_ref().is_none_or(|allowed| allowed == namespace)
                && meet(&served.host, host).is_some()
                && (served.host != "*" || !host.contains(".svc."))
        };
        self.gateways.iter().find(|(_, hosts)| hosts.iter().any(serves)).map(|(gateway, _)| gateway.as_str())
    }

    fn hosts_of(&self, wanted: impl Fn(&str) -> bool, routed: &Routed, domain: &str) -> Vec<String> {
        let namespace = &routed.written.namespace;
        let served: Vec<_> = self
            .gateways
            .iter()
            .filter(|(gateway, _)| wanted(gateway))
            .flat_map(|(_, hosts)| hosts)
            .filter(|host| host.namespace.as_ref().is_none_or(|allowed| allowed == namespace))
            .collect();
        let mut hosts = vec![];
        for host in &routed.written.hosts {
            let own = resolve(host, namespace, domain);
            for meet in served.iter().filter_map(|served| meet(&served.host, &own)) {
                if !hosts.contains(&meet) {
                    hosts.push(meet);
                }
            }
        }
        hosts
    }
}

/// The more specific of two hosts, where one covers the other.
fn meet(a: &str, b: &str) -> Option<String> {
    let covers = |wide: &str, narrow: &str| {
        wide == narrow
            || wide.strip_prefix('*').is_some_and(|suffix| narrow.ends_with(suffix) && narrow.len() > suffix.len())
    };
    if covers(a, b) {
        Some(b.to_owned())
    } else if covers(b, a) {
        Some(a.to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;
    use super::*;

    #[test]
    fn hosts_and_port_names_of_servers_are_checked() {
        let gateway = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a}
spec:
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [ns/a.example.com, a/b/c]}
  - {port: {number: 81, name: http, protocol: HTTP}, hosts: ['a.*.com']}
";
        assert_eq!(
            told(&[gateway]),
            [
                "error a.yaml:6:80: `a/b/c` is no host: write `namespace/host` or the host alone",
                "error a.yaml:7:31: the port `http` is listed twice: give each a name of its own",
                "error a.yaml:7:62: `a.*.com` is no host: a `*` can only be the whole first label",
            ]
        );
    }

    #[test]
    fn the_more_specific_host_of_a_pair_is_served() {
        let table = [
            ("*", "www.example.com", Some("www.example.com")),
            ("*.example.com", "www.example.com", Some("www.example.com")),
            ("www.example.com", "*.example.com", Some("www.example.com")),
            ("*.example.com", "*.shop.example.com", Some("*.shop.example.com")),
            ("*", "*", Some("*")),
            ("*", "*.example.com", Some("*.example.com")),
            ("*.example.com", "example.com", None),
            ("www.example.com", "api.example.com", None),
            ("*.example.com", "*.example.org", None),
        ];
        for (server, service, both) in table {
            assert_eq!(meet(server, service).as_deref(), both, "{server} and {service}");
        }
    }
}
