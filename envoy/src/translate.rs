//! Manifests to the filter's configuration: one document for each listener, and the clusters that it may name.
//!
//! [`Model::new`] reads every spec and resolves what refers to what; [`Model::listeners`] says which listeners there are;
//! [`Model::listener`] makes the document of one and compiles it with the filter's own compiler. Every error comes back
//! at the line of the manifest that caused it.

mod delegates;
mod dormant;
mod gateway;
mod known;
mod listener;
mod locality;
mod mesh;
mod missing;
mod name;
mod origin;
mod policy;
mod port;
mod proxy;
mod reach;
mod selector;
mod subset;
mod traffic;
mod virtual_service;

pub use gateway::{Edge, EdgeTls, is_cipher, unexpected_tls};
pub(crate) use gateway::{ServedHost, covers, meet};
pub use known::{Endpoint, Known, KnownPort, Origin, Resolve};
pub use listener::Listener;
pub use locality::Locality;
pub use mesh::{DefaultExport, Mesh};
pub(crate) use selector::{is_label_key, is_label_value, selects};
pub use subset::KnownSubset;
pub use traffic::{Effective, KnownPolicy};

use crate::diagnostic::{Diagnostic, Severity, sort};
use crate::manifest::{Kind, Manifest, Manifests};
use crate::source::Place;
use crate::yaml::Path;
use origin::Origins;
use policy::Policies;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use switchyard_filter::document::{AccessLog, Document, Proxy, VirtualService};
use switchyard_filter::error::is_directly_below;
use virtual_service::Routed;

/// What stands around the filter: what that does, the filter need not do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Around {
    /// Any Envoy: the filter removes control headers and makes faults by itself.
    Nothing,
    /// Any Envoy with the parts of `generate --parts`: they strip control headers and have a fault filter.
    Parts,
    /// The Envoy that we generate: it has the same, and no routes of its own.
    #[default]
    Bootstrap,
    /// A proxy of Istio with what we insert: it has a listener for each port that a service has. As in `Dynamic`, the
    /// filter strips by itself.
    Mesh,
    /// As `Bootstrap`, changed while it runs: a connection that is older than a listener keeps that listener's old list
    /// of what is stripped, so that the filter strips by itself.
    Dynamic,
}

impl Around {
    /// Whether all of that Envoy is ours: it has no routes of its own.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Bootstrap | Self::Dynamic)
    }
}

/// How to translate.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Missing hosts, subsets, ports and gateways are warnings.
    pub allow_missing: bool,
    /// What stands around the filter.
    pub around: Around,
    /// What the filter tells the access log.
    pub access_log: AccessLog,
    /// The port of the mesh listener, as `match.port` and default ports mean it. Default: that of all known services
    /// where they agree, else 80.
    pub mesh_port: Option<u16>,
    /// The cluster's DNS domain.
    pub domain: String,
    /// Labels of the proxy: what `sourceLabels` and the `workloadSelector` of a DestinationRule look at.
    pub labels: BTreeMap<String, String>,
    /// Where the proxy is: `region/zone/subzone`, as far as it is known.
    pub locality: String,
    /// Where certificates are that manifests name and that a mesh would have: `DIR/<credentialName>/tls.crt`, `tls.key`
    /// and `ca.crt`; those of `ISTIO_MUTUAL` in `DIR/default`.
    pub certs: Option<PathBuf>,
    /// What counts in the mesh where manifests say nothing.
    pub mesh: Mesh,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_missing: false,
            around: Around::Bootstrap,
            access_log: AccessLog::Decision,
            mesh_port: None,
            domain: "cluster.local".into(),
            labels: BTreeMap::new(),
            locality: String::new(),
            certs: None,
            mesh: Mesh::default(),
        }
    }
}

/// All manifests, read and resolved.
#[derive(Debug)]
pub struct Model<'a> {
    manifests: &'a Manifests,
    options: Options,
    services: BTreeMap<String, Known>,
    /// Other names for hosts.
    aliases: BTreeSet<String>,
    routed: Vec<Routed>,
    policies: Policies,
    edges: Vec<Edge>,
    warnings: Vec<Diagnostic>,
}

