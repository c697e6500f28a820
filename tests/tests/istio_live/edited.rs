//! What somebody edits of what was generated, as the API server gives it back.

use super::catalog::{Catalog, shares};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_edited_live_is_told_and_what_the_api_server_makes_of_numbers_is_not() {
    let catalog = Catalog::new("edited").await;
    let mut http = shares(30);
    // Doubles that are whole numbers, small ones, and what means nothing.
    http[0]["fault"] = json!({"delay": {"percentage": {"value": 10.0}, "fixedDelay": "1s"}});
    http[0]["headers"] = json!({"request": {"remove": [], "set": {}}});
    http[1]["mirrors"] = json!([{"destination": {"host": "catalog", "subset": "v1"}, "percentage": {"value": 0.0001}}]);
    let tags = json!([{"header": "user-type", "split": [{"value": "all", "weight": 100.0}]}]);
    catalog.apply(&catalog.manifests(&http), &catalog.policy(&json!({"tags": tags}))).await;
    let own = ["-n", catalog.namespace.as_str()];
    let clean = catalog.drift(&own).await;
    assert_eq!((clean.code, &*clean.said), (Some(0), ""));

    let patch = async |kind: &str, patch: serde_json::Value| {
        let patch = patch.to_string();
        let arguments = ["patch", kind, "switchyard", own[0], own[1], "--type=merge", "-p", &patch];
        catalog.chain.kubectl(&arguments).await.unwrap();
    };
    let drifted = async |named: &str| {
        let found = catalog.drift(&own).await;
        assert!(found.code == Some(1) && found.said.contains(named), "{named}: {}", found.said);
        assert!(found.said.contains("1 thing wrong"), "{}", found.said);
    };
    patch("wasmplugin", json!({"spec": {"pluginConfig": {"mode": "observe"}}})).await;
    drifted("`pluginConfig.mode` was not generated").await;
    patch("wasmplugin", json!({"spec": {"pluginConfig": {"mode": null}}})).await;
    assert_eq!(catalog.drift(&own).await.code, Some(0));
    patch("envoyfilter", json!({"spec": {"configPatches": []}})).await;
    drifted("`EnvoyFilter edited/switchyard` has drifted: `configPatches` is not what was generated").await;
    catalog.chain.kubectl(&["delete", "envoyfilter", "switchyard", own[0], own[1]]).await.unwrap();
    // Whether there is none, or nobody asked for it, is not seen.
    let found = catalog.drift(&own).await;
    let told = "warning: EnvoyFilters were not looked at, since there is none here: `EnvoyFilter edited/switchyard`, which \
                `WasmPlugin edited/switchyard` needs, was not asked for or is gone";
    assert!(found.code == Some(0) && found.said.contains(told), "{}", found.said);
}
