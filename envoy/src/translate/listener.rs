//! One listener: its document, compiled.

use super::gateway::{self, Edge, MESH};
use super::{Around, Model, Notes, Origins, Routed, Served, missing, reach};
use crate::diagnostic::Diagnostic;
use crate::source::Place;
use crate::yaml::Path;
use std::collections::BTreeSet;
use switchyard_filter::document::{ControlHeaders, Document};
use switchyard_filter::{Policy, compile};

/// What one listener decides.
#[derive(Debug)]
pub struct Listener<'a> {
    /// `mesh`, or what [`Edge::name`] says.
    pub name: String,
    /// The configuration of its filter.
    pub document: Document,
    /// The same, compiled.
    pub policy: Policy,
    /// What to look at, though nothing is wrong.
    pub warnings: Vec<Diagnostic>,
    /// What it is at the edge; `None` in the mesh.
    pub edge: Option<&'a Edge>,
    /// Hosts whose plain requests are sent to HTTPS before anything is decided.
    pub redirected: BTreeSet<String>,
    /// Hosts that one of them would take, and whose requests are decided.
    pub opened: BTreeSet<String>,
    model: &'a Model<'a>,
    origins: Origins,
}

impl<'a> Listener<'a> {
    pub(super) fn new(model: &'a Model<'a>, wanted: &Served) -> Result<Self, Vec<Diagnostic>> {
        let proxy = &wanted.proxy;
        let port = proxy.port.unwrap_or(80);
        let is_mesh = proxy.gateways.iter().any(|gateway| gateway == MESH);
        let is_meant =
            |edge: &&Edge| edge.port == port && proxy.gateways.iter().any(|gateway| edge.servers.has(gateway));
        let edge = match wanted.edge {
            Some(index) => model.edges.get(index),
            None => model.edges.iter().find(is_meant).filter(|_| !is_mesh),
        };
        let domain = &model.options.domain;
        let of_port = proxy.port.filter(|_| is_mesh && model.options.around == Around::Mesh);
        let serves = |routed: &Routed| {
            !routed.is_delegate()
                && of_port.is_none_or(|port| model.is_served_on(routed, port))
                && routed.is_seen_by(&proxy.namespace)
                && proxy.gateways.iter().any(|gateway| routed.gateways.contains(gateway))
                && edge.is_none_or(|edge| edge.serves(routed, domain))
        };
        let roots: Vec<_> = model.routed.iter().filter(|routed| serves(routed)).collect();
        let delegates: BTreeSet<_> =
            roots.iter().flat_map(|root| root.delegations()).map(|(_, delegate)| delegate).collect();
        let is_used = |routed: &Routed| routed.is_delegate() && delegates.contains(&routed.name());
        let routed: Vec<_> = model.routed.iter().filter(|routed| serves(routed) || is_used(routed)).collect();
        let split = edge.map(|edge| gateway::split(edge, &routed, domain));
        let routed: Vec<&Routed> = split.as_ref().map_or(routed, |all| all.iter().map(|one| &**one).collect());
        let (mut document, mut origins) = model.document(proxy, &routed);
        if let Some(edge) = edge {
            gateway::bind(model, edge, &routed, &mut document, &mut origins)?;
        }
        let manifests = &model.manifests.all;
        let compile = |document: &Document| {
            compile(document)
                .map_err(|errors| errors.iter().map(|error| origins.diagnostic(manifests, error)).collect::<Vec<_>>())
        };
        let mut policy = compile(&document)?;
        if document.control_headers == ControlHeaders::Stripped && !everything_is_stripped(&policy) {
            // The connection manager strips without looking at hosts, so it must leave these tags to the filter.
            document.control_headers = ControlHeaders::Remove;
            policy = compile(&document)?;
        }
        let owners: Vec<_> = routed.iter().filter_map(|routed| manifests.get(routed.manifest)).collect();
        let mut notes = Notes { all: vec![], unread: vec![], allow_missing: model.options.allow_missing };
        missing::ports(&policy, &owners, &model.services, &mut notes);
        if notes.all.iter().any(Diagnostic::is_error) {
            return Err(notes.all);
        }
        let name = match edge {
            Some(edge) => edge.name.clone(),
            None if is_mesh => "mesh".to_owned(),
            None => format!("gateway-{port}"),
        };
        let redirected = edge.map(|edge| edge.redirected(&routed, domain)).unwrap_or_default();
        let opened = edge.map(|edge| edge.opened(&redirected, &routed, domain)).unwrap_or_default();
        let mut listener = Self { name, document, policy, warnings: vec![], edge, redirected, opened, model, origins };
        let owners: Vec<_> = routed.into_iter().zip(owners).collect();
        reach::rules(&listener, &owners, domain, &mut notes);
        listener.warnings = notes.all;
        Ok(listener)
    }

    /// The port that it stands for: that of a gateway's server, or the mesh's.
    pub fn port(&self) -> u16 {
        self.document.proxy.port.unwrap_or(80)
    }

    /// Whether it serves the mesh.
    pub fn is_mesh(&self) -> bool {
        self.document.proxy.gateways.iter().any(|gateway| gateway == MESH)
    }

    /// Where a field of the document is written, and its path there (below `spec`).
    pub fn place(&self, field: &str) -> Option<(Place, String)> {
        let (manifest, path) = self.origins.find(&Path::parse(field))?;
        let found = self.model.manifests.all.get(manifest)?.error(&path, "");
        Some((found.place?, found.field))
    }

    /// The headers of tags that nobody outside may set and that can be removed from every request: those whose hosts
    /// are all that is served here.
    pub fn stripped_tags(&self) -> impl Iterator<Item = &str> {
        self.policy
            .tags()
            .iter()
            .filter(|tag| !tag.trust_client && is_everywhere(&self.policy, tag))
            .map(|tag| &*tag.header)
    }
}

fn everything_is_stripped(policy: &Policy) -> bool {
    policy.tags().iter().all(|tag| tag.trust_client || is_everywhere(policy, tag))
}

/// Whether a tag is set on every host that is served.
fn is_everywhere(policy: &Policy, tag: &switchyard_filter::tag::Tag) -> bool {
    policy.hosts().iter().all(|(host, _)| tag.hosts.find(host.as_bytes()).is_some())
}
