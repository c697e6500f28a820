//! The Envoy around the filter: a complete bootstrap, or its parts for one that exists.
//!
//! 10,000 rules are two routes here: what the filter decides reaches Envoy's router in headers, and both are the same
//! for every policy. Values are JSON in Envoy's own field names, written as YAML; equal input gives equal text.

mod access_log;
mod check;
mod cluster;
pub mod dynamic;
mod http;
mod listener;
mod stats;
mod tls;
mod yaml;

pub(crate) use check::mirrors as too_many_mirrors;
pub use cluster::clusters;
pub(crate) use http::{deciding_route, fault as fault_by_header, nobody_is_internal, removing};
pub use yaml::to_yaml;

use crate::diagnostic::Diagnostic;
use crate::translate::{Listener, Model};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Which Envoy to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the mesh is served.
    pub listen: SocketAddr,
    /// The address of gateways whose servers have no `bind`; they have their own ports.
    pub edge: IpAddr,
    /// Where the admin interface is.
    pub admin: SocketAddr,
    /// The filter. A relative path is meant from the current folder, and written as an absolute one.
    pub wasm: PathBuf,
    /// The recording to write, as for `wasm`.
    pub record: Option<PathBuf>,
    /// Record every header, secrets too, and not only those that the policy reads.
    pub record_all_headers: bool,
    /// How many proxies in front of gateways are trusted to say who the client is.
    pub trusted_hops: u32,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The bootstrap.
    pub bootstrap: Value,
    /// What to know before it is used.
    pub warnings: Vec<String>,
}

/// A bootstrap that runs with `envoy -c` from any folder.
///
/// # Errors
/// Two listeners of one address (the mesh, gateways, the admin interface), and what [`parts`] says.
pub fn generate(model: &Model<'_>, settings: &Settings) -> Result<Generated, Vec<Diagnostic>> {
    let Checked { listeners, clusters } = checked(model, settings, check::addresses)?;
    let warnings = listeners.iter().flat_map(|listener| access_log::warnings(listener, settings)).collect();
    let bootstrap = json!({
        "admin": {"address": address(settings.admin)},
        "static_resources": {
            "listeners": listener::listeners(model, &listeners, settings)?,
            "clusters": clusters,
        },
        "stats_config": stats::stats(&listeners),
    });
    Ok(Generated { bootstrap, warnings })
}

/// The parts of a bootstrap, by file name: for each listener the HTTP filters, the early header mutation and the routes
/// to put first; and the clusters. Translate with [`Around::Parts`](crate::translate::Around::Parts) for them.
///
/// # Errors
/// A filter that is no module, a recording that is a folder, a rule with more mirrors than a route gets policies,
/// certificates that are not there, or what [`Model::listener`] says.
pub fn parts(model: &Model<'_>, settings: &Settings) -> Result<Vec<(String, Value)>, Vec<Diagnostic>> {
    let Checked { listeners, clusters } = checked(model, settings, |_, _| vec![])?;
    let mut parts = vec![
        ("clusters.yaml".to_owned(), json!({"clusters": clusters})),
        ("stats-config.yaml".to_owned(), json!({"stats_config": stats::stats(&listeners)})),
    ];
    for listener in listeners {
        let name = |part: &str| format!("{}-{part}.yaml", listener.name);
        // The router stays the last of the filters that are there already.
        let filters = json!([http::wasm(&listener, settings), http::fault()]);
        parts.push((name("http-filters"), json!({"http_filters": filters})));
        let early = http::early_header_mutation(&listener);
        parts.push((name("early-header-mutation"), json!({"early_header_mutation_extensions": early})));
        parts.push((name("routes"), json!({"routes": [http::decided_route(&listener)]})));
    }
    Ok(parts)
}

/// What every form is written from.
struct Checked<'a> {
    listeners: Vec<Listener<'a>>,
    clusters: Value,
}

/// Compiles the listeners and the clusters; every error of them at once, and of the form's own check.
fn checked<'a>(
    model: &'a Model<'a>,
    settings: &Settings,
    form: impl FnOnce(&[Listener<'_>], &Settings) -> Vec<Diagnostic>,
) -> Result<Checked<'a>, Vec<Diagnostic>> {
    let listeners: Vec<_> = model.served().iter().map(|served| model.listener(served)).collect::<Result<_, _>>()?;
    let mut wrong = form(&listeners, settings);
    wrong.extend(check::files(settings));
    wrong.extend(listeners.iter().flat_map(check::mirrors));
    match clusters(model) {
        Ok(clusters) if wrong.is_empty() => Ok(Checked { listeners, clusters }),
        found => {
            wrong.extend(found.err().into_iter().flatten());
            Err(wrong)
        }
    }
}

fn address(at: SocketAddr) -> Value {
    json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}})
}

/// A message of Envoy's in an `Any`.
fn typed(message: &str, mut fields: Value) -> Value {
    if let Value::Object(fields) = &mut fields {
        fields.insert("@type".into(), format!("type.googleapis.com/{message}").into());
    }
    fields
}

/// A path that means the same from any folder.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

#[cfg(test)]
mod tests;
