//! Two teams' Gateways on the same pods: what is generated for one of them does nothing to the other's requests.

use serde_json::{Value, json};
use std::path::Path;
use switchyard_envoy::istio::{Selection, Via};
use switchyard_tests::harness::{Ca, Certificate, Client, Echo, Request, Tls};
use switchyard_tests::istio::{IstioEnvoy, Istiod, Proxy};
use tempfile::TempDir;

const ADMIN: &str = "admin.example.com";

/// A team's service, Gateway and VirtualService.
fn team(namespace: &str, server: &Value, host: &str, http: &Value, echo: &Echo) -> Vec<Value> {
    let of = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec});
    let address = |port: u16| json!([{"address": "127.8.0.1", "ports": {"http": port}}]);
    vec![
        of(
            "ServiceEntry",
            "app",
            json!({"hosts": [format!("app.{namespace}.svc.cluster.local")], "resolution": "STATIC",
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "endpoints": address(echo.address().port())}),
        ),
        of("Gateway", "gate", json!({"selector": {"istio": "ingressgateway"}, "servers": [server]})),
        of("VirtualService", "app", json!({"hosts": [host], "gateways": ["gate"], "http": http})),
    ]
}

/// What is generated for the first team's Gateway from these.
fn generated(manifests: &[Value]) -> Vec<Value> {
    super::generated(manifests, Via::ClusterHeader, Selection::gateway("demo/gate").unwrap(), "switchyard-demo.gate")
}

/// What only the filter does to a request for the first team's host: it is answered, rewritten, or routed.
fn rules() -> Value {
    let to = json!([{"destination": {"host": "app.demo.svc.cluster.local"}}]);
    json!([
        {"name": "answered", "match": [{"uri": {"exact": "/answered"}}], "directResponse": {"status": 299}},
        {"name": "broken", "match": [{"uri": {"exact": "/broken"}}], "route": to,
            "fault": {"abort": {"httpStatus": 555, "percentage": {"value": 100}}}},
        {"name": "moved", "match": [{"uri": {"prefix": "/old/"}}], "rewrite": {"uri": "/new/"}, "route": to},
        {"name": "rest", "route": to}])
}

fn public(echo: &Echo, server: &Value) -> Vec<Value> {
    let http = json!([{"name": "public", "route": [{"destination": {"host": "app.other.svc.cluster.local"}}]}]);
    team("other", server, "*", &http, echo)
}

/// Istio's own rules of the first team answer 599: what is decided is decided by the filter.
fn stubbed(manifests: &[Value]) -> Vec<Value> {
    let mut all = manifests.to_vec();
    for one in all.iter_mut().filter(|one| one["kind"] == "VirtualService") {
        one["spec"]["http"] = json!([{"name": "stub", "directResponse": {"status": 599}}]);
    }
    all
}

/// Status, and who was reached by which path.
type Reached = (u16, Option<(String, String)>);

async fn ask(client: &mut Client, host: &str, path: &str) -> Result<Reached, String> {
    let response = client.send(&Request::new("GET", host, path)).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let reached = response.json().ok().map(|said| (text(&said["upstream"]), text(&said["path"])));
    Ok((response.status, reached))
}

/// Everything that the first team's rules do, here.
async fn is_decided(client: &mut Client) {
    let at = |path: &str| (200, Some(("admin".to_owned(), path.to_owned())));
    assert_eq!(ask(client, ADMIN, "/").await.unwrap(), at("/"));
    assert_eq!(ask(client, ADMIN, "/old/a").await.unwrap(), at("/new/a"));
    assert_eq!(ask(client, ADMIN, "/answered").await.unwrap().0, 299);
    assert_eq!(ask(client, ADMIN, "/broken").await.unwrap().0, 555);
}

/// Nothing of it: whatever host is asked for, this is the second team's.
async fn is_others(client: &mut Client) {
    for host in [ADMIN, "www.example.com"] {
        for path in ["/", "/old/a", "/answered", "/broken"] {
            let expected = (200, Some(("public".to_owned(), path.to_owned())));
            assert_eq!(ask(client, host, path).await.unwrap(), expected, "{host} {path}");
        }
    }
}

async fn echoes() -> [Echo; 2] {
    let start = |name: &'static str| Echo::named(name).at(([0, 0, 0, 0], 0).into()).start();
    [start("admin").await.unwrap(), start("public").await.unwrap()]
}

fn proxy(ports: &[u16]) -> Proxy {
    let labels = [("istio".into(), "ingressgateway".into()), ("app".into(), "ingress".into())];
    Proxy::gateway("edge", "gates", ports.iter().copied()).labelled(labels)
}

