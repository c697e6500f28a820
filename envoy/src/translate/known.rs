//! Known destinations: hosts of ServiceEntries and Services, with their ports and endpoints.

mod alias;
mod distribution;
mod entry;
mod pod;
mod protocol;
mod service;
mod workload;

pub use alias::follow as follow_aliases;

use super::selector::selects;
use super::{Notes, Options, Origins, spec};
use crate::manifest::Manifests;
use std::collections::BTreeMap;
use switchyard_filter::document;

use super::subset::KnownSubset;
use super::traffic::{KnownPolicy, hashes};
use crate::manifest::LocalityLbSetting;

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
    /// What it says itself of where its requests go, before the mesh does.
    pub distribution: Option<LocalityLbSetting>,
    /// How it is spoken to.
    pub policy: Option<KnownPolicy>,
    /// Names of which a certificate of its endpoints must have one, where a DestinationRule names none.
    pub subject_alt_names: Vec<String>,
    /// The ports that endpoints are reached at where callers are sent on to where they were going, by the port.
    pub forwarded_ports: BTreeMap<u16, u16>,
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
    /// Which HTTP is spoken.
    pub speaks: Speaks,
}

/// Which HTTP is spoken at a port (istio.md 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1.1, where a DestinationRule says nothing else.
    Http1,
    /// HTTP/2 only: `HTTP2`, `GRPC`.
    Http2,
    /// Nobody says. A sidecar looks, and speaks what its caller does; a gateway speaks HTTP/1.1.
    Unsaid,
    /// Something else (HTTPS, TLS, TCP …): no request comes to it in the mesh, but routes may lead there.
    NoHttp,
}

impl KnownPort {
    /// Whether HTTP/2 is spoken, and nothing else.
    pub fn is_http2(self) -> bool {
        self.speaks == Speaks::Http2
    }

    /// Whether requests come to it in the mesh.
    pub fn takes_requests(self) -> bool {
        self.speaks != Speaks::NoHttp
    }

    /// Whether HTTP is said to be spoken.
    pub fn is_http(self) -> bool {
        matches!(self.speaks, Speaks::Http1 | Speaks::Http2)
    }

    /// Whether nobody says which HTTP is spoken.
    pub fn is_unsaid(self) -> bool {
        self.speaks == Speaks::Unsaid
    }
}

/// How endpoints are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolve {
    /// Not at all: callers are sent on to where they were going.
    Forward,
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
    /// The numbers of the ports that requests come to in the mesh.
    pub fn ports_of_requests(&self) -> impl Iterator<Item = u16> {
        self.ports.iter().filter(|port| port.takes_requests()).map(|port| port.number)
    }

    /// The endpoints that a subset selects; all of them without one.
    pub fn endpoints_of<'a>(&'a self, subset: Option<&'a KnownSubset>) -> impl Iterator<Item = &'a Endpoint> {
        self.endpoints
            .iter()
            .filter(move |endpoint| subset.is_none_or(|subset| selects(&subset.labels, &endpoint.labels)))
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

/// All known destinations, by host; `beside` a workload those of the proxy's own namespace come first.
pub fn services(manifests: &Manifests, options: &Options, beside: bool, notes: &mut Notes) -> BTreeMap<String, Known> {
    let workloads = workload::read(manifests, notes);
    let entry::Entries { mut all, lent } = entry::read(manifests, options, beside, &workloads, notes);
    let beside = service::Beside { workloads: &workloads, lent: &lent, is_own: beside };
    service::add(manifests, options, &beside, &mut all, notes);
    all
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
            ("a.example.com", ", protocol: https", "", None),
            ("a.example.com", ", protocol: MONGO", "", None),
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
