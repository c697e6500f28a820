//! Random VirtualServices and requests, decided by Istio and by us: `make test-istio`.

#![cfg(not(target_family = "wasm"))]

use switchyard_tests::differential::{Size, run};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_differs_from_istio() {
    let outcome = run(Size::of_environment().expect("a size")).await.expect("both sides");
    outcome.print();
    assert!(outcome.is_good());
}
