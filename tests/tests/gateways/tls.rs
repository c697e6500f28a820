//! HTTPS servers: who is served, by which certificate, and who is refused.

use super::plain::{gateway, routes};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use switchyard_tests::gateways::Gateways;
use switchyard_tests::generated::{echoed, service};
use switchyard_tests::harness::{Ca, Certificate, Client, Echo, Request, Tls, free_port};
use tempfile::TempDir;

/// A request over TLS to `host`, which is also the name that is asked for unless there is another one.
async fn get(at: SocketAddr, tls: &Tls, host: &str) -> Result<switchyard_tests::harness::Response, String> {
    Client::new(at).over(tls.clone()).send(&Request::new("GET", host, "/")).await
}

fn as_client(name: &str, ca: &Ca, client: Option<&Certificate>) -> Tls {
    Tls::new(name, ca, client).unwrap()
}

#[tokio::test]
async fn each_name_has_its_certificate_and_its_routes() {
    let folder = TempDir::new().unwrap();
    let [ours, theirs] = [Ca::new("ours"), Ca::new("theirs")];
    ours.server(&["a.test"]).write(&folder.path().join("a")).unwrap();
    theirs.server(&["b.test", "x.b.test"]).write(&folder.path().join("b")).unwrap();
    let (v1, v2) = (Echo::named("v1").start().await.unwrap(), Echo::named("v2").start().await.unwrap());
    let port = free_port();
    let servers = format!(
        "  - {{port: {{number: {port}, name: a, protocol: HTTPS}}, hosts: [a.test], tls: {{mode: SIMPLE, credentialName: a}}}}
  - port: {{number: {port}, name: b, protocol: HTTPS}}
    hosts: [b.test, '*.b.test']
    tls: {{mode: SIMPLE, credentialName: b, minProtocolVersion: TLSV1_3}}
"
    );
    let manifests = [
        service("shop", &[("v1", v1.address()), ("v2", v2.address())]),
        gateway("edge", &servers),
        routes("a", "a.test", "edge", "{route: [{destination: {host: shop, subset: v1}}]}"),
        routes(
            "b",
            "'*.test'",
            "edge",
            "{match: [{uri: {prefix: /}}], route: [{destination: {host: shop, subset: v2}}]}",
        ),
    ]
    .concat();
    let envoy = Gateways::new(manifests).certs(folder.path()).start().await.unwrap();
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    let [a, b] = [as_client("a.test", &ours, None), as_client("b.test", &theirs, None)];

    let response = get(at, &a, "a.test").await.unwrap();
    assert_eq!(response.status, 200);
    let said = response.json().unwrap();
    assert_eq!(said["upstream"], "v1");
    assert_eq!(echoed(&said, "x-forwarded-proto"), ["https"]);
    for (tls, host, upstream) in [
        (&b, "b.test", Some("v2")),
        (&as_client("x.b.test", &theirs, None), "x.b.test", Some("v2")),
        // What the connection was not opened for is not there, though the port has it.
        (&a, "b.test", None),
        (&b, "a.test", None),
    ] {
        let response = get(at, tls, host).await.unwrap();
        match upstream {
            Some(upstream) => assert_eq!(response.json().unwrap()["upstream"], upstream, "{host}"),
            None => assert_eq!(response.status, 404, "{host}"),
        }
    }
    // The other one's certificate, a name that nobody has, and no TLS at all.
    assert!(as_client("a.test", &theirs, None).connect(at).await.unwrap_err().contains("UnknownIssuer"));
    assert!(as_client("c.test", &ours, None).connect(at).await.is_err());
    assert!(Client::new(at).get("a.test", "/").await.is_err());

    // HTTP/2 where the client speaks it.
    let stream = a.alpn(&["h2", "http/1.1"]).connect(at).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let running = tokio::spawn(connection);
    let request = hyper::Request::get("https://a.test/two").body(Empty::<Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!((response.status(), response.version()), (hyper::StatusCode::OK, hyper::Version::HTTP_2));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("/two"));
    drop(sender);
    running.await.unwrap().unwrap();
    envoy.stop().await.unwrap();
}

#[tokio::test]
async fn clients_show_the_certificate_that_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let [servers, clients, strangers] = ["servers", "clients", "strangers"].map(Ca::new);
    servers.server(&["a.test"]).write(&folder.path().join("a")).unwrap();
    clients.write(&folder.path().join("a")).unwrap();
    let admin = clients.client("spiffe://test/admin");
    let (guest, revoked) = (clients.client("spiffe://test/guest"), clients.client("spiffe://test/admin"));
    let stranger = strangers.client("spiffe://test/admin");
    std::fs::write(folder.path().join("a/ca.crl"), clients.revoke(&[&revoked])).unwrap();
    let v1 = Echo::named("v1").start().await.unwrap();
    let [mutual, optional, pinned] = [free_port(), free_port(), free_port()];
    let digest = admin.sha256();
    let server = |port: u16, name: &str, tls: &str| {
        format!(
            "  - {{port: {{number: {port}, name: {name}, protocol: HTTPS}}, hosts: [a.test], tls: {{credentialName: a, {tls}}}}}\n"
        )
    };
    let manifests = [
        service("shop", &[("v1", v1.address())]),
        gateway(
            "edge",
            &[
                server(mutual, "mutual", "mode: MUTUAL, subjectAltNames: ['spiffe://test/admin']"),
                server(optional, "optional", "mode: OPTIONAL_MUTUAL"),
                server(pinned, "pinned", &format!("mode: MUTUAL, verifyCertificateHash: ['{digest}']")),
            ]
            .concat(),
        ),
        routes("a", "a.test", "edge", "{route: [{destination: {host: shop}}]}"),
    ]
    .concat();
    let envoy = Gateways::new(manifests).certs(folder.path()).start().await.unwrap();
    for (what, client, served) in [
        ("nobody", None, [false, true, false]),
        ("a stranger", Some(&stranger), [false, false, false]),
        ("a revoked one", Some(&revoked), [false, false, false]),
        ("another name", Some(&guest), [false, true, false]),
        ("the right one", Some(&admin), [true, true, true]),
    ] {
        for (port, is_served) in [mutual, optional, pinned].into_iter().zip(served) {
            let at = SocketAddr::from(([127, 0, 0, 1], port));
            let response = get(at, &as_client("a.test", &servers, client), "a.test").await;
            assert_eq!(
                response.as_ref().is_ok_and(|response| response.status == 200),
                is_served,
                "{what}: {response:?}"
            );
            let Ok(response) = response else { continue };
            // A destination is told who it is, as Istio's gateways tell it.
            let said = echoed(&response.json().unwrap(), "x-forwarded-client-cert").join(",");
            assert_eq!(said.contains("URI=spiffe://test/"), client.is_some(), "{what}: {said}");
        }
    }
    envoy.stop().await.unwrap();
}
