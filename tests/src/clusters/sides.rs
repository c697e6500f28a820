//! What each side makes of a set.

use super::compare::normal_ours;
use super::dump::Dumped;
use super::set::Set;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use switchyard_envoy::bootstrap::clusters;
use switchyard_envoy::diagnostic::Diagnostic;
use switchyard_envoy::manifest::{Input, ReadError, read_sources};
use switchyard_envoy::translate::{Mesh, Model, Options};

/// Clusters by name.
pub type Clusters = BTreeMap<String, Value>;

/// Our clusters, as they are generated.
///
/// # Errors
/// What we have against the manifests.
pub fn generated(set: &Set) -> Result<Value, Vec<String>> {
    let text: Vec<String> = set.manifests.iter().map(Value::to_string).collect();
    let input = Input { name: "set.yaml".into(), bytes: text.join("\n---\n").into_bytes() };
    let manifests = read_sources(vec![input], Some(&set.proxy.namespace)).map_err(|error| match error {
        ReadError::Invalid(found) => errors(&found),
        other @ ReadError::Open(_) => vec![other.to_string()],
    })?;
    let options = Options {
        // Istio takes DestinationRules of hosts that nobody has.
        allow_missing: true,
        labels: set.proxy.labels.clone(),
        locality: set.proxy.locality.clone(),
        certs: Some(set.certs.clone()),
        mesh: mesh(&set.mesh)?,
        ..Options::default()
    };
    let model = Model::new(&manifests, &options).map_err(|said| errors(&said))?;
    clusters(&model).map_err(|said| errors(&said))
}

/// What counts in the mesh of a set.
fn mesh(fields: &Value) -> Result<Mesh, Vec<String>> {
    if fields.is_null() {
        return Ok(Mesh::default());
    }
    let input = Input { name: "mesh.yaml".into(), bytes: fields.to_string().into_bytes() };
    Mesh::read(input).map_err(|said| errors(&said))
}

fn errors(said: &[Diagnostic]) -> Vec<String> {
    said.iter().filter(|one| one.is_error()).map(|one| format!("{}: {}", one.field, one.message)).collect()
}

/// Our clusters of several sets, as Envoy dumps them. Errors: Envoy refuses them.
pub async fn ours(sets: &[Set]) -> Result<Clusters, String> {
    let mut all: Vec<Value> = vec![];
    for set in sets {
        let clusters = generated(set).map_err(|said| format!("{}: {}", set.name, said.join("; ")))?;
        all.extend(clusters.as_array().into_iter().flatten().cloned());
    }
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    let bootstrap = json!({"admin": {"address": address}, "static_resources": {"clusters": all}});
    let mut envoy = Dumped::start(&bootstrap, &sets.iter().flat_map(Set::hosts).collect())?;
    let dump = envoy.dump().await?;
    let configs = dump["configs"].as_array().into_iter().flatten();
    let clusters = configs.flat_map(|config| config["static_clusters"].as_array().into_iter().flatten());
    let clusters: Vec<Value> = clusters.map(|one| one["cluster"].clone()).collect();
    if clusters.len() != all.len() {
        return Err(format!("of {} clusters Envoy has {}", all.len(), clusters.len()));
    }
    Ok(normal_ours(&json!(clusters)))
}
