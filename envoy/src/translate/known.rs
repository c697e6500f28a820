//! Known destinations: hosts of ServiceEntries and Services, with their ports and endpoints.

mod service;
mod workload;

use super::name::is_wildcard_host;
use super::{Notes, Origins, numbered, spec};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::{Kind, Manifest, Manifests, Resolution, ServiceEntry, ServiceEntryPort, WorkloadEntry};
use crate::yaml::Path;
use std::collections::BTreeMap;
use std::net::IpAddr;
use switchyard_filter::document;

use super::subset::KnownSubset;
use super::traffic::{KnownPolicy, hashes};

/// A known destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its full host name, in lower case.
    pub host: String,
    /// Its namespace.
    pub namespace: String,
    /// Its ports, by number.
    pub ports: Vec<KnownPort>,
    /// How its endpoints are found.
    pub resolve: Resolve,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Its subsets, in the order in which they are written.
    pub subsets: Vec<KnownSubset>,
    /// How it is spoken to.
    pub policy: Option<KnownPolicy>,
    /// Names of which a certificate of its endpoints must have one, where a DestinationRule names none.
    pub subject_alt_names: Vec<String>,
    /// What it is made of.
    pub origin: Origin,
}

/// A manifest, and the field of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// Its place in the list of all manifests.
    pub manifest: usize,
    /// The field below `spec`.
    pub field: String,
}

/// A port of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownPort {
    /// Its number.
    pub number: u16,
    /// Whether it speaks HTTP/2 only (`HTTP2`, `GRPC`).
    pub http2: bool,
}

/// How endpoints are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolve {
    /// Addresses as written.
    Static,
    /// By name; every address is an endpoint.
    Dns,
    /// By name; the first address is the endpoint.
    DnsRoundRobin,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// An IP address, or a name.
    pub address: String,
    /// Its port for each port of the service.
    pub ports: BTreeMap<u16, u16>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `region/zone/subzone`, as far as it is known.
    pub locality: String,
    /// Its weight, from 1.
    pub weight: u32,
}

impl Known {
    /// The endpoints that a subset selects; all of them without one.
    pub fn endpoints_of<'a>(&'a self, subset: Option<&'a KnownSubset>) -> impl Iterator<Item = &'a Endpoint> {
        self.endpoints.iter().filter(move |endpoint| {
            subset.is_none_or(|subset| subset.labels.iter().all(|(key, value)| endpoint.labels.get(key) == Some(value)))
        })
    }

    /// Adds it to a document.
    pub fn write(&self, document: &mut document::Document, origins: &mut Origins) {
        let at = format!("services[{}]", document.services.len());
        origins.made(&at, self.origin.manifest, spec(&self.origin.field));
        for (index, subset) in self.subsets.iter().enumerate() {
            origins.copied(&format!("{at}.subsets[{index}]"), subset.origin.manifest, spec(&subset.origin.field));
        }
        let subsets = self.subsets.iter().enumerate().map(|(index, subset)| {
            let (hash, port_hashes) = hashes(subset.policy.as_ref(), &format!("{at}.subsets[{index}]"), origins);
            document::Subset { name: subset.name.clone(), hash, port_hashes }
        });
        let subsets = subsets.collect();
        let (hash, port_hashes) = hashes(self.policy.as_ref(), &at, origins);
        let ports = self.ports.iter().map(|port| port.number).collect();
        document.services.push(document::Service { host: self.host.clone(), ports, subsets, hash, port_hashes });
    }
}

/// All known destinations, by host.
pub fn services(manifests: &Manifests, domain: &str, notes: &mut Notes) -> BTreeMap<String, Known> {
    let mut all = BTreeMap::new();
    let workloads = workload::read(manifests, notes);
    for (index, manifest) in numbered(manifests, Kind::ServiceEntry) {
        if let Some(mut entry) = notes.spec::<ServiceEntry>(manifest) {
            if !entry.is_seen_by(&manifests.namespace, &manifest.namespace) {
                let message = format!("this is not exported to the proxy's namespace `{}`", manifests.namespace);
                notes.push(manifest.warning(&spec("exportTo"), &message).code("not-exported"));
                continue;
            }
            if entry.workload_selector.is_some() && !entry.endpoints.is_empty() {
                let message = "`endpoints` and `workloadSelector` exclude each other: leave one of them out";
                notes.push(manifest.error(&spec("workloadSelector"), message));
            }
            entry.endpoints = workload::endpoints(&entry, &manifest.namespace, &workloads);
            service_entry(index, manifest, manifests, &entry, &mut all, notes);
        }
    }
    service::add(manifests, domain, &mut all, notes);
    all
}

