//! Servers of all kinds: the routes of each take what is decided, and where Istio redirects, tags are set.

use super::shared::certificates;
use serde_json::{Value, json};
use switchyard_envoy::istio::{Selection, Via};
use switchyard_tests::harness::{Ca, Client, Echo, Request, Tls};
use switchyard_tests::istio::{Istiod, Proxy};
use tempfile::TempDir;

const HOST: &str = "www.example.com";

/// A service, a Gateway with these servers, and where they send requests.
fn manifests(servers: &Value, echo: &Echo) -> Vec<Value> {
    let of = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "demo"}, "spec": spec});
    let to = json!([{"destination": {"host": "app.demo.svc.cluster.local"}}]);
    vec![
        of(
            "ServiceEntry",
            "app",
            json!({"hosts": ["app.demo.svc.cluster.local"], "resolution": "STATIC",
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                "endpoints": [{"address": "127.8.0.1", "ports": {"http": echo.address().port()}}]}),
        ),
        of("Gateway", "gate", json!({"selector": {"istio": "ingressgateway"}, "servers": servers})),
        of(
            "VirtualService",
            "app",
            json!({"hosts": [HOST], "gateways": ["gate"], "http": [{"name": "app", "route": to}]}),
        ),
    ]
}

fn server(port: u16, name: &str, protocol: &str) -> Value {
    json!({"port": {"number": port, "name": name, "protocol": protocol}, "hosts": [HOST]})
}

fn proxy(ports: &[u16]) -> Proxy {
    let labels = [("istio".into(), "ingressgateway".into())];
    Proxy::gateway("edge", "gates", ports.iter().copied()).labelled(labels)
}

async fn echo() -> Echo {
    Echo::named("app").at(([0, 0, 0, 0], 0).into()).start().await.unwrap()
}

/// Istio finds routes by their name, by what it takes it for, and by ports that several of them have.
#[tokio::test(flavor = "multi_thread")]
async fn servers_of_every_kind_take_decisions() {
    let echo = echo().await;
    let folder = TempDir::new().unwrap();
    let ca = Ca::new("servers");
    ca.server(&[HOST]).write(folder.path()).unwrap();
    std::fs::write(folder.path().join("ca.crt"), ca.pem()).unwrap();
    let https = |port: u16, name: &str, more: Value| {
        let mut server = server(port, name, "HTTPS");
        server["tls"] = json!({"mode": "SIMPLE", "credentialName": name});
        for (field, value) in more.as_object().unwrap() {
            server[field] = value.clone();
        }
        server
    };
    let redirects = json!({"tls": {"mode": "SIMPLE", "credentialName": "shown", "httpsRedirect": true}});
    let mut bound = server(8080, "http-bound", "HTTP");
    bound["bind"] = json!("127.9.0.1");
    let servers = json!([
        https(443, "https", json!({})),
        https(444, "https.main", json!({})),
        https(445, "https-bound", json!({"bind": "127.9.0.1"})),
        https(446, "https-more", json!({"bind": "127.9.0.1"})),
        https(447, "https-redirects", redirects),
        server(80, "http", "HTTP"),
        server(81, "http-proxy", "HTTP_PROXY"),
        bound,
    ]);
    let ports = [443, 444, 445, 446, 447, 80, 81, 8080];
    let proxy = proxy(&ports);
    let mut all = manifests(&servers, &echo);
    let ours = super::generated(&all, Via::ClusterHeader, Selection::gateway("demo/gate").unwrap(), "switchyard");
    all[2]["spec"]["http"] = json!([{"name": "stub", "directResponse": {"status": 599}}]);
    for port in ports.into_iter().filter(|port| (443..448).contains(port)) {
        let mut files = certificates(folder.path(), proxy.address(port).unwrap().port(), "nobody.example.com");
        files["metadata"]["name"] = json!(format!("certificates-{port}"));
        all.push(files);
    }
    let istiod = Istiod::start(&[all, ours, proxy.manifests()].concat()).await.unwrap();
    let envoy = istiod.run(&proxy).await.unwrap();
    let mut found = vec![];
    for port in ports {
        let client = Client::new(proxy.address(port).unwrap());
        let is_https = (443..448).contains(&port);
        let mut client = if is_https { client.over(Tls::new(HOST, &ca, None).unwrap()) } else { client };
        found.push((port, client.send(&Request::new("GET", HOST, "/")).await.map(|answer| answer.status)));
    }
    assert_eq!(found, ports.map(|port| (port, Ok(200))));
    envoy.stop().await.unwrap();
}

/// What a balancer that Istio trusts had over TLS is not redirected: no client may choose a tag there.
#[tokio::test(flavor = "multi_thread")]
async fn tags_are_set_where_istio_redirects_what_came_without_tls() {
    let echo = echo().await;
    let mut redirecting = server(80, "http", "HTTP");
    redirecting["tls"] = json!({"httpsRedirect": true});
    let mut proxy = proxy(&[80]);
    proxy.trusted_hops = 1;
    let mut all = manifests(&json!([redirecting]), &echo);
    let tags = json!([{"header": "user-type", "hosts": ["*"], "split": [{"value": "old", "weight": 1}]}]);
    let policy = json!({"apiVersion": "switchyard.dev/v1alpha1", "kind": "SwitchyardPolicy",
        "metadata": {"name": "rollout", "namespace": "demo"}, "spec": {"tags": tags}});
    let known = [all.clone(), vec![policy]].concat();
    all.extend(super::generated(&known, Via::Tags, Selection::gateway("demo/gate").unwrap(), "switchyard"));
    let istiod = Istiod::start(&[all, proxy.manifests()].concat()).await.unwrap();
    let envoy = istiod.run(&proxy).await.unwrap();
    let mut client = envoy.client(80).unwrap();
    let chosen = Request::new("GET", HOST, "/").header("user-type", "new");
    assert_eq!(client.send(&chosen).await.unwrap().status, 301);
    let trusted = chosen.header("x-forwarded-for", "192.0.2.1").header("x-forwarded-proto", "https");
    let answer = client.send(&trusted).await.unwrap();
    let said = answer.json().unwrap();
    let headers = said["headers"].as_array().unwrap();
    let tags: Vec<_> = headers.iter().filter(|header| header[0] == "user-type").map(|header| &header[1]).collect();
    assert_eq!((answer.status, tags), (200, vec![&json!("old")]));
    envoy.stop().await.unwrap();
}
