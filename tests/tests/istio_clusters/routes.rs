//! What a mesh's defaults say of routes: who sees a VirtualService that does not say, and when its requests are tried again.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use switchyard_envoy::manifest::{Input, read_sources};
use switchyard_envoy::translate::{Mesh, Model, Options};
use switchyard_filter::retry::Retries;
use switchyard_tests::istio::{Istiod, Proxy, milliseconds};

/// A retry policy: how often, how long each try, on what, with which codes.
type Policy = (u64, Option<u64>, BTreeSet<String>, BTreeSet<u64>);

fn split(text: &str) -> impl Iterator<Item = String> {
    text.split(',').filter(|part| !part.is_empty()).map(str::to_owned)
}

fn ours(retries: &Retries) -> Policy {
    let conditions: BTreeSet<String> = split(&retries.http_on).chain(split(&retries.grpc_on)).collect();
    let codes = split(&retries.status_codes).map(|code| code.parse().unwrap()).collect();
    (retries.attempts.into(), retries.per_try_timeout, conditions, codes)
}

fn istios(policy: &Value) -> Policy {
    let codes: BTreeSet<u64> =
        policy["retriable_status_codes"].as_array().into_iter().flatten().map(|code| code.as_u64().unwrap()).collect();
    // Without codes the condition never holds, and ours leaves it out.
    let is_said = |condition: &String| condition != "retriable-status-codes" || !codes.is_empty();
    let conditions = split(policy["retry_on"].as_str().unwrap()).filter(is_said).collect();
    (policy["num_retries"].as_u64().unwrap(), milliseconds(&policy["per_try_timeout"]), conditions, codes)
}

fn manifests() -> Vec<Value> {
    let one = |kind: &str, name: &str, namespace: &str, spec: Value| {
        json!({"apiVersion": "networking.istio.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": namespace}, "spec": spec})
    };
    let to = json!([{"destination": {"host": "shop.demo.svc.cluster.local"}}]);
    let at = |path: &str| json!([{"uri": {"prefix": path}}]);
    let leaf = |name: &str, namespace: &str| {
        let rules = json!([
            {"name": "own", "match": [{"headers": {"a": {"exact": "b"}}}], "retries": {"attempts": 7}, "route": to},
            {"name": "rest", "route": to},
        ]);
        one("VirtualService", name, namespace, json!({"http": rules}))
    };
    let service = |name: &str| {
        let host = format!("{name}.demo.svc.cluster.local");
        let port = json!({"number": 80, "name": "http", "protocol": "HTTP"});
        let endpoints = json!([{"address": "127.0.0.1"}]);
        let spec = json!({"hosts": [host], "ports": [port], "resolution": "STATIC", "endpoints": endpoints});
        one("ServiceEntry", name, "demo", spec)
    };
    let root = json!([
        {"name": "says", "match": at("/a"), "retries": {"attempts": 1, "retryOn": "reset"}, "route": to},
        {"name": "never", "match": at("/b"), "retries": {"attempts": 0}, "route": to},
        {"name": "silent", "match": at("/c"), "route": to},
        {"name": "hands", "match": at("/d"), "retries": {"attempts": 5}, "delegate": {"name": "leaf"}},
        {"name": "leaves", "match": at("/e"), "delegate": {"name": "leaf"}},
        {"name": "others", "match": at("/f"), "delegate": {"name": "private", "namespace": "team"}},
    ]);
    let rule = |name: &str| json!([{"name": name, "route": to}]);
    let shown = json!({"hosts": ["b.demo.svc.cluster.local"], "exportTo": ["*"], "http": rule("shown")});
    let hidden = json!({"hosts": ["c.demo.svc.cluster.local"], "http": rule("hidden")});
    vec![
        service("shop"),
        service("b"),
        service("c"),
        one("VirtualService", "root", "demo", json!({"hosts": ["shop"], "http": root})),
        leaf("leaf", "demo"),
        leaf("private", "team"),
        one("VirtualService", "shown", "team", shown),
        one("VirtualService", "hidden", "team", hidden),
    ]
}

/// The rules that the mesh's listener has, each with its retries.
fn our_rules(mesh: &Value) -> BTreeMap<String, Option<Policy>> {
    let text: Vec<String> = manifests().iter().map(Value::to_string).collect();
    let input = Input { name: "manifests.yaml".into(), bytes: text.join("\n---\n").into_bytes() };
    let manifests = read_sources(vec![input], Some("demo")).unwrap();
    let input = Input { name: "mesh.yaml".into(), bytes: mesh.to_string().into_bytes() };
    let options = Options { mesh: Mesh::read(input).unwrap(), allow_missing: true, ..Options::default() };
    let model = Model::new(&manifests, &options).unwrap();
    let listener = model.listener(&model.mesh()).unwrap();
    let rules = listener.policy.rules().iter();
    rules.map(|rule| (rule.name.to_string(), rule.retries.as_ref().map(ours))).collect()
}

#[tokio::test]
async fn istiod_tries_again_and_exports_what_the_meshs_defaults_say() {
    let policy = json!({"attempts": 3, "perTryTimeout": "2s", "retryOn": "5xx,503,unavailable"});
    let all = ["hands-own", "hands-rest", "leaves-own", "leaves-rest", "never", "says", "shown", "silent"];
    for (mesh, more) in [
        (json!({}), ["hidden", "others-own", "others-rest"].as_slice()),
        (json!({"defaultHttpRetryPolicy": policy, "defaultVirtualServiceExportTo": ["."]}), &[]),
        (
            json!({"defaultHttpRetryPolicy": {"attempts": 0}, "defaultVirtualServiceExportTo": [".", "*"]}),
            &["others-own", "others-rest"],
        ),
    ] {
        let proxy = Proxy::sidecar("front", "demo", [80]);
        let istiod = Istiod::start_in(&mesh, &[manifests(), proxy.manifests()].concat()).await.unwrap();
        let envoy = istiod.run(&proxy).await.unwrap();
        let routes = envoy.routes().await.unwrap();
        let named = routes.all.iter().filter(|route| route.config.contains("/virtual-service/"));
        let istio: BTreeMap<String, Option<Policy>> = named
            .map(|route| (route.name.clone(), Some(route.retries()).filter(|policy| !policy.is_null()).map(istios)))
            .collect();
        let mut expected: Vec<&str> = [&all, more].concat();
        expected.sort_unstable();
        assert_eq!(istio.keys().collect::<Vec<_>>(), expected, "{mesh}");
        assert_eq!(our_rules(&mesh), istio, "{mesh}");
    }
}
