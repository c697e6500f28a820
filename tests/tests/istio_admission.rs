//! `manifests/admission` on a real API server where roles count: who has every right on both kinds, and is not the deployer,
//! writes nothing of ours by leaving a label off, and everything that is not ours; the deployer has what the overlays need.

#![cfg(not(target_family = "wasm"))]

use serde_json::{Value, json};
use std::time::Duration;
use switchyard_tests::chain::{Chain, Setup, eventually};

const DEPLOYER: &str = "system:serviceaccount:switchyard-system:switchyard-deployer";
const DENIED: &str = "`jane` may not write what Switchyard generated";

fn plugin(name: &str, metadata: &Value, spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["pluginConfig"] = json!({"onUnmatched": "notFound"});
    object("extensions.istio.io/v1alpha1", "WasmPlugin", name, metadata, &spec)
}

fn filter(name: &str, metadata: &Value, patch: &Value) -> Value {
    object("networking.istio.io/v1alpha3", "EnvoyFilter", name, metadata, &json!({"configPatches": [patch]}))
}

fn object(api_version: &str, kind: &str, name: &str, metadata: &Value, spec: &Value) -> Value {
    let mut metadata = metadata.clone();
    metadata["name"] = json!(name);
    metadata["namespace"] = json!("workshop");
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
}

/// A patch of inbound listeners.
fn patch(apply_to: &str, value: &Value) -> Value {
    json!({
        "applyTo": apply_to,
        "match": {"context": "SIDECAR_INBOUND"},
        "patch": {"operation": "MERGE", "value": value},
    })
}

/// What has our labels, names or headers in one place each.
fn ours() -> Vec<Value> {
    let none = json!({});
    let elsewhere = json!({"url": "oci://registry.example.com/team/own:1"});
    let mut all = vec![
        plugin("by-label", &json!({"labels": {"app.kubernetes.io/managed-by": "switchyard"}}), &elsewhere),
        plugin("by-own-label", &json!({"labels": {"switchyard.dev/via": "tags"}}), &elsewhere),
        plugin("by-annotation", &json!({"annotations": {"switchyard.dev/embedded": "x"}}), &elsewhere),
        plugin("by-name", &none, &json!({"url": elsewhere["url"], "pluginName": "switchyard", "priority": 1000})),
        plugin("by-image", &none, &json!({"url": "oci://registry.example.com/switchyard/filter:0.1.0"})),
        plugin("by-file", &none, &json!({"url": "file:///opt/Switchyard_filter.wasm"})),
        filter("by-own-label", &json!({"labels": {"switchyard.dev/via": "tags"}}), &patch("CLUSTER", &json!({}))),
        filter("filter", &none, &patch("HTTP_FILTER", &json!({"name": "switchyard.stripped"}))),
        filter("route", &none, &patch("HTTP_ROUTE", &json!({"name": "decided", "route": {"cluster": "a"}}))),
    ];
    for (number, at) in [
        json!({"listener": {"filterChain": {"filter": {"name": "hcm", "subFilter": {"name": "switchyard.stripped"}}}}}),
        json!({"listener": {"filterChain": {"filter": {"name": "hcm",
            "subFilter": {"name": "extensions.istio.io/wasmplugin/workshop.switchyard"}}}}}),
        json!({"routeConfiguration": {"vhost": {"route": {"name": "decided"}}}}),
    ]
    .into_iter()
    .enumerate()
    {
        let taken = json!({"applyTo": "HTTP_FILTER", "match": at, "patch": {"operation": "REMOVE"}});
        all.push(filter(&format!("removed-{number}"), &none, &taken));
    }
    let header = json!([{"name": "x-switchyard-cluster", "present_match": true}]);
    let relay = json!({"match": {"prefix": ""}, "route": {"cluster_header": "x-switchyard-cluster"}});
    let camel = json!({"match": {"prefix": ""}, "route": {"clusterHeader": "X-Switchyard-Cluster"}});
    let host = json!({"name": "all", "domains": ["*"], "routes": [relay]});
    for (number, (apply_to, value)) in [
        ("HTTP_ROUTE", relay.clone()),
        ("HTTP_ROUTE", camel),
        ("HTTP_ROUTE", json!({"match": {"prefix": "", "headers": header}, "route": {"cluster": "a"}})),
        ("HTTP_ROUTE", json!({"route": {"weightedClusters": {"clusters": [{"cluster_header": "x-switchyard-cluster"}]}}})),
        (
            "HTTP_ROUTE",
            json!({"route": {"cluster": "a", "request_mirror_policies": [{"cluster_header": "x-switchyard-mirror-0"}]}}),
        ),
        ("VIRTUAL_HOST", host.clone()),
        ("ROUTE_CONFIGURATION", json!({"virtual_hosts": [host]})),
        ("NETWORK_FILTER", json!({"name": "hcm", "typed_config": {"routeConfig": {"virtualHosts": [host]}}})),
    ]
    .into_iter()
    .enumerate()
    {
        all.push(filter(&format!("relay-{number}"), &none, &patch(apply_to, &value)));
    }
    all
}

