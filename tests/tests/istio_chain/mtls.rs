//! What the plugin decides, over mTLS: istiod's CA, auto-mTLS, `PeerAuthentication` STRICT (istio.md 5.6).

use super::shop::{PATIENCE, Shop};
use serde_json::{Value, json};
use std::net::SocketAddr;
use switchyard_tests::chain::{Chain, Setup, eventually, service};
use switchyard_tests::harness::{Client, Echo, Received, Request};
use switchyard_tests::istio::Proxy;
use tokio::sync::OnceCell;

/// The chain of all tests with certificates; waypoints need them.
pub async fn chain() -> &'static Chain {
    static CHAIN: OnceCell<Chain> = OnceCell::const_new();
    let istiod = vec![("PILOT_ENABLE_AMBIENT".to_owned(), "true".to_owned())];
    CHAIN.get_or_init(async || Chain::start(&Setup { mtls: true, istiod, ..Setup::default() }).await.unwrap()).await
}

/// A version of the shop: its workload, and the plan of the sidecar before it.
pub struct Workload {
    pub echo: Echo,
    pub plan: Proxy,
    pub at: SocketAddr,
}

impl Workload {
    pub async fn new(namespace: &str, version: &str) -> Self {
        let echo = Echo::named(version).recording().obeying().start().await.unwrap();
        let mut plan = Proxy::sidecar(version, namespace, [80]);
        let at = plan.inbound(echo.address().port());
        Self { echo, plan, at }
    }
}

#[tokio::test]
async fn cluster_header_mirror_and_retry_arrive_over_mtls_and_a_plaintext_caller_is_refused() {
    let chain = chain().await;
    let namespace = chain.namespace("mtls").await.unwrap();
    let upstream = Echo::named("nobody").start().await.unwrap();
    let shop = Shop { chain, namespace, upstream };
    let namespace = &*shop.namespace;
    let mut manifests = shop.routes();
    let rule = manifests.iter_mut().find(|one| one["kind"] == "DestinationRule").unwrap();
    rule["spec"]["trafficPolicy"] = json!({"tls": {"mode": "ISTIO_MUTUAL"}});
    let mut strict = shop.object("PeerAuthentication", "default", &json!({"mtls": {"mode": "STRICT"}}));
    strict["apiVersion"] = json!("security.istio.io/v1");
    manifests.push(strict);
    let (one, two) = (Workload::new(namespace, "v1").await, Workload::new(namespace, "v2").await);
    let mut entry = service("shop", namespace, 80, &[("v1", one.at.port()), ("v2", two.at.port())]);
    for (endpoint, workload) in entry["spec"]["endpoints"].as_array_mut().unwrap().iter_mut().zip([&one, &two]) {
        endpoint["address"] = json!(workload.at.ip().to_string());
    }
    manifests.push(entry);
    chain.apply_all(&manifests).await.unwrap();
    let (_first, second) = tokio::try_join!(chain.agent(&one.plan).start(), chain.agent(&two.plan).start()).unwrap();

    let policy = shop.policy(&chain.image("mtls").await.unwrap(), "one", &rules(), &[]);
    chain.apply_all(&policy).await.unwrap();
    let gateway = chain.agent(&shop.gateway("gw")).start().await.unwrap();

    let over_mtls = |received: &Received, version: &str| {
        let account = |name: &str| Some(format!("spiffe://cluster.local/ns/{namespace}/sa/{name}"));
        assert_eq!(identities(&received.headers), (account("gw"), account(version)), "{received:?}");
        assert!(received.headers.iter().any(|(name, value)| (&**name, &**value) == ("user-type", "one")));
    };
    let mut client = gateway.client(80).unwrap();
    let ready = async || match gateway.client(80)?.get("shop.example.com", "/").await?.status {
        200 => Ok(()),
        status => Err(format!("status {status}")),
    };
    eventually(PATIENCE, ready).await.unwrap_or_else(|why| panic!("{why}\n{}", second.log_tail()));
    two.echo.received();

    // The header names the cluster.
    let seen = gateway.send(&mut client, &two.echo, &Request::new("GET", "shop.example.com", "/")).await.unwrap();
    assert_eq!((seen.status, seen.cluster), (200, Some(shop.cluster("v2"))));
    over_mtls(&seen.upstream.unwrap(), "v2");
    assert_eq!(one.echo.count(), 0);

    // A copy goes to v1.
    let seen = gateway.send(&mut client, &two.echo, &Request::new("GET", "shop.example.com", "/copy")).await.unwrap();
    over_mtls(&seen.upstream.unwrap(), "v2");
    let copy = async || one.echo.received().pop().ok_or("no copy at v1".to_owned());
    over_mtls(&eventually(PATIENCE, copy).await.unwrap(), "v1");

    // What fails is tried again.
    let failing = Request::new("GET", "shop.example.com", "/again").header("x-answer-status", "503");
    let seen = gateway.send(&mut client, &two.echo, &failing).await.unwrap();
    assert_eq!((seen.status, seen.tries), (503, 3));
    over_mtls(&seen.upstream.unwrap(), "v2");

    // Who has no certificate is not served.
    let before = two.echo.count();
    let plain = Client::new(two.at).get("shop.example.com", "/").await;
    assert!(plain.is_err(), "{plain:?}");
    assert_eq!(two.echo.count(), before);
}

/// Whose certificates the hop was made with: the caller's, and that of who was called.
pub fn identities(headers: &[(String, String)]) -> (Option<String>, Option<String>) {
    let header = headers.iter().find(|(name, _)| name == "x-forwarded-client-cert");
    let parts: Vec<_> = header.map(|(_, value)| value.split(';').collect()).unwrap_or_default();
    let named = |key: &str| parts.iter().find_map(|part| part.strip_prefix(key)).map(ToOwned::to_owned);
    (named("URI="), named("By="))
}

fn rules() -> Value {
    let v2 = json!([{"destination": {"host": "shop", "subset": "v2"}}]);
    json!([
        {"name": "copied", "match": [{"uri": {"exact": "/copy"}}], "route": v2,
            "mirrors": [{"destination": {"host": "shop", "subset": "v1"}}]},
        {"name": "again", "match": [{"uri": {"exact": "/again"}}], "route": v2,
            "retries": {"attempts": 2, "retryOn": "5xx"}},
        {"name": "rest", "route": v2},
    ])
}
