//! Goldens as sets: folders of `tests/clusters`.

use super::{Proxy, Set};
use serde_json::{Value, json};
use std::path::Path;
use switchyard_envoy::yaml;

impl Set {
    /// A golden, with a folder of certificates in place of `CERTS`. Its `mesh.yaml` is for both sides.
    ///
    /// # Panics
    /// A file that is missing or no YAML.
    pub fn golden(folder: &Path, certs: &Path) -> Self {
        let text = serde_json::to_string(&documents(&folder.join("manifests.yaml")).expect("manifests.yaml"));
        let text = text.expect("JSON").replace("CERTS", &certs.display().to_string());
        let written: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        let items = |manifest: Value| match manifest["items"].as_array() {
            Some(items) if manifest["kind"] == "List" => items.clone(),
            _ => vec![manifest],
        };
        let manifests: Vec<Value> = written.into_iter().flat_map(items).collect();
        let first = |name: &str| documents(&folder.join(name)).and_then(|all| all.into_iter().next());
        let proxy = first("proxy.yaml").unwrap_or_else(|| json!({}));
        let labels = proxy["labels"].as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            name: folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            proxy: Proxy {
                namespace: text(&proxy["namespace"]).unwrap_or_else(|| "demo".into()),
                labels: labels.filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect(),
                locality: text(&proxy["locality"]).unwrap_or_default(),
                is_gateway: manifests.iter().any(|manifest| manifest["kind"] == "Gateway"),
            },
            manifests,
            certs: certs.to_owned(),
            mesh: first("mesh.yaml").unwrap_or_default(),
        }
    }
}

fn documents(file: &Path) -> Option<Vec<Value>> {
    let (documents, problems) = yaml::load(&std::fs::read_to_string(file).ok()?);
    assert_eq!(problems, [], "{}", file.display());
    Some(documents.iter().map(yaml::Node::to_json).collect())
}
