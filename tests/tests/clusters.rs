//! The clusters of DestinationRules: a folder per case, `manifests.yaml` and what is made of them, `clusters.yaml`; and
//! that Envoys take them, the oldest and the newest that are supported, with deprecated fields refused.
//!
//! `proxy.yaml` beside them says what the proxy is: `namespace`, `labels`, `locality`; `mesh.yaml` is the mesh's
//! configuration, as `--mesh-config` takes it. `CERTS` in manifests is a folder
//! with an authority's certificates, made anew by `openssl`, which must be on the PATH; `--certs` is the same folder.

#![cfg(not(target_family = "wasm"))]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use switchyard_envoy::bootstrap::{clusters, to_yaml};
use switchyard_envoy::diagnostic::human;
use switchyard_envoy::manifest::{Input, read_sources};
use switchyard_envoy::translate::{Mesh, Model, Options};
use switchyard_envoy::yaml;
use switchyard_tests::clusters::certs;
use switchyard_tests::harness::envoy_binary_of;
use tempfile::TempDir;

const SUPPORTED: [&str; 2] = ["1.36.2", "1.40.0"];
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clusters");

/// A case, by its folder.
struct Case {
    name: String,
    folder: PathBuf,
    clusters: Value,
}

fn cases(certs: &Path) -> Vec<Case> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.into_iter().map(|folder| case(folder, certs)).collect()
}

fn case(folder: PathBuf, certs: &Path) -> Case {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(folder.join("manifests.yaml")).unwrap();
    let text = text.replace("CERTS", &certs.display().to_string());
    let proxy = proxy(&folder.join("proxy.yaml"));
    let inputs = vec![Input { name: "manifests.yaml".into(), bytes: text.into_bytes() }];
    let manifests = read_sources(inputs, proxy["namespace"].as_str()).unwrap_or_else(|said| panic!("{name}: {said:?}"));
    let labels = proxy["labels"].as_object().into_iter().flatten();
    let options = Options {
        labels: labels.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect(),
        locality: proxy["locality"].as_str().unwrap_or_default().to_owned(),
        certs: Some(certs.to_owned()),
        mesh: mesh(&folder.join("mesh.yaml")),
        ..Options::default()
    };
    let model = Model::new(&manifests, &options).unwrap_or_else(|said| panic!("{name}: {}", human(&said, false)));
    let clusters = clusters(&model).unwrap_or_else(|said| panic!("{name}: {}", human(&said, false)));
    Case { name, folder, clusters }
}

fn mesh(file: &Path) -> Mesh {
    let Ok(bytes) = std::fs::read(file) else { return Mesh::default() };
    let name = file.display().to_string();
    Mesh::read(Input { name, bytes }).unwrap_or_else(|said| panic!("{}", human(&said, false)))
}

fn proxy(file: &Path) -> Value {
    let Ok(text) = std::fs::read_to_string(file) else { return json!({}) };
    let (documents, problems) = yaml::load(&text);
    assert_eq!(problems, [], "{}", file.display());
    documents[0].to_json()
}

/// `UPDATE_CLUSTERS=1 cargo test -p switchyard-tests --test clusters` writes what is made today; look at the difference.
#[test]
fn manifests_become_the_clusters_that_are_written_beside_them() {
    let certs = certs::folder().unwrap();
    let update = std::env::var_os("UPDATE_CLUSTERS").is_some();
    let mut wrong = BTreeMap::new();
    let cases = cases(certs.path());
    assert!(cases.len() >= 12, "{} cases", cases.len());
    for case in cases {
        let made = to_yaml(&case.clusters).replace(&certs.path().display().to_string(), "CERTS");
        let file = case.folder.join("clusters.yaml");
        if update {
            std::fs::write(&file, &made).unwrap();
        } else if std::fs::read_to_string(&file).ok().as_deref() != Some(&made) {
            wrong.insert(case.name, made);
        }
    }
    let text: Vec<_> = wrong.iter().map(|(name, made)| format!("# {name}\n{made}")).collect();
    assert!(wrong.is_empty(), "{} cases differ (`UPDATE_CLUSTERS=1` writes them):\n{}", wrong.len(), text.join("\n"));
}

/// What an Envoy of this version has against these clusters. Deprecated fields of a bootstrap are only told, whatever
/// the runtime says (seen in 1.36.2 and 1.40.0); those inside of an `Any` the runtime refuses.
fn refused(version: &str, clusters: &Value, file: &Path) -> Option<String> {
    let fatal = json!({"envoy.features.fail_on_any_deprecated_feature": true});
    let bootstrap = json!({
        "static_resources": {"clusters": clusters},
        "layered_runtime": {"layers": [{"name": "static", "static_layer": fatal}]},
    });
    std::fs::write(file, to_yaml(&bootstrap)).unwrap();
    let output = Command::new(envoy_binary_of(version).unwrap())
        .args(["--mode", "validate", "--disable-hot-restart", "--log-level", "warning", "--config-path"])
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (!output.status.success() || said.to_lowercase().contains("deprecated")).then_some(said)
}

#[test]
fn both_supported_envoys_take_all_clusters_and_find_no_deprecated_field() {
    let folder = certs::folder().unwrap();
    let mut wrong = vec![];
    for case in cases(folder.path()) {
        for version in SUPPORTED {
            if let Some(said) = refused(version, &case.clusters, &folder.path().join("envoy.yaml")) {
                wrong.push(format!("{}: Envoy {version}: {said}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_deprecated_field_is_found_by_the_same_means() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("envoy.yaml");
    let assignment = json!({"cluster_name": "a"});
    let right = json!([{"name": "a", "type": "STATIC", "load_assignment": assignment}]);
    let outside = json!([{"name": "a", "type": "STATIC", "load_assignment": assignment, "http2_protocol_options": {}}]);
    let names = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {"validation_context": {"match_subject_alt_names": [{"exact": "a"}]}},
    });
    let inside = json!([{
        "name": "a", "type": "STATIC", "load_assignment": assignment,
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": names},
    }]);
    for version in SUPPORTED {
        assert_eq!(refused(version, &right, &file), None, "{version}");
        for (what, wrong) in [("outside", &outside), ("inside", &inside)] {
            let said = refused(version, wrong, &file).unwrap_or_else(|| panic!("{version} takes it, {what} of an Any"));
            assert!(said.to_lowercase().contains("deprecated"), "{version}: {said}");
        }
    }
}
