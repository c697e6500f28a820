//! productcatalog: answers `/products…` after it asked catalogdetail, through its sidecar, and passes on what it must.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use switchyard_tests::harness::{Client, Request, latin1};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What an application of a mesh passes on: the user, the trace, and the tags.
const PASSED_ON: [&str; 6] = ["cookie", "x-request-id", "x-user-id", "user-type", "release", "fault-group"];

/// The running application. A drop ends it.
pub struct ProductCatalog {
    pub address: SocketAddr,
    sidecar: Arc<OnceLock<SocketAddr>>,
    task: JoinHandle<()>,
}

impl ProductCatalog {
    /// Starts it on every address of this machine.
    pub async fn start() -> Result<Self, String> {
        let listener = TcpListener::bind("0.0.0.0:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let sidecar = Arc::new(OnceLock::new());
        let known = Arc::clone(&sidecar);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let known = Arc::clone(&known);
                let service = service_fn(move |request| answer(known.get().copied(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { address, sidecar, task })
    }

    /// Tells it where its sidecar takes calls to port 3000.
    pub fn behind(&self, sidecar: SocketAddr) {
        self.sidecar.set(sidecar).expect("it has one sidecar");
    }
}

impl Drop for ProductCatalog {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// In the form of an echo's answer, with what catalogdetail's answer was as `detail`.
async fn answer(
    sidecar: Option<SocketAddr>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), latin1(value.as_bytes())));
    let headers: Vec<(String, String)> = headers.collect();
    let path = request.uri().to_string();
    let detail = match sidecar {
        Some(sidecar) if path.starts_with("/products/") => ask(sidecar, &headers).await,
        _ => Value::Null,
    };
    let body = json!({"upstream": "productcatalog", "path": path, "headers": headers, "detail": detail});
    Ok(hyper::Response::new(Full::new(Bytes::from(body.to_string()))))
}

async fn ask(sidecar: SocketAddr, headers: &[(String, String)]) -> Value {
    let request = Request::new("GET", "catalogdetail.workshop.svc.cluster.local:3000", "/catalogDetail");
    let passed = headers.iter().filter(|(name, _)| PASSED_ON.contains(&&**name));
    let request = passed.fold(request, |request, (name, value)| request.header(name, value.as_bytes()));
    match Client::new(sidecar).send(&request).await {
        Ok(response) => {
            let told = |name: &str| response.header(name).next().map(latin1).unwrap_or_default();
            json!({"status": response.status, "cluster": told("x-seen-cluster"), "flags": told("x-seen-flags"),
                "body": response.json().unwrap_or_default()})
        }
        Err(error) => json!({"error": error}),
    }
}