/// What others write.
fn others() -> Vec<Value> {
    let none = json!({});
    let route =
        json!({"name": "own", "match": {"prefix": "/", "headers": [{"name": "x-own"}]}, "route": {"cluster": "a"}});
    let hosts = json!([{"name": "all", "domains": ["*"], "routes": [route]}]);
    vec![
        plugin("own", &none, &json!({"url": "oci://registry.example.com/team/own:1", "pluginName": "own"})),
        plugin("own-unnamed", &none, &json!({"url": "https://own.example.com/switch/yard.wasm"})),
        filter("own-route", &none, &patch("HTTP_ROUTE", &route)),
        filter("own-routes", &none, &patch("ROUTE_CONFIGURATION", &json!({"virtual_hosts": hosts}))),
        filter(
            "own-filter",
            &none,
            &patch("HTTP_FILTER", &json!({"name": "lua", "typed_config": {"@type": "a", "default_source_code": {}}})),
        ),
        filter("own-removal", &none, &json!({"applyTo": "HTTP_FILTER", "patch": {"operation": "REMOVE"}})),
        filter("own-timeout", &none, &patch("HTTP_ROUTE", &json!({"route": {"timeout": "1s"}}))),
    ]
}

async fn apply(chain: &Chain, object: &Value, who: &[&str]) -> Result<String, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("object.yaml");
    std::fs::write(&file, object.to_string()).map_err(|error| error.to_string())?;
    let file = file.display().to_string();
    chain.kubectl(&[&["apply", "--validate=strict", "-f", &file][..], who].concat()).await
}

fn named(object: &Value) -> [&str; 4] {
    [object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap(), "-n", "workshop"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_the_deployer_writes_what_is_ours_by_label_or_by_content() {
    let chain = Chain::start(&Setup { rbac: true, ..Setup::default() }).await.unwrap();
    let kubectl = async |arguments: &[&str]| chain.kubectl(arguments).await.unwrap();
    kubectl(&["create", "namespace", "workshop"]).await;
    kubectl(&["create", "namespace", "workshop-ingress"]).await;
    let kinds = "--resource=wasmplugins.extensions.istio.io,envoyfilters.networking.istio.io";
    kubectl(&["create", "clusterrole", "mesh", "--verb=*", kinds]).await;
    kubectl(&["create", "clusterrolebinding", "mesh", "--clusterrole=mesh", "--user=jane"]).await;
    // What was there before is as much to be guarded, against changes and removal.
    let jane: &[&str] = &["--as", "jane"];
    let (ours, others) = (ours(), others());
    for object in &ours {
        apply(&chain, object, jane).await.unwrap();
    }
    kubectl(&["apply", "-k", "manifests/admission", "--validate=strict"]).await;
    // The API server learns of a policy a moment after it was applied.
    let learnt = async || match chain
        .kubectl(&["label", "wasmplugin", "by-name", "-n", "workshop", "a=b", "--dry-run=server", "--as", "jane"])
        .await
    {
        Err(why) if why.contains(DENIED) => Ok(()),
        other => Err(format!("{other:?}")),
    };
    eventually(Duration::from_secs(30), learnt).await.unwrap();

    for object in &ours {
        let named = named(object);
        // Nor made another's, to be changed then.
        let innocent = json!({
            "metadata": {"labels": null, "annotations": null},
            "spec": {"url": "oci://registry.example.com/team/own:1", "pluginName": null, "configPatches": null},
        });
        let innocent = innocent.to_string();
        let mut failed = vec![];
        for (verb, more) in
            [("label", &["a=b"][..]), ("patch", &["--type=merge", "-p", &innocent]), ("delete", &["--wait=false"])]
        {
            failed.push(chain.kubectl(&[&[verb], &named[..], more, jane].concat()).await);
        }
        for result in failed {
            let why = result.expect_err(&object.to_string());
            assert!(why.contains(DENIED), "{object}: {why}");
        }
        // Nor is it made anew.
        kubectl(&[&["delete"], &named[..], &["--as", DEPLOYER]].concat()).await;
        let why = apply(&chain, object, jane).await.expect_err(&object.to_string());
        assert!(why.contains(DENIED), "{object}: {why}");
    }
    for object in &others {
        apply(&chain, object, jane).await.unwrap_or_else(|why| panic!("{object}: {why}"));
        let becomes = chain
            .kubectl(&[&["label"], &named(object)[..], &["app.kubernetes.io/managed-by=switchyard"], jane].concat())
            .await;
        assert!(becomes.unwrap_err().contains(DENIED));
        kubectl(&[&["delete"], &named(object)[..], jane].concat()).await;
    }

    // The deployer's role is enough for what README has it do, and no more.
    for verb in ["diff", "apply", "delete"] {
        for overlay in ["canary", "blue-green", "fault-test", "tags"] {
            let folder = format!("manifests/overlays/{overlay}");
            let done = chain
                .kubectl(&[verb, "-k", &folder, "-l", "app.kubernetes.io/managed-by=switchyard", "--as", DEPLOYER])
                .await;
            match (verb, &done) {
                ("diff", Err(why)) => assert!(!why.contains("orbidden"), "{why}"),
                _ => assert!(
                    done.is_ok() || (verb == "delete" && format!("{done:?}").contains("NotFound")),
                    "{verb} {overlay}: {done:?}"
                ),
            }
        }
    }
    assert!(chain.kubectl(&["get", "secrets", "-A", "--as", DEPLOYER]).await.unwrap_err().contains("orbidden"));
}
