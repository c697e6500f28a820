//! Services of Kubernetes, with the `EndpointSlices` of their pods where there are any.

use super::super::{Mesh, Notes, Options, numbered, spec};
use super::entry::is_seen_by;
use super::pod::Pods;
use super::{Endpoint, Known, KnownPort, Origin, Resolve, Speaks};
use crate::manifest::{EndpointSlice, Kind, Manifest, Manifests, Service, ServicePort};
use crate::yaml::Path;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The label of a slice that names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The annotation of a Service that is its `exportTo` to Istio.
const EXPORT_TO: &str = "networking.istio.io/exportTo";

/// Who sees a Service: what its annotation says (`ConvertService` of istiod), else what the mesh does.
fn exports(manifest: &Manifest, mesh: &Mesh) -> Vec<String> {
    let annotated = manifest.annotations.get(EXPORT_TO).filter(|text| !text.is_empty());
    let written: Vec<String> =
        annotated.into_iter().flat_map(|text| text.split(',')).map(|one| one.trim().to_owned()).collect();
    mesh.services.or_default(&written)
}

/// Adds those that no ServiceEntry has the host of: that one knows its endpoints.
pub fn add(manifests: &Manifests, options: &Options, all: &mut BTreeMap<String, Known>, notes: &mut Notes) {
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
        if !is_seen_by(&exports(manifest, mesh), &manifests.namespace, &manifest.namespace) {
            let message = format!("this is not exported to the proxy's namespace `{}`", manifests.namespace);
            let name = Path::root().field("metadata").field("name");
            let found = manifest.warning(&name, &message).code("not-exported");
            notes.push(found.help(format!("its annotation `{EXPORT_TO}` says so, or the mesh's `defaultServiceExportTo`")));
            continue;
        }
        let host = format!("{}.{}.svc.{domain}", manifest.name, manifest.namespace).to_ascii_lowercase();
        let ports = tcp_ports(manifest, &service, notes);
        let mut identities = BTreeSet::new();
        let (resolve, endpoints) = match by_service.get(&(manifest.namespace.as_str(), manifest.name.as_str())) {
            None => (Resolve::Dns, vec![by_name(&host, &service, &ports)]),
            Some(own) => (Resolve::Static, by_address(own, &ports, &pods, mesh, &mut identities)),
        };
        if endpoints.is_empty() {
            let message = format!("no endpoint of `{host}` is ready: requests to it get 503");
            notes.push(manifest.warning(&Path::root().field("metadata").field("name"), &message).code("no-endpoints"));
        }
        let ports = ports.into_iter().map(|(_, known)| known).collect();
        all.entry(host.clone()).or_insert_with(|| Known {
            host,
            namespace: manifest.namespace.clone(),
            ports,
            resolve,
            endpoints,
            subsets: vec![],
            policy: None,
            subject_alt_names: mesh.with_aliases(&identities),
            forwarded_ports: BTreeMap::new(),
            origin: Origin { manifest: index, field: "ports".into() },
        });
    }
    for slice in slices.iter().filter(|slice| !named.contains(&slice.identity())) {
        let path = Path::root().field("metadata").field("labels").field(SERVICE_NAME);
        let message = format!("there is no Service `{}/{}`", slice.manifest.namespace, slice.service());
        notes.push(slice.manifest.warning(&path, &message).code("unknown-host"));
    }
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

/// Without slices the pods are not known, but where Envoy runs the name may be: to the cluster IP. A headless Service
/// has none, so its name is that of the pods, who listen on the target port.
fn by_name(host: &str, service: &Service, ports: &[(&ServicePort, KnownPort)]) -> Endpoint {
    let headless = service.cluster_ip.is("None");
    let target = |port: &ServicePort, number: u16| port.target_port.number().filter(|_| headless).unwrap_or(number);
    Endpoint {
        address: host.to_owned(),
        ports: ports.iter().map(|(port, known)| (known.number, target(port, known.number))).collect(),
        labels: BTreeMap::new(),
        locality: String::new(),
        weight: 1,
    }
}

