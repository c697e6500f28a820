//! consistentHash in a real Envoy: one value comes to one endpoint, and many values to all of them.

#![cfg(not(target_family = "wasm"))]

use serde_json::Value;
use std::collections::BTreeMap;
use switchyard_tests::generated::Site;
use switchyard_tests::harness::{Client, Echo, Request};

/// A host with three endpoints, and how they are chosen.
fn manifests(echoes: &[Echo], balancer: &str) -> String {
    let endpoints =
        echoes.iter().map(|echo| format!("  - {{address: 127.0.0.1, ports: {{http: {}}}}}", echo.address().port()));
    let endpoints = endpoints.collect::<Vec<_>>().join("\n");
    format!(
        "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop, namespace: workshop}}
spec: {{hosts: [shop], http: [{{route: [{{destination: {{host: shop}}}}]}}]}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: shop, namespace: workshop}}
spec: {{host: shop, trafficPolicy: {{loadBalancer: {{consistentHash: {{{balancer}}}}}}}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: shop, namespace: workshop}}
spec:
  hosts: [shop.workshop.svc.cluster.local]
  resolution: STATIC
  ports: [{{number: 3000, name: http, protocol: HTTP}}]
  endpoints:
{endpoints}
"
    )
}

fn upstream(said: &Value) -> String {
    said["upstream"].as_str().expect("an upstream").to_owned()
}

#[tokio::test]
async fn one_value_comes_to_one_endpoint_and_many_to_all() {
    let mut echoes = Vec::new();
    for name in ["one", "two", "three"] {
        echoes.push(Echo::named(name).start().await.unwrap());
    }
    for balancer in [
        "httpHeaderName: x-user",
        "httpHeaderName: x-user, ringHash: {minimumRingSize: 4096}",
        "httpHeaderName: x-user, maglev: {tableSize: 65537}",
    ] {
        let envoy = Site::new(&manifests(&echoes, balancer)).unwrap().bootstrap().unwrap().start().await.unwrap();
        let mut client = Client::new(envoy.listener("mesh").await.unwrap());
        let mut homes: BTreeMap<String, u32> = BTreeMap::new();
        for user in 0..60 {
            let request = Request::new("GET", "shop", "/").header("x-user", format!("user-{user}"));
            let home = upstream(&client.send(&request).await.unwrap().json().unwrap());
            for _ in 0..3 {
                let again = upstream(&client.send(&request).await.unwrap().json().unwrap());
                assert_eq!(again, home, "{balancer}: user-{user} stays");
            }
            *homes.entry(home).or_default() += 1;
        }
        // Of 60 users each of three has about 20; fewer than 5 would be no hash.
        assert!(homes.len() == 3 && homes.values().all(|users| *users >= 5), "{balancer}: {homes:?}");
        // Who has no value comes anywhere, whatever a client sends in our header.
        let mut without = BTreeMap::new();
        for _ in 0..60 {
            let request = Request::new("GET", "shop", "/").header("x-switchyard-hash", "chosen");
            *without.entry(upstream(&client.send(&request).await.unwrap().json().unwrap())).or_insert(0) += 1;
        }
        assert_eq!(without.len(), 3, "{balancer}: {without:?}");
        envoy.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_cookie_that_is_issued_brings_its_user_back() {
    let mut echoes = Vec::new();
    for name in ["one", "two", "three"] {
        echoes.push(Echo::named(name).start().await.unwrap());
    }
    let balancer = "httpCookie: {name: uid, ttl: 1h, attributes: [{name: SameSite, value: Lax}]}";
    let envoy = Site::new(&manifests(&echoes, balancer)).unwrap().bootstrap().unwrap().start().await.unwrap();
    let mut client = Client::new(envoy.listener("mesh").await.unwrap());
    let mut homes = BTreeMap::new();
    for _ in 0..30 {
        let first = client.get("shop", "/").await.unwrap();
        let issued: Vec<_> =
            first.header("set-cookie").map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        assert_eq!(issued.len(), 1, "{issued:?}");
        assert!(issued[0].ends_with("; Max-Age=3600; SameSite=Lax; HttpOnly"), "{issued:?}");
        let home = upstream(&first.json().unwrap());
        let cookie = issued[0].split(';').next().unwrap().to_owned();
        for _ in 0..3 {
            let request = Request::new("GET", "shop", "/").header("cookie", cookie.clone());
            let back = client.send(&request).await.unwrap();
            assert_eq!(back.header("set-cookie").count(), 0, "it has one");
            assert_eq!(upstream(&back.json().unwrap()), home, "{cookie}");
        }
        *homes.entry(home).or_insert(0) += 1;
    }
    assert_eq!(homes.len(), 3, "{homes:?}");
    envoy.stop().await.unwrap();
}