fn service_entry(
    index: usize,
    manifest: &Manifest,
    manifests: &Manifests,
    entry: &ServiceEntry,
    all: &mut BTreeMap<String, Known>,
    notes: &mut Notes,
) {
    let resolve = match entry.resolution {
        Resolution::Static => Resolve::Static,
        Resolution::Dns => Resolve::Dns,
        Resolution::DnsRoundRobin => Resolve::DnsRoundRobin,
        Resolution::None => {
            let message = "`resolution: NONE` is not supported yet";
            notes.push(manifest.error(&spec("resolution"), message).help("write `STATIC` or `DNS`"));
            Resolve::Static
        }
    };
    check(manifest, entry, notes);
    let ports: Vec<_> =
        entry.ports.iter().map(|port| KnownPort { number: port.number, http2: speaks_http2(port) }).collect();
    for (at, host) in entry.hosts.iter().enumerate() {
        let field = format!("hosts[{at}]");
        let host = host.to_ascii_lowercase();
        if host == "*" || !is_wildcard_host(&host) {
            let message = format!("`{}` is no host of a ServiceEntry", host.escape_debug());
            notes.push(manifest.error(&spec(&field), &message).help("write a name or `*.suffix`"));
            continue;
        }
        let mut endpoints: Vec<_> = entry.endpoints.iter().map(|endpoint| resolved(endpoint, &entry.ports)).collect();
        if endpoints.is_empty() && resolve != Resolve::Static && entry.workload_selector.is_none() {
            // istio.md 2.0: without endpoints, the host is resolved itself.
            if host.starts_with('*') {
                let message = format!("`{host}` cannot be resolved: it is no name");
                notes.push(manifest.error(&spec(&field), &message).help("list its `endpoints`"));
            }
            let own = WorkloadEntry { address: host.clone(), ..WorkloadEntry::default() };
            endpoints.push(resolved(&own, &entry.ports));
        }
        if endpoints.is_empty() {
            let message = format!("`{host}` has no endpoints: requests to it get 503");
            notes.push(manifest.warning(&spec(&field), &message).code("no-endpoints"));
        }
        let known = Known {
            host: host.clone(),
            namespace: manifest.namespace.clone(),
            ports: ports.clone(),
            resolve,
            endpoints,
            subsets: vec![],
            policy: None,
            subject_alt_names: entry.subject_alt_names.clone(),
            origin: Origin { manifest: index, field: field.clone() },
        };
        if let Some(first) = all.get(&host) {
            let message = format!("another ServiceEntry has the host `{host}` too: that is not supported yet");
            let mut found = manifest.error(&spec(&field), &message);
            if let Some(other) = manifests.all.get(first.origin.manifest) {
                found = found.also(other.place(&spec(&first.origin.field)), "first written here");
            }
            notes.push(found);
        } else {
            all.insert(host, known);
        }
    }
    if resolve == Resolve::DnsRoundRobin && entry.endpoints.len() > 1 {
        let message = "`resolution: DNS_ROUND_ROBIN` takes one endpoint";
        notes.push(manifest.error(&spec("endpoints[1]"), message).help("write `resolution: DNS`"));
    }
}

/// The endpoint's port is what it maps, else the target port, else the same.
fn resolved(endpoint: &WorkloadEntry, ports: &[ServiceEntryPort]) -> Endpoint {
    let number =
        |port: &ServiceEntryPort| endpoint.ports.get(&port.name).copied().or(port.target_port).unwrap_or(port.number);
    Endpoint {
        address: endpoint.address.clone(),
        ports: ports.iter().map(|port| (port.number, number(port))).collect(),
        labels: endpoint.labels.clone(),
        locality: locality(endpoint),
        weight: endpoint.weight.max(1),
    }
}

/// Where an endpoint is: as it says, else as its label does, which has dots for slashes.
fn locality(endpoint: &WorkloadEntry) -> String {
    let label = endpoint.labels.get("istio-locality").filter(|_| endpoint.locality.is_empty());
    label.map_or_else(|| endpoint.locality.clone(), |label| label.replace('.', "/"))
}

/// Rules of istiod's validation that decide whether a cluster can be made.
fn check(manifest: &Manifest, entry: &ServiceEntry, notes: &mut Notes) {
    if entry.ports.is_empty() {
        notes.push(manifest.error(&spec(""), "`ports` is missing: a host needs a port"));
    }
    for (index, port) in entry.ports.iter().enumerate() {
        let at = |field: &str| spec(&format!("ports[{index}].{field}"));
        if port.number == 0 {
            notes.push(manifest.error(&at("number"), "`0` is out of range: 1 to 65535"));
        }
        if port.target_port == Some(0) {
            notes.push(manifest.error(&at("targetPort"), "`0` is out of range: 1 to 65535"));
        }
        notes.all.extend(protocol_error(manifest, &at("protocol"), &port.protocol));
        let earlier = entry.ports.iter().take(index);
        if earlier.clone().any(|other| other.number == port.number) {
            notes.push(manifest.error(&at("number"), &format!("the port `{}` is listed twice", port.number)));
        }
        if earlier.clone().any(|other| other.name == port.name) {
            notes.push(manifest.error(&at("name"), &format!("the port `{}` is listed twice", port.name)));
        }
    }
    // Those that are selected are written elsewhere.
    let listed = entry.endpoints.iter().enumerate().filter(|_| entry.workload_selector.is_none());
    for (index, endpoint) in listed {
        let at = format!("endpoints[{index}]");
        if entry.resolution == Resolution::Static && endpoint.address.parse::<IpAddr>().is_err() {
            let message = format!("`{}` is no IP address", endpoint.address);
            notes.push(manifest.error(&spec(&format!("{at}.address")), &message).help("names need `resolution: DNS`"));
        }
        for (name, number) in &endpoint.ports {
            if *number == 0 {
                let path = spec(&format!("{at}.ports")).field(name);
                notes.push(manifest.error(&path, "`0` is out of range: 1 to 65535"));
            }
            let names = || entry.ports.iter().map(|port| port.name.as_str());
            if !names().any(|known| known == name) {
                let path = spec(&format!("{at}.ports")).field(name);
                let mut found = manifest.error(&path, &format!("unknown port `{name}`"));
                found.help = did_you_mean(name, names());
                notes.push(found);
            }
        }
    }
}