impl<'a> Model<'a> {
    /// Reads every spec.
    ///
    /// # Errors
    /// Everything that is wrong, warnings too, in order of place.
    pub fn new(manifests: &'a Manifests, options: &Options) -> Result<Self, Vec<Diagnostic>> {
        let lost = options.mesh.lost.iter().filter(|_| options.around.is_whole());
        let all = options.mesh.warnings.iter().chain(lost).cloned().collect();
        let mut notes = Notes { all, unread: vec![], allow_missing: options.allow_missing };
        let mut routed = virtual_service::read(manifests, &options.mesh, &mut notes);
        let aliases = known::follow_aliases(manifests, &options.domain, &mut routed);
        let policies = Policies::merge(manifests, options, &mut routed, &mut notes);
        let edges = gateway::edges(manifests, options, &routed, &mut notes);
        let services = BTreeMap::new();
        let mut model =
            Self { manifests, options: options.clone(), services, aliases, routed, policies, edges, warnings: vec![] };
        let mut services = known::services(manifests, options, model.has_mesh(), &mut notes);
        subset::assign(manifests, options, &mut services, &mut notes);
        missing::check(manifests, &model.routed, &services, &options.domain, &mut notes);
        model.services = services;
        model.check_everything(&mut notes);
        delegates::check(&model, &mut notes);
        dormant::check(&model, &mut notes);
        reach::hosts(&model, &mut notes);
        for served in model.served() {
            match model.listener(&served) {
                Ok(listener) => notes.all.extend(listener.warnings),
                Err(found) => notes.all.extend(found),
            }
        }
        drop_echoes(&mut notes);
        sort(&mut notes.all);
        if notes.all.iter().any(Diagnostic::is_error) {
            return Err(notes.all);
        }
        model.warnings = notes.all;
        Ok(model)
    }

    /// Compiles every VirtualService, also one that no listener serves.
    fn check_everything(&self, notes: &mut Notes) {
        let all: Vec<_> = self.routed.iter().collect();
        let (document, origins) = self.document(&self.mesh(), &all);
        if let Err(errors) = switchyard_filter::compile(&document) {
            notes.all.extend(errors.iter().map(|error| origins.diagnostic(&self.manifests.all, error)));
        }
    }

    /// What to look at, though nothing is wrong.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Every known destination, by host.
    pub fn services(&self) -> &BTreeMap<String, Known> {
        &self.services
    }

    /// Every VirtualService, with its manifest.
    pub fn virtual_services(&self) -> impl Iterator<Item = (&Manifest, &VirtualService)> {
        let manifest = |routed: &Routed| self.manifests.all.get(routed.manifest);
        self.routed.iter().filter_map(move |routed| Some((manifest(routed)?, &routed.written)))
    }

    /// The cluster's DNS domain.
    pub fn domain(&self) -> &str {
        &self.options.domain
    }

    /// What counts in the mesh where manifests say nothing.
    pub fn mesh_defaults(&self) -> &Mesh {
        &self.options.mesh
    }

    /// A Gateway (`namespace/name`) that serves a host to a namespace's VirtualServices.
    pub fn gateway_of(&self, host: &str, namespace: &str) -> Option<&str> {
        self.edges.iter().find_map(|edge| edge.gateway_of(host, namespace))
    }

    /// The proxies of [`Model::served`]. HTTPS servers of one Gateway and port are alike here.
    pub fn listeners(&self) -> Vec<Proxy> {
        self.served().into_iter().map(|served| served.proxy).collect()
    }

    /// What the manifests ask for that has routes of its own: the mesh, unless there are only gateways, then the plain
    /// servers of each gateway port, and each HTTPS server. In a proxy of Istio the mesh has a listener for each port of
    /// its services.
    pub fn served(&self) -> Vec<Served> {
        let edges = self.edges.iter().enumerate().map(|(index, edge)| {
            let proxy = Proxy {
                namespace: self.manifests.namespace.clone(),
                gateways: edge.servers.gateways().map(str::to_owned).collect(),
                port: Some(edge.port),
                tls: unexpected_tls(edge.port, edge.tls.is_some()),
                labels: self.options.labels.clone(),
            };
            Served { proxy, edge: Some(index) }
        });
        let mesh = match (self.has_mesh(), self.options.around) {
            (false, _) => vec![],
            (true, Around::Mesh) => self.mesh_by_port(),
            (true, _) => vec![self.mesh()],
        };
        mesh.iter().map(Served::from).chain(edges).collect()
    }

