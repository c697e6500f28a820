//! The servers of an edge, found by their gateways: there may be thousands of either.

use super::super::virtual_service::Routed;
use super::host::{ServedHost, meet};
use std::collections::BTreeMap;
use switchyard_filter::compile::resolve;

/// A server of an edge.
#[derive(Debug)]
pub struct EdgeServer {
    /// `namespace/name`.
    pub gateway: String,
    /// Its hosts.
    pub hosts: Vec<ServedHost>,
    /// Whether it sends to HTTPS.
    pub redirects: bool,
}

/// The servers of an edge, in the order in which Istio merges them.
#[derive(Debug)]
pub struct Servers {
    all: Vec<EdgeServer>,
    /// Their places, by gateway.
    by_gateway: BTreeMap<String, Vec<usize>>,
}

impl Servers {
    /// With its first one.
    pub fn new(first: EdgeServer) -> Self {
        let mut servers = Self { all: vec![], by_gateway: BTreeMap::new() };
        servers.push(first);
        servers
    }

    /// Adds the next one.
    pub fn push(&mut self, server: EdgeServer) {
        self.by_gateway.entry(server.gateway.clone()).or_default().push(self.all.len());
        self.all.push(server);
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, EdgeServer> {
        self.all.iter()
    }

    /// Whose they are, by name (`namespace/name`).
    pub fn gateways(&self) -> impl ExactSizeIterator<Item = &str> {
        self.by_gateway.keys().map(String::as_str)
    }

    /// Whether a gateway has one.
    pub fn has(&self, gateway: &str) -> bool {
        self.by_gateway.contains_key(gateway)
    }

    /// Those of the gateways that a VirtualService is bound to, each with its place, in order.
    pub fn bound(&self, routed: &Routed) -> impl Iterator<Item = (usize, &EdgeServer)> {
        let own = routed.gateways.iter().filter_map(|gateway| self.by_gateway.get(gateway));
        let mut places: Vec<usize> = own.flatten().copied().collect();
        places.sort_unstable();
        places.into_iter().filter_map(|place| Some((place, self.all.get(place)?)))
    }

    /// Those that serve a host of a VirtualService, each with its place and the host, in order: of each pair that meets,
    /// the more specific one.
    pub fn meets(&self, routed: &Routed, domain: &str) -> impl Iterator<Item = (usize, &EdgeServer, String)> {
        let namespace = &routed.written.namespace;
        let hosts: Vec<String> = routed.written.hosts.iter().map(|host| resolve(host, namespace, domain)).collect();
        self.bound(routed).flat_map(move |(place, server)| {
            let served = || server.hosts.iter().filter(|served| served.allows(namespace));
            let meets = hosts.iter().flat_map(|own| served().filter_map(|served| meet(&served.host, own)));
            meets.map(|host| (place, server, host)).collect::<Vec<_>>()
        })
    }
}
