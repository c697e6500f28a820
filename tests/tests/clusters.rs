//! The clusters of DestinationRules: a folder per case, `manifests.yaml` and what is made of them, `clusters.yaml`; and
//! that Envoys take them, the oldest and the newest that are supported, with deprecated fields refused.
//!
//! `proxy.yaml` beside them says what the proxy is: `namespace`, `labels`, `locality`; `mesh.yaml` is the mesh's
//! configuration, as `--mesh-config` takes it. `CERTS` in manifests is a folder
//! with an authority's certificates, made anew by `openssl`, which must be on the PATH; `--certs` is the same folder.

#![cfg(not(target_family = "wasm"))]

use serde_json::{Value, json};
use std::path::Path;
use switchyard_envoy::bootstrap::clusters;
use switchyard_envoy::diagnostic::human;
use switchyard_envoy::manifest::{Input, read_sources};
use switchyard_envoy::translate::{Mesh, Model, Options};
use switchyard_tests::clusters::certs;
use switchyard_tests::goldens::{Folder, SUPPORTED, all_refused, compare, folders, refused};
use tempfile::TempDir;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clusters");

/// Each case with its clusters.
fn cases(certs: &Path) -> Vec<(Folder, Value)> {
    let case = |folder: Folder| {
        let clusters = made(&folder, certs);
        (folder, clusters)
    };
    folders(Path::new(CASES)).into_iter().map(case).collect()
}

fn made(folder: &Folder, certs: &Path) -> Value {
    let (name, proxy) = (folder.name(), folder.proxy());
    let inputs = vec![Input { name: "manifests.yaml".into(), bytes: folder.manifests(certs).into_bytes() }];
    let manifests = read_sources(inputs, proxy["namespace"].as_str()).unwrap_or_else(|said| panic!("{name}: {said:?}"));
    let options = Options {
        labels: folder.labels(),
        locality: proxy["locality"].as_str().unwrap_or_default().to_owned(),
        mesh: mesh(&folder.file("mesh.yaml")),
        certs: Some(certs.to_owned()),
        ..Options::default()
    };
    let model = Model::new(&manifests, &options).unwrap_or_else(|said| panic!("{name}: {}", human(&said, false)));
    clusters(&model).unwrap_or_else(|said| panic!("{name}: {}", human(&said, false)))
}

fn mesh(file: &Path) -> Mesh {
    let Ok(bytes) = std::fs::read(file) else { return Mesh::default() };
    let name = file.display().to_string();
    Mesh::read(Input { name, bytes }).unwrap_or_else(|said| panic!("{}", human(&said, false)))
}

/// `UPDATE_CLUSTERS=1 cargo test -p switchyard-tests --test clusters` writes what is made today; look at the difference.
#[test]
fn manifests_become_the_clusters_that_are_written_beside_them() {
    let certs = certs::folder().unwrap();
    let cases = cases(certs.path());
    assert!(cases.len() >= 12, "{} cases", cases.len());
    let made = cases.iter().map(|(folder, clusters)| (folder, clusters));
    compare("UPDATE_CLUSTERS", "clusters.yaml", certs.path(), made);
}

/// An Envoy with these clusters and nothing else.
fn bootstrap(clusters: &Value) -> Value {
    json!({"static_resources": {"clusters": clusters}})
}

#[test]
fn both_supported_envoys_take_all_clusters_and_find_no_deprecated_field() {
    let folder = certs::folder().unwrap();
    let cases = cases(folder.path());
    let bootstraps = cases.iter().map(|(folder, clusters)| (folder, bootstrap(clusters)));
    let wrong = all_refused(bootstraps, &folder.path().join("envoy.yaml"));
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
        assert_eq!(refused(version, &bootstrap(&right), &file), None, "{version}");
        for (what, wrong) in [("outside", &outside), ("inside", &inside)] {
            let said = refused(version, &bootstrap(wrong), &file)
                .unwrap_or_else(|| panic!("{version} takes it, {what} of an Any"));
            assert!(said.to_lowercase().contains("deprecated"), "{version}: {said}");
        }
    }
}
