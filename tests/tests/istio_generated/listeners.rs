//! Servers whose ports differ, and of which the gateway's Service makes one listener.

use super::shared::certificates;
use serde_json::{Value, json};
use switchyard_envoy::istio::{Selection, Via};
use switchyard_tests::harness::{Ca, Client, Echo, Request, Tls};
use switchyard_tests::istio::{IstioEnvoy, Istiod, Proxy};
use tempfile::TempDir;

const ONE: &str = "one.example.com";
const ALL: &str = "*.example.com";

fn of(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "demo"}, "spec": spec})
}

/// A service, and a Gateway with a server that has it.
fn gateway(name: &str, host: &str, server: &Value, echo: &Echo) -> Vec<Value> {
    let mut server = server.clone();
    server["hosts"] = json!([host]);
    let service = format!("{name}.demo.svc.cluster.local");
    let endpoint = json!({"address": "127.8.0.1", "ports": {"http": echo.address().port()}});
    let route = json!({"name": name, "route": [{"destination": {"host": service}}]});
    vec![
        of(
            "ServiceEntry",
            name,
            &json!({"hosts": [service], "resolution": "STATIC", "endpoints": [endpoint],
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}),
        ),
        of("Gateway", name, &json!({"selector": {"istio": "ingressgateway"}, "servers": [server]})),
        of("VirtualService", name, &json!({"hosts": [host], "gateways": [name], "http": [route]})),
    ]
}

/// The Service of the gateway, as manifests have it and as Istio has it here, where there are no pods.
fn service(proxy: &Proxy, from: u16, to: u16) -> [Value; 2] {
    let labels = json!({"istio": "ingressgateway"});
    // Those of the endpoint are the proxy's from then on.
    let mut all = proxy.selector()["labels"].clone();
    all["istio"] = labels["istio"].clone();
    [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "gates", "namespace": "gates"},
            "spec": {"selector": labels, "ports": [{"name": "p", "port": from, "targetPort": to}]}}),
        json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": {"name": "gates", "namespace": "gates"},
            "spec": {"hosts": ["gates.gates.svc.cluster.local"], "resolution": "STATIC",
                "ports": [{"number": from, "name": "http", "protocol": "HTTP", "targetPort": to}],
                "endpoints": [{"address": proxy.ip(), "labels": all}]}}),
    ]
}

fn proxy(port: u16) -> Proxy {
    Proxy::gateway("edge", "gates", [port]).labelled([("istio".into(), "ingressgateway".into())])
}

async fn echoes() -> [Echo; 2] {
    let start = |name: &'static str| Echo::named(name).at(([0, 0, 0, 0], 0).into()).start();
    [start("one").await.unwrap(), start("two").await.unwrap()]
}

/// Istio's own rules answer 599.
fn stubbed(mut all: Vec<Value>) -> Vec<Value> {
    for one in all.iter_mut().filter(|one| one["kind"] == "VirtualService") {
        one["spec"]["http"] = json!([{"name": "stub", "directResponse": {"status": 599}}]);
    }
    all
}

async fn run(proxy: &Proxy, manifests: Vec<Value>) -> (Istiod, IstioEnvoy) {
    let istiod = Istiod::start(&[manifests, proxy.manifests()].concat()).await.unwrap();
    let envoy = istiod.run(proxy).await.unwrap();
    (istiod, envoy)
}

/// Who was reached.
async fn ask(client: &mut Client, host: &str) -> (u16, Option<String>) {
    ask_for(client, host, "/").await
}

