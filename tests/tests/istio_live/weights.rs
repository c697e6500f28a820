//! Somebody else moves weights: a controller of progressive delivery, which patches VirtualServices.

use super::catalog::{Catalog, request, shares, sticky, until};
use serde_json::json;
use std::time::Duration;
use switchyard_tests::demo::interval::expected_999999;

/// The filter goes by its copy, so that it must be told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_that_are_embedded_drift_and_others_count_at_once() {
    let catalog = Catalog::new("weights").await;
    let mut manifests = catalog.manifests(&shares(0));
    catalog.apply(&manifests, &catalog.policy(&json!({"sticky": sticky()}))).await;
    let gateway = catalog.gateway().await;
    catalog.in_force(&gateway).await;
    let own = ["-n", catalog.namespace.as_str()];
    let clean = catalog.drift(&own).await;
    assert_eq!((clean.code, &*clean.said), (Some(0), ""));
    assert_eq!(clean.written, ["ok: what is applied compiles, and is what was generated"]);

    catalog.patch_weights(1, &[0, 100]).await;
    let drifted = catalog.drift(&["-A"]).await;
    assert_eq!(drifted.code, Some(1), "{}", drifted.said);
    for named in ["`VirtualService weights/catalog`", "WasmPlugin weights/switchyard", "http[1].route[0].weight"] {
        assert!(drifted.said.contains(named), "{named}: {}", drifted.said);
    }
    let mut client = gateway.client(80).unwrap();
    for user in 0..100 {
        let seen = catalog.ask(&mut client, &request("/", user)).await;
        assert_eq!((&*seen.upstream, &*seen.route), ("v1", "decided"));
    }

    // Left to its owner, it counts as it is, and is tagged.
    manifests[3]["metadata"]["annotations"] = json!({"switchyard.dev/embed": "false"});
    let tags = json!([{"header": "user-type", "split": [{"value": "all", "weight": 100}]}]);
    catalog.apply(&manifests, &catalog.policy(&json!({"tags": tags}))).await;
    catalog.in_force(&gateway).await;
    let clean = catalog.drift(&own).await;
    assert_eq!(clean.code, Some(0), "{}", clean.said);
    until(&catalog, &gateway, &request("/", 0), |seen| seen.route == "by-cookie" && seen.upstream == "v1").await;
    let mut took = vec![];
    for weights in [[0, 100], [100, 0], [0, 100], [100, 0], [0, 100]] {
        catalog.patch_weights(1, &weights).await;
        let expected = if weights[0] == 0 { "v2" } else { "v1" };
        took.push(until(&catalog, &gateway, &request("/", 0), |seen| seen.upstream == expected).await);
    }
    println!("new weights count after {took:?}");
    assert!(took.iter().all(|one| *one < Duration::from_secs(2)), "{took:?}");

    catalog.patch_weights(1, &[50, 50]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut on_v2 = 0;
    for user in 0..400 {
        let seen = catalog.ask(&mut client, &request("/", user)).await;
        assert_eq!((seen.status, seen.tag.as_deref(), &*seen.route), (200, Some("all"), "by-cookie"));
        on_v2 += usize::from(seen.upstream == "v2");
    }
    let (low, high) = expected_999999(400, 0.5);
    assert!((low..=high).contains(&on_v2), "{on_v2} of 400, not {low} to {high}");
}