    /// Whether the mesh is served: unless there are only gateways.
    fn has_mesh(&self) -> bool {
        let is_in_mesh = |routed: &Routed| {
            !routed.is_delegate()
                && routed.gateways.contains(gateway::MESH)
                && routed.is_seen_by(&self.manifests.namespace)
        };
        self.edges.is_empty() || self.routed.iter().any(is_in_mesh)
    }

    /// The listener of the mesh.
    pub fn mesh(&self) -> Proxy {
        let mut ports = self.services.values().flat_map(Known::ports_of_requests);
        let agreed = ports.next().filter(|first| ports.all(|port| port == *first));
        Proxy {
            namespace: self.manifests.namespace.clone(),
            gateways: vec![gateway::MESH.into()],
            port: Some(self.options.mesh_port.or(agreed).unwrap_or(80)),
            tls: None,
            labels: self.options.labels.clone(),
        }
    }

    /// The document of a listener and its compiled policy.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn listener(&self, served: impl Into<Served>) -> Result<Listener<'_>, Vec<Diagnostic>> {
        Listener::new(self, &served.into())
    }

    /// The document of a proxy with some of the VirtualServices, and where its parts come from.
    fn document(&self, proxy: &Proxy, routed: &[&Routed]) -> (Document, Origins) {
        let mut origins = Origins::default();
        let mut document = Document {
            namespace: self.manifests.namespace.clone(),
            domain: self.options.domain.clone(),
            access_log: self.options.access_log,
            proxy: proxy.clone(),
            ..Document::default()
        };
        self.policies.write(&mut document, &mut origins);
        for routed in routed {
            routed.write(&mut document, self.options.mesh.retries.as_ref(), &mut origins);
        }
        for known in self.services.values() {
            known.write(&mut document, &mut origins);
        }
        (document, origins)
    }
}

/// Something that has routes of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// What it is to the filter.
    pub proxy: Proxy,
    /// Which of the model's edges it is.
    edge: Option<usize>,
}

impl From<&Proxy> for Served {
    /// The mesh, or the first that has the port and one of the gateways.
    fn from(proxy: &Proxy) -> Self {
        Self { proxy: proxy.clone(), edge: None }
    }
}

impl From<&Served> for Served {
    fn from(served: &Served) -> Self {
        served.clone()
    }
}

/// What is found on the way.
#[derive(Debug, Default)]
struct Notes {
    all: Vec<Diagnostic>,
    /// Fields that could not be read, each with the place of what it is part of: that is incomplete.
    unread: Vec<(Option<Place>, String)>,
    allow_missing: bool,
}

impl Notes {
    fn push(&mut self, found: Diagnostic) {
        self.all.push(found);
    }

    /// Something that is referred to and not there. Where nothing near it is known, it may be elsewhere.
    fn missing(&mut self, mut found: Diagnostic) {
        let severity = if self.allow_missing { Severity::Warning } else { Severity::Error };
        if found.help.is_none() && !self.allow_missing {
            found.help = Some("give its manifest too, or say that it is elsewhere: `--allow-missing`".to_owned());
        }
        self.all.push(Diagnostic { severity, ..found.code("unknown-reference") });
    }

    /// The spec of a manifest, or notes of what is wrong with it.
    fn spec<T: switchyard_filter::read::Read>(&mut self, manifest: &Manifest) -> Option<T> {
        manifest.read_spec().map_err(|found| self.all.extend(found)).ok()
    }
}

/// The manifests of a kind with their places in the list of all.
fn numbered(manifests: &Manifests, kind: Kind) -> impl Iterator<Item = (usize, &Manifest)> {
    manifests.all.iter().enumerate().filter(move |(_, manifest)| manifest.kind == kind)
}

/// `spec` and then the fields of `path`.
fn spec(path: &str) -> Path {
    Path::root().field("spec").join(&Path::parse(path).0)
}

/// Leaves out what is only said because a field right below could not be read.
fn drop_echoes(notes: &mut Notes) {
    let Notes { all, unread, .. } = notes;
    all.retain(|said| {
        // The whole of a spec is shown as `spec`, its fields without it.
        let field = if said.field == "spec" { "" } else { &said.field };
        !unread.iter().any(|(parent, below)| *parent == said.place && is_directly_below(field, below))
    });
}

#[cfg(test)]
mod tests;
