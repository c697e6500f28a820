//! A listener of Gateways, or a part of one that has routes of its own.

use super::super::known::Origin;
use super::super::virtual_service::Routed;
use super::host::{ServedHost, covers, meet};
use crate::manifest::ServerTls;
use crate::source::Place;
use std::collections::BTreeSet;
use std::net::IpAddr;
use switchyard_filter::compile::resolve;

/// Whether a listener ends TLS, where its port does not say so: 80 means that it does not, 443 that it does.
pub fn unexpected_tls(port: u16, tls: bool) -> Option<bool> {
    let expected = match port {
        80 => Some(false),
        443 => Some(true),
        _ => None,
    };
    (expected != Some(tls)).then_some(tls)
}

/// What has routes of its own: all plain servers of an address and port, or one HTTPS server (istio.md 3).
#[derive(Debug)]
pub struct Edge {
    /// `gateway-<port>`, `gateway-<address>-<port>`; of an HTTPS server followed by `.<port name>.<gateway>.<namespace>`.
    pub name: String,
    /// The first two of these: the name of Envoy's listener, which several HTTPS servers share.
    pub listener: String,
    /// The port, 1 to 65535.
    pub port: u16,
    /// The address; `None`: where the proxy serves its gateways.
    pub bind: Option<IpAddr>,
    /// How TLS ends; `None`: plain.
    pub tls: Option<EdgeTls>,
    /// Where the port is written first.
    pub place: Place,
    /// In the order in which Istio merges them.
    pub servers: Vec<EdgeServer>,
}

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

/// How TLS ends.
#[derive(Debug)]
pub struct EdgeTls {
    /// As it is written.
    pub written: ServerTls,
    /// Where.
    pub origin: Origin,
    /// The names that clients ask for, sorted; empty: any, also none.
    pub server_names: Vec<String>,
}

impl EdgeServer {
    /// The hosts of a VirtualService that it serves: of each pair that meets, the more specific one.
    pub fn hosts_of(&self, routed: &Routed, domain: &str) -> Vec<String> {
        let namespace = &routed.written.namespace;
        let mut hosts = vec![];
        if !routed.gateways.contains(&self.gateway) {
            return hosts;
        }
        for host in &routed.written.hosts {
            let own = resolve(host, namespace, domain);
            let served = self.hosts.iter().filter(|served| served.allows(namespace));
            for meet in served.filter_map(|served| meet(&served.host, &own)) {
                if !hosts.contains(&meet) {
                    hosts.push(meet);
                }
            }
        }
        hosts
    }
}

impl Edge {
    /// Its gateways (`namespace/name`).
    pub fn gateways(&self) -> BTreeSet<&str> {
        self.servers.iter().map(|server| server.gateway.as_str()).collect()
    }

    /// Whether a gateway has a server here.
    pub fn has(&self, gateway: &str) -> bool {
        self.servers.iter().any(|server| server.gateway == gateway)
    }

    /// The hosts of a VirtualService that are served here.
    pub fn hosts(&self, routed: &Routed, domain: &str) -> Vec<String> {
        let mut hosts = vec![];
        for host in self.servers.iter().flat_map(|server| server.hosts_of(routed, domain)) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }

    /// The gateways that serve any of them here; of a delegate, which has no hosts, those that it may be served by.
    pub fn serving(&self, routed: &Routed, domain: &str) -> BTreeSet<&str> {
        let serves = |server: &&EdgeServer| {
            let is_bound = routed.gateways.contains(&server.gateway);
            is_bound && (routed.is_delegate() || !server.hosts_of(routed, domain).is_empty())
        };
        self.servers.iter().filter(serves).map(|server| server.gateway.as_str()).collect()
    }

    /// A gateway that serves a host to a namespace's VirtualServices. A server for `*` serves names of services, which
    /// nobody outside asks for, only in theory: it does not count for them.
    pub fn gateway_of(&self, host: &str, namespace: &str) -> Option<&str> {
        let serves = |served: &ServedHost| {
            served.allows(namespace)
                && meet(&served.host, host).is_some()
                && (served.host != "*" || !host.contains(".svc."))
        };
        let found = self.servers.iter().filter(|server| server.hosts.iter().any(serves));
        found.map(|server| server.gateway.as_str()).min()
    }

    /// The hosts whose plain requests are sent to HTTPS: of VirtualServices that a redirecting server serves, and those
    /// of the server itself that are open to every namespace; Istio looks for the others under their whole text,
    /// `namespace/host`, which no request has.
    pub fn redirected(&self, routed: &[&Routed], domain: &str) -> BTreeSet<String> {
        let redirecting = self.servers.iter().filter(|server| server.redirects);
        let of = |server: &EdgeServer| -> Vec<String> {
            let own = server.hosts.iter().filter(|host| host.namespace.is_none()).map(|host| host.host.clone());
            own.chain(routed.iter().flat_map(|routed| server.hosts_of(routed, domain))).collect()
        };
        redirecting.flat_map(of).collect()
    }

    /// Hosts of VirtualServices that are not redirected and that a redirected one stands for.
    pub fn opened(&self, redirected: &BTreeSet<String>, routed: &[&Routed], domain: &str) -> BTreeSet<String> {
        if redirected.is_empty() {
            return BTreeSet::new();
        }
        let is_taken = |host: &String| !redirected.contains(host) && redirected.iter().any(|wide| covers(wide, host));
        routed.iter().flat_map(|routed| self.hosts(routed, domain)).filter(is_taken).collect()
    }
}
