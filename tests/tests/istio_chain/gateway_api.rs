//! A gateway of Kubernetes' Gateway API: what is generated for `--target-ref NS/Gateway/NAME`, in both forms.

use super::kubernetes::{Versions, apply, gateway, http_route, object, policy};
use super::shop::{PATIENCE, generated};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use switchyard_envoy::istio::{Selection, Via};
use switchyard_tests::chain::{Chain, Running, eventually};
use switchyard_tests::demo::interval::expected_999999;
use switchyard_tests::harness::{Client, Request};

/// Form (a): a VirtualService that names the Gateway, which Istio does not bind to it. What it decides beats the HTTPRoute of
/// the same host; a host that it does not name is the HTTPRoute's. Where there is an HTTPRoute, other hosts have no routes.
#[tokio::test]
async fn a_gateway_of_kubernetes_decides_by_virtual_services_that_name_it() {
    let Front { chain, versions, gateway, namespace } = Front::start("k8sdecides", Via::ClusterHeader, |namespace| {
        let http = json!([
            {"name": "moved", "match": [{"uri": {"prefix": "/old/"}}], "rewrite": {"uri": "/new/"},
                "route": [{"destination": {"host": "shop", "subset": "v2"}}]},
            {"name": "new", "match": [{"headers": {"user-type": {"exact": "new"}}}],
                "route": [{"destination": {"host": "shop", "subset": "v2"}}]},
            {"name": "rest", "route": [{"destination": {"host": "shop", "subset": "v1"}}]}]);
        let spec = json!({"hosts": ["shop.example.com", "bare.example.com"], "gateways": ["front"], "http": http});
        vec![object("networking.istio.io/v1", "VirtualService", "shop", namespace, &spec)]
    })
    .await;
    let mut client = gateway.client(80).unwrap();
    let subset = |version: &str| format!("outbound|80|{version}|shop.{namespace}.svc.cluster.local");
    let decides = async |client: &mut Client, host: &str| {
        let staff = Request::new("GET", host, "/").header("x-role", "staff");
        let seen = gateway.send(client, &versions.v2, &staff).await.unwrap();
        assert_eq!((seen.status, seen.cluster, seen.route.as_deref()), (200, Some(subset("v2")), Some("decided")));
        let guest =
            Request::new("GET", host, "/").header("User_Type", "new").header("x-switchyard-cluster", subset("v2"));
        let seen = gateway.send(client, &versions.v1, &guest).await.unwrap();
        assert_eq!((seen.status, seen.cluster, seen.route.as_deref()), (200, Some(subset("v1")), Some("decided")));
        let moved = gateway.send(client, &versions.v2, &Request::new("GET", host, "/old/a?b=c")).await.unwrap();
        let seen = (moved.status, moved.path.as_deref(), moved.cluster);
        assert_eq!(seen, (200, Some("/new/a?b=c"), Some(subset("v2"))));
    };
    // Without an HTTPRoute there is one virtual host, for all.
    for host in ["shop.example.com", "bare.example.com"] {
        decides(&mut client, host).await;
    }

    // With one, there are those of its hosts, and the inserted route is in these.
    let rules = json!([{"backendRefs": [{"name": "shop-v1", "port": 80}]}]);
    let mut route = http_route(&namespace, "plain", &json!([{"name": "front"}]), &rules);
    route["spec"]["hostnames"] = json!(["shop.example.com", "plain.example.com"]);
    chain.apply_all(&[route]).await.unwrap();
    let routed = async || match gateway.client(80)?.get("plain.example.com", "/").await?.status {
        200 => Ok(()),
        status => Err(format!("status {status}")),
    };
    eventually(PATIENCE, routed).await.unwrap();
    versions.v1.received();
    decides(&mut client, "shop.example.com").await;
    let bare = gateway.send(&mut client, &versions.v1, &Request::new("GET", "bare.example.com", "/")).await.unwrap();
    assert_eq!((bare.status, bare.upstream), (404, None));
    let plain = Request::new("GET", "plain.example.com", "/").header("x-switchyard-cluster", subset("v2"));
    let seen = gateway.send(&mut client, &versions.v1, &plain).await.unwrap();
    let own = format!("outbound|80||shop-v1.{namespace}.svc.cluster.local");
    assert_eq!((seen.status, seen.cluster), (200, Some(own)));
    assert_ne!(seen.route.as_deref(), Some("decided"));
    let seen = gateway.send(&mut client, &versions.v1, &Request::new("GET", "none.example.com", "/")).await.unwrap();
    assert_eq!((seen.status, seen.upstream), (404, None));
}

