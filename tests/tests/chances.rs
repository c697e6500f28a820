//! Faults and mirrors in real Envoys: what a client, an upstream and the access log see of them.

#![cfg(not(target_family = "wasm"))]

#[path = "chances/carriers.rs"]
mod carriers;
#[path = "chances/mirrors.rs"]
mod mirrors;
#[path = "chances/precision.rs"]
mod precision;
#[path = "chances/waiting.rs"]
mod waiting;

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use switchyard_tests::generated::{Bootstrap, Site, manager, service};
use switchyard_tests::harness::{Client, Echo, Envoy, Launch, Request, Response, envoy_binary_of};
use tempfile::TempDir;

/// The oldest and the newest that are supported, and Istio 1.29's.
const ENVOYS: [&str; 3] = ["1.36.2", "1.37.0", "1.40.0"];

/// A mesh with these rules of `shop`, and these settings.
fn policy(rules: &str, settings: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop, namespace: workshop}}
spec:
  hosts: [shop]
  http:
{rules}
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {{name: shop, namespace: workshop}}
spec: {settings}
"
    )
}

/// What `generate` makes of it, with upstreams `v1` and `v2`.
fn generate(policy: &str, v1: SocketAddr, v2: SocketAddr) -> Bootstrap {
    let services = service("shop", &[("v1", v1), ("v2", v2)]);
    Site::new(&[policy, &services].concat()).unwrap().bootstrap().unwrap()
}

/// An Envoy whose access log a test reads.
struct Running {
    envoy: Envoy,
    mesh: SocketAddr,
    folder: TempDir,
}

impl Running {
    /// Starts one with the listener `mesh`; logs `details|flags|rule|fault|upstream cluster` of each request.
    async fn start(mut bootstrap: Bootstrap, launch: impl FnOnce(Launch) -> Launch) -> Self {
        let folder = TempDir::new().unwrap();
        manager(bootstrap.listener("mesh"))["access_log"] = log(&folder.path().join("log"));
        let file = folder.path().join("envoy.yaml");
        bootstrap.write(&file).unwrap();
        let envoy = launch(Launch::new(file)).start().await.unwrap();
        let mesh = envoy.listener("mesh").await.unwrap();
        Self { envoy, mesh, folder }
    }

    fn client(&self) -> Client {
        Client::new(self.mesh)
    }

    /// Ends it; the lines of its access log.
    async fn stop(self) -> Vec<String> {
        self.envoy.stop().await.unwrap();
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

fn log(file: &Path) -> Value {
    let state = |name: &str| format!("%FILTER_STATE(wasm.switchyard_{name}:PLAIN)%");
    let parts =
        ["%RESPONSE_CODE_DETAILS%", "%RESPONSE_FLAGS%", &state("rule"), &state("fault"), "%UPSTREAM_CLUSTER_RAW%"];
    let format = parts.join("|").replace('"', "") + "\n";
    json!([{"name": "file", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": file,
        "log_format": {"text_format_source": {"inline_string": format}},
    }}])
}

/// Sends a request and says how long its answer took.
async fn timed(client: &mut Client, request: &Request) -> (Response, Duration) {
    let sent = Instant::now();
    let response = client.send(request).await.unwrap();
    (response, sent.elapsed())
}

fn get(target: &str) -> Request {
    Request::new("GET", "shop", target)
}

/// The value of a header that is there once.
fn only(response: &Response, name: &str) -> String {
    let values: Vec<_> = response.header(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    values.concat()
}
