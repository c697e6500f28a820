//! Services of Kubernetes, with the `EndpointSlices` of their pods where there are any, the `WorkloadEntries` that they
//! select, and endpoints of ServiceEntries with their host (istio.md 2.0).

mod endpoints;

use super::super::{Notes, Options, numbered, spec};
use super::entry::{Lent, is_seen_by};
use super::pod::{HOSTNAME, Pods};
use super::workload::Workload;
use super::{Known, KnownPort, Origin, Resolve, distribution, protocol};
use crate::manifest::{EndpointSlice, Kind, Manifest, Manifests, Service, ServicePort};
use crate::yaml::Path;
use endpoints::{Endpoints, Found};
use std::collections::{BTreeMap, BTreeSet};

/// The label of a slice that names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Who sees a Service, divided by `,`.
const EXPORT_TO: &str = "networking.istio.io/exportTo";
/// What certificates of its endpoints may say beside what those of its pods do: whole names, and accounts.
const ACCOUNTS: [&str; 2] = ["alpha.istio.io/canonical-serviceaccounts", "alpha.istio.io/kubernetes-serviceaccounts"];

/// What there is beside Services.
pub struct Beside<'a> {
    /// `WorkloadEntries`.
    pub workloads: &'a [Workload<'a>],
    /// Endpoints of ServiceEntries, by host and namespace.
    pub lent: &'a BTreeMap<(String, String), Vec<Lent>>,
    /// Whether a workload is, for which hosts of its own namespace come first; else it is a gateway.
    pub is_own: bool,
}

/// The full host name of a Service.
pub fn host_of(manifest: &Manifest, domain: &str) -> String {
    format!("{}.{}.svc.{domain}", manifest.name, manifest.namespace).to_ascii_lowercase()
}

/// Adds Services. One takes the place of a ServiceEntry with its host, but for one of the proxy's own namespace, and has
/// the endpoints of those of its own (`appendSidecarServices` of istiod).
pub fn add(
    manifests: &Manifests,
    options: &Options,
    beside: &Beside<'_>,
    all: &mut BTreeMap<String, Known>,
    notes: &mut Notes,
) {
    let Options { domain, mesh, .. } = options;
    let slices = slices(manifests, notes);
    let mut by_service: BTreeMap<_, Vec<&Slice<'_>>> = BTreeMap::new();
    for slice in &slices {
        by_service.entry(slice.identity()).or_default().push(slice);
    }
    let pods = Pods::of(manifests);
    let mut named: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (index, manifest) in numbered(manifests, Kind::Service) {
        named.insert((&manifest.namespace, &manifest.name));
        let Some(service) = notes.spec::<Service>(manifest) else { continue };
        let name = Path::root().field("metadata").field("name");
        if service.is_alias() {
            continue;
        }
        if !is_exported(manifest, manifests, options, notes) {
            continue;
        }
        let host = host_of(manifest, domain);
        let ports = tcp_ports(manifest, &service, notes);
        let own = all.get(&host).is_some_and(|entry| beside.is_own && entry.namespace == manifests.namespace);
        if own && manifest.namespace != manifests.namespace {
            continue;
        }
        let found = Endpoints {
            host: &host,
            manifest,
            service: &service,
            ports: &ports,
            slices: by_service.get(&(manifest.namespace.as_str(), manifest.name.as_str())).map(Vec::as_slice),
            pods: &pods,
            mesh,
        };
        let Found { resolve, mut endpoints, mut identities } = found.all(beside);
        if resolve == Resolve::Static && service.internal_traffic_policy == "Local" {
            keep_local(&mut endpoints, options, manifest, notes);
        }
        if endpoints.is_empty() {
            let message = format!("no endpoint of `{host}` is ready: requests to it get 503");
            notes.push(manifest.warning(&name, &message).code("no-endpoints"));
        }
        identities.extend(accounts(manifest, options));
        let known = Known {
            host: host.clone(),
            namespace: manifest.namespace.clone(),
            ports: ports.iter().map(|(_, known)| *known).collect(),
            resolve,
            endpoints,
            subsets: vec![],
            distribution: distribution::of(&service.traffic_distribution, &manifest.annotations),
            policy: None,
            subject_alt_names: mesh.with_aliases(&identities),
            forwarded_ports: BTreeMap::new(),
            origin: Origin { manifest: index, field: "ports".into() },
        };
        if let Some(entry) = all.insert(host, known) {
            notes.all.extend(overruled(manifests, &entry, manifest, &ports));
        }
    }
    for slice in slices.iter().filter(|slice| !named.contains(&slice.identity())) {
        let path = Path::root().field("metadata").field("labels").field(SERVICE_NAME);
        let message = format!("there is no Service `{}/{}`", slice.manifest.namespace, slice.service());
        notes.push(slice.manifest.warning(&path, &message).code("unknown-host"));
    }
}

