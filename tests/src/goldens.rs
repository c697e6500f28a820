//! Goldens: a folder per case, what is made of its manifests written beside them, and Envoys that take it.
//!
//! `proxy.yaml` beside the manifests says what the proxy is. `CERTS` in manifests is a folder of certificates made anew.

use crate::harness::envoy_binary_of;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use switchyard_envoy::bootstrap::to_yaml;
use switchyard_envoy::yaml;

/// The oldest and the newest Envoy that are supported.
pub const SUPPORTED: [&str; 2] = ["1.36.2", "1.40.0"];

/// The folder of a case.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// The cases below a folder, by name.
///
/// # Panics
/// It cannot be read.
pub fn folders(all: &Path) -> Vec<Folder> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.into_iter().map(Folder).collect()
}

impl Folder {
    /// The case's name.
    pub fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Its manifests, with certificates in this folder.
    ///
    /// # Panics
    /// There are none.
    pub fn manifests(&self, certs: &Path) -> String {
        let file = self.file("manifests.yaml");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        text.replace("CERTS", &certs.display().to_string())
    }

    /// What the proxy is; empty where nothing is said.
    ///
    /// # Panics
    /// It is no YAML.
    pub fn proxy(&self) -> Value {
        let file = self.file("proxy.yaml");
        let Ok(text) = std::fs::read_to_string(&file) else { return json!({}) };
        let (documents, problems) = yaml::load(&text);
        assert_eq!(problems, [], "{}", file.display());
        documents.first().map_or_else(|| json!({}), yaml::Node::to_json)
    }

    /// The proxy's labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let proxy = self.proxy();
        let labels = proxy["labels"].as_object().into_iter().flatten();
        labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
    }
}

/// Compares what is made of each case with `file` beside it; writes it where the variable `update` is set.
///
/// # Panics
/// They differ, or it cannot be written.
pub fn compare<'a>(update: &str, file: &str, certs: &Path, made: impl IntoIterator<Item = (&'a Folder, &'a Value)>) {
    let writes = std::env::var_os(update).is_some();
    let mut wrong = vec![];
    for (folder, made) in made {
        let made = to_yaml(made).replace(&certs.display().to_string(), "CERTS");
        let file = folder.file(file);
        if writes {
            std::fs::write(&file, &made).unwrap();
        } else if std::fs::read_to_string(&file).ok().as_deref() != Some(&made) {
            wrong.push(format!("# {}\n{made}", folder.name()));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ (`{update}=1` writes them):\n{}", wrong.len(), wrong.join("\n"));
}

/// What an Envoy of this version has against a bootstrap, which is written to `file`. Deprecated fields of a bootstrap
/// are only told, whatever the runtime says (seen in 1.36.2 and 1.40.0); those inside of an `Any` the runtime refuses.
///
/// # Panics
/// There is no such Envoy, or the file cannot be written.
pub fn refused(version: &str, bootstrap: &Value, file: &Path) -> Option<String> {
    let fatal = json!({"envoy.features.fail_on_any_deprecated_feature": true});
    let mut bootstrap = bootstrap.clone();
    bootstrap["layered_runtime"] = json!({"layers": [{"name": "static", "static_layer": fatal}]});
    std::fs::write(file, to_yaml(&bootstrap)).unwrap();
    let output = Command::new(envoy_binary_of(version).unwrap())
        .args(["--mode", "validate", "--disable-hot-restart", "--log-level", "warning", "--config-path"])
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (!output.status.success() || said.to_lowercase().contains("deprecated")).then_some(said)
}

/// What all supported Envoys have against the bootstraps of cases.
///
/// # Panics
/// As [`refused`].
pub fn all_refused<'a>(all: impl IntoIterator<Item = (&'a Folder, Value)>, file: &Path) -> Vec<String> {
    let mut wrong = vec![];
    for (folder, bootstrap) in all {
        for version in SUPPORTED {
            if let Some(said) = refused(version, &bootstrap, file) {
                wrong.push(format!("{}: Envoy {version}: {said}", folder.name()));
            }
        }
    }
    wrong
}
