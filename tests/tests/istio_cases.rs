//! The cases of plain Istio vocabulary in Istio itself, without our filter: `make test-istio`.

#![cfg(not(target_family = "wasm"))]

use switchyard_tests::case::{folder, load_all};
use switchyard_tests::hosts::{among, istio};

/// The cases that say nothing to Istio, and why. Of the others each that is of plain Istio vocabulary runs.
const NOT_HERE: [(&str, &str); 5] = [
    ("bad/an-unknown-kind", "manifests that cannot be read"),
    ("bad/keys-that-kubernetes-reads-as-no-text", "manifests that cannot be read"),
    ("bad/the-same-manifest-twice", "manifests that cannot be read"),
    ("bad/unreadable-yaml", "manifests that cannot be read"),
    ("faults/a-percentage-that-is-no-number", "manifests that cannot be read"),
];

#[tokio::test(flavor = "multi_thread")]
async fn cases() {
    let cases = load_all(&folder()).expect("cases");
    let outcome = istio::run_all(&cases).await.expect("istiod");
    outcome.print();
    assert!(outcome.is_good());
    assert_eq!(*outcome.not_here(), among(&cases, &NOT_HERE));
}
