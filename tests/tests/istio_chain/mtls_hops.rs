//! Two hops over mTLS: gateway, productcatalog, catalogdetail, each with istiod's certificate, the first hop by auto-mTLS and
//! the second by a DestinationRule. What the gateway tags arrives at both, and what the sidecar decides is carried out.

use super::kubernetes::{object, policy};
use super::mtls::{Workload, chain, identities};
use super::shop::{PATIENCE, generated};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use switchyard_envoy::istio::{Selection, Via};
use switchyard_tests::chain::{Running, eventually, service};
use switchyard_tests::harness::{App, Client, Echo, Received, Request};
use switchyard_tests::istio::Proxy;

#[path = "../istio_hops/app.rs"]
mod app;

const CATALOG: &str = "productcatalog.example.com";

#[tokio::test]
async fn a_tag_reaches_both_hops_over_mtls_and_so_do_copies_and_retries() {
    let mesh = Mesh::start().await;
    let account = |name: &str| Some(format!("spiffe://cluster.local/ns/{}/sa/{name}", mesh.namespace));
    let cases = [("staff", "internal", "v2"), ("guest", "external", "v1")];
    for (role, tag, version) in cases {
        // A client's own tag is none.
        let request = mesh.through("/").header("x-role", role).header("user-type", "internal");
        let first = mesh.send(&request).await;
        assert_eq!(received(&first, "user-type"), [tag], "{first}");
        assert_eq!(identities(&headers(&first)), (account("gateway"), account("productcatalog")), "{first}");
        let second = &first["called"];
        assert_eq!((&second["status"], &second["upstream"]), (&json!(200), &json!(version)), "{second}");
        assert_eq!(second["cluster"], mesh.cluster(version));
        assert_eq!(received(second, "user-type"), [tag], "{second}");
        assert_eq!(identities(&headers(second)), (account("productcatalog"), account(version)), "{second}");
    }

    // What the sidecar copies and tries again, arrives with its own certificate.
    mesh.drain();
    let first = mesh.send(&mesh.through("/copy").header("x-role", "staff")).await;
    assert_eq!(first["called"]["upstream"], "v2", "{first}");
    let copy = async || mesh.v1.received().pop().ok_or("no copy at v1".to_owned());
    let copy = eventually(PATIENCE, copy).await.unwrap();
    assert_eq!(identities(&copy.headers), (account("productcatalog"), account("v1")), "{copy:?}");
    mesh.drain();
    let failing = mesh.through("/again").header("x-role", "staff").header("x-answer-status", "503");
    assert_eq!(mesh.send(&failing).await["called"]["status"], 503);
    let tries: Vec<Received> = mesh.v2.received();
    let seen: BTreeSet<_> = tries.iter().map(|one| identities(&one.headers)).collect();
    assert_eq!((tries.len(), seen), (3, BTreeSet::from([(account("productcatalog"), account("v2"))])));

    // Neither workload takes what has no certificate.
    for at in mesh.inbound {
        let plain = Client::new(at).get("catalogdetail", "/").await;
        assert!(plain.is_err(), "{at}: {plain:?}");
    }
}

/// What runs.
struct Mesh {
    namespace: String,
    v1: Echo,
    v2: Echo,
    gateway: Running,
    inbound: Vec<SocketAddr>,
    _app: App,
    sidecars: Vec<Running>,
}

