//! Manifests: which documents there are, what they are and where they are written.
//!
//! What is inside of a `spec` is read elsewhere: Istio's kinds in the modules below, VirtualServices by the filter.

mod destination_rule;
mod duration;
mod endpoint_slice;
mod files;
mod gateway;
mod kind;
mod mesh_config;
mod policy;
mod read;
mod service;
mod service_entry;
mod traffic_policy;

pub use destination_rule::{DestinationRule, Subset, WorkloadSelector};
pub use duration::Duration;
pub use endpoint_slice::{EndpointSlice, SliceConditions, SliceEndpoint, SlicePort, TargetRef};
pub use files::{Input, OpenError, open};
pub use gateway::{Gateway, Server, ServerCertificate, ServerPort, ServerTls, ServerTlsMode, TlsVersion};
pub use kind::{Kind, Unread};
pub use mesh_config::{
    ForwardClientCert, GatewayTopology, MeshConfig, MeshH2Upgrade, Normalization, OutboundMode, OutboundTrafficPolicy,
    PathNormalization, ProxyConfig, find as find_mesh_config,
};
pub use policy::{Sticky, SwitchyardPolicy};
pub use read::{read, read_sources};
pub use service::{EXTERNAL_NAME, Ignored, Service, ServicePort};
pub use service_entry::{EntrySelector, Location, Resolution, ServiceEntry, ServiceEntryPort, WorkloadEntry};
pub use traffic_policy::{
    ClientTls, ClientTlsMode, ConnectionPool, ConsistentHash, Distribute, Failover, H2UpgradePolicy, HttpSettings,
    LoadBalancer, LocalityLbSetting, Maglev, OutlierDetection, PortTrafficPolicy, ProxyProtocol, ProxyProtocolVersion,
    RetryBudget, RingHash, SimpleLb, TcpKeepalive, TcpSettings, TrafficPolicy, Warmup,
};

use crate::diagnostic::{ADVICE, Diagnostic, Severity, sort};
use crate::source::{Place, Source};
use crate::yaml::{Node, Path};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use switchyard_filter::read::Read;

/// A document, or an item of a `kind: List`.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// `apiVersion` as written.
    pub api_version: String,
    /// `kind` as written.
    pub kind_name: String,
    /// What it is to us.
    pub kind: Kind,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, else that of the command.
    pub namespace: String,
    /// `metadata.creationTimestamp` as written; empty where there is none.
    pub creation_timestamp: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// The file, as it was given.
    pub source: Arc<Source>,
    /// All of it.
    pub node: Node,
}

/// `Kind namespace/name`.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind_name, self.namespace, self.name)
    }
}

impl Manifest {
    /// The place of the value at `path` from the top of the manifest; of its nearest ancestor where it is absent.
    pub fn place(&self, path: &Path) -> Place {
        Place { source: Arc::clone(&self.source), span: self.node.locate(path) }
    }

    /// The place of its name.
    pub fn name_place(&self) -> Place {
        self.place(&Path::root().field("metadata").field("name"))
    }

    /// An error at `path`, from the top of the manifest.
    pub fn error(&self, path: &Path, message: &str) -> Diagnostic {
        Diagnostic::of_field(&self.source, &self.node, path, message)
    }

    /// A warning at `path`, from the top of the manifest.
    pub fn warning(&self, path: &Path, message: &str) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, code: ADVICE, ..self.error(path, message) }
    }

    /// The `spec`, as JSON; an object without fields where there is none.
    pub fn spec(&self) -> Value {
        self.node
            .get("spec")
            .filter(|spec| !spec.is_null())
            .map_or_else(|| Value::Object(<_>::default()), Node::to_json)
    }

    /// Reads the `spec`.
    ///
    /// # Errors
    /// Everything that is wrong with it, each at its place.
    pub fn read_spec<T: Read>(&self) -> Result<T, Vec<Diagnostic>> {
        if self.node.get("spec").is_none_or(Node::is_null) {
            return Err(vec![self.error(&Path::root(), "`spec` is missing").field("spec")]);
        }
        self.read_value(&self.spec(), &Path::root().field("spec"))
    }

    /// Reads what stands beside `metadata`, of a kind that has no `spec`.
    ///
    /// # Errors
    /// Everything that is wrong with it, each at its place.
    pub fn read_top<T: Read>(&self) -> Result<T, Vec<Diagnostic>> {
        let mut whole = self.node.to_json();
        if let Value::Object(fields) = &mut whole {
            fields.retain(|key, _| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata"));
        }
        self.read_value(&whole, &Path::root())
    }

    fn read_value<T: Read>(&self, value: &Value, at: &Path) -> Result<T, Vec<Diagnostic>> {
        switchyard_filter::read::read(value).map_err(|errors| {
            errors.iter().map(|e| self.error(&at.clone().join(&Path::parse(&e.path).0), &e.message)).collect()
        })
    }
}

/// Everything that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifests {
    /// The proxy's namespace: `--namespace`, else that of the manifests where they agree, else `default`.
    pub namespace: String,
    /// The manifests that we read, in the order in which they were given.
    pub all: Vec<Manifest>,
    /// Manifests of kinds that we do not read.
    pub unread: Vec<Manifest>,
}

impl Manifests {
    /// Those of a kind, in the order in which they were given.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Manifest> {
        self.all.iter().filter(move |manifest| manifest.kind == kind)
    }

    /// What is not read, for a note: `apiVersion kind` with the number of manifests, sorted.
    pub fn unread_kinds(&self) -> BTreeMap<(String, String), usize> {
        let mut kinds = BTreeMap::new();
        for manifest in &self.unread {
            *kinds.entry((manifest.api_version.clone(), manifest.kind_name.clone())).or_insert(0) += 1;
        }
        kinds
    }

    /// Errors for manifests that would change in the mesh what the generated Envoy would not do, and whose kind is not
    /// in `ignore` (`--ignore-kind`).
    pub fn refused(&self, ignore: &BTreeSet<String>) -> Vec<Diagnostic> {
        let kind = Path::root().field("kind");
        let mut all: Vec<_> = self
            .unread
            .iter()
            .filter(|manifest| !ignore.contains(&manifest.kind_name))
            .filter_map(|manifest| {
                let why = Unread::of(&manifest.api_version, &manifest.kind_name).lost()?;
                let message = format!("`{manifest}` would not be in force: {why}");
                // What tutorials patch in is mostly a script that tags requests.
                let instead = match manifest.kind_name.as_str() {
                    "EnvoyFilter" => "where it sets a header, write a tag of a SwitchyardPolicy; else ",
                    _ => "",
                };
                Some(manifest.error(&kind, &message).help(format!(
                    "{instead}leave it out, or say that it does not matter here: `--ignore-kind {}`",
                    manifest.kind_name
                )))
            })
            .collect();
        sort(&mut all);
        all
    }
}

/// Why manifests were not read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// Files or folders cannot be opened: exit code 4.
    #[error("{}", join(.0))]
    Open(Vec<OpenError>),
    /// They are wrong: exit code 3.
    #[error("{} invalid manifests", .0.len())]
    Invalid(Vec<Diagnostic>),
}

fn join(errors: &[OpenError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
