//! The cases in a real Envoy, with an upstream that keeps what it receives.

#![cfg(not(target_family = "wasm"))]

use switchyard_tests::case::{Host, Tally, folder, load_all};
use switchyard_tests::harness::released_wasm;
use switchyard_tests::hosts::envoy;

#[tokio::test]
async fn cases() {
    let cases = load_all(&folder()).expect("cases");
    let mut tally = Tally::new(Host::Envoy);
    let result = envoy::run_all(&released_wasm(), &cases, &mut tally).await;
    tally.print();
    result.expect("Envoy");
    assert!(tally.is_good());
}
