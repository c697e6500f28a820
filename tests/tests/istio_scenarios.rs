//! What tutorials teach, in Istio itself, without our filter: `make test-istio`.

#![cfg(not(target_family = "wasm"))]

use switchyard_tests::scenario::{istio, load_all};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_fare_as_it_is_taught() {
    let scenarios = load_all().unwrap();
    assert!(istio::run_all(&scenarios).await.is_good("Istio"));
}
