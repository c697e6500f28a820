//! The way out: what was applied is deleted, and the mesh is as it was.

use super::catalog::{Catalog, assert_none_failed, load, request, until};
use serde_json::json;
use std::time::Duration;

/// The rules rewrite, so that a request which the filter has decided, and Istio's routes then take, would be lost: the plugin
/// goes first, the EnvoyFilter when no connection is left that has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plugin_is_deleted_then_the_rest_and_no_request_fails() {
    let catalog = Catalog::new("deleted").await;
    let http = json!([{"name": "rule", "match": [{"uri": {"exact": "/"}}], "rewrite": {"uri": "/rewritten"}, "route": [
        {"destination": {"host": "catalog", "subset": "v1"}, "weight": 50},
        {"destination": {"host": "catalog", "subset": "v2"}, "weight": 50}]}]);
    let manifests = catalog.manifests(&http);
    let tags = json!([{"header": "user-type", "split": [{"value": "all", "weight": 100}]}]);
    catalog.apply(&manifests, &catalog.policy(&json!({"tags": tags}))).await;
    let gateway = catalog.gateway().await;
    catalog.in_force(&gateway).await;
    let mut client = gateway.client(80).unwrap();
    let seen = catalog.ask(&mut client, &request("/", 1)).await;
    assert_eq!((seen.status, &*seen.route, seen.tag.as_deref()), (200, "decided", Some("all")));

    let load = load(&gateway, 80);
    load.round().await;
    for kind in ["wasmplugin", "envoyfilter"] {
        catalog.chain.kubectl(&["delete", kind, "switchyard", "-n", &catalog.namespace]).await.unwrap();
        until(&catalog, &gateway, &request("/", 1), |seen| seen.route == "rule" && seen.tag.is_none()).await;
        // Connections of before are told to close at their next response.
        tokio::time::sleep(Duration::from_secs(1)).await;
        load.round().await;
    }
    let (seen, connections) = load.drained().await;
    // As before: nobody obeys a control header.
    let forged = request("/none", 1).header("x-switchyard-cluster", catalog.cluster("v2"));
    assert_eq!(catalog.ask(&mut gateway.client(80).unwrap(), &forged).await.status, 404);
    println!("{connections} connections");
    assert_none_failed("deleted", &seen);
}
