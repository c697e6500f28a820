//! What `generate --target istio` writes, in istiod and stock Envoys: gateway and sidecar, both forms. The VirtualServices
//! that are embedded are stubs in Istio, which answer 599: what is decided is decided by the filter.

#![cfg(not(target_family = "wasm"))]

#[path = "istio_generated/hosts.rs"]
mod hosts;
#[path = "istio_generated/imported.rs"]
mod imported;
#[path = "istio_generated/listeners.rs"]
mod listeners;
#[path = "istio_generated/servers.rs"]
mod servers;
#[path = "istio_generated/shared.rs"]
mod shared;

use serde_json::{Value, json};
use std::time::Duration;
use switchyard_envoy::istio::{Code, ROOT_NAMESPACE, Selection, Settings, Url, Via, generate};
use switchyard_envoy::manifest::{Input, read_sources};
use switchyard_envoy::translate::Options;
use switchyard_envoy::yaml;
use switchyard_tests::harness::{Client, Echo, Request, released_wasm};
use switchyard_tests::istio::{Exchange, IstioEnvoy, Istiod, Proxy, to_upstream};

const V1: &str = "outbound|80|v1|shop.demo.svc.cluster.local";
const V2: &str = "outbound|80|v2|shop.demo.svc.cluster.local";

/// Two services, of which one is not embedded, at the edge and in the mesh.
const MANIFESTS: &str = r#"
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop, namespace: demo}
spec:
  hosts: [shop.demo.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: plain, namespace: demo}
spec:
  hosts: [plain.demo.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop, namespace: demo}
