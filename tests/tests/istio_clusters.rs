//! Istio as the judge of clusters: for every golden, and for random sets, what istiod gives a stock Envoy for the same
//! manifests and proxy is what we generate, but for the differences that are explained.

#![cfg(not(target_family = "wasm"))]

#[path = "istio_clusters/routes.rs"]
mod routes;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use switchyard_envoy::yaml;
use switchyard_tests::clusters::{Proxy, Set, Size, certs, judge, run};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clusters");

/// Cases that istiod cannot judge, with the reason.
const NOT_RUN: [(&str, &str); 2] = [
    ("endpoints-of-slices", "istiod without Kubernetes reads no Service and no EndpointSlice"),
    ("tls-from-certs", "its credentials count for gateways alone in Istio; here they are files, for everybody"),
];

fn documents(file: &Path) -> Option<Vec<Value>> {
    let (documents, problems) = yaml::load(&std::fs::read_to_string(file).ok()?);
    assert_eq!(problems, []);
    Some(documents.iter().map(yaml::Node::to_json).collect())
}

/// A golden, with a folder of certificates in place of `CERTS`. Its `mesh.yaml` is for both sides.
fn golden(folder: &Path, certs: &Path) -> Set {
    let text = serde_json::to_string(&documents(&folder.join("manifests.yaml")).unwrap()).unwrap();
    let text = text.replace("CERTS", &certs.display().to_string());
    let proxy =
        documents(&folder.join("proxy.yaml")).and_then(|all| all.into_iter().next()).unwrap_or_else(|| json!({}));
    let labels = proxy["labels"].as_object().into_iter().flatten();
    let labels: BTreeMap<_, _> = labels.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect();
    let manifests: Vec<Value> = serde_json::from_str(&text).unwrap();
    Set {
        name: folder.file_name().unwrap().to_string_lossy().into_owned(),
        proxy: Proxy {
            namespace: proxy["namespace"].as_str().unwrap_or("demo").to_owned(),
            labels,
            locality: proxy["locality"].as_str().unwrap_or_default().to_owned(),
            is_gateway: manifests.iter().any(|manifest| manifest["kind"] == "Gateway"),
        },
        manifests,
        certs: certs.to_owned(),
        mesh: documents(&folder.join("mesh.yaml")).and_then(|all| all.into_iter().next()).unwrap_or_default(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn istiod_makes_the_same_clusters_of_every_golden() {
    let certs = certs::folder().unwrap();
    let mut folders: Vec<PathBuf> = std::fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let (mut wrong, mut compared) = (vec![], 0);
    for folder in folders {
        let set = golden(&folder, certs.path());
        if let Some((name, reason)) = NOT_RUN.iter().find(|(case, _)| *case == set.name) {
            println!("{name}: not run: {reason}");
            continue;
        }
        let found = judge(std::slice::from_ref(&set)).await.unwrap_or_else(|said| panic!("{}: {said}", set.name));
        if found[0].differences.is_empty() {
            compared += found[0].clusters;
        } else {
            wrong.push(format!("=== {}\n{}", set.name, found[0].differences.join("\n")));
        }
    }
    println!("{compared} clusters are Istio's");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn istiod_makes_the_same_clusters_of_random_sets_in_meshes_of_other_defaults() {
    let size = Size::of_environment().expect("a size");
    let outcome = run(Size { sets: size.sets / 3, meshes: true, ..size }).await.expect("both sides");
    outcome.print();
    assert!(outcome.is_good());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn istiod_makes_the_same_clusters_of_random_sets() {
    let outcome = run(Size::of_environment().expect("a size")).await.expect("both sides");
    outcome.print();
    assert!(outcome.is_good());
}
