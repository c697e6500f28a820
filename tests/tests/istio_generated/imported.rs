//! A Sidecar resource hides VirtualServices: they are not in force, with our plugin as without it.

use super::generated;
use serde_json::{Value, json};
use switchyard_envoy::istio::{Selection, Via};
use switchyard_tests::harness::{Echo, Request};
use switchyard_tests::istio::{Istiod, Proxy};

fn of(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

fn service(namespace: &str, name: &str, port: u16) -> Value {
    let endpoint = json!({"address": "127.8.0.1", "ports": {"http": port}});
    let spec = json!({"hosts": [format!("{name}.{namespace}.svc.cluster.local")], "resolution": "STATIC",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "endpoints": [endpoint]});
    of("ServiceEntry", namespace, name, &spec)
}

fn routed(namespace: &str, name: &str, host: &str, to: &str) -> Value {
    let spec = json!({"hosts": [host], "http": [{"name": name, "route": [{"destination": {"host": to}}]}]});
    of("VirtualService", namespace, name, &spec)
}

#[tokio::test]
async fn what_a_sidecar_does_not_import_is_not_in_force() {
    let echo = Echo::named("cart").at(([0, 0, 0, 0], 0).into()).recording().start().await.unwrap();
    let port = echo.address().port();
    let mut all = vec![
        service("demo", "cart", port),
        service("demo", "shop", port),
        service("other", "hidden", port),
        of("Sidecar", "demo", "default", &json!({"egress": [{"hosts": ["./*"]}]})),
        routed("other", "cart", "cart.demo.svc.cluster.local", "hidden.other.svc.cluster.local"),
        routed("demo", "shop", "shop", "cart"),
    ];
    all.extend(generated(&all, Via::ClusterHeader, Selection::workload("demo/app=front").unwrap(), "switchyard"));
    // Istio's own rule for what is embedded answers: what is decided is decided by the filter.
    for one in all.iter_mut().filter(|one| one["kind"] == "VirtualService" && one["metadata"]["name"] == "shop") {
        one["spec"]["http"] = json!([{"name": "stub", "directResponse": {"status": 599}}]);
    }
    let proxy = Proxy::sidecar("front", "demo", [80]).labelled([("app".into(), "front".into())]);
    // The harness' own Sidecar, which gives the proxy its ports, counts before the namespace's: it imports the same here.
    all.extend(proxy.manifests().into_iter().map(|mut one| {
        for listener in one["spec"]["egress"].as_array_mut().into_iter().flatten() {
            listener["hosts"] = json!(["./*"]);
        }
        one
    }));
    let istiod = Istiod::start(&all).await.unwrap();
    let envoy = istiod.run(&proxy).await.unwrap();
    let mut client = envoy.client(80).unwrap();
    for host in ["cart", "shop"] {
        let request = Request::new("GET", format!("{host}.demo.svc.cluster.local"), "/");
        let seen = envoy.send(&mut client, &echo, &request).await.unwrap();
        let cluster = "outbound|80||cart.demo.svc.cluster.local";
        assert_eq!((seen.status, seen.cluster.as_deref()), (200, Some(cluster)), "{host}");
    }
    envoy.stop().await.unwrap();
}
