//! The way out: what was applied is deleted, and the mesh is as it was.

use super::catalog::{Catalog, assert_none_failed, load, request, until};
use std::time::Duration;
use switchyard_tests::chain::Running;

/// The rules rewrite, so that a request which the filter has decided, and Istio's routes then take, would be lost. Either the
/// plugin goes first, and the EnvoyFilter when no connection is left that has it; or all goes at once after it observed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_applied_is_deleted_and_no_request_fails() {
    let catalog = Catalog::new("deleted").await;
    let delete = async |kind: &str| {
        catalog.chain.kubectl(&["delete", kind, "switchyard", "-n", &catalog.namespace]).await.unwrap()
    };
    catalog.apply_rewriting("enforce").await;
    let gateway = catalog.gateway().await;
    catalog.in_force(&gateway).await;
    decides(&catalog, &gateway).await;

    let users = load(&gateway, 80);
    for mode in ["observe", "enforce", "observe"] {
        catalog.apply_rewriting(mode).await;
        catalog.in_force(&gateway).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        users.round().await;
        if mode == "enforce" {
            decides(&catalog, &gateway).await;
        }
    }
    let file = catalog.resources().display().to_string();
    catalog.chain.kubectl(&["delete", "-f", &file]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    users.round().await;
    as_before(&catalog, &gateway).await;
    let (seen, _) = users.drained().await;
    assert_none_failed("observed, enforced, observed, deleted", &seen);

    catalog.apply_rewriting("enforce").await;
    catalog.in_force(&gateway).await;
    until(&catalog, &gateway, &request("/", 1), |seen| seen.route == "decided").await;
    // The other worker too.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let users = load(&gateway, 80);
    users.round().await;
    for kind in ["wasmplugin", "envoyfilter"] {
        delete(kind).await;
        until(&catalog, &gateway, &request("/", 1), |seen| seen.route == "rule" && seen.tag.is_none()).await;
        // Connections of before are told to close at their next response.
        tokio::time::sleep(Duration::from_secs(1)).await;
        users.round().await;
    }
    as_before(&catalog, &gateway).await;
    let (seen, _) = users.drained().await;
    assert_none_failed("the plugin deleted, then the EnvoyFilter", &seen);

    // What README warns of: nobody takes what the filter decides, and Istio's routes do not know the new path.
    catalog.apply_rewriting("enforce").await;
    catalog.in_force(&gateway).await;
    until(&catalog, &gateway, &request("/", 1), |seen| seen.route == "decided").await;
    delete("envoyfilter").await;
    until(&catalog, &gateway, &request("/", 1), |seen| seen.status == 404).await;
    delete("wasmplugin").await;
    until(&catalog, &gateway, &request("/", 1), |seen| seen.status == 200 && seen.route == "rule").await;
}

async fn decides(catalog: &Catalog, gateway: &Running) {
    let seen = catalog.ask(&mut gateway.client(80).unwrap(), &request("/", 1)).await;
    assert_eq!((seen.status, &*seen.route, seen.tag.as_deref()), (200, "decided", Some("all")));
}

/// Istio's routes, no tag, and a control header that nobody obeys.
async fn as_before(catalog: &Catalog, gateway: &Running) {
    let mut client = gateway.client(80).unwrap();
    let seen = catalog.ask(&mut client, &request("/", 1)).await;
    assert_eq!((seen.status, &*seen.route, seen.tag), (200, "rule", None));
    let forged = request("/none", 1).header("x-switchyard-cluster", catalog.cluster("v2"));
    assert_eq!(catalog.ask(&mut client, &forged).await.status, 404);
}
