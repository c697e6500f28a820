//! Servers without TLS: what is sent to HTTPS, and several Gateways on one port.

use switchyard_envoy::bootstrap::dynamic::dynamic;
use switchyard_envoy::bootstrap::to_yaml;
use switchyard_tests::gateways::Gateways;
use switchyard_tests::generated::service;
use switchyard_tests::harness::{Client, Echo, Launch, Request, free_port};

/// A Gateway of the namespace `workshop`.
pub fn gateway(name: &str, servers: &str) -> String {
    format!(
        "
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: workshop}}
spec:
  servers:
{servers}"
    )
}

/// A VirtualService of it, with these rules.
pub fn routes(name: &str, hosts: &str, gateways: &str, rules: &str) -> String {
    format!(
        "
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: workshop}}
spec:
  hosts: [{hosts}]
  gateways: [{gateways}]
  http: [{rules}]
"
    )
}

#[tokio::test]
async fn plain_requests_are_sent_to_https_before_anything_is_decided() {
    let v1 = Echo::named("v1").recording().start().await.unwrap();
    let port = free_port();
    let servers = format!(
        "  - {{port: {{number: {port}, name: a, protocol: HTTP}}, hosts: ['*.shop.test'], tls: {{httpsRedirect: true}}}}
  - {{port: {{number: {port}, name: b, protocol: HTTP}}, hosts: [open.shop.test, open.test]}}
"
    );
    let aborted = "{fault: {abort: {httpStatus: 418, percentage: {value: 100}}}, route: [{destination: {host: shop}}]}";
    let manifests = [
        service("shop", &[("v1", v1.address())]),
        gateway("edge", &servers),
        // Served by both servers, so that the name is redirected too.
        routes("both", "a.shop.test, open.shop.test", "edge", aborted),
        routes("open", "open.test", "edge", "{route: [{destination: {host: shop}}]}"),
    ]
    .concat();
    let mut gateways = Gateways::new(manifests);
    let envoy = gateways.start().await.unwrap();
    let mut client = Client::new(([127, 0, 0, 1], port).into());
    for (host, target, expected) in [
        ("a.shop.test", "/cart?x=1", (301, Some("https://a.shop.test/cart?x=1"))),
        ("A.shop.test", "/", (301, Some("https://A.shop.test/"))),
        ("unknown.shop.test", "/", (301, Some("https://unknown.shop.test/"))),
        ("open.shop.test", "/", (301, Some("https://open.shop.test/"))),
        ("open.test", "/", (200, None)),
        ("else.test", "/", (404, None)),
    ] {
        let response = client.get(host, target).await.unwrap();
        let location = response.header("location").next().map(|value| String::from_utf8_lossy(value).into_owned());
        assert_eq!((response.status, location.as_deref()), expected, "{host}");
    }
    // Nobody makes a plain request an encrypted one by saying so.
    let forged = Request::new("GET", "a.shop.test", "/").header("x-forwarded-proto", "https");
    assert_eq!(client.send(&forged).await.unwrap().status, 301);
    let counted = envoy.stats("switchyard.*requests").await.unwrap();
    assert!(counted.values().sum::<u64>() <= 2, "redirected requests are not counted: {counted:?}");
    envoy.stop().await.unwrap();

    // The same from files that Envoy watches, where the filter has another name.
    let folder = tempfile::tempdir().unwrap();
    let dynamic = dynamic(gateways.bootstrap().unwrap(), folder.path());
    for source in &dynamic.sources {
        let file = folder.path().join(&source.file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, source.text()).unwrap();
    }
    let file = folder.path().join("envoy.yaml");
    std::fs::write(&file, to_yaml(&dynamic.bootstrap)).unwrap();
    let envoy = Launch::new(file).start().await.unwrap();
    let mut client = Client::new(([127, 0, 0, 1], port).into());
    for (host, status) in [("a.shop.test", 301), ("open.test", 200), ("else.test", 404)] {
        assert_eq!(client.get(host, "/").await.unwrap().status, status, "{host}");
    }
    envoy.stop().await.unwrap();

    // A balancer in front that is trusted, and that has ended TLS.
    gateways.trusted_hops = 1;
    let envoy = gateways.start().await.unwrap();
    let mut client = Client::new(([127, 0, 0, 1], port).into());
    let encrypted = forged.header("x-forwarded-for", "10.1.1.1");
    assert_eq!(client.send(&encrypted).await.unwrap().status, 418, "decided: it came over TLS");
    envoy.stop().await.unwrap();
}

#[tokio::test]
async fn gateways_of_one_port_are_one_listener_in_the_order_of_their_age() {
    let (v1, v2) = (Echo::named("v1").start().await.unwrap(), Echo::named("v2").start().await.unwrap());
    let port = free_port();
    let server =
        |hosts: &str| format!("  - {{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: [{hosts}]}}\n");
    let to = |subset: &str| format!("{{route: [{{destination: {{host: shop, subset: {subset}}}}}]}}");
    let at = |path: &str, subset: &str| {
        format!("{{match: [{{uri: {{prefix: {path}}}}}], route: [{{destination: {{host: shop, subset: {subset}}}}}]}}")
    };
    let manifests = [
        service("shop", &[("v1", v1.address()), ("v2", v2.address())]),
        gateway("a-first", &server("both.test, one.test")),
        gateway("b-second", &server("both.test, other/two.test")),
        // By age and name the second Gateway's would come first; Istio goes by Gateway.
        routes("z", "both.test", "a-first", &at("/x", "v1")),
        routes("a", "both.test", "b-second", &[at("/x", "v2"), to("v2")].join(", ")),
        routes("one", "one.test, two.test", "a-first, b-second", &to("v1")),
    ]
    .concat();
    let envoy = Gateways::new(manifests).start().await.unwrap();
    let mut client = Client::new(([127, 0, 0, 1], port).into());
    for (host, target, expected) in [
        ("both.test", "/x", Some("v1")),
        ("both.test", "/y", Some("v2")),
        ("one.test", "/", Some("v1")),
        // Open to another namespace only.
        ("two.test", "/", None),
        ("both.test:8080", "/x", Some("v1")),
    ] {
        let response = client.get(host, target).await.unwrap();
        match expected {
            Some(upstream) => assert_eq!(response.json().unwrap()["upstream"], upstream, "{host}{target}"),
            None => assert_eq!(response.status, 404, "{host}{target}"),
        }
    }
    envoy.stop().await.unwrap();
}
