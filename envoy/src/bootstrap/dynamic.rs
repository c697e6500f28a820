//! A bootstrap split into files that Envoy watches, so that it changes while it serves (envoy.md 5.4).
//!
//! Everything that a policy changes is a file of its own: the plugin's configuration (ECDS) and the routes (RDS) reach
//! connections that are open already, a listener does not. This module says what each file holds, not when it is written.

mod name;
mod secret;
mod source;

pub use source::{Kind, Source, read};

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// The bootstrap's file.
pub const BOOTSTRAP: &str = "envoy.yaml";
/// The clusters' file.
pub const CLUSTERS: &str = "clusters.yaml";
/// The listeners' file.
pub const LISTENERS: &str = "listeners.yaml";
/// The folder of the endpoints' files, below that of the others.
pub const ENDPOINTS: &str = "endpoints";

/// Up to how many clusters have endpoints in files. Envoy takes an inotify instance for each file and aborts where there
/// is none left (seen in 1.40.0: `inotify_fd_ >= 0`); Linux allows a user 128, and a change has the old files and the new.
const MOST_ENDPOINTS: usize = 32;

const HTTP_CONNECTION_MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// A bootstrap and the files that it names.
#[derive(Clone, Debug, PartialEq)]
pub struct Dynamic {
    /// What Envoy reads at its start, and never again.
    pub bootstrap: Value,
    /// What it watches, in an order in which each file comes after those that it names.
    pub sources: Vec<Source>,
}

/// Splits what [`generate`](super::generate) wrote. The folder's path goes into the files: it is absolute, and the one
/// that Envoy sees. Certificates are read, for their digests.
pub fn dynamic(mut bootstrap: Value, folder: &Path) -> Dynamic {
    let mut split = Split { folder, policies: BTreeMap::new(), routes: BTreeMap::new() };
    let mut take = |what: &str| match bootstrap.get_mut("static_resources").and_then(|all| all.get_mut(what)) {
        Some(Value::Array(list)) => std::mem::take(list),
        _ => vec![],
    };
    let (mut clusters, mut listeners) = (take("clusters"), take("listeners"));
    let (of_clusters, of_listeners) = secret::split(&mut clusters, &mut listeners, folder);
    let (clusters, mut sources) = split.endpoints(clusters);
    sources.extend(of_clusters);
    for listener in &mut listeners {
        split.managers(listener);
    }
    sources.push(Source::new(Kind::Clusters, CLUSTERS.into(), "cluster_manager.cds".into(), clusters));
    for (name, (stat, value)) in split.routes {
        sources.push(Source::new(Kind::Routes, name::file("routes", &name), stat, vec![value]));
    }
    for (name, value) in split.policies {
        let stat = format!("extension_config_discovery.http_filter.{name}");
        let resource = json!({"name": name, "typed_config": value});
        sources.push(Source::new(Kind::Policy, name::file("policy", &name), stat, vec![resource]));
    }
    sources.extend(of_listeners);
    sources.push(Source::new(Kind::Listeners, LISTENERS.into(), "listener_manager.lds".into(), listeners));
    if let Value::Object(fields) = &mut bootstrap {
        fields.remove("static_resources");
        // Envoy wants to know who it is before it discovers anything.
        fields.insert("node".into(), json!({"id": "switchyard", "cluster": "switchyard"}));
        let discover = json!({"cds_config": watched(folder, CLUSTERS), "lds_config": watched(folder, LISTENERS)});
        fields.insert("dynamic_resources".into(), discover);
    }
    Dynamic { bootstrap, sources }
}

struct Split<'a> {
    folder: &'a Path,
    /// Plugin configurations by the filter's name, which is the resource's.
    policies: BTreeMap<String, Value>,
    /// Route configurations by name, with the prefix of their statistics.
    routes: BTreeMap<String, (String, Value)>,
}