/// What is wrong with the protocol of a ServiceEntry's port. Without one Istio looks at the name, or sniffs.
fn protocol_error(manifest: &Manifest, path: &Path, written: &str) -> Option<Diagnostic> {
    const LATER: [&str; 8] = ["HTTPS", "TCP", "TLS", "MONGO", "REDIS", "MYSQL", "UDP", "GRPC-WEB"];
    let protocol = written.to_ascii_uppercase();
    if matches!(protocol.as_str(), "" | "HTTP" | "HTTP2" | "GRPC") {
        return None;
    }
    let message = if LATER.contains(&protocol.as_str()) {
        format!("the protocol `{written}` is not supported yet")
    } else {
        format!("unknown protocol `{}`", written.escape_debug())
    };
    Some(manifest.error(path, &message).help("write `HTTP`, `HTTP2` or `GRPC`"))
}

/// Istio takes the protocol from `protocol`, else from the name: `http2`, `grpc-web` and the like (istio.md 2.2).
fn speaks_http2(port: &ServiceEntryPort) -> bool {
    if port.protocol.is_empty() { is_http2(&port.name) } else { is_http2(&port.protocol) }
}

fn is_http2(protocol: &str) -> bool {
    let protocol = protocol.to_ascii_lowercase();
    matches!(protocol.split('-').next(), Some("http2" | "grpc" | "h2c" | "kubernetes.io/h2c"))
        || protocol == "kubernetes.io/h2c"
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SERVICES, manifests, told};
    use super::super::{Model, Options};

    fn entry(hosts: &str, port: &str, ports: &str) -> String {
        format!(
            "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: a}}
spec:
  hosts: [{hosts}]
  resolution: STATIC
  ports: [{{number: 80, name: a{port}}}]
  endpoints: [{{address: 127.0.0.1, ports: {{{ports}}}}}]
"
        )
    }

    #[test]
    fn hosts_ports_and_protocols_of_a_service_entry_are_checked() {
        for (hosts, port, ports, expected) in [
            ("a.example.com, '*.example.com'", ", protocol: http", "a: 65535", None),
            ("a.example.com", ", protocol: GRPC", "", None),
            ("'*'", "", "", Some("5:11: `*` is no host of a ServiceEntry")),
            ("a/b", "", "", Some("5:11: `a/b` is no host of a ServiceEntry")),
            ("a.example.com", "", "a: 0", Some("8:47: `0` is out of range: 1 to 65535")),
            ("a.example.com", ", targetPort: 0", "", Some("7:45: `0` is out of range: 1 to 65535")),
            ("a.example.com", ", protocol: https", "", Some("7:33: the protocol `https` is not supported yet")),
            ("a.example.com", ", protocol: MONGO", "", Some("7:33: the protocol `MONGO` is not supported yet")),
            ("a.example.com", ", protocol: BOGUS", "", Some("7:43: unknown protocol `BOGUS`")),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|said| format!("error a.yaml:{said}")).collect();
            assert_eq!(told(&[&entry(hosts, port, ports)]), expected, "{hosts} {port} {ports}");
        }
    }

    #[test]
    fn a_service_leaves_udp_out_and_a_headless_one_is_reached_at_its_target_port() {
        let service = |ip: &str| {
            format!(
                "
apiVersion: v1
kind: Service
metadata: {{name: a}}
spec:
  clusterIP: {ip}
  ports:
  - {{port: 80, targetPort: 8080}}
  - {{port: 81, targetPort: http}}
  - {{port: 53, protocol: UDP}}
"
            )
        };
        for (ip, targets) in [("None", [(80, 8080), (81, 81)]), ("10.0.0.1", [(80, 80), (81, 81)])] {
            let text = service(ip);
            assert_eq!(
                told(&[SERVICES, &text]),
                ["warning b.yaml:9:26: the port `53` is left out: no request comes by `UDP`"]
            );
            let manifests = manifests(&[&text]);
            let model = Model::new(&manifests, &Options::default()).expect("right");
            let endpoints = &model.services()["a.default.svc.cluster.local"].endpoints;
            assert_eq!(endpoints[0].ports.iter().map(|(a, b)| (*a, *b)).collect::<Vec<_>>(), targets, "{ip}");
        }
    }
}
