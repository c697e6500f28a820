//! `peer` in a real Envoy: who the client is by its certificate, which no header can stand in for.
//!
//! Another listener of the same Envoy is the client: it has a certificate, so the test speaks plain HTTP only. The
//! certificates are made anew by `openssl`, which must be on the PATH.

#![cfg(not(target_family = "wasm"))]

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use switchyard_tests::generated::{Bootstrap, Site, service};
use switchyard_tests::harness::{Client, Echo, Request, free_port};

const POLICY: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: workshop}
spec:
  hosts: [shop]
  http:
  - match: [{headers: {user-type: {exact: internal}}}]
    route: [{destination: {host: shop, subset: v2}}]
  - route: [{destination: {host: shop, subset: v1}}]
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: shop, namespace: workshop}
spec:
  tags:
  - header: user-type
    rules:
    - {match: [{peer: [{exact: 'spiffe://test/admin'}, {prefix: 'spiffe://test/ops/'}]}], value: internal}
    - {match: [{peer: [{}]}], value: known}
    split: [{value: unknown, weight: 1}]
";

/// Clients by the names in their certificates.
const CLIENTS: [(&str, &str); 5] = [
    ("admin", "URI:spiffe://test/admin"),
    ("ops", "URI:spiffe://test/ops/one"),
    ("other", "URI:spiffe://test/admins"),
    // The first URI counts.
    ("second", "URI:spiffe://test/guest,URI:spiffe://test/admin"),
    ("nameless", "DNS:admin.test"),
];

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("openssl makes the certificates of this test: {error}"));
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A key and a certificate with these names, signed by the folder's own authority.
fn certify(folder: &Path, name: &str, names: &str) {
    std::fs::write(folder.join(format!("{name}.ext")), format!("subjectAltName={names}\n")).unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(folder, &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
    let ca = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2";
    openssl(folder, &format!("x509 -req -in {name}.csr {ca} -extfile {name}.ext -out {name}.pem"));
}

fn certificate(folder: &Path, name: &str) -> Value {
    let file = |kind: &str| json!({"filename": folder.join(format!("{name}.{kind}"))});
    json!([{"certificate_chain": file("pem"), "private_key": file("key")}])
}

fn socket(message: &str, context: &Value) -> Value {
    let mut context = context.clone();
    context["@type"] = format!("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{message}").into();
    json!({"name": "tls", "typed_config": context})
}

/// Adds a listener that hands everything on to `port`, over TLS with the certificate of a client.
fn add_client(bootstrap: &mut Bootstrap, folder: &Path, name: &str, port: u16) {
    let context = json!({"common_tls_context": {"tls_certificates": certificate(folder, name)}});
    let endpoint = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}});
    let cluster = json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
        "transport_socket": socket("UpstreamTlsContext", &context),
    });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "http_filters": [{"name": "router", "typed_config":
            {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes":
            [{"match": {"prefix": ""}, "route": {"cluster": name}}]}]},
    });
    let listener = json!({
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    });
    let resources = &mut bootstrap.value["static_resources"];
    resources["clusters"].as_array_mut().unwrap().push(cluster);
    resources["listeners"].as_array_mut().unwrap().push(listener);
}

#[tokio::test]
async fn a_client_is_who_its_certificate_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(folder, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca"));
    certify(folder, "server", "DNS:shop");
    for (name, names) in &CLIENTS {
        certify(folder, name, names);
    }

    let (v1, v2) = (Echo::named("v1").start().await.unwrap(), Echo::named("v2").start().await.unwrap());
    let services = service("shop", &[("v1", v1.address()), ("v2", v2.address())]);
    let site = Site::new(&[POLICY, &services].concat()).unwrap();
    let mut bootstrap = site.bootstrap().unwrap();
    let port = free_port();
    bootstrap.variant("mesh", "tls", |_| ());
    let listener = bootstrap.listener("tls");
    listener["address"]["socket_address"]["port_value"] = port.into();
    let context = json!({
        "require_client_certificate": true,
        "common_tls_context": {
            "tls_certificates": certificate(folder, "server"),
            "validation_context": {"trusted_ca": {"filename": folder.join("ca.pem")}},
        },
    });
    listener["filter_chains"][0]["transport_socket"] = socket("DownstreamTlsContext", &context);
    for (name, _) in &CLIENTS {
        add_client(&mut bootstrap, folder, name, port);
    }
    let envoy = bootstrap.start().await.unwrap();

    for (listener, tag, upstream) in [
        ("admin", "internal", "v2"),
        ("ops", "internal", "v2"),
        ("other", "known", "v1"),
        ("second", "known", "v1"),
        ("nameless", "unknown", "v1"),
        // No TLS, so no certificate.
        ("mesh", "unknown", "v1"),
    ] {
        let mut client = Client::new(envoy.listener(listener).await.unwrap());
        let request = Request::new("GET", "shop", "/")
            .header("user-type", "internal")
            .header("x-forwarded-client-cert", "URI=spiffe://test/admin");
        let response = client.send(&request).await.unwrap();
        assert_eq!(response.status, 200, "{listener}: {}", response.text());
        let said = response.json().unwrap();
        let tags = switchyard_tests::generated::echoed(&said, "user-type");
        assert_eq!((tags.as_slice(), &said["upstream"]), (&[tag][..], &json!(upstream)), "{listener}");
    }
    envoy.stop().await.unwrap();
}
