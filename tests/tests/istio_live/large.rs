//! A policy of 10,000 rules.

use super::catalog::{Catalog, request};
use serde_json::{Value, json};
use std::time::Instant;

/// A rule for each path, the last one for v1.
fn rules(count: usize) -> Value {
    let rule = |number: usize| {
        let subset = if number + 1 == count { "v1" } else { "v2" };
        json!({"match": [{"uri": {"exact": format!("/{number:05}")}}],
            "route": [{"destination": {"host": "catalog", "subset": subset}}]})
    };
    (0..count).map(rule).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_rules_arrive_and_decide_and_more_than_a_mebibyte_is_refused() {
    let catalog = Catalog::new("large").await;
    let (manifests, policy) = (catalog.manifests(&rules(10_000)), catalog.policy(&json!({})));
    let edge = catalog.edge();
    let generated = catalog.generate(&manifests, &policy, &edge).await.well();
    let size = generated.said.lines().find(|line| line.starts_with("pluginConfig of WasmPlugin")).unwrap();
    println!("{size}");
    assert!(size.ends_with("KiB: apply with `kubectl apply --server-side`"), "{}", generated.said);
    let text = catalog.resources().display().to_string();

    // As it says; Istio's own rules are few, since only the filter is to decide.
    let stub = json!([{"name": "istio", "directResponse": {"status": 599}}]);
    catalog.chain.apply_all(&catalog.manifests(&stub)).await.unwrap();
    let refused = catalog.chain.kubectl(&["apply", "--validate=strict", "-f", &text]).await.unwrap_err();
    assert!(refused.contains("metadata.annotations: Too long"), "{refused}");
    let applied = Instant::now();
    catalog.chain.kubectl(&["apply", "--server-side", "--validate=strict", "-f", &text]).await.unwrap();
    let gateway = catalog.gateway().await;
    catalog.in_force(&gateway).await;
    println!("in force {:?} after kubectl was called", applied.elapsed());
    let mut client = gateway.client(80).unwrap();
    for (path, upstream) in [("/00000", "v2"), ("/05000", "v2"), ("/09998", "v2"), ("/09999", "v1"), ("/10000", "")] {
        let seen = catalog.ask(&mut client, &request(path, 1)).await;
        let status = if upstream.is_empty() { 404 } else { 200 };
        assert_eq!((seen.status, &*seen.upstream), (status, upstream), "{path}");
    }

    // An update of it is one too.
    let mut changed = catalog.manifests(&rules(10_000));
    changed[3]["spec"]["http"][5000]["route"][0]["destination"]["subset"] = json!("v1");
    catalog.generate(&changed, &policy, &edge).await.assert_well();
    catalog.chain.kubectl(&["apply", "--server-side", "--validate=strict", "-f", &text]).await.unwrap();
    catalog.in_force(&gateway).await;
    assert_eq!(catalog.ask(&mut client, &request("/05000", 1)).await.upstream, "v1");

    let refused = catalog.generate(&catalog.manifests(&rules(14_000)), &policy, &edge).await;
    assert_eq!(refused.code, Some(3), "{}", refused.said);
    assert!(refused.said.contains("and at most 1 MiB arrives"), "{}", refused.said);
    assert!(refused.said.contains("split the policy: leave VirtualServices to Istio"), "{}", refused.said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_side_is_asked_for_from_the_rule_on_with_which_kubectl_does_not_get_through_without() {
    let catalog = Catalog::new("exact").await;
    let (policy, edge) = (catalog.policy(&json!({})), catalog.edge());
    let generate = async |count: usize| {
        let generated = catalog.generate(&catalog.manifests(&rules(count)), &policy, &edge).await.well();
        !generated.said.contains("--server-side")
    };
    let (mut low, mut high) = (500, 5_000);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if generate(middle).await { low = middle } else { high = middle }
    }
    let text = catalog.resources().display().to_string();
    let apply = ["apply", "--validate=strict", "-f", &text];
    assert!(generate(low).await);
    catalog.chain.kubectl(&apply).await.unwrap();
    assert!(!generate(high).await);
    let refused = catalog.chain.kubectl(&apply).await.unwrap_err();
    assert!(refused.contains("metadata.annotations: Too long"), "{refused}");
    catalog.chain.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &text]).await.unwrap();
    println!("{low} rules are applied without `--server-side`, {high} are not");
}
