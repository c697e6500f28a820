//! `mode: observe` in an Envoy that exists already: it tells what it would do and changes nothing.

use std::path::Path;

use serde_json::{Value, json};
use switchyard_tests::generated::{Site, gateway, insert, service};
use switchyard_tests::harness::{Client, Echo, Launch, Request, Response, free_port};
use tempfile::TempDir;

/// Known on the mesh and on the gateway.
const HOST: &str = "www.example.com";

const POLICY: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: workshop}
spec:
  hosts: [shop, www.example.com]
  gateways: [mesh, edge]
  http:
  - name: inside
    match: [{uri: {prefix: /old}, headers: {user-type: {exact: internal}}}]
    rewrite: {uri: /new}
    timeout: 7s
    route: [{destination: {host: shop, subset: v2}}]
  - name: issued
    match: [{uri: {prefix: /issued}}]
    route: [{destination: {host: shop, subset: v1}, weight: 1}, {destination: {host: shop, subset: v2}, weight: 1}]
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: shop, namespace: workshop}
spec:
  mode: observe
  tags: [{header: user-type, hosts: [shop, www.example.com], rules: [{match: [{sourceIp: [127.0.0.0/8]}], value: internal}]}]
  sticky: [{virtualService: shop, rule: issued, by: {httpCookie: {name: sid, ttl: 1h}}}]
";

/// A listener that somebody wrote by hand, all to one cluster of their own.
fn listener(name: &str, log: &Path) -> Value {
    let state = |name: &str| format!("%FILTER_STATE(wasm.switchyard_{name}:PLAIN)%");
    let format = [state("rule"), state("tags"), state("cluster"), "%UPSTREAM_CLUSTER_RAW%\n".into()].join(" ");
    let log = json!({
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": log.join(name),
        "log_format": {"text_format_source": {"inline_string": format}},
    });
    json!({"name": name, "address": localhost(0), "filter_chains": [{"filters": [{"name": "http", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "hand",
        "use_remote_address": true,
        "preserve_external_request_id": true,
        "access_log": [{"name": "file", "typed_config": log}],
        "http_filters": [{"name": "router", "typed_config":
            {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes":
            [{"match": {"prefix": "/"}, "route": {"cluster": "own", "timeout": "9s"}}]}]},
    }}]}]})
}

fn localhost(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

/// What may differ between two requests that are otherwise the same.
fn without_clock(response: &Response) -> Vec<(String, Vec<u8>)> {
    let headers = response.headers.iter().filter(|(name, _)| name != "date" && name != "x-envoy-upstream-service-time");
    headers.cloned().collect()
}

#[tokio::test]
async fn observing_changes_nothing_and_tells_what_it_would_do() {
    let own = Echo::named("own").start().await.unwrap();
    let never = Echo::named("never").start().await.unwrap();
    let services = service("shop", &[("v1", never.address()), ("v2", never.address())]);
    let port = free_port();
    let site = Site::new(&[POLICY, &services, &gateway("edge", port)].concat()).unwrap();
    let parts = site.parts().unwrap();
    let folder = TempDir::new().unwrap();

    let mut listeners = vec![listener("plain", folder.path())];
    for name in ["mesh".to_owned(), format!("gateway-{port}")] {
        let mut observing = listener(&name, folder.path());
        insert(&mut observing, &parts, &name);
        listeners.push(observing);
    }
    let mut clusters = parts["clusters.yaml"]["clusters"].as_array().unwrap().clone();
    let endpoint = json!({"endpoint": {"address": localhost(own.address().port())}});
    clusters.push(
        json!({"name": "own", "load_assignment": {"cluster_name": "own", "endpoints": [{"lb_endpoints": [endpoint]}]}}),
    );
    let bootstrap =
        json!({"admin": {"address": localhost(0)}, "static_resources": {"listeners": listeners, "clusters": clusters}});
    let file = folder.path().join("envoy.json");
    std::fs::write(&file, bootstrap.to_string()).unwrap();
    let envoy = Launch::new(&file).start().await.unwrap();

    let request =
        |target: &str| Request::new("GET", HOST, target).header("X-Request-Id", "6f8d9a3c-4f2b-4c1d-9e57-0a1b2c3d4e5f");
    let told = |rule: &str, cluster: &str| format!("workshop/shop/{rule} user-type=internal {cluster} own");
    let v2 = "outbound|3000|v2|shop.workshop.svc.cluster.local";
    let requests = [
        (request("/old/x?y=z#").header("x-a", "1").header("x_b", "2").header("x-a", "3"), "- - - -".to_owned()),
        (
            request("/old/x?y=z").header("x-a", "1").header("x_b", "2").header("x-a", b"\xff".to_vec()),
            told("inside", v2),
        ),
        (request("/old").header("user-type", "mine").header("User_Type", "mine too"), told("inside", v2)),
        (request("/old").header("cookie", "sid=1").header("x-forwarded-for", "192.0.2.1"), told("inside", v2)),
        (request("/issued"), told("issued", "*")),
        (request("/issued").header("cookie", "sid="), told("issued", "*")),
        (request("/none").body("body"), "no_route user-type=internal - own".to_owned()),
        (
            Request { headers: vec![("Host".into(), b"unknown".to_vec())], ..request("/none") }
                .header("x-request-id", "x"),
            "-  - own".to_owned(),
        ),
    ];
    let names: Vec<String> = listeners.iter().map(|listener| listener["name"].as_str().unwrap().to_owned()).collect();
    for (request, _) in &requests {
        let mut seen = Vec::new();
        for name in &names {
            let response = Client::new(envoy.listener(name).await.unwrap()).send(request).await.unwrap();
            seen.push((response.status, without_clock(&response), response.text()));
        }
        for (name, observed) in names.iter().zip(&seen) {
            assert_eq!(observed, &seen[0], "{name}: {request:?}");
        }
    }
    assert_eq!(never.count(), 0);
    envoy.stop().await.unwrap();
    for name in &names[1..] {
        let log = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(log.lines().count(), requests.len(), "{log}");
        for (line, (request, expected)) in log.lines().zip(&requests) {
            let line = line.replace("|v1|", "|v2|").replace('"', "");
            assert_eq!(line, expected.replace('*', v2), "{name}: {request:?}");
        }
    }
}