spec:
  host: shop
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: demo}
spec:
  hosts: [shop]
  gateways: [mesh, edge]
  http:
  - name: broken
    match: [{uri: {exact: /broken}}]
    fault: {abort: {httpStatus: 503, percentage: {value: 100}}}
    route: [{destination: {host: shop, subset: v1}}]
  - name: slow
    match: [{uri: {exact: /slow}}]
    fault: {delay: {fixedDelay: 300ms, percentage: {value: 100}}}
    route: [{destination: {host: shop, subset: v1}}]
  - name: copied
    match: [{uri: {exact: /copied}}]
    mirror: {host: shop, subset: v2}
    route: [{destination: {host: shop, subset: v1}}]
  - name: again
    match: [{uri: {exact: /again}}]
    retries: {attempts: 2, retryOn: '503'}
    route: [{destination: {host: shop, subset: v1}}]
  - name: late
    match: [{uri: {exact: /late}}]
    timeout: 300ms
    retries: {attempts: 0}
    route: [{destination: {host: shop, subset: v1}}]
  - name: moved
    match: [{uri: {prefix: /old/}}]
    rewrite: {uri: /new/}
    route: [{destination: {host: shop, subset: v1}}]
  - name: new
    match: [{headers: {user-type: {exact: new}}}]
    route: [{destination: {host: shop, subset: v2}}]
  - name: rest
    route: [{destination: {host: shop, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: plain, namespace: demo, annotations: {switchyard.dev/embed: "false"}}
spec:
  hosts: [plain]
  gateways: [mesh, edge]
  http: [{name: plain, route: [{destination: {host: plain}}]}]
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: rollout, namespace: demo}
spec:
  tags:
  - header: user-type
    rules: [{match: [{headers: {x-role: {exact: staff}}}], value: new}]
    split: [{value: old, weight: 1}]
"#;

/// What is generated for these proxies from manifests, with this name.
fn generated(manifests: &[Value], via: Via, selection: Selection, name: &str) -> Vec<Value> {
    let text = json!({"apiVersion": "v1", "kind": "List", "items": manifests}).to_string();
    let read = read_sources(vec![Input { name: "m.yaml".into(), bytes: text.into() }], Some("demo")).unwrap();
    let settings = Settings {
        via,
        selection,
        name: name.into(),
        root_namespace: ROOT_NAMESPACE.into(),
        code: Code {
            url: Url::parse(&format!("file://{}", released_wasm().display())).unwrap(),
            sha256: None,
            pull_secret: None,
        },
        fail_strategy: None,
        phase: None,
    };
    documents(&generate(&read, &Options::default(), &settings).unwrap().text)
}

fn documents(text: &str) -> Vec<Value> {
    let (documents, problems) = yaml::load(text);
    assert!(problems.is_empty(), "{problems:?}");
    documents.iter().map(yaml::Node::to_json).filter(|document| !document.is_null()).collect()
}

/// The manifests as Istio has them, and what is applied beside them.
fn manifests(via: Via, selection: Selection) -> Vec<Value> {
    let mut all = documents(MANIFESTS);
    let generated = generated(&all, via, selection, "switchyard");
    all.retain(|one| one["kind"] != "SwitchyardPolicy");
    if via == Via::ClusterHeader {
        for one in all.iter_mut().filter(|one| one["kind"] == "VirtualService" && one["metadata"]["name"] == "shop") {
            one["spec"]["http"] = json!([{"name": "stub", "directResponse": {"status": 599}}]);
        }
    }
    all.extend(generated);
    all
}

/// Everything that runs, and a client of it.
struct Running {
    echo: Echo,
    envoy: IstioEnvoy,
    client: Client,
    _istiod: Istiod,
}

impl Running {
    async fn start(via: Via, selection: Selection, proxy: &Proxy) -> Self {
        let echo = Echo::named("upstream").at(([0, 0, 0, 0], 0).into()).recording().obeying().start().await.unwrap();
        let mut all = manifests(via, selection);
        to_upstream(&mut all, echo.address().port());
        all.extend(proxy.manifests());
        let istiod = Istiod::start(&all).await.unwrap();
        // The plugin is there when this Envoy starts: the first one that came later would end it (istio.md 5.6).
        let envoy = istiod.run(proxy).await.unwrap();
        let client = envoy.client(80).unwrap();
        Self { echo, envoy, client, _istiod: istiod }
    }

    async fn gateway(via: Via) -> Self {
        let proxy = Proxy::gateway("edge", "demo", [80]).labelled([("istio".into(), "ingressgateway".into())]);
        Self::start(via, Selection::gateway("demo/edge").unwrap(), &proxy).await
    }

    async fn sidecar(via: Via) -> Self {
        let proxy = Proxy::sidecar("front", "demo", [80]).labelled([("app".into(), "front".into())]);
        Self::start(via, Selection::workload("demo/app=front").unwrap(), &proxy).await
    }

    async fn send(&mut self, request: &Request) -> Exchange {
        self.envoy.send(&mut self.client, &self.echo, request).await.unwrap()
    }

    async fn get(&mut self, host: &str, path: &str, headers: &[(&str, &str)]) -> Exchange {
        let request = Request::new("GET", format!("{host}.demo.svc.cluster.local"), path);
        self.send(&headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    async fn end(self) {
        self.envoy.stop().await.unwrap();
    }
}

/// The values of a header that arrived.
fn arrived<'a>(seen: &'a Exchange, name: &str) -> Vec<&'a str> {
    let headers = seen.upstream.as_ref().map(|received| received.headers.as_slice()).unwrap_or_default();
    headers.iter().filter(|(known, _)| known == name).map(|(_, value)| &**value).collect()
}

/// What the filter decides is carried out though Istio itself would answer 599.
async fn decides(running: &mut Running) {
    let seen = running.get("shop", "/", &[]).await;
    assert_eq!((seen.status, seen.cluster.as_deref(), seen.route.as_deref()), (200, Some(V1), Some("decided")));
    assert_eq!(arrived(&seen, "user-type"), ["old"]);
    assert_eq!(arrived(&seen, "x-switchyard-cluster"), [""; 0], "the route removes it");
    let seen = running.get("shop", "/", &[("x-role", "staff")]).await;
    assert_eq!((seen.status, seen.cluster.as_deref()), (200, Some(V2)));
    assert_eq!(arrived(&seen, "user-type"), ["new"]);
    let seen = running.get("shop", "/old/a?b=c", &[]).await;
    assert_eq!((seen.status, seen.path.as_deref()), (200, Some("/new/a?b=c")));

    let seen = running.get("shop", "/broken", &[]).await;
    assert_eq!((seen.status, &*seen.flags, &*seen.details), (503, "FI", "fault_filter_abort"));
    let start = std::time::Instant::now();
    let seen = running.get("shop", "/slow", &[]).await;
    assert_eq!((seen.status, &*seen.flags), (200, "DI"));
    // Envoy's timers may fire 3 ms early.
    assert!(start.elapsed() >= Duration::from_millis(295), "{:?}", start.elapsed());
    let seen = running.get("shop", "/again", &[("x-answer-status", "503")]).await;
    assert_eq!((seen.status, seen.tries), (503, 3), "two retries");
    let seen = running.get("shop", "/", &[("x-answer-status", "503")]).await;
    assert_eq!((seen.status, seen.tries), (503, 1), "503 is none of Istio's default conditions");
    let seen = running.get("shop", "/late", &[("x-answer-after-ms", "1500")]).await;
    assert_eq!((seen.status, &*seen.flags, &*seen.details, seen.tries), (504, "UT", "response_timeout", 1));

    let mut seen = running.get("shop", "/copied", &[]).await;
    for _ in 0..200 {
        if !seen.mirrored.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        seen.mirrored.extend(running.echo.received());
    }
    assert_eq!((seen.status, seen.cluster.as_deref(), seen.mirrored.len()), (200, Some(V1), 1));
    let ours = |(name, _): &&(String, String)| name.starts_with("x-switchyard-");
    assert_eq!(seen.mirrored[0].headers.iter().find(ours), None, "no header of ours reaches a mirror");
}

/// What a client sends to steer does nothing, wherever it sends it.
async fn steers_nobody(running: &mut Running) {
    let control: [&[(&str, &str)]; 6] = [
        &[("x-switchyard-cluster", V2)],
        &[("X_Switchyard_Cluster", V2), ("x-switchyard-cluster", V2)],
        &[("x-envoy-fault-abort-request", "418"), ("x-envoy-fault-abort-request-percentage", "100")],
        &[("x-envoy-fault-delay-request", "60000")],
        &[("x-switchyard-mirror-1", V2), ("x-switchyard-hash", "a")],
        &[("user-type", "new"), ("user_type", "new"), ("User-Type", "new")],
    ];
    for headers in control {
        let seen = running.get("shop", "/", headers).await;
        assert_eq!((seen.status, seen.cluster.as_deref()), (200, Some(V1)), "{headers:?}");
        assert_eq!((arrived(&seen, "user-type"), seen.mirrored.len()), (vec!["old"], 0), "{headers:?}");
        assert_eq!(arrived(&seen, "user_type"), [""; 0], "{headers:?}");

        // What is not embedded is Istio's; its tags are the filter's all the same.
        let seen = running.get("plain", "/", headers).await;
        let cluster = "outbound|80||plain.demo.svc.cluster.local";
        assert_eq!((seen.status, seen.cluster.as_deref(), seen.route.as_deref()), (200, Some(cluster), Some("plain")));
        assert_eq!(seen.virtual_service.as_deref(), Some("demo/plain"), "{headers:?}");
        assert_eq!(arrived(&seen, "user-type"), ["old"], "{headers:?}");

        // A host that nobody has.
        let seen = running.get("nowhere", "/", headers).await;
        assert!(matches!(seen.status, 404 | 502) && seen.upstream.is_none(), "{headers:?}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_decides_and_nobody_outside_steers() {
    let mut running = Running::gateway(Via::ClusterHeader).await;
    decides(&mut running).await;
    steers_nobody(&mut running).await;
    let chosen = "11111111-1111-4111-8111-111111111111";
    for host in ["shop", "plain"] {
        let seen = running.get(host, "/", &[("x-request-id", chosen)]).await;
        let ids = arrived(&seen, "x-request-id");
        assert!(ids.len() == 1 && ids != [chosen] && ids[0].len() == 36, "{host}: {ids:?}");
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_decides_what_its_workload_calls() {
    let mut running = Running::sidecar(Via::ClusterHeader).await;
    decides(&mut running).await;
    steers_nobody(&mut running).await;
    // In the mesh a request's id is handed on.
    let id = "11111111-1111-4111-8111-111111111111";
    let seen = running.get("shop", "/", &[("x-request-id", id)]).await;
    assert_eq!(arrived(&seen, "x-request-id"), [id]);
    running.end().await;
}

/// Headers of a request.
type Headers = &'static [(&'static str, &'static str)];

/// Istio routes by tags that nobody can choose.
async fn tags(mut running: Running) {
    let table: [(Headers, &str, &str); 3] = [
        (&[], V1, "rest"),
        (&[("x-role", "staff")], V2, "new"),
        (&[("user-type", "new"), ("User_Type", "new"), ("x-switchyard-cluster", V2)], V1, "rest"),
    ];
    for (headers, cluster, route) in table {
        let seen = running.get("shop", "/", headers).await;
        assert_eq!((seen.status, seen.cluster.as_deref(), seen.route.as_deref()), (200, Some(cluster), Some(route)));
        assert_eq!(seen.virtual_service.as_deref(), Some("demo/shop"), "{headers:?}");
        assert_eq!(arrived(&seen, "user-type"), [if cluster == V2 { "new" } else { "old" }], "{headers:?}");
    }
    // Faults, mirrors and rewrites are Istio's own.
    let seen = running.get("shop", "/broken", &[]).await;
    assert_eq!((seen.status, &*seen.flags, seen.route.as_deref()), (503, "FI", Some("broken")));
    let seen = running.get("shop", "/old/a", &[]).await;
    assert_eq!((seen.status, seen.path.as_deref()), (200, Some("/new/a")));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_tags_and_istio_routes() {
    tags(Running::gateway(Via::Tags).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_tags_and_istio_routes() {
    tags(Running::sidecar(Via::Tags).await).await;
}

/// A connection that is older than the EnvoyFilter keeps the list of what was stripped before, and changed routes come to
/// it at once: the route must know.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_from_before_the_envoy_filter_steers_nobody() {
    let echo = Echo::named("upstream").at(([0, 0, 0, 0], 0).into()).recording().start().await.unwrap();
    let proxy = Proxy::gateway("edge", "demo", [80]).labelled([("istio".into(), "ingressgateway".into())]);
    let mut all = manifests(Via::ClusterHeader, Selection::gateway("demo/edge").unwrap());
    to_upstream(&mut all, echo.address().port());
    all.extend(proxy.manifests());
    all.retain(|one| one["kind"] != "WasmPlugin");
    let is_ours = |one: &&Value| one["kind"] == "EnvoyFilter" && one["metadata"]["name"] == "switchyard";
    let without: Vec<Value> = all.iter().filter(|one| !is_ours(one)).cloned().collect();
    let istiod = Istiod::start(&without).await.unwrap();
    let envoy = istiod.run(&proxy).await.unwrap();
    let mut old = envoy.client(80).unwrap();
    let request = Request::new("GET", "plain.demo.svc.cluster.local", "/").header("x-switchyard-cluster", V2);
    let before = envoy.send(&mut old, &echo, &request).await.unwrap();
    assert_eq!((before.status, before.route.as_deref()), (200, Some("plain")));
    let version = istiod.apply(&all).await.unwrap();
    envoy.wait_synced(&version).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = envoy.send(&mut old, &echo, &request).await.unwrap();
    let mut new = envoy.client(80).unwrap();
    let fresh = envoy.send(&mut new, &echo, &request).await.unwrap();
    assert_eq!(seen.route.as_deref(), Some("plain"), "nothing is stripped there, and nothing decided");
    assert_eq!(fresh.route.as_deref(), Some("plain"), "a new connection is stripped");
    envoy.stop().await.unwrap();
}