/// Whether the proxy's namespace sees a Service: what its annotation says, else the mesh. One that it does not see is told.
fn is_exported(manifest: &Manifest, manifests: &Manifests, options: &Options, notes: &mut Notes) -> bool {
    let written = manifest.annotations.get(EXPORT_TO).filter(|written| !written.is_empty());
    let names: Vec<String> = written.iter().flat_map(|names| names.split(',')).map(|name| name.trim().into()).collect();
    let sees = is_seen_by(&options.mesh.services.or_default(&names), &manifests.namespace, &manifest.namespace);
    if !sees {
        let metadata = Path::root().field("metadata");
        let message = format!("this is not exported to the proxy's namespace `{}`", manifests.namespace);
        notes.push(if written.is_some() {
            manifest.warning(&metadata.field("annotations").field(EXPORT_TO), &message).code("not-exported")
        } else {
            let found = manifest.warning(&metadata.field("name"), &message).code("not-exported");
            found.help("the mesh's `defaultServiceExportTo` says so")
        });
    }
    sees
}

/// `internalTrafficPolicy: Local`: only endpoints of the proxy's node, which its label tells.
fn keep_local(endpoints: &mut Vec<super::Endpoint>, options: &Options, manifest: &Manifest, notes: &mut Notes) {
    if let Some(node) = options.labels.get(HOSTNAME) {
        endpoints.retain(|endpoint| endpoint.labels.get(HOSTNAME) == Some(node));
        return;
    }
    let message = "only endpoints of the proxy's node would count, and its node is not known: all of them do";
    let found = manifest.warning(&spec("internalTrafficPolicy"), message).code("ignored-field");
    notes.push(found.help(format!("call it with `--labels {HOSTNAME}=NODE`")));
}

/// Names that annotations give to certificates of the endpoints.
fn accounts(manifest: &Manifest, options: &Options) -> Vec<String> {
    let [whole, accounts] = ACCOUNTS.map(|key| manifest.annotations.get(key).map(String::as_str).unwrap_or_default());
    let split = |written: &str| written.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let mut all = split(whole);
    all.extend(split(accounts).iter().map(|account| options.mesh.identity(&manifest.namespace, account)));
    all
}

/// What a ServiceEntry loses to a Service with its host.
fn overruled(
    manifests: &Manifests,
    entry: &Known,
    service: &Manifest,
    ports: &[(&ServicePort, KnownPort)],
) -> Option<crate::diagnostic::Diagnostic> {
    let manifest = manifests.all.get(entry.origin.manifest)?;
    let has = |number: u16| ports.iter().any(|(_, port)| port.number == number);
    let lost: Vec<_> =
        entry.ports.iter().filter(|port| !has(port.number)).map(|port| port.number.to_string()).collect();
    let is_beside = entry.namespace == service.namespace;
    let id = format!("{}/{}", service.namespace, service.name);
    let message = match (is_beside, lost.as_slice()) {
        (true, []) => return None,
        (true, lost) => format!("the Service `{id}` has this host: its ports count, and not {}", lost.join(", ")),
        (false, _) => format!("the Service `{id}` has this host: this has no effect"),
    };
    let found = manifest.warning(&spec(&entry.origin.field), &message).code("ignored-field");
    Some(found.also(service.place(&Path::root().field("metadata").field("name")), "this one counts"))
}

/// An `EndpointSlice` with its manifest.
struct Slice<'a> {
    manifest: &'a Manifest,
    written: EndpointSlice,
}

impl Slice<'_> {
    fn service(&self) -> &str {
        self.manifest.labels.get(SERVICE_NAME).map_or("", String::as_str)
    }

    /// Namespace and name of its Service.
    fn identity(&self) -> (&str, &str) {
        (&self.manifest.namespace, self.service())
    }
}

fn slices<'a>(manifests: &'a Manifests, notes: &mut Notes) -> Vec<Slice<'a>> {
    let mut slices = vec![];
    for (_, manifest) in numbered(manifests, Kind::EndpointSlice) {
        match manifest.read_top() {
            Ok(written) => slices.push(Slice { manifest, written }),
            Err(found) => notes.all.extend(found),
        }
    }
    slices
}

/// The ports of a Service that speak TCP; the others are told and left out.
fn tcp_ports<'a>(manifest: &Manifest, service: &'a Service, notes: &mut Notes) -> Vec<(&'a ServicePort, KnownPort)> {
    let mut ports: Vec<(&ServicePort, KnownPort)> = vec![];
    for (index, port) in service.ports.iter().enumerate() {
        let protocol = port.protocol.to_ascii_uppercase();
        if !matches!(protocol.as_str(), "" | "TCP") {
            let message = format!("the port `{}` is left out: no request comes by `{protocol}`", port.port);
            notes.push(manifest.warning(&spec(&format!("ports[{index}].protocol")), &message).code("ignored-port"));
            continue;
        }
        if ports.iter().any(|(_, earlier)| earlier.number == port.port) {
            let path = spec(&format!("ports[{index}].port"));
            notes.push(manifest.error(&path, &format!("the port `{}` is listed twice", port.port)));
            continue;
        }
        let speaks = protocol::of_service_port(port.port, &port.name, &port.app_protocol);
        ports.push((port, KnownPort { number: port.port, speaks }));
    }
    ports
}

#[cfg(test)]
mod tests;
