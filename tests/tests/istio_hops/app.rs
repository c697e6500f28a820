//! productcatalog, written carelessly: it calls catalogdetail through its sidecar with every header that it was sent.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use switchyard_tests::harness::{Client, Request, latin1};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The request header that names the host to call; without it none is called.
pub const CALL: &str = "x-app-call";
/// The request header that names a header which is not passed on.
pub const DROP: &str = "x-app-drop";

/// What belongs to a connection, not to a request.
const NOT_PASSED: [&str; 7] = ["host", "connection", "upgrade", "content-length", "transfer-encoding", CALL, DROP];

/// The running application. A drop ends it.
pub struct App {
    pub address: SocketAddr,
    sidecar: Arc<OnceLock<SocketAddr>>,
    last: Arc<Mutex<Value>>,
    task: JoinHandle<()>,
}

impl App {
    /// Starts it on a free port of this machine.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sidecar = Arc::new(OnceLock::new());
        let last = Arc::new(Mutex::new(Value::Null));
        let (known, kept) = (Arc::clone(&sidecar), Arc::clone(&last));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (known, kept) = (Arc::clone(&known), Arc::clone(&kept));
                let service = service_fn(move |request| answer(known.get().copied(), Arc::clone(&kept), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, sidecar, last, task }
    }

    /// Takes what it answered last: Envoy leaves out the body of an answer that refuses an upgrade.
    pub fn last(&self) -> Value {
        self.last.lock().unwrap().take()
    }

    /// Tells it where its sidecar takes what it calls.
    pub fn behind(&self, sidecar: SocketAddr) {
        self.sidecar.set(sidecar).expect("it has one sidecar");
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// In the form of an echo's answer, with what the called host answered as `called`.
async fn answer(
    sidecar: Option<SocketAddr>,
    kept: Arc<Mutex<Value>>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), latin1(value.as_bytes())));
    let headers: Vec<(String, String)> = headers.collect();
    let path = request.uri().to_string();
    let of = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value);
    let called = match (sidecar, of(CALL)) {
        (Some(sidecar), Some(host)) => {
            let dropped = of(DROP);
            let passed = headers.iter().filter(|(name, _)| !NOT_PASSED.contains(&&**name) && Some(&**name) != dropped);
            let request = Request::new("GET", host, path.as_str());
            call(sidecar, &passed.fold(request, |request, (name, value)| request.header(name, value.as_bytes()))).await
        }
        _ => Value::Null,
    };
    let body = json!({"upstream": "productcatalog", "path": path, "headers": headers, "called": called});
    let text = body.to_string();
    *kept.lock().unwrap() = body;
    Ok(hyper::Response::new(Full::new(Bytes::from(text))))
}

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
