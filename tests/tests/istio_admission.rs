//! `manifests/admission` on a real API server where roles count: who has every right on both kinds, and is not the deployer,
//! writes nothing of ours by leaving a label off, and everything that is not ours, whatever its fields mean; the deployer has
//! what the overlays need, and is whom README's patch names; Kubernetes itself can clean up.

#![cfg(not(target_family = "wasm"))]

use serde_json::{Value, json};
use std::time::Duration;
use switchyard_tests::chain::{Chain, Setup, eventually};

const DEPLOYER: &str = "system:serviceaccount:switchyard-system:switchyard-deployer";
const DENIED: &str = "`jane` may not write what Switchyard generated";
const COLLECTOR: &str = "system:serviceaccount:kube-system:generic-garbage-collector";
/// The collector, where controllers have no accounts of their own.
const CONTROLLERS: &str = "system:kube-controller-manager";
const JANE: &[&str] = &["--as", "jane"];

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
        plugin("by-short-image", &none, &json!({"url": "switchyard/filter:0.1.0"})),
        plugin("by-file", &none, &json!({"url": "file:///opt/Switchyard_filter.wasm"})),
        filter("by-own-label", &json!({"labels": {"switchyard.dev/via": "tags"}}), &patch("CLUSTER", &json!({}))),
        filter("filter", &none, &patch("HTTP_FILTER", &json!({"name": "switchyard.stripped"}))),
        filter("route", &none, &patch("HTTP_ROUTE", &json!({"name": "decided", "route": {"cluster": "a"}}))),
    ];
    let filtered =
        |name: &str| json!({"listener": {"filterChain": {"filter": {"name": "hcm", "subFilter": {"name": name}}}}});
    for (number, (apply_to, at)) in [
        ("HTTP_FILTER", filtered("switchyard.stripped")),
        ("HTTP_FILTER", filtered("extensions.istio.io/wasmplugin/workshop.switchyard")),
        ("HTTP_ROUTE", json!({"routeConfiguration": {"vhost": {"route": {"name": "decided"}}}})),
    ]
    .into_iter()
    .enumerate()
    {
        let taken = json!({"applyTo": apply_to, "match": at, "patch": {"operation": "REMOVE"}});
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

/// What others write where our fields would be, and is something else: of other protocols, or nothing at all.
fn odd() -> Vec<Value> {
    let proxy = |name: &str, routes: Value| {
        let config =
            json!({"@type": format!("type.googleapis.com/{name}"), "stat_prefix": "a", "route_config": routes});
        ("NETWORK_FILTER", json!({"name": name, "typed_config": config}))
    };
    let dubbo =
        json!([{"name": "r", "interface": "i", "routes": [{"match": {"method": {}}, "route": {"cluster": "a"}}]}]);
    let host = |value: Value| ("VIRTUAL_HOST", value);
    let route = |value: Value| ("HTTP_ROUTE", value);
    let all = [
        proxy("envoy.extensions.filters.network.dubbo_proxy.v3.DubboProxy", dubbo),
        proxy(
            "envoy.extensions.filters.network.generic_proxy.v3.GenericProxy",
            json!({"name": "r", "routes": {"matcher_tree": {}}, "virtual_hosts": [{"name": "v", "hosts": ["*"], "routes": {}}]}),
        ),
        proxy(
            "envoy.extensions.filters.network.thrift_proxy.v3.ThriftProxy",
            json!({"routes": [{"match": {"method_name": "", "headers": null}, "route": {"cluster": "a"}}]}),
        ),
        ("NETWORK_FILTER", json!({"name": "a", "typed_config": null})),
        ("CLUSTER", json!({"name": "decided"})),
        ("CLUSTER", json!({"name": null})),
        ("BOOTSTRAP", json!({"route": "a", "routes": "a", "match": {"headers": 1}, "name": 1})),
        ("ROUTE_CONFIGURATION", json!({"virtual_hosts": null})),
        ("ROUTE_CONFIGURATION", json!({"virtual_hosts": ["a", null]})),
        host(json!({"routes": null})),
        host(json!({"routes": ["a", 1]})),
        route(json!({"route": null, "match": null, "name": null})),
        route(json!({"match": {"headers": null}})),
        route(json!({"match": {"headers": [null, {"name": null}, {"name": 1}]}})),
        route(json!({"route": {"weighted_clusters": null, "request_mirror_policies": null}})),
        route(json!({"route": {"cluster_header": null, "request_mirror_policies": {"cluster_header": "a"}}})),
        route(json!({"route": {"weighted_clusters": {"clusters": null}, "request_mirror_policies": [null]}})),
    ];
    let filters = all.iter().enumerate();
    filters.map(|(number, (to, value))| filter(&format!("odd-{number}"), &json!({}), &patch(to, value))).collect()
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

/// The API server learns of a policy a moment after it was applied: asks until somebody is refused to change an object.
async fn refused(chain: &Chain, object: [&str; 4], who: &str) {
    let told = format!("`{who}` may not write what Switchyard generated");
    let asked = async || match chain
        .kubectl(&[&["label"], &object[..], &["a=b", "--dry-run=server", "--as", who]].concat())
        .await
    {
        Err(why) if why.contains(&told) => Ok(()),
        other => Err(format!("{other:?}")),
    };
    eventually(Duration::from_secs(30), asked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_the_deployer_writes_what_is_ours_by_label_or_by_content() {
    let chain = Chain::start(&Setup { rbac: true, ..Setup::default() }).await.unwrap();
    let kubectl = async |arguments: &[&str]| chain.kubectl(arguments).await.unwrap();
    kubectl(&["create", "namespace", "workshop"]).await;
    kubectl(&["create", "namespace", "workshop-ingress"]).await;
    let kinds = "--resource=wasmplugins.extensions.istio.io,envoyfilters.networking.istio.io";
    kubectl(&["create", "clusterrole", "mesh", "--verb=*", kinds]).await;
    let both = ["--user=jane", &format!("--user={CONTROLLERS}")];
    kubectl(&[&["create", "clusterrolebinding", "mesh", "--clusterrole=mesh"], &both[..]].concat()).await;
    // What was there before is as much to be guarded, against changes and removal.
    let ours = ours();
    for object in &ours {
        apply(&chain, object, JANE).await.unwrap();
    }
    kubectl(&["apply", "-k", "manifests/admission", "--validate=strict"]).await;
    refused(&chain, ["wasmplugin", "by-name", "-n", "workshop"], "jane").await;

    for object in &ours {
        is_the_deployers(&chain, object).await;
    }
    for object in others().iter().chain(&odd()) {
        apply(&chain, object, JANE).await.unwrap_or_else(|why| panic!("{object}: {why}"));
        let becomes = chain
            .kubectl(&[&["label"], &named(object)[..], &["app.kubernetes.io/managed-by=switchyard"], JANE].concat())
            .await;
        assert!(becomes.unwrap_err().contains(DENIED));
        let deleted = chain.kubectl(&[&["delete"], &named(object)[..], JANE].concat()).await;
        deleted.unwrap_or_else(|why| panic!("{object}: {why}"));
    }
    what_is_deleted_by_the_collector_ends(&chain).await;
    the_role_is_enough_for_the_overlays_and_no_more(&chain).await;
    who_and_what_is_guarded_is_readers_to_say(&chain).await;
}

/// An object that is there, and guarded.
async fn is_the_deployers(chain: &Chain, object: &Value) {
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
        failed.push(chain.kubectl(&[&[verb], &named[..], more, JANE].concat()).await);
    }
    for result in failed {
        let why = result.expect_err(&object.to_string());
        assert!(why.contains(DENIED), "{object}: {why}");
    }
    // Nor is it made anew.
    chain.kubectl(&[&["delete"], &named[..], &["--as", DEPLOYER]].concat()).await.unwrap();
    let why = apply(chain, object, JANE).await.expect_err(&object.to_string());
    assert!(why.contains(DENIED), "{object}: {why}");
}

/// `kubectl delete --cascade=foreground`, Argo CD's way to prune, leaves a finalizer that the garbage collector takes away.
async fn what_is_deleted_by_the_collector_ends(chain: &Chain) {
    let marked = json!({"labels": {"app.kubernetes.io/managed-by": "switchyard"}});
    let object = plugin("dying", &marked, &json!({"url": "oci://registry.example.com/switchyard/filter:0.1.0"}));
    let kubectl = async |verb: &str, more: &[&str]| chain.kubectl(&[&[verb], &named(&object)[..], more].concat()).await;
    let let_go = ["--type=merge", "-p", r#"{"metadata": {"finalizers": null}}"#, "--as"];
    for (collector, cascade) in [(COLLECTOR, "foreground"), (CONTROLLERS, "orphan")] {
        apply(chain, &object, &["--as", DEPLOYER]).await.unwrap();
        let edited = kubectl("label", &["a=b", "--as", collector]).await.unwrap_err();
        assert!(edited.contains("may not write what Switchyard generated"), "it is alive: {edited}");
        let cascade = format!("--cascade={cascade}");
        kubectl("delete", &[&cascade, "--wait=false", "--as", DEPLOYER]).await.unwrap();
        let hangs = kubectl("get", &["-o", "jsonpath={.metadata.finalizers}"]).await.unwrap();
        assert!(hangs.starts_with('['), "{cascade} is the collector's to end: {hangs}");
        let why = kubectl("patch", &[&let_go[..], &["jane"]].concat()).await.unwrap_err();
        assert!(why.contains(DENIED), "{why}");
        kubectl("patch", &[&let_go[..], &[collector]].concat()).await.unwrap();
        let gone = kubectl("get", &[]).await.unwrap_err();
        assert!(gone.contains("NotFound"), "{gone}");
    }
}

/// The deployer's role is enough for what README has it do.
async fn the_role_is_enough_for_the_overlays_and_no_more(chain: &Chain) {
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

/// The kustomization that README has for another account and another image, in force also when the binding was gone for a
/// while: with a `ConfigMap` as its parameter an API server would keep to the values of before.
async fn who_and_what_is_guarded_is_readers_to_say(chain: &Chain) {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let text = readme.split("```yaml\n").find(|text| text.starts_with("resources: [../manifests/admission]\n"));
    let text = text.and_then(|text| text.split("```").next()).expect("README's kustomization");
    let folder = tempfile::tempdir().unwrap();
    let (own, copy) = (folder.path().join("own"), folder.path().join("manifests/admission"));
    std::fs::create_dir(&own).unwrap();
    std::fs::create_dir_all(&copy).unwrap();
    std::fs::write(own.join("kustomization.yaml"), text).unwrap();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/admission")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let theirs = plugin("theirs", &json!({}), &json!({"url": "oci://registry.example.com/traffic/rollout:1"}));
    let usual = plugin("usual", &json!({}), &json!({"url": "oci://registry.example.com/switchyard/filter:1"}));
    apply(chain, &theirs, JANE).await.unwrap();
    chain.kubectl(&["delete", "validatingadmissionpolicybinding", "switchyard"]).await.unwrap();
    let open = async || apply(chain, &usual, JANE).await;
    eventually(Duration::from_secs(30), open).await.unwrap();
    chain.kubectl(&["apply", "-k", &own.display().to_string(), "--validate=strict"]).await.unwrap();

    refused(chain, named(&theirs), "jane").await;
    let usual_one = chain.kubectl(&[&["label"], &named(&theirs)[..], &["a=b", "--as", DEPLOYER]].concat()).await;
    assert!(usual_one.unwrap_err().contains("orbidden"));
    let deploys: &[&str] = &["--as", "system:serviceaccount:ci:deploy"];
    for (object, may) in [(&theirs, deploys), (&usual, JANE)] {
        chain.kubectl(&[&["label"], &named(object)[..], &["a=b"], may].concat()).await.unwrap();
    }
    let named_ours = plugin("named", &json!({}), &json!({"url": "oci://a.example.com/b", "pluginName": "switchyard"}));
    assert!(apply(chain, &named_ours, JANE).await.unwrap_err().contains(DENIED));
    apply(chain, &named_ours, deploys).await.unwrap();
}
