//! A file that Envoy watches: an `envoy.service.discovery.v3.DiscoveryResponse`.

use crate::bootstrap::to_yaml;
use crate::yaml::load;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use xxhash_rust::xxh3::xxh3_64;

/// The first line: whoever finds a file without it has found none of ours.
const HEAD: &str = "# Written by `switchyard generate --target envoy --dynamic`: do not edit, generate again.\n";

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The endpoints of one cluster.
    Endpoints,
    /// A certificate or authorities that clusters name.
    ClusterSecret,
    /// All clusters.
    Clusters,
    /// The routes of a listener.
    Routes,
    /// The plugin's configuration on a listener.
    Policy,
    /// A certificate or authorities that listeners alone name.
    ListenerSecret,
    /// All listeners.
    Listeners,
}

/// A file that Envoy watches.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// What it holds.
    pub kind: Kind,
    /// Its name in the folder.
    pub file: String,
    /// The prefix of the statistics of Envoy's subscription: `….version_text` is the version in force,
    /// `….update_rejected` counts what it refused.
    pub stat: String,
    /// Names the content: equal content, equal version.
    pub version: String,
    resources: Vec<Value>,
}

impl Kind {
    fn message(self) -> &'static str {
        match self {
            Self::Endpoints => "envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::ClusterSecret | Self::ListenerSecret => "envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::Clusters => "envoy.config.cluster.v3.Cluster",
            Self::Routes => "envoy.config.route.v3.RouteConfiguration",
            Self::Policy => "envoy.config.core.v3.TypedExtensionConfig",
            Self::Listeners => "envoy.config.listener.v3.Listener",
        }
    }
}

impl Source {
    /// A file with these resources.
    pub(super) fn new(kind: Kind, file: String, stat: String, resources: Vec<Value>) -> Self {
        let resources: Vec<_> =
            resources.into_iter().map(|value| crate::bootstrap::typed(kind.message(), value)).collect();
        let version = version(&resources);
        Self { kind, file, stat, version, resources }
    }

    /// Its resources.
    pub fn resources(&self) -> &[Value] {
        &self.resources
    }

    /// The same file, with those of `others` that have another name than each of its own resources behind them.
    #[must_use]
    pub fn with(&self, others: &[Value]) -> Self {
        let name = |resource: &Value| resource.get("name").and_then(Value::as_str).map(str::to_owned);
        let mut names: BTreeSet<_> = self.resources.iter().map(name).collect();
        let new = others.iter().filter(|other| names.insert(name(other)));
        let resources: Vec<_> = self.resources.iter().chain(new).cloned().collect();
        let version = version(&resources);
        Self { version, resources, ..self.clone() }
    }

    /// The same file with these resources.
    #[must_use]
    pub fn of(&self, resources: &[Value]) -> Self {
        Self { version: version(resources), resources: resources.to_vec(), ..self.clone() }
    }

    /// What is written.
    pub fn text(&self) -> String {
        // A map's text has short values first, so that the version stands at the top.
        let yaml = to_yaml(&json!({"version_info": self.version, "resources": self.resources}));
        format!("{HEAD}{yaml}")
    }
}

fn version(resources: &[Value]) -> String {
    let text = Value::from(resources.to_vec()).to_string();
    format!("{:016x}", xxh3_64(text.as_bytes()))
}

/// The version and the resources of a file that was written before; `None` where it is none.
pub fn read(text: &str) -> Option<(String, Vec<Value>)> {
    let (documents, problems) = load(text);
    let mut fields: Map<String, Value> = match documents.first()?.to_json() {
        Value::Object(fields) if problems.is_empty() => fields,
        _ => return None,
    };
    let version = fields.get("version_info")?.as_str()?.to_owned();
    match fields.remove("resources")? {
        Value::Array(resources) => Some((version, resources)),
        _ => None,
    }
}