async fn ask_for(client: &mut Client, host: &str, path: &str) -> (u16, Option<String>) {
    let response = client.send(&Request::new("GET", host, path)).await.unwrap();
    let upstream = response.json().ok().and_then(|said| Some(said["upstream"].as_str()?.to_owned()));
    (response.status, upstream)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_plain_ports_of_one_listener_have_one_plugin() {
    let [one, two] = echoes().await;
    let proxy = proxy(8080);
    let plain = |port: u16| json!({"port": {"number": port, "name": "http", "protocol": "HTTP"}});
    let all = [gateway("one", ONE, &plain(80), &one), gateway("two", "two.example.com", &plain(8080), &two)].concat();
    let [known, there] = service(&proxy, 80, 8080);
    let workload = Selection::workload("gates/istio=ingressgateway").unwrap();
    let ours = super::generated(&[all.clone(), vec![known]].concat(), Via::ClusterHeader, workload, "switchyard");
    let plugins: Vec<_> = ours.iter().filter(|one| one["kind"] == "WasmPlugin").collect();
    assert!(plugins.len() == 1 && plugins[0]["spec"]["match"][0]["ports"] == json!([{"number": 8080}]), "{plugins:?}");
    let (_istiod, envoy) = run(&proxy, [stubbed(all), ours, vec![there]].concat()).await;
    let mut client = envoy.client(8080).unwrap();
    assert_eq!(ask(&mut client, ONE).await, (200, Some("one".into())));
    assert_eq!(ask(&mut client, "two.example.com").await, (200, Some("two".into())));
    assert_eq!(ask(&mut client, "three.example.com").await, (404, None));
    envoy.stop().await.unwrap();
}

/// What is advised where only the name in TLS tells two servers apart: a plugin for each Gateway, which does nothing at the
/// other's server, though that has another port.
#[tokio::test(flavor = "multi_thread")]
async fn plugins_of_two_gateways_leave_each_others_https_servers_alone() {
    let [one, two] = echoes().await;
    let folder = TempDir::new().unwrap();
    let ca = Ca::new("listeners");
    ca.server(&[ONE, ALL]).write(folder.path()).unwrap();
    std::fs::write(folder.path().join("ca.crt"), ca.pem()).unwrap();
    let proxy = proxy(8443);
    let https = |port: u16| {
        json!({"port": {"number": port, "name": "https", "protocol": "HTTPS"},
            "tls": {"mode": "SIMPLE", "credentialName": "both"}})
    };
    let mut all = [gateway("one", ONE, &https(443), &one), gateway("two", ALL, &https(8443), &two)].concat();
    // What the filter does by itself, wherever it runs.
    let answered = json!({"match": [{"uri": {"exact": "/answered"}}], "directResponse": {"status": 299}});
    all[2]["spec"]["http"].as_array_mut().unwrap().insert(0, answered);
    let [known, there] = service(&proxy, 443, 8443);
    let known = [all.clone(), vec![known]].concat();
    let ours = ["one", "two"].map(|name| {
        let gateway = Selection::gateway(&format!("demo/{name}")).unwrap();
        super::generated(&known, Via::ClusterHeader, gateway, &format!("switchyard-demo.{name}"))
    });
    let files = certificates(folder.path(), proxy.address(8443).unwrap().port(), "nobody.example.com");
    let (_istiod, envoy) = run(&proxy, [stubbed(all), ours.concat(), vec![there, files]].concat()).await;
    let client = |name: &str| Client::new(proxy.address(8443).unwrap()).over(Tls::new(name, &ca, None).unwrap());
    assert_eq!(ask(&mut client(ONE), ONE).await, (200, Some("one".into())));
    assert_eq!(ask(&mut client("x.example.com"), "x.example.com").await, (200, Some("two".into())));
    assert_eq!(ask_for(&mut client(ONE), ONE, "/answered").await.0, 299);
    // As in Istio, which goes by the name in TLS.
    assert_eq!(ask(&mut client("x.example.com"), ONE).await, (200, Some("two".into())));
    assert_eq!(ask_for(&mut client("x.example.com"), ONE, "/answered").await, (200, Some("two".into())));
    assert_eq!(ask(&mut client(ONE), "x.example.com").await, (404, None));
    envoy.stop().await.unwrap();
}
