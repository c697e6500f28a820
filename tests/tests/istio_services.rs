//! Istio as the judge of clusters of Kubernetes' own Services: for every golden with Services, what an istiod on a real API
//! server gives a stock Envoy is what we generate, but for the differences that are explained.

#![cfg(not(target_family = "wasm"))]

use std::path::PathBuf;
use switchyard_tests::chain::Chain;
use switchyard_tests::clusters::{Set, certs, judge_on};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clusters");

/// The golden that Istio has otherwise, with the reason: README's list.
const NOT_RUN: (&str, &str) =
    ("endpoints-of-slices", "its pods are not there, and of a Service without slices we ask for the name");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn istiod_makes_the_same_clusters_of_services() {
    let certs = certs::folder().unwrap();
    let mut folders: Vec<PathBuf> = std::fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let sets = folders.iter().map(|folder| Set::golden(folder, certs.path()));
    let sets: Vec<Set> = sets.filter(|set| set.services().next().is_some() && set.name != NOT_RUN.0).collect();
    println!("{}: not run: {}", NOT_RUN.0, NOT_RUN.1);
    assert!(sets.len() > 3, "{} goldens have Services", sets.len());
    let chain = Chain::shared().await.unwrap();
    let (mut wrong, mut compared) = (vec![], 0);
    for set in &sets {
        let found = judge_on(chain, set).await.unwrap_or_else(|said| panic!("{}: {said}", set.name));
        if found.differences.is_empty() {
            compared += found.clusters;
        } else {
            wrong.push(format!("=== {}\n{}", set.name, found.differences.join("\n")));
        }
    }
    println!("{compared} clusters of {} sets are Istio's", sets.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