/// Form (b): an HTTPRoute matches on the tag, and its weights are its own.
#[tokio::test]
async fn a_gateway_of_kubernetes_tags_and_http_routes_split() {
    let Front { versions: _versions, gateway, .. } = Front::start("k8stags", Via::Tags, |namespace| {
        let matches = json!([{"headers": [{"name": "user-type", "value": "new"}]}]);
        let to = |version: &str, weight: u32| json!({"name": format!("shop-{version}"), "port": 80, "weight": weight});
        let rules = json!([
            {"matches": matches, "backendRefs": [to("v1", 30), to("v2", 70)]},
            {"backendRefs": [to("v1", 1)]}]);
        let mut route = http_route(namespace, "shop", &json!([{"name": "front"}]), &rules);
        route["spec"]["hostnames"] = json!(["shop.example.com"]);
        vec![route]
    })
    .await;
    let mut client = gateway.client(80).unwrap();
    let seen = upstreams(&mut client, "x-role", "staff", 400).await;
    let (low, high) = expected_999999(400, 0.7);
    let v2 = seen.get(&("v2".to_owned(), "new".to_owned())).copied().unwrap_or_default();
    assert!((low..=high).contains(&v2), "{v2} of 400 at v2, not {low} to {high}: {seen:?}");
    assert_eq!(v2 + seen[&("v1".to_owned(), "new".to_owned())], 400, "{seen:?}");
    // A tag that a client chooses is none.
    let seen = upstreams(&mut client, "User-Type", "new", 40).await;
    assert_eq!(seen, BTreeMap::from([(("v1".to_owned(), "old".to_owned()), 40)]));
}

/// Who answered so many requests, and the tags that they saw.
async fn upstreams(client: &mut Client, name: &str, value: &str, requests: usize) -> BTreeMap<(String, String), usize> {
    let mut seen = BTreeMap::new();
    for _ in 0..requests {
        let request = Request::new("GET", "shop.example.com", "/").header(name, value);
        let response = client.send(&request).await.unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
        let body = response.json().unwrap();
        let headers = body["headers"].as_array().unwrap();
        let tags: Vec<_> =
            headers.iter().filter(|one| one[0] == "user-type").filter_map(|one| one[1].as_str()).collect();
        *seen.entry((body["upstream"].as_str().unwrap().to_owned(), tags.join(","))).or_default() += 1;
    }
    seen
}

/// A gateway with its plugin in force.
struct Front {
    chain: &'static Chain,
    versions: Versions,
    gateway: Running,
    namespace: String,
}

impl Front {
    async fn start(word: &str, via: Via, routes: impl Fn(&str) -> Vec<Value>) -> Self {
        let chain = Chain::shared().await.unwrap();
        let namespace = chain.namespace(word).await.unwrap();
        let url = chain.image(word).await.unwrap();
        let versions = Versions::start().await;
        let mut manifests = versions.manifests(&namespace);
        let (front, proxy) = gateway(&namespace);
        manifests.extend(front);
        manifests.extend(routes(&namespace));
        let rules = json!([{"match": [{"headers": {"x-role": {"exact": "staff"}}}], "value": "new"}]);
        let tag =
            json!({"header": "user-type", "hosts": ["*"], "rules": rules, "split": [{"value": "old", "weight": 1}]});
        manifests.push(policy(&namespace, &tag));
        let selection = Selection::target(&format!("{namespace}/Gateway/front")).unwrap();
        let resources = generated(&manifests, &namespace, via, selection, None, &url);
        apply(chain, &manifests).await;
        chain.apply_all(&resources).await.unwrap();
        let gateway = chain.agent(&proxy).start().await.unwrap();
        let plugin = resources.iter().find(|one| one["kind"] == "WasmPlugin").expect("a WasmPlugin");
        let name = format!("{namespace}/switchyard");
        gateway.wait_plugin(&name, &plugin["spec"]["pluginConfig"]).await.unwrap();
        let ready = async || match gateway.client(80)?.get("shop.example.com", "/").await?.status {
            200 => Ok(()),
            status => Err(format!("status {status}")),
        };
        eventually(PATIENCE, ready).await.unwrap_or_else(|why| panic!("{why}\n{}", gateway.log_tail()));
        versions.v1.received();
        versions.v2.received();
        Self { chain, versions, gateway, namespace }
    }
}
