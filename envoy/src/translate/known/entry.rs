//! ServiceEntries: services, each a host with the ports and endpoints of all that name it (istio.md 2.0).

mod check;

use super::super::locality::Locality;
use super::super::{Mesh, Notes, Options, numbered, spec};
use super::workload;
use super::{Endpoint, Known, KnownPort, Origin, Resolve, distribution, protocol};
use crate::manifest::{Kind, Manifest, Manifests, Resolution, ServiceEntry, ServiceEntryPort, WorkloadEntry};
use check::{check, host_error};
pub use check::{is_address, port_name};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The label that Istio gives endpoints of a network.
const NETWORK: &str = "topology.istio.io/network";

/// A ServiceEntry.
struct Entry<'a> {
    index: usize,
    manifest: &'a Manifest,
    written: ServiceEntry,
    /// Its `exportTo`, or what counts without one.
    exports: Vec<String>,
    /// Those that it lists, or selects.
    endpoints: Vec<WorkloadEntry>,
}

/// A host of a ServiceEntry: Istio's service.
#[derive(Clone, Copy)]
struct Service<'a> {
    entry: &'a Entry<'a>,
    at: usize,
    host: &'a str,
}

/// An endpoint of a ServiceEntry, with its ports by their names: a Service with the host in its namespace has it too.
pub struct Lent {
    /// Its address, labels, place and weight; it has no ports.
    pub endpoint: Endpoint,
    /// Its port for each named port of the ServiceEntry.
    pub ports: BTreeMap<String, u16>,
}

/// What ServiceEntries say.
pub struct Entries {
    /// Every host that the proxy sees.
    pub all: BTreeMap<String, Known>,
    /// Endpoints with fixed addresses of hosts that Services may have, by host and namespace.
    pub lent: BTreeMap<(String, String), Vec<Lent>>,
}

