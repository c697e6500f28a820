//! Whose requests are decided at all: what the gateway's pods see, and what a wildcard in the mesh stands for.

use super::{documents, released_wasm};
use serde_json::{Value, json};
use switchyard_envoy::istio::{Code, ROOT_NAMESPACE, Selection, Settings, Url, Via, generate, home};
use switchyard_envoy::manifest::{Input, read_sources};
use switchyard_envoy::translate::Options;
use switchyard_tests::harness::{Echo, Request};
use switchyard_tests::istio::{IstioEnvoy, Istiod, Proxy};

fn of(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "demo"}, "spec": spec})
}

fn service(name: &str, host: &str, port: u16, echo: &Echo) -> Value {
    let endpoint = json!({"address": "127.8.0.1", "ports": {"http": echo.address().port()}});
    let ports = json!([{"number": port, "name": "http", "protocol": "HTTP"}]);
    of("ServiceEntry", name, &json!({"hosts": [host], "resolution": "STATIC", "ports": ports, "endpoints": [endpoint]}))
}

fn routed(name: &str, host: &str, gateway: &str, exports: &[&str]) -> Value {
    let route = json!([{"destination": {"host": format!("{name}.demo.svc.cluster.local")}}]);
    let http = json!([{"name": name, "route": route}]);
    of("VirtualService", name, &json!({"hosts": [host], "gateways": [gateway], "exportTo": exports, "http": http}))
}

/// What the command generates without `--namespace`.
fn generated(manifests: &[Value], selection: Selection) -> Vec<Value> {
    let text = json!({"apiVersion": "v1", "kind": "List", "items": manifests}).to_string();
    let mut read = read_sources(vec![Input { name: "m.yaml".into(), bytes: text.into() }], None).unwrap();
    let url = Url::parse(&format!("file://{}", released_wasm().display())).unwrap();
    let settings = Settings {
        via: Via::ClusterHeader,
        selection,
        name: "switchyard".into(),
        root_namespace: ROOT_NAMESPACE.into(),
        code: Code { url, sha256: None, pull_secret: None },
        fail_strategy: None,
        phase: None,
    };
    let options = Options::default();
    read.namespace = home(&read, None, &options, &settings).unwrap();
    documents(&generate(&read, &options, &settings).unwrap().text)
}

/// The status, and the service whose cluster a request was sent to.
async fn ask(envoy: &IstioEnvoy, echo: &Echo, port: u16, host: &str) -> (u16, Option<String>) {
    let seen = envoy.send(&mut envoy.client(port).unwrap(), echo, &Request::new("GET", host, "/")).await.unwrap();
    let service = |cluster: String| cluster.rsplit('|').next().unwrap_or_default().split('.').next().map(str::to_owned);
    (seen.status, seen.cluster.filter(|_| seen.upstream.is_some()).and_then(service))
}

fn sent(to: &str) -> (u16, Option<String>) {
    (200, Some(to.into()))
}

/// Istio's rules answer 599 for what is embedded.
fn stubbed(manifests: &mut [Value]) {
    for one in manifests.iter_mut().filter(|one| one["kind"] == "VirtualService") {
        one["spec"]["http"] = json!([{"name": "stub", "directResponse": {"status": 599}}]);
    }
}

async fn echo() -> Echo {
    Echo::named("upstream").at(([0, 0, 0, 0], 0).into()).recording().start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_decides_what_the_namespace_of_its_pods_sees() {
    let echo = echo().await;
    let mut all: Vec<_> = ["own", "theirs", "public"]
        .map(|name| service(name, &format!("{name}.demo.svc.cluster.local"), 80, &echo))
        .into();
    let servers = json!([{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]);
    all.push(of("Gateway", "edge", &json!({"selector": {"istio": "ingressgateway"}, "servers": servers})));
    all.push(routed("own", "own.example.com", "edge", &["."]));
    all.push(routed("theirs", "theirs.example.com", "edge", &["gates"]));
    all.push(routed("public", "*.example.com", "edge", &[]));
    // istiod reads none from files here.
    let pods = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ingress", "namespace": "gates"},
        "spec": {"selector": {"istio": "ingressgateway"}, "ports": [{"name": "http", "port": 80}]}});
    let ours = generated(&[all.clone(), vec![pods]].concat(), Selection::gateway("demo/edge").unwrap());

    let proxy = Proxy::gateway("edge", "gates", [80]).labelled([("istio".into(), "ingressgateway".into())]);
    let hosts = [("own", "public"), ("theirs", "theirs"), ("other", "public")];
    let istio = Istiod::start(&[all.clone(), proxy.manifests()].concat()).await.unwrap();
    let envoy = istio.run(&proxy).await.unwrap();
    for (host, to) in hosts {
        assert_eq!(ask(&envoy, &echo, 80, &format!("{host}.example.com")).await, sent(to), "{host}, by Istio alone");
    }
    envoy.stop().await.unwrap();

    stubbed(&mut all);
    let istio = Istiod::start(&[all, ours, proxy.manifests()].concat()).await.unwrap();
    let envoy = istio.run(&proxy).await.unwrap();
    for (host, to) in hosts {
        assert_eq!(ask(&envoy, &echo, 80, &format!("{host}.example.com")).await, sent(to), "{host}");
    }
    envoy.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_of_the_mesh_takes_no_other_hosts_than_those_of_services() {
    let echo = echo().await;
    let mut all: Vec<_> =
        ["wide", "api"].map(|name| service(name, &format!("{name}.demo.svc.cluster.local"), 8081, &echo)).into();
    all.push(service("outside", "api.example.com", 8081, &echo));
    all.push(service("exact", "exact.example.com", 8081, &echo));
    all.push(service("below", "*.below.example.com", 8081, &echo));
    all.push(routed("wide", "*.example.com", "mesh", &[]));
    all.push(routed("api", "exact.example.com", "mesh", &[]));
    let ours = generated(&all, Selection::workload("demo/app=front").unwrap());

    let proxy = Proxy::sidecar("front", "demo", [8081]).labelled([("app".into(), "front".into())]);
    let hosts = [
        ("api", sent("wide")),
        ("exact", sent("api")),
        ("a.below", sent("wide")),
        ("below", (502, None)),
        ("other", (502, None)),
    ];
    let istio = Istiod::start(&[all.clone(), proxy.manifests()].concat()).await.unwrap();
    let envoy = istio.run(&proxy).await.unwrap();
    for (host, expected) in hosts.clone() {
        assert_eq!(ask(&envoy, &echo, 8081, &format!("{host}.example.com")).await, expected, "{host}, by Istio alone");
    }
    envoy.stop().await.unwrap();

    stubbed(&mut all);
    let istio = Istiod::start(&[all, ours, proxy.manifests()].concat()).await.unwrap();
    let envoy = istio.run(&proxy).await.unwrap();
    for (host, expected) in hosts {
        assert_eq!(ask(&envoy, &echo, 8081, &format!("{host}.example.com")).await, expected, "{host}");
    }
    envoy.stop().await.unwrap();
}