/// Endpoints that take requests, by address; ports are mapped by name. What their certificates say is added.
fn by_address(
    slices: &[&Slice<'_>],
    ports: &[(&ServicePort, KnownPort)],
    pods: &Pods<'_>,
    mesh: &Mesh,
    identities: &mut BTreeSet<String>,
) -> Vec<Endpoint> {
    let mut all: BTreeMap<&str, Endpoint> = BTreeMap::new();
    for Slice { manifest, written: slice } in slices {
        let number = |port: &ServicePort| {
            slice.ports.iter().find(|own| own.name == port.name).map(|own| own.port.unwrap_or(port.port))
        };
        let mapped: BTreeMap<u16, u16> =
            ports.iter().filter_map(|(port, known)| Some((known.number, number(port)?))).collect();
        let ready = slice.endpoints.iter().filter(|endpoint| endpoint.takes_requests());
        // Names are no addresses, and the others of an endpoint are the same pod.
        let addressed = ready.filter_map(|endpoint| Some((endpoint, endpoint.addresses.first()?)));
        for (written, address) in addressed.filter(|(_, address)| address.parse::<IpAddr>().is_ok()) {
            identities.extend(pods.identity(written, &manifest.namespace, mesh));
            let endpoint = all.entry(address).or_insert_with(|| {
                let (labels, locality) = pods.about(written, &manifest.namespace);
                Endpoint { address: address.clone(), ports: BTreeMap::new(), labels, locality, weight: 1 }
            });
            endpoint.ports.extend(&mapped);
        }
    }
    all.into_values().collect()
}

/// The ports of a Service that speak TCP; the others are told and left out.
fn tcp_ports<'a>(manifest: &Manifest, service: &'a Service, notes: &mut Notes) -> Vec<(&'a ServicePort, KnownPort)> {
    let mut ports = vec![];
    for (index, port) in service.ports.iter().enumerate() {
        let protocol = port.protocol.to_ascii_uppercase();
        if !matches!(protocol.as_str(), "" | "TCP") {
            let message = format!("the port `{}` is left out: no request comes by `{protocol}`", port.port);
            notes.push(manifest.warning(&spec(&format!("ports[{index}].protocol")), &message).code("ignored-port"));
            continue;
        }
        let speaks = speaks(if port.app_protocol.is_empty() { &port.name } else { &port.app_protocol });
        ports.push((port, KnownPort { number: port.port, speaks }));
    }
    ports
}

/// What `appProtocol` says, or else the name up to its `-` (istio.md 2.2).
fn speaks(written: &str) -> Speaks {
    let written = written.to_ascii_lowercase();
    let written = written.strip_prefix("kubernetes.io/").unwrap_or(&written);
    let protocol =
        if written.starts_with("grpc-web") { "grpc-web" } else { written.split('-').next().unwrap_or_default() };
    match protocol {
        "http2" | "grpc" | "grpc-web" | "h2c" => Speaks::Http2,
        "http" => Speaks::Http1,
        _ => Speaks::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{manifests, told};
    use super::super::super::{Model, Options};
    use super::Resolve;

    const LIST: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: shop, namespace: demo}
  spec:
    clusterIP: 10.96.0.7
    ports: [{name: http, port: 80, targetPort: web}, {name: grpc, port: 90, targetPort: 9090}]
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: shop-1, namespace: demo, labels: {kubernetes.io/service-name: shop}, generation: 3}
  addressType: IPv4
  ports: [{name: http, port: 8080, protocol: TCP}, {name: grpc, port: 9090, protocol: TCP}]
  endpoints:
  - {addresses: [10.0.0.2], conditions: {ready: true, serving: true, terminating: false}, zone: eu-a, nodeName: n1}
  - {addresses: [10.0.0.1], targetRef: {kind: Pod, name: shop-a}}
  - {addresses: [10.0.0.3], conditions: {ready: false}}
  - {addresses: [10.0.0.4], conditions: {ready: true, terminating: true}}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: shop-2, namespace: demo, labels: {kubernetes.io/service-name: shop}}
  addressType: IPv4
  ports: [{name: http, port: 8081}]
  endpoints: [{addresses: [10.0.0.5]}]
";

    #[test]
    fn a_services_slices_are_its_endpoints_each_with_the_ports_of_its_slice() {
        let manifests = manifests(&[LIST]);
        let model = Model::new(&manifests, &Options::default()).unwrap_or_else(|said| panic!("{said:?}"));
        let known = &model.services()["shop.demo.svc.cluster.local"];
        assert_eq!(known.resolve, Resolve::Static);
        let shown: Vec<_> =
            known.endpoints.iter().map(|endpoint| format!("{} {:?}", endpoint.address, endpoint.ports)).collect();
        assert_eq!(shown, ["10.0.0.1 {80: 8080, 90: 9090}", "10.0.0.2 {80: 8080, 90: 9090}", "10.0.0.5 {80: 8081}"]);
    }

    #[test]
    fn a_service_of_which_no_endpoint_is_ready_and_a_slice_of_no_service_are_told() {
        let none = LIST
            .replace("{ready: true, serving", "{ready: false, serving")
            .replace("  - {addresses: [10.0.0.1], targetRef: {kind: Pod, name: shop-a}}\n", "")
            .replace("{addresses: [10.0.0.5]}", "");
        assert_eq!(
            told(&[&none]),
            ["warning a.yaml:6:20: no endpoint of `shop.demo.svc.cluster.local` is ready: requests to it get 503"]
        );
        let other =
            LIST.replace("labels: {kubernetes.io/service-name: shop}}", "labels: {kubernetes.io/service-name: shpo}}");
        assert_eq!(told(&[&other]), ["warning a.yaml:22:82: there is no Service `demo/shpo`"]);
    }
}
