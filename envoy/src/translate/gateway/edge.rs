//! A listener of Gateways, or a part of one that has routes of its own.

use super::super::known::Origin;
use super::super::virtual_service::Routed;
use super::host::{ServedHost, covers, meet};
use super::server::Servers;
use crate::manifest::ServerTls;
use crate::source::Place;
use std::collections::BTreeSet;
use std::net::IpAddr;
use switchyard_filter::answer::tls_by_port;

/// Whether a listener ends TLS, where its port does not say so.
pub fn unexpected_tls(port: u16, tls: bool) -> Option<bool> {
    (tls_by_port(port) != Some(tls)).then_some(tls)
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
    pub servers: Servers,
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

impl Edge {
    /// The hosts of a VirtualService that are served here, each once, with the place of the first server that does.
    pub fn hosts(&self, routed: &Routed, domain: &str) -> Vec<(String, usize)> {
        let (mut hosts, mut seen) = (vec![], BTreeSet::new());
        for (place, _, host) in self.servers.meets(routed, domain) {
            if seen.insert(host.clone()) {
                hosts.push((host, place));
            }
        }
        hosts
    }

    /// Whether any of them is.
    pub fn serves(&self, routed: &Routed, domain: &str) -> bool {
        self.servers.meets(routed, domain).next().is_some()
    }

    /// The gateways that serve any of them here; of a delegate, which has no hosts, those that it may be served by.
    pub fn serving(&self, routed: &Routed, domain: &str) -> BTreeSet<&str> {
        if routed.is_delegate() {
            return self.servers.bound(routed).map(|(_, server)| server.gateway.as_str()).collect();
        }
        self.servers.meets(routed, domain).map(|(_, server, _)| server.gateway.as_str()).collect()
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
        let open = redirecting.flat_map(|server| &server.hosts).filter(|host| host.namespace.is_none());
        let mut redirected: BTreeSet<_> = open.map(|host| host.host.clone()).collect();
        if self.servers.iter().any(|server| server.redirects) {
            let meets = routed.iter().flat_map(|routed| self.servers.meets(routed, domain));
            redirected.extend(meets.filter(|(_, server, _)| server.redirects).map(|(.., host)| host));
        }
        redirected
    }

    /// Hosts of VirtualServices that are not redirected and that a redirected one stands for.
    pub fn opened(&self, redirected: &BTreeSet<String>, routed: &[&Routed], domain: &str) -> BTreeSet<String> {
        if redirected.is_empty() {
            return BTreeSet::new();
        }
        let is_taken = |host: &String| !redirected.contains(host) && redirected.iter().any(|wide| covers(wide, host));
        let hosts = routed.iter().flat_map(|routed| self.servers.meets(routed, domain)).map(|(.., host)| host);
        hosts.filter(is_taken).collect()
    }
}
