//! An application of a mesh: answers after it called another one, through its sidecar.

use super::{Client, Request, latin1};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What it calls for a request with this path and these headers; `None`: nobody.
pub type Calls = fn(&str, &[(String, String)]) -> Option<Request>;

/// What all of its connections share.
#[derive(Debug)]
struct Shared {
    name: String,
    calls: Calls,
    sidecar: OnceLock<SocketAddr>,
    last: Mutex<Value>,
}

/// The running application. A drop ends it.
#[derive(Debug)]
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl App {
    /// Starts it at an address of this machine; port 0 is a free one. Errors: the address is taken.
    pub async fn start(name: &str, at: SocketAddr, calls: Calls) -> Result<Self, String> {
        let listener = TcpListener::bind(at).await.map_err(|error| format!("{at}: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (sidecar, last) = (OnceLock::new(), Mutex::default());
        let shared = Arc::new(Shared { name: name.into(), calls, sidecar, last });
        let known = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let known = Arc::clone(&known);
                let service = service_fn(move |request| answer(Arc::clone(&known), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { address, shared, task })
    }

    /// Takes what it answered last: Envoy leaves out the body of an answer that refuses an upgrade.
    ///
    /// # Panics
    /// A connection of it has.
    pub fn last(&self) -> Value {
        self.shared.last.lock().expect("no connection panics").take()
    }

    /// Tells it where its sidecar takes what it calls.
    ///
    /// # Panics
    /// It was told before.
    pub fn behind(&self, sidecar: SocketAddr) {
        self.shared.sidecar.set(sidecar).expect("it has one sidecar");
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// In the form of an echo's answer, with what the called one answered as `called`.
async fn answer(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), latin1(value.as_bytes())));
    let headers: Vec<(String, String)> = headers.collect();
    let path = request.uri().to_string();
    let called = match (shared.sidecar.get(), (shared.calls)(&path, &headers)) {
        (Some(sidecar), Some(request)) => call(*sidecar, &request).await,
        _ => Value::Null,
    };
    let body = json!({"upstream": shared.name, "path": path, "headers": headers, "called": called});
    let text = body.to_string();
    *shared.last.lock().expect("no connection panics") = body;
    Ok(hyper::Response::new(Full::new(Bytes::from(text))))
}

/// The answer's body, with its `status`, and Envoy's `cluster` and response `flags` ([`crate::istio::Exchange`]).
async fn call(sidecar: SocketAddr, request: &Request) -> Value {
    match Client::new(sidecar).send(request).await {
        Ok(response) => {
            let told = |name: &str| response.header(name).next().map(latin1).unwrap_or_default();
            let mut body = response.json().unwrap_or_default();
            for (field, header) in [("cluster", "x-seen-cluster"), ("flags", "x-seen-flags")] {
                body[field] = json!(told(header));
            }
            body["status"] = json!(response.status);
            body
        }
        Err(error) => json!({"error": error}),
    }
}