impl Split<'_> {
    /// Takes the fixed endpoints out of clusters, unless there are too many to watch; names to resolve stay where they
    /// are.
    fn endpoints(&self, clusters: Vec<Value>) -> (Vec<Value>, Vec<Source>) {
        let mut sources = vec![];
        let fixed = clusters.iter().filter(|cluster| cluster.get("type") == Some(&json!("STATIC")));
        if fixed.count() > MOST_ENDPOINTS {
            return (clusters, sources);
        }
        let without = clusters.into_iter().map(|mut cluster| {
            let Some(fields) = cluster.as_object_mut().filter(|fields| fields.get("type") == Some(&json!("STATIC")))
            else {
                return cluster;
            };
            let name = fields.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            if let Some(assignment) = fields.remove("load_assignment") {
                let file = format!("{ENDPOINTS}/{}", name::file("", &name));
                let from = source_of(&self.folder.join(&file), None);
                fields.insert("type".into(), "EDS".into());
                fields.insert("eds_cluster_config".into(), json!({"eds_config": from}));
                sources.push(Source::new(Kind::Endpoints, file, format!("cluster.{name};"), vec![assignment]));
            }
            cluster
        });
        let without = without.collect();
        (without, sources)
    }

    /// Takes the plugin's configuration and the routes out of every connection manager below a value.
    fn managers(&mut self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.managers(item)),
            Value::Object(fields) if fields.get("@type") == Some(&json!(HTTP_CONNECTION_MANAGER)) => {
                self.manager(fields);
            }
            Value::Object(fields) => fields.values_mut().for_each(|field| self.managers(field)),
            _ => {}
        }
    }

    fn manager(&mut self, fields: &mut Map<String, Value>) {
        let mut renamed = vec![];
        let filters = fields.get_mut("http_filters").and_then(Value::as_array_mut);
        for filter in filters.into_iter().flatten().filter_map(Value::as_object_mut) {
            let is_ours = filter.get("typed_config").and_then(|config| config.get("@type")) == Some(&json!(WASM));
            let Some(config) = is_ours.then(|| filter.remove("typed_config")).flatten() else { continue };
            let plugin = config.pointer("/config/name").and_then(Value::as_str).unwrap_or_default();
            let name = distinct(&format!("switchyard/{plugin}"), &config, &self.policies, |known| known);
            let mut from = watched(self.folder, &name::file("policy", &name));
            // Nobody is served before the policy is there, however long that takes.
            from["initial_fetch_timeout"] = "0s".into();
            let before = filter.insert("name".into(), name.clone().into());
            renamed.extend(before.and_then(|before| Some((before.as_str()?.to_owned(), name.clone()))));
            filter.insert("config_discovery".into(), json!({"config_source": from, "type_urls": [WASM]}));
            self.policies.insert(name, config);
        }
        let prefix = fields.get("stat_prefix").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(mut routes) = fields.remove("route_config") {
            rename(&mut routes, &renamed);
            let wanted = routes.get("name").and_then(Value::as_str).unwrap_or(&prefix).to_owned();
            let name = distinct(&wanted, &routes, &self.routes, |(_, known)| known);
            // Found again under its own name only when it is the first of that name.
            routes["name"] = name.clone().into();
            let mut from = watched(self.folder, &name::file("routes", &name));
            from["initial_fetch_timeout"] = "0s".into();
            fields.insert("rds".into(), json!({"config_source": from, "route_config_name": name}));
            self.routes.insert(name.clone(), (format!("http.{prefix}.rds.{name}"), routes));
        }
    }
}

/// Virtual hosts name the filters that they switch on.
fn rename(routes: &mut Value, renamed: &[(String, String)]) {
    let hosts = routes.get_mut("virtual_hosts").and_then(Value::as_array_mut).into_iter().flatten();
    for settings in hosts.filter_map(|host| host.get_mut("typed_per_filter_config")?.as_object_mut()) {
        for (before, after) in renamed {
            if let Some(own) = settings.remove(before) {
                settings.insert(after.clone(), own);
            }
        }
    }
}

/// The name, or the first of `name-2`, `name-3`, … that is free or means the same.
fn distinct<T>(name: &str, value: &Value, known: &BTreeMap<String, T>, of: impl Fn(&T) -> &Value) -> String {
    let is_same = |candidate: &str, other: &T| {
        let mut value = value.clone();
        if value.get("virtual_hosts").is_some() {
            value["name"] = candidate.into();
        }
        *of(other) == value
    };
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
    let free = candidates.find(|name| known.get(name).is_none_or(|other| is_same(name, other)));
    free.unwrap_or_else(|| name.to_owned())
}

/// A file of the watched folder: read again whenever something moves into the folder, as a file that replaces it does,
/// and the link that Kubernetes swaps when it changes a mounted `ConfigMap`.
fn watched(folder: &Path, file: &str) -> Value {
    source_of(&folder.join(file), Some(folder))
}

/// A file, read again when another one is moved over it. With a folder to watch, each move there reads every file that
/// names it: too much for endpoints, of which there are as many as clusters.
fn source_of(path: &Path, folder: Option<&Path>) -> Value {
    let mut source = json!({"path": path.display().to_string()});
    if let Some(folder) = folder {
        source["watched_directory"] = json!({"path": folder.display().to_string()});
    }
    json!({"resource_api_version": "V3", "path_config_source": source})
}

#[cfg(test)]
mod tests;