async fn run(proxy: &Proxy, manifests: Vec<Value>) -> (Istiod, IstioEnvoy) {
    let istiod = Istiod::start(&manifests).await.unwrap();
    // The plugin is there when this Envoy starts: the first one that came later would end it (istio.md 5.6).
    let envoy = istiod.run(proxy).await.unwrap();
    (istiod, envoy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateways_rules_do_nothing_at_the_ports_of_others() {
    let [admin, open] = echoes().await;
    let plain =
        |port: u16, host: &str| json!({"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": [host]});
    let own = team("demo", &plain(8081, ADMIN), ADMIN, &rules(), &admin);
    let theirs = public(&open, &plain(80, "*"));
    let proxy = proxy(&[80, 8081]);
    let ours = generated(&[own.clone(), theirs.clone()].concat());
    let plugins: Vec<_> = ours.iter().filter(|one| one["kind"] == "WasmPlugin").collect();
    assert!(plugins.len() == 1 && plugins[0]["spec"]["match"][0]["ports"] == json!([{"number": 8081}]), "{plugins:?}");
    let (_istiod, envoy) = run(&proxy, [stubbed(&own), theirs, ours, proxy.manifests()].concat()).await;
    is_decided(&mut envoy.client(8081).unwrap()).await;
    is_others(&mut envoy.client(80).unwrap()).await;
    envoy.stop().await.unwrap();
}

/// Certificates of files in the place of an istio-agent's; those of `name` want the client's too.
pub(super) fn certificates(folder: &Path, real: u16, name: &str) -> Value {
    let socket = |called: &str, context: Value| {
        let kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
        let mut context = context;
        context["@type"] = json!(kind);
        json!({"name": called, "typed_config": context})
    };
    let certificate = json!({
        "certificate_chain": {"filename": folder.join("tls.crt")}, "private_key": {"filename": folder.join("tls.key")},
    });
    let open = json!({"common_tls_context": {"tls_certificates": [certificate], "alpn_protocols": ["h2", "http/1.1"]}});
    let mut guarded = open.clone();
    guarded["require_client_certificate"] = json!(true);
    guarded["common_tls_context"]["validation_context"] = json!({"trusted_ca": {"filename": folder.join("ca.crt")}});
    let patch = |found: Value, socket: Value| {
        json!({"applyTo": "FILTER_CHAIN", "match": {"context": "GATEWAY", "listener": found},
            "patch": {"operation": "MERGE", "value": {"transport_socket": socket}}})
    };
    json!({
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
        "metadata": {"name": "certificates", "namespace": "gates"},
        "spec": {"configPatches": [
            patch(json!({"portNumber": real}), socket("tls", open)),
            patch(json!({"portNumber": real, "filterChain": {"sni": name}}), socket("mutual", guarded)),
        ]},
    })
}

/// A client that asks for a server by this name.
fn client(proxy: &Proxy, ca: &Ca, name: &str, own: Option<&Certificate>) -> Client {
    Client::new(proxy.address(443).unwrap()).over(Tls::new(name, ca, own).unwrap())
}

/// Each HTTPS server has its own routes in Istio: by the one that asks for no certificate, nobody gets to what stands
/// behind the other, though one plugin decides for the port and the other team's manifests were not there.
#[tokio::test(flavor = "multi_thread")]
async fn who_shows_no_certificate_gets_nothing_of_a_server_that_wants_one() {
    let [admin, open] = echoes().await;
    let folder = TempDir::new().unwrap();
    let ca = Ca::new("shared");
    ca.server(&[ADMIN, "www.example.com"]).write(folder.path()).unwrap();
    std::fs::write(folder.path().join("ca.crt"), ca.pem()).unwrap();
    let https = |name: &str, host: &str, mode: &str| {
        json!({"port": {"number": 443, "name": name, "protocol": "HTTPS"}, "hosts": [host],
            "tls": {"mode": mode, "credentialName": name}})
    };
    let own = team("demo", &https("https-admin", ADMIN, "MUTUAL"), ADMIN, &rules(), &admin);
    let theirs = public(&open, &https("https-public", "*", "SIMPLE"));
    let proxy = proxy(&[443]);
    let files = certificates(folder.path(), proxy.address(443).unwrap().port(), ADMIN);
    let all = [stubbed(&own), theirs, generated(&own), proxy.manifests(), vec![files]].concat();
    let (_istiod, envoy) = run(&proxy, all).await;
    let shown = ca.client("operator");
    is_decided(&mut client(&proxy, &ca, ADMIN, Some(&shown))).await;
    let refused = ask(&mut client(&proxy, &ca, ADMIN, None), ADMIN, "/").await;
    assert!(refused.is_err(), "{refused:?}");
    is_others(&mut client(&proxy, &ca, "www.example.com", None)).await;
    envoy.stop().await.unwrap();
}
