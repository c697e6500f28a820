//! The mesh by port, as a proxy of Istio has it: a listener for each port that a service has, with the VirtualServices of
//! those services (istio.md 1.1).

use super::gateway::MESH;
use super::known::Known;
use super::virtual_service::Routed;
use super::{Model, numbered};
use crate::manifest::{Kind, SwitchyardPolicy};
use std::collections::BTreeSet;
use switchyard_filter::compile::resolve;
use switchyard_filter::document::{Destination, HttpRedirect, Proxy, RedirectPort};

impl Model<'_> {
    /// The mesh's listeners: one for each port of a service; one that stands for all where none is known.
    pub fn mesh_by_port(&self) -> Vec<Proxy> {
        let ports: BTreeSet<u16> = self.services.values().flat_map(Known::ports_of_requests).collect();
        let on = |port| Proxy { port: Some(port), ..self.mesh() };
        if ports.is_empty() { vec![self.mesh()] } else { ports.into_iter().map(on).collect() }
    }

    /// The mesh where no rule asks for the port: every VirtualService, whichever port its hosts have.
    pub fn mesh_of_all_ports(&self) -> Proxy {
        Proxy { port: None, ..self.mesh() }
    }

    /// Whether the port that a request comes to can decide anything: a match block asks for it, a destination without a
    /// port has not exactly one, so that the listener's counts (istio.md 1.5), or a redirect names it or one that it
    /// leaves out where it is the default there (istio.md 1.9).
    pub fn asks_for_port(&self) -> bool {
        self.tags_ask_for_port() || self.routed.iter().any(|routed| self.routes_by_port(routed))
    }

    /// Whether a tag asks for the port.
    pub fn tags_ask_for_port(&self) -> bool {
        let tags = numbered(self.manifests, Kind::SwitchyardPolicy)
            .filter_map(|(_, manifest)| manifest.read_spec::<SwitchyardPolicy>().ok())
            .flat_map(|policy| policy.tags);
        let mut blocks = tags.flat_map(|tag| tag.rules).flat_map(|rule| rule.matches);
        blocks.any(|block| block.port.is_some())
    }

    fn routes_by_port(&self, routed: &Routed) -> bool {
        let follows = |destination: &Destination| {
            destination.port.is_none()
                && !self.has_one_port(&resolve(&destination.host, &routed.written.namespace, &self.options.domain))
        };
        routed.written.http.iter().any(|rule| {
            rule.matches.iter().any(|block| block.port.is_some())
                || rule.redirect.as_ref().is_some_and(names_port)
                || rule.route.iter().any(|route| follows(&route.destination))
                || rule.mirror.iter().any(follows)
                || rule.mirrors.iter().filter_map(|mirror| mirror.destination.as_ref()).any(follows)
        })
    }

    fn has_one_port(&self, host: &str) -> bool {
        self.services.get(host).is_some_and(|known| known.ports.len() == 1)
    }

    /// Whether a VirtualService has routes on this port of the mesh: a service among its hosts has the port, or none of
    /// them is known.
    pub(super) fn is_served_on(&self, routed: &Routed, port: u16) -> bool {
        let domain = &self.options.domain;
        let hosts: Vec<_> =
            routed.written.hosts.iter().map(|host| resolve(host, &routed.written.namespace, domain)).collect();
        let is_meant = |service: &str| {
            hosts.iter().any(|host| host == service || host.strip_prefix('*').is_some_and(|end| service.ends_with(end)))
        };
        let mut known = self.services.values().filter(|known| is_meant(&known.host)).peekable();
        !routed.gateways.contains(MESH)
            || known.peek().is_none()
            || known.any(|known| known.ports.iter().any(|own| own.number == port))
    }
}

fn names_port(redirect: &HttpRedirect) -> bool {
    redirect.derive_port == Some(RedirectPort::FromRequestPort)
        || redirect.scheme.is_empty() && matches!(redirect.port, Some(80 | 443))
}
