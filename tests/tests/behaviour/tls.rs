//! TLS to upstreams (issue 5, item 6; `istio.md` 2.5), with certificates that are made here.

use super::*;
use base64::Engine;
use std::path::Path;
use switchyard_tests::harness::{Ca, ServerTls};
use tempfile::TempDir;

const HOST: &str = "shop.workshop.svc.cluster.local";

/// An upstream over TLS.
async fn secure(name: &str, tls: ServerTls) -> Echo {
    Echo::named(name).over(tls).start().await.unwrap()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// Asks each service for this status; where that is not 200, the upstream is connected to and gets no request.
async fn check(mesh: &Mesh, host: &Echo, cases: &[(&'static str, u16)]) {
    for (service, status) in cases {
        let before = (host.count(), host.load().connections);
        let response = ask(&mut mesh.client(), service).await;
        assert_eq!(response.status, *status, "{service}: {}", response.text());
        assert_eq!(host.count() - before.0, u64::from(*status == 200), "{service}: requests that get there");
        assert!(host.load().connections > before.1, "{service}: a connection is tried");
    }
}

#[tokio::test]
async fn simple_trusts_one_authority_and_one_name() {
    let folder = TempDir::new().unwrap();
    let (ca, other) = (Ca::new("ours"), Ca::new("another"));
    ca.write(&folder.path().join("ours")).unwrap();
    other.write(&folder.path().join("another")).unwrap();
    let host = secure("shop", ServerTls::new(&ca.server(&[HOST, "shop"]), None).unwrap()).await;
    let tls = |authority: &str, more: &str| {
        format!("tls: {{mode: SIMPLE, caCertificates: {}{more}}}", path(folder.path(), &format!("{authority}/ca.crt")))
    };
    let at = [host.address()];
    let named = format!(", sni: {HOST}, subjectAltNames: [{HOST}]");
    let mesh = Mesh::start(&[
        Service::new("named", &at).policy(&tls("ours", &named)),
        // Without a name it is the request's host that is asked for and checked.
        Service::new("shop", &at).policy(&tls("ours", "")),
        Service::new("elsewhere", &at).policy(&tls("ours", "")),
        Service::new("wrong-name", &at).policy(&tls("ours", ", sni: shop, subjectAltNames: [other.example]")),
        Service::new("wrong-authority", &at).policy(&tls("another", &named)),
        Service::new("unchecked", &at).policy("tls: {mode: SIMPLE, insecureSkipVerify: true, sni: any}"),
        Service::new("plain", &at),
    ])
    .await;
    check(
        &mesh,
        &host,
        &[
            ("named", 200),
            ("shop", 200),
            ("elsewhere", 503),
            ("wrong-name", 503),
            ("wrong-authority", 503),
            ("unchecked", 200),
            // Its alert is no HTTP.
            ("plain", 502),
        ],
    )
    .await;
    for (service, asked) in [("named", HOST), ("shop", "shop"), ("unchecked", "any")] {
        let said = ask(&mut mesh.client(), service).await.json().unwrap();
        assert_eq!(said["tls"]["sni"], asked, "{service}");
        assert!(said["tls"]["certificate"].is_null(), "{service}: it shows none");
    }
    for (service, stat, expected) in [
        ("wrong-name", "ssl.fail_verify_san", 1),
        ("elsewhere", "ssl.fail_verify_san", 1),
        ("wrong-authority", "ssl.fail_verify_error", 1),
        ("named", "ssl.fail_verify_error", 0),
    ] {
        assert_eq!(mesh.stat(service, stat).await, expected, "{service}: {stat}");
    }
    mesh.stop().await;
}

#[tokio::test]
async fn mutual_shows_a_certificate_and_whoever_has_none_or_anothers_is_refused() {
    let folder = TempDir::new().unwrap();
    let (ca, clients, other) = (Ca::new("servers"), Ca::new("clients"), Ca::new("another"));
    ca.write(folder.path()).unwrap();
    let right = clients.client("spiffe://cluster.local/ns/workshop/sa/shop");
    right.write(&folder.path().join("right")).unwrap();
    other.client("spiffe://cluster.local/ns/workshop/sa/shop").write(&folder.path().join("wrong")).unwrap();
    // As `--certs` has them, by the name of a secret.
    right.write(&folder.path().join("certs/shop-client")).unwrap();
    ca.write(&folder.path().join("certs/shop-client")).unwrap();
    let host = secure("shop", ServerTls::new(&ca.server(&[HOST]), Some(&clients)).unwrap()).await;
    let at = [host.address()];
    let authority = path(folder.path(), "ca.crt");
    let server = format!("caCertificates: {authority}, sni: {HOST}, subjectAltNames: [{HOST}]");
    let mutual = |whose: &str| {
        let [certificate, key] = ["tls.crt", "tls.key"].map(|name| path(folder.path(), &format!("{whose}/{name}")));
        format!("tls: {{mode: MUTUAL, clientCertificate: {certificate}, privateKey: {key}, {server}}}")
    };
    let secret = format!("tls: {{mode: MUTUAL, credentialName: shop-client, sni: {HOST}, subjectAltNames: [{HOST}]}}");
    let mesh = Mesh::start_with(
        |site| site.options.certs = Some(folder.path().join("certs")),
        1,
        &[
            Service::new("right", &at).policy(&mutual("right")),
            Service::new("secret", &at).policy(&secret),
            Service::new("wrong", &at).policy(&mutual("wrong")),
            Service::new("none", &at).policy(&format!("tls: {{mode: SIMPLE, {server}}}")),
            Service::new("other-name", &at).policy(&mutual("right").replace(&format!("[{HOST}]"), "[other.example]")),
        ],
    )
    .await;
    check(&mesh, &host, &[("right", 200), ("secret", 200), ("wrong", 503), ("none", 503), ("other-name", 503)]).await;
    let shown = base64::engine::general_purpose::STANDARD.encode(&right.der);
    for service in ["right", "secret"] {
        let said = ask(&mut mesh.client(), service).await.json().unwrap();
        assert_eq!(said["tls"]["certificate"], shown.as_str(), "{service}");
        assert_eq!(said["tls"]["sni"], HOST, "{service}");
    }
    assert!(host.load().refused >= 3, "{:?}", host.load());
    mesh.stop().await;
}
