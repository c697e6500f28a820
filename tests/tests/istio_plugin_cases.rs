//! The cases in Istio with our plugin, form (a): VirtualServices are stubs there, so only the plugin can make them pass.
//! `make test-istio`.

#![cfg(not(target_family = "wasm"))]

use switchyard_tests::case::{folder, load, load_all};
use switchyard_tests::harness::released_wasm;
use switchyard_tests::hosts::{among, plugin};

/// The cases that say nothing of the plugin in Istio, and why; every other one runs in it, or is refused there too.
const NOT_HERE: [(&str, &str); 3] = [
    ("bad/a-port-that-the-mesh-does-not-have", "it is refused for what Istio does by itself"),
    ("refused/tcp", "it is refused for what Istio does by itself"),
    ("refused/tls", "it is refused for what Istio does by itself"),
];

#[tokio::test(flavor = "multi_thread")]
async fn cases() {
    let cases = load_all(&folder()).expect("cases");
    let outcome = plugin::run_all(&released_wasm(), &cases).await.expect("istiod");
    outcome.print();
    assert!(outcome.is_good());
    assert_eq!(*outcome.not_here(), among(&cases, &NOT_HERE));
}

/// The stubs are in force: without the plugin nothing but 599 comes of a case.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_plugin_no_case_holds() {
    for name in ["rewrite/an-exact-path-and-its-query", "gateways/two-gateways-of-one-port-are-one-listener"] {
        let text = std::fs::read_to_string(folder().join(format!("{name}.yaml"))).expect("the case");
        let case = load(name, &text).expect("a case");
        let wrong = plugin::without_plugin(&released_wasm(), &case).await.expect("istiod");
        assert_eq!(wrong.len(), case.lowered.requests.len(), "{name}: {wrong:?}");
        assert!(wrong.iter().all(|line| line.contains("Envoy answers 599 (direct_response)")), "{name}: {wrong:?}");
    }
}