/// Every host that the proxy sees, with the endpoints of all ServiceEntries of its namespace that have it. A proxy is
/// `beside` a workload, or a gateway.
pub fn read(
    manifests: &Manifests,
    options: &Options,
    beside: bool,
    workloads: &[workload::Workload<'_>],
    notes: &mut Notes,
) -> Entries {
    let mesh = &options.mesh;
    let mut entries = vec![];
    for (index, manifest) in numbered(manifests, Kind::ServiceEntry) {
        let Some(written) = notes.spec::<ServiceEntry>(manifest) else { continue };
        check(manifest, &written, notes);
        let exports = mesh.services.or_default(&written.export_to);
        if !is_seen_by(&exports, &manifests.namespace, &manifest.namespace) {
            let message = format!("this is not exported to the proxy's namespace `{}`", manifests.namespace);
            notes.push(manifest.warning(&spec("exportTo"), &message).code("not-exported"));
        }
        let endpoints = workload::endpoints(&written, &manifest.namespace, workloads);
        entries.push(Entry { index, manifest, written, exports, endpoints });
    }
    let hosts: Vec<(usize, usize, String)> = entries
        .iter()
        .enumerate()
        .flat_map(|(entry, one)| {
            one.written.hosts.iter().enumerate().map(move |(at, host)| (entry, at, host.to_ascii_lowercase()))
        })
        .collect();
    let services: Vec<Service<'_>> = hosts
        .iter()
        .filter_map(|(entry, at, host)| Some(Service { entry: entries.get(*entry)?, at: *at, host }))
        .filter(|service| host_error(service.host).is_none())
        .collect();
    let mut alike: BTreeMap<_, Vec<&Service<'_>>> = BTreeMap::new();
    for service in &services {
        alike.entry(service.identity()).or_default().push(service);
    }
    for same in alike.values_mut() {
        same.sort_by_key(|service| service.age());
    }
    let mut seen: Vec<Service<'_>> = services
        .iter()
        .copied()
        .filter(|service| is_seen_by(&service.entry.exports, &manifests.namespace, &service.entry.manifest.namespace))
        .collect();
    // Beside a workload a host of its own namespace wins, whatever its age: `selectServices` of istiod's sidecar.go.
    let is_other = |one: &Service<'_>| beside && one.entry.manifest.namespace != manifests.namespace;
    seen.sort_by_key(|one| (is_other(one), one.order(&manifests.namespace)));
    let mut all: BTreeMap<&str, Merged<'_>> = BTreeMap::new();
    for service in seen {
        match all.get_mut(service.host) {
            Some(merged) => merged.add(service, notes),
            None => {
                all.insert(service.host, Merged { first: service, ports: service.ports().collect() });
            }
        }
    }
    let known = |(host, merged): (&str, Merged<'_>)| {
        let known = merged.known(alike.get(&merged.first.identity()).into_iter().flatten().copied(), mesh);
        // What is wrong with those that are listed is told there.
        let lists = !merged.first.entry.written.endpoints.is_empty();
        if known.endpoints.is_empty() && !lists && known.resolve != Resolve::Forward {
            let message = format!("`{host}` has no endpoints: requests to it get 503");
            let first = &merged.first;
            notes.push(first.entry.manifest.warning(&spec(&first.field()), &message).code("no-endpoints"));
        }
        let crowded = |port: &KnownPort| {
            known.endpoints.iter().filter(|endpoint| endpoint.ports.contains_key(&port.number)).count() > 1
        };
        if known.resolve == Resolve::DnsRoundRobin && known.ports.iter().any(crowded) {
            // Listed in one ServiceEntry they are told there.
            let first = &merged.first;
            if first.entry.written.endpoints.len() < 2 {
                let message = format!("`resolution: DNS_ROUND_ROBIN` takes one endpoint, and `{host}` has several");
                let found = first.entry.manifest.error(&spec(&first.field()), &message);
                notes.push(found.help("write `resolution: DNS`"));
            }
        }
        (host.to_owned(), known)
    };
    let all = all.into_iter().map(known).collect();
    Entries { all, lent: lent(&services, &options.domain) }
}

/// The endpoints that Services may have too.
fn lent(services: &[Service<'_>], domain: &str) -> BTreeMap<(String, String), Vec<Lent>> {
    let mut lent: BTreeMap<(String, String), Vec<Lent>> = BTreeMap::new();
    let of_services = format!(".svc.{domain}").to_ascii_lowercase();
    for service in services.iter().filter(|service| service.entry.written.resolution == Resolution::Static) {
        let (host, namespace) = service.identity();
        if !host.ends_with(&of_services) {
            continue;
        }
        let by_address = service.entry.endpoints.iter().filter(|one| one.address.parse::<IpAddr>().is_ok());
        lent.entry((host.to_owned(), namespace.to_owned())).or_default().extend(by_address.map(|endpoint| Lent {
            endpoint: placed(endpoint, BTreeMap::new()),
            ports: service.ports().map(|port| (port.name.clone(), number(endpoint, port))).collect(),
        }));
    }
    lent
}

/// The port of an endpoint: what it maps, else the target port, else the same.
fn number(endpoint: &WorkloadEntry, port: &ServiceEntryPort) -> u16 {
    endpoint.ports.get(&port.name).copied().or(port.target_port).unwrap_or(port.number)
}

/// An endpoint with its place and the labels that Istio gives it.
pub fn placed(endpoint: &WorkloadEntry, ports: BTreeMap<u16, u16>) -> Endpoint {
    let place = locality(endpoint);
    let mut labels = endpoint.labels.clone();
    Locality::parse(&place).label(&mut labels);
    if !endpoint.network.is_empty() {
        labels.entry(NETWORK.to_owned()).or_insert_with(|| endpoint.network.clone());
    }
    Endpoint { address: endpoint.address.clone(), ports, labels, locality: place, weight: endpoint.weight.max(1) }
}

impl<'a> Service<'a> {
    fn field(&self) -> String {
        format!("hosts[{}]", self.at)
    }

    /// Those for the proxy's namespace alone come first, then those that name it, then those for all; of these the
    /// oldest, then the first by namespace and name: never by file.
    fn order(&self, proxy: &str) -> (u8, (&'a str, &'a str, &'a str, usize)) {
        let namespace = &self.entry.manifest.namespace;
        let is_named = |one: &String| one == proxy || (one == "." && namespace == proxy);
        let export = &self.entry.exports;
        let rank = if export.is_empty() || export.iter().any(|one| one == "*") || !export.iter().any(is_named) {
            2
        } else {
            u8::from(namespace != proxy)
        };
        (rank, self.age())
    }

    /// What those have in common whose endpoints are one service's: host and namespace.
    fn identity(&self) -> (&'a str, &'a str) {
        (self.host, &self.entry.manifest.namespace)
    }

    /// Its ports, but for those of UDP, of which there are no clusters.
    fn ports(&self) -> impl Iterator<Item = &'a ServiceEntryPort> + use<'a> {
        self.entry.written.ports.iter().filter(|port| !port.protocol.eq_ignore_ascii_case("UDP"))
    }

    /// Of ServiceEntries alike the oldest comes first, then the first by namespace and name.
    fn age(&self) -> (&'a str, &'a str, &'a str, usize) {
        let Manifest { creation_timestamp, namespace, name, .. } = self.entry.manifest;
        (creation_timestamp, namespace, name, self.entry.index)
    }

    fn is_selecting(&self) -> bool {
        self.entry.written.workload_selector.is_some()
    }

    /// The ports for which its endpoints count. `DNS_ROUND_ROBIN` has one endpoint: the one that it lists is left out for
    /// `taken` ports, for which an older ServiceEntry of this host lists some (`addInstances` of istiod's store).
    fn ports_beside(&self, taken: &BTreeSet<u16>) -> Vec<&'a ServiceEntryPort> {
        let may_lose = self.entry.written.resolution == Resolution::DnsRoundRobin && !self.is_selecting();
        self.ports().filter(|port| !(may_lose && taken.contains(&port.number))).collect()
    }

    /// Whether both are one service: `canMergeServices` of istiod.
    fn fits(&self, other: &Self) -> bool {
        let (one, two) = (&self.entry.written, &other.entry.written);
        let exports = |entry: &ServiceEntry| entry.export_to.iter().cloned().collect::<BTreeSet<_>>();
        let selects =
            |entry: &ServiceEntry| entry.workload_selector.as_ref().map(|by| by.labels.clone()).unwrap_or_default();
        one.resolution == two.resolution
            && self.entry.manifest.labels == other.entry.manifest.labels
            && selects(one) == selects(two)
            && exports(one) == exports(two)
    }

    /// A name without endpoints is resolved itself.
    fn itself(&self) -> Option<WorkloadEntry> {
        let Entry { written, .. } = self.entry;
        let is_resolved = matches!(written.resolution, Resolution::Dns | Resolution::DnsRoundRobin);
        let is_alone = written.endpoints.is_empty() && written.workload_selector.is_none();
        (is_resolved && is_alone).then(|| WorkloadEntry { address: self.host.to_owned(), ..WorkloadEntry::default() })
    }
}

/// ServiceEntries of a host that are one service.
struct Merged<'a> {
    first: Service<'a>,
    ports: Vec<&'a ServiceEntryPort>,
}

impl<'a> Merged<'a> {
    /// Adds the ports of another ServiceEntry with the same host, where Istio takes both for one service.
    fn add(&mut self, other: Service<'a>, notes: &mut Notes) {
        let missing = other.ports().filter(|port| !self.ports.iter().any(|own| own.number == port.number));
        let missing: Vec<_> = missing.collect();
        let is_of = self.first.identity() == other.identity();
        if is_of && (missing.is_empty() || self.first.fits(&other)) {
            self.ports.extend(missing);
            return;
        }
        let first = self.first.entry.manifest;
        let message = format!(
            "{} no effect: the ServiceEntry `{}/{}` comes first and has `{}` too",
            if is_of { "its ports have" } else { "this host has" },
            first.namespace,
            first.name,
            other.host
        );
        let found = other.entry.manifest.warning(&spec(&other.field()), &message).code("ignored-field");
        notes.push(found.also(first.place(&spec(&self.first.field())), "this one counts"));
    }

    /// The service, with the endpoints of all that have its host in its namespace.
    fn known<'s>(&self, all: impl Iterator<Item = &'s Service<'s>>, mesh: &Mesh) -> Known {
        let Entry { index, manifest, written, .. } = self.first.entry;
        let forwarded = written.ports.iter().filter_map(|port| Some((port.number, port.target_port?)));
        let mut known = Known {
            host: self.first.host.to_owned(),
            namespace: manifest.namespace.clone(),
            ports: self
                .ports
                .iter()
                .map(|port| KnownPort { number: port.number, speaks: protocol::parse(&port.protocol) })
                .collect(),
            resolve: resolve(written.resolution),
            endpoints: vec![],
            subsets: vec![],
            policy: None,
            distribution: distribution::of("", &manifest.annotations),
            subject_alt_names: vec![],
            forwarded_ports: forwarded.collect(),
            origin: Origin { manifest: *index, field: self.first.field() },
        };
        let all: Vec<_> = all.collect();
        // Of the names of certificates those of the newest count: `initServiceAccounts` of istiod.
        let newest = all.iter().max_by_key(|service| service.age());
        let named = newest.map_or(&written.subject_alt_names, |service| &service.entry.written.subject_alt_names);
        let mut identities: BTreeSet<String> = named.iter().cloned().collect();
        let mut taken: BTreeSet<u16> = BTreeSet::new();
        for service in all {
            let ports = service.ports_beside(&taken);
            let itself = service.itself();
            for endpoint in service.entry.endpoints.iter().chain(&itself).filter(|_| !ports.is_empty()) {
                if !service.is_selecting() {
                    taken.extend(ports.iter().map(|port| port.number));
                }
                if !endpoint.service_account.is_empty() {
                    identities.insert(mesh.identity(&known.namespace, &endpoint.service_account));
                }
                known.endpoints.extend(self.resolved(endpoint, &ports, known.resolve));
            }
        }
        known.subject_alt_names = mesh.with_aliases(&identities);
        known
    }

    /// An endpoint with its port for each port of the service that has one: what it maps, else the target port, else the
    /// same. Where names are resolved, ports are one by their number, else by their name, as in istiod.
    fn resolved(&self, endpoint: &WorkloadEntry, listed: &[&ServiceEntryPort], resolve: Resolve) -> Option<Endpoint> {
        let by_number = matches!(resolve, Resolve::Dns | Resolve::DnsRoundRobin);
        if !by_number && endpoint.address.parse::<IpAddr>().is_err() {
            return None;
        }
        let is_same = |one: &ServiceEntryPort, two: &ServiceEntryPort| {
            if by_number { one.number == two.number } else { one.name == two.name }
        };
        let target = |own: &&ServiceEntryPort| {
            let port = listed.iter().find(|port| is_same(own, port))?;
            Some((own.number, number(endpoint, port)))
        };
        let ports: BTreeMap<u16, u16> = self.ports.iter().filter_map(target).collect();
        (!ports.is_empty()).then(|| placed(endpoint, ports))
    }
}

/// Whether proxies of a namespace see what is exported so; `own` is its own namespace.
pub fn is_seen_by(exports: &[String], namespace: &str, own: &str) -> bool {
    let is_named = |name: &String| name == "*" || name == namespace || (name == "." && own == namespace);
    exports.is_empty() || exports.iter().any(is_named)
}

/// Where an endpoint is: as it says, else as its label does.
fn locality(endpoint: &WorkloadEntry) -> String {
    let label = labelled_locality(&endpoint.labels).filter(|_| endpoint.locality.is_empty());
    label.unwrap_or_else(|| endpoint.locality.clone())
}

/// Where something is as its label says, which has dots for slashes.
pub fn labelled_locality(labels: &BTreeMap<String, String>) -> Option<String> {
    labels.get("istio-locality").map(|label| label.replace('.', "/"))
}

fn resolve(written: Resolution) -> Resolve {
    match written {
        Resolution::None => Resolve::Forward,
        Resolution::Static => Resolve::Static,
        Resolution::Dns => Resolve::Dns,
        Resolution::DnsRoundRobin => Resolve::DnsRoundRobin,
    }
}
