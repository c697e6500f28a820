//! istiod and its Envoys: what the comparisons with Istio rest on.

#![cfg(not(target_family = "wasm"))]

#[path = "istio_harness/killed.rs"]
mod killed;

use serde_json::{Value, json};
use std::path::Path;
use switchyard_tests::harness::{Echo, Request};
use switchyard_tests::istio::{Istiod, Proxy, Routes, to_upstream};

const HOST: &str = "shop.demo.svc.cluster.local";

/// A service with two subsets, a Gateway, and a VirtualService with these rules.
fn shop(echo: &Echo, http: &Value) -> Vec<Value> {
    let one = |kind: &str, name: &str, spec: Value| {
        json!({"apiVersion": "networking.istio.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": "demo"}, "spec": spec})
    };
    let port = json!({"number": 80, "name": "http", "protocol": "HTTP"});
    let mut manifests = vec![
        one("ServiceEntry", "shop", json!({"hosts": [HOST], "ports": [port], "resolution": "STATIC"})),
        one(
            "DestinationRule",
            "shop",
            json!({"host": "shop", "subsets": [
                {"name": "v1", "labels": {"version": "v1"}}, {"name": "v2", "labels": {"version": "v2"}}]}),
        ),
        one(
            "Gateway",
            "edge",
            json!({"selector": {"istio": "ingressgateway"}, "servers": [{"port": port, "hosts": ["*"]}]}),
        ),
        one("VirtualService", "shop", json!({"hosts": ["shop"], "gateways": ["mesh", "edge"], "http": http})),
    ];
    to_upstream(&mut manifests, echo.address().port());
    manifests
}

async fn upstream() -> Echo {
    Echo::named("upstream").at(([0, 0, 0, 0], 0).into()).recording().start().await.unwrap()
}

fn to(subset: &str) -> Value {
    json!([{"name": subset, "route": [{"destination": {"host": "shop", "subset": subset}}]}])
}

#[tokio::test]
async fn a_sidecar_routes_tells_how_and_takes_other_manifests() {
    let echo = upstream().await;
    let proxy = Proxy::sidecar("front", "demo", [80]);
    let with = |http: &Value| [shop(&echo, http), proxy.manifests()].concat();
    let istiod = Istiod::start(&with(&to("v1"))).await.unwrap();
    let envoy = istiod.run(&proxy).await.unwrap();
    let mut client = envoy.client(80).unwrap();
    let request = Request::new("GET", "shop", "/cart").header("x-a", "1");

    let seen = envoy.send(&mut client, &echo, &request).await.unwrap();
    assert_eq!((seen.status, seen.tries, &*seen.details), (200, 1, "via_upstream"));
    assert_eq!(seen.cluster.as_deref(), Some("outbound|80|v1|shop.demo.svc.cluster.local"));
    assert_eq!((seen.route.as_deref(), seen.virtual_service.as_deref()), (Some("v1"), Some("demo/shop")));
    let arrived = seen.upstream.unwrap();
    assert_eq!(arrived.path, "/cart");
    assert!(arrived.headers.contains(&("x-a".into(), "1".into())), "{arrived:?}");
    assert!(!seen.response.iter().any(|(name, _)| name.starts_with("x-seen-")), "{:?}", seen.response);

    // What belongs to no service is answered, and by no policy.
    let seen = envoy.send(&mut client, &echo, &Request::new("GET", "elsewhere", "/")).await.unwrap();
    assert_eq!((seen.status, seen.virtual_service, seen.upstream), (502, None, None));

    let half = json!([{"timeout": "1.5s", "retries": {"attempts": 3}, "mirror": {"host": "shop", "subset": "v2"},
        "mirrorPercentage": {"value": 0.57}, "route": [
            {"destination": {"host": "shop", "subset": "v1"}, "weight": 1},
            {"destination": {"host": "shop", "subset": "v2"}, "weight": 3}]}]);
    let version = istiod.apply(&with(&half)).await.unwrap();
    envoy.wait_synced(&version).await.unwrap();
    let routes: Routes = envoy.routes().await.unwrap();
    let route = routes.find(None, "demo/shop").next().expect("the route without a name");
    let shares: Vec<(String, u64)> = route.destinations().into_iter().map(|one| (one.cluster, one.weight)).collect();
    assert_eq!(shares, [(format!("outbound|80|v1|{HOST}"), 1), (format!("outbound|80|v2|{HOST}"), 3)]);
    assert_eq!(route.mirrors(), [(format!("outbound|80|v2|{HOST}"), 5_699)], "truncated, as in Istio");
    assert_eq!((route.timeout_ms(), &route.retries()["num_retries"]), (Some(1_500), &json!(3)));
    assert!(route.is_random());

    // Manifests that Istio refuses change nothing.
    let refused = istiod.apply(&with(&json!([{"name": "nothing"}]))).await.unwrap_err();
    assert!(refused.starts_with("istiod refuses: ") && refused.contains("HTTP route"), "{refused}");
    assert_eq!(istiod.version(), version);
    assert_eq!(envoy.send(&mut client, &echo, &request).await.unwrap().status, 200);
    envoy.stop().await.unwrap();
}

#[tokio::test]
async fn a_gateway_answers_at_the_port_of_its_policy() {
    let echo = upstream().await;
    let labels = [("istio".to_owned(), "ingressgateway".to_owned())];
    let proxy = Proxy::gateway("edge", "demo", [80]).labelled(labels);
    let copied = json!([{"name": "copied", "mirror": {"host": "shop", "subset": "v2"},
        "route": [{"destination": {"host": "shop", "subset": "v1"}}]}]);
    let manifests = [shop(&echo, &copied), proxy.manifests()].concat();
    let istiod = Istiod::start(&manifests).await.unwrap();
    let envoy = istiod.run(&proxy).await.unwrap();
    let mut client = envoy.client(80).unwrap();
    assert!(envoy.client(8080).unwrap_err().contains("has no port 8080"));

    let mut seen = envoy.send(&mut client, &echo, &Request::new("GET", HOST, "/")).await.unwrap();
    for _ in 0..200 {
        if !seen.mirrored.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        seen.mirrored.extend(echo.received());
    }
    assert_eq!((seen.status, seen.tries, seen.mirrored.len()), (200, 1, 1));
    let (namespace, name) = (istiod.version(), seen.route.as_deref());
    assert_eq!((&*namespace, name), ("v1", Some("copied")));
}

#[tokio::test]
async fn what_istio_refuses_is_told_and_processes_end_with_their_values() {
    let echo = upstream().await;
    let refused = Istiod::start(&shop(&echo, &json!([{"name": "nothing"}]))).await.unwrap_err();
    assert!(refused.starts_with("istiod refuses: ") && refused.contains("HTTP route"), "{refused}");

    let proxy = Proxy::sidecar("front", "demo", [80]);
    let istiod = Istiod::start(&[shop(&echo, &to("v1")), proxy.manifests()].concat()).await.unwrap();
    let envoy = istiod.run(&proxy).await.unwrap();
    let processes = [istiod.id(), envoy.envoy().id()];
    drop((istiod, envoy));
    for process in processes {
        assert!(!Path::new(&format!("/proc/{process}")).exists(), "{process} runs on");
    }
}
