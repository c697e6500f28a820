//! What was deleted is applied again while users ask. Envoy keeps a plugin's configuration while connections of the chain that
//! had it drain (45 s), so that a WasmPlugin which comes back counts at once, before the routes that are sent after listeners
//! are there: what it rewrites then, nobody takes. Of a large route table that is many milliseconds.

use super::catalog::{Catalog, PATIENCE, assert_none_failed, load, request, until};
use serde_json::json;
use std::time::Duration;
use switchyard_envoy::yaml;
use switchyard_tests::chain::eventually;

/// Hosts of other rules, which make the routes come late: 12 to 45 requests were lost each time when both resources were
/// applied at once, none of those without them.
const OTHERS: usize = 4000;

/// Two ways in which none is lost: the EnvoyFilter first, or observed before it was deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_is_applied_again_and_no_request_fails() {
    let catalog = Catalog::new("again").await;
    let hosts: Vec<String> = (0..OTHERS).map(|number| format!("h{number}.example.com")).collect();
    let rules = json!({"hosts": hosts, "gateways": ["edge"],
        "http": [{"name": "other", "route": [{"destination": {"host": "catalog"}}]}]});
    let others = json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "others", "namespace": catalog.namespace}, "spec": rules});
    catalog.chain.apply_all(&[others]).await.unwrap();
    catalog.apply_rewriting("enforce").await;
    let gateway = catalog.gateway().await;
    catalog.in_force(&gateway).await;
    let plugin = format!("{}/switchyard", catalog.namespace);
    let decides = async || {
        catalog.in_force(&gateway).await;
        until(&catalog, &gateway, &request("/", 1), |seen| seen.route == "decided").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let is_gone = async || {
        until(&catalog, &gateway, &request("/", 1), |seen| seen.route == "rule" && seen.tag.is_none()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        // Or else this test would pass without what it is for.
        assert!(gateway.plugin_config(&plugin).await.unwrap().is_some(), "Envoy has forgotten the plugin");
    };

    let users = load(&gateway, 80);
    for kind in ["wasmplugin", "envoyfilter"] {
        catalog.chain.kubectl(&["delete", kind, "switchyard", "-n", &catalog.namespace]).await.unwrap();
        is_gone().await;
    }
    let resources = yaml::load(&std::fs::read_to_string(catalog.resources()).unwrap()).0;
    let filter = resources.iter().map(yaml::Node::to_json).find(|one| one["kind"] == "EnvoyFilter").unwrap();
    catalog.chain.apply_all(&[filter]).await.unwrap();
    let inserted = async || {
        let routes = gateway.dump("dynamic_route_configs").await?.to_string();
        if routes.contains("x-switchyard-cluster") { Ok(()) } else { Err("the route is not there".to_owned()) }
    };
    eventually(PATIENCE, inserted).await.unwrap();
    catalog.apply_rewriting("enforce").await;
    decides().await;
    users.round().await;
    let (seen, _) = users.drained().await;
    assert_none_failed("deleted, the EnvoyFilter again, the plugin again", &seen);

    let users = load(&gateway, 80);
    catalog.apply_rewriting("observe").await;
    catalog.in_force(&gateway).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let file = catalog.resources().display().to_string();
    catalog.chain.kubectl(&["delete", "-f", &file]).await.unwrap();
    is_gone().await;
    catalog.apply_rewriting("enforce").await;
    decides().await;
    users.round().await;
    let (seen, _) = users.drained().await;
    assert_none_failed("observed, deleted, both again", &seen);
}
