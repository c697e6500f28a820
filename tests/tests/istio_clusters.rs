//! Istio as the judge of clusters: for every golden, and for random sets, what istiod gives a stock Envoy for the same
//! manifests and proxy is what we generate, but for the differences that are explained.

#![cfg(not(target_family = "wasm"))]

#[path = "istio_clusters/routes.rs"]
mod routes;

use std::path::PathBuf;
use switchyard_tests::clusters::{Set, Size, certs, judge, run};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clusters");

/// The case that istiod cannot judge, with the reason.
const NOT_RUN: (&str, &str) =
    ("tls-from-certs", "its credentials count for gateways alone in Istio; here they are files, for everybody");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn istiod_makes_the_same_clusters_of_every_golden() {
    let certs = certs::folder().unwrap();
    let mut folders: Vec<PathBuf> = std::fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let (mut wrong, mut compared) = (vec![], 0);
    for folder in folders {
        let set = Set::golden(&folder, certs.path());
        // istiod without Kubernetes reads no Service: `istio_services` judges those.
        let reason = if set.services().next().is_some() { Some("it has Services") } else { None };
        if let Some(reason) = reason.or((set.name == NOT_RUN.0).then_some(NOT_RUN.1)) {
            println!("{}: not run: {reason}", set.name);
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