impl Mesh {
    async fn start() -> Self {
        let chain = chain().await;
        let namespace = chain.namespace("hops").await.unwrap();
        let url = chain.image("hops").await.unwrap();
        let (v1, v2) = (Workload::new(&namespace, "v1").await, Workload::new(&namespace, "v2").await);
        let app = app::start().await;
        let mut sidecar =
            Proxy::sidecar("productcatalog", &namespace, [80]).labelled([("app".into(), "productcatalog".into())]);
        let inbound = sidecar.inbound(app.address.port());
        app.behind(sidecar.address(80).unwrap());
        let gateway = Proxy::gateway("gateway", &namespace, [80]).labelled([("hops".into(), namespace.clone())]);

        let mut details = service("catalogdetail", &namespace, 80, &[("v1", v1.at.port()), ("v2", v2.at.port())]);
        let mut catalog = service("productcatalog", &namespace, 80, &[("v1", inbound.port())]);
        for (entry, addresses) in [(&mut details, vec![v1.at, v2.at]), (&mut catalog, vec![inbound])] {
            for (endpoint, at) in entry["spec"]["endpoints"].as_array_mut().unwrap().iter_mut().zip(addresses) {
                endpoint["address"] = json!(at.ip().to_string());
            }
        }
        // What an injected pod says of itself: auto-mTLS goes by it.
        catalog["spec"]["endpoints"][0]["labels"]["security.istio.io/tlsMode"] = json!("istio");
        let mut manifests = routes(&namespace);
        manifests.extend([details, catalog]);
        let mut resources = vec![];
        for (labels, trust) in
            [(format!("{namespace}/hops={namespace}"), false), (format!("{namespace}/app=productcatalog"), true)]
        {
            let all = [&*manifests, &[tagging(&namespace, trust)]].concat();
            let selection = Selection::workload(&labels).unwrap();
            let mut own = generated(&all, &namespace, Via::ClusterHeader, selection, None, &url);
            for one in &mut own {
                one["metadata"]["name"] = json!(if trust { "mesh" } else { "edge" });
            }
            resources.extend(own);
        }
        let strict = json!({"mtls": {"mode": "STRICT"}});
        manifests.push(object("security.istio.io/v1", "PeerAuthentication", "default", &namespace, &strict));
        chain.apply_all(&[&*manifests, &*resources].concat()).await.unwrap();
        let (one, two, three, gateway) = tokio::try_join!(
            chain.agent(&v1.plan).start(),
            chain.agent(&v2.plan).start(),
            chain.agent(&sidecar).start(),
            chain.agent(&gateway).start(),
        )
        .unwrap();
        for plugin in resources.iter().filter(|one| one["kind"] == "WasmPlugin") {
            let name = plugin["metadata"]["name"].as_str().unwrap();
            let proxy = if name == "edge" { &gateway } else { &three };
            proxy.wait_plugin(&format!("{namespace}/{name}"), &plugin["spec"]["pluginConfig"]).await.unwrap();
        }
        let mesh = Self {
            namespace,
            inbound: vec![inbound, v1.at, v2.at],
            v1: v1.echo,
            v2: v2.echo,
            gateway,
            _app: app,
            sidecars: vec![one, two, three],
        };
        let ready = async || {
            let mut client = mesh.gateway.client(80)?;
            for role in ["staff", "guest"] {
                let response = client.send(&mesh.through("/").header("x-role", role)).await?;
                let body = response.json().unwrap_or_default();
                if response.status != 200 || body["called"]["status"] != 200 {
                    return Err(format!("status {}: {}", response.status, response.text()));
                }
            }
            Ok(())
        };
        eventually(PATIENCE, ready).await.unwrap_or_else(|why| panic!("{why}\n{}", mesh.sidecars[2].log_tail()));
        mesh
    }

    /// A request that productcatalog hands on to catalogdetail.
    fn through(&self, path: &str) -> Request {
        Request::new("GET", CATALOG, path)
            .header(app::CALL, format!("catalogdetail.{}.svc.cluster.local", self.namespace))
    }

    /// What productcatalog answers.
    async fn send(&self, request: &Request) -> Value {
        let response = self.gateway.client(80).unwrap().send(request).await.unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
        response.json().unwrap()
    }

    /// Forgets what both versions have seen.
    fn drain(&self) {
        self.v1.received();
        self.v2.received();
    }

    fn cluster(&self, subset: &str) -> String {
        format!("outbound|80|{subset}|catalogdetail.{}.svc.cluster.local", self.namespace)
    }
}

/// The headers that a workload saw.
fn headers(answer: &Value) -> Vec<(String, String)> {
    serde_json::from_value(answer["headers"].clone()).unwrap_or_default()
}

/// The values of one of them.
fn received(answer: &Value, name: &str) -> Vec<String> {
    headers(answer).into_iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect()
}

fn routes(namespace: &str) -> Vec<Value> {
    let networking =
        |kind: &str, name: &str, spec: &Value| object("networking.istio.io/v1", kind, name, namespace, spec);
    let version = |name: &str| json!({"name": name, "labels": {"version": name}});
    let to = |subset: &str| json!([{"destination": {"host": "catalogdetail", "subset": subset}}]);
    let internal = json!({"user-type": {"exact": "internal"}});
    vec![
        networking(
            "Gateway",
            "edge",
            &json!({"selector": {"hops": namespace}, "servers":
                [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}),
        ),
        networking(
            "DestinationRule",
            "catalogdetail",
            &json!({"host": "catalogdetail", "subsets": [version("v1"), version("v2")],
                "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}),
        ),
        networking(
            "VirtualService",
            "productcatalog",
            &json!({"hosts": [CATALOG], "gateways": ["edge"],
                "http": [{"name": "all", "route": [{"destination": {"host": "productcatalog"}}]}]}),
        ),
        networking(
            "VirtualService",
            "catalogdetail",
            &json!({"hosts": ["catalogdetail"], "http": [
                {"name": "copied", "match": [{"uri": {"exact": "/copy"}}], "route": to("v2"),
                    "mirrors": [{"destination": {"host": "catalogdetail", "subset": "v1"}}]},
                {"name": "again", "match": [{"uri": {"exact": "/again"}}], "route": to("v2"),
                    "retries": {"attempts": 2, "retryOn": "5xx"}},
                {"name": "internal", "match": [{"headers": internal}], "route": to("v2")},
                {"name": "rest", "route": to("v1")}]}),
        ),
    ]
}

/// The gateway tags by role; the sidecar believes it, and would draw for who has no tag.
fn tagging(namespace: &str, trust: bool) -> Value {
    let role = |role: &str, value: &str| json!({"match": [{"headers": {"x-role": {"exact": role}}}], "value": value});
    let rules = if trust { json!([]) } else { json!([role("staff", "internal"), role("guest", "external")]) };
    let split = json!([{"value": "external", "weight": 50}, {"value": "internal", "weight": 50}]);
    policy(namespace, &json!({"header": "user-type", "trustClient": trust, "rules": rules, "split": split}))
}
