//! The cases of plain Istio vocabulary in Istio itself, without our filter: `make test-istio`.

#![cfg(not(target_family = "wasm"))]

use switchyard_tests::case::{folder, load_all};
use switchyard_tests::hosts::istio;

#[tokio::test(flavor = "multi_thread")]
async fn cases() {
    let cases = load_all(&folder()).expect("cases");
    let outcome = istio::run_all(&cases).await.expect("istiod");
    outcome.print();
    assert!(outcome.is_good());
}
