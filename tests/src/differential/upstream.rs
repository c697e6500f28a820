//! The upstream of every endpoint: it tells which one was reached, keeps what arrived, and fails on request.

use super::probe::{ASK_DELAY, ASK_RESET, ASK_STATUS, ID};
use super::world::Upstream;
use crate::harness::latin1;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The response header that tells which endpoint answered.
pub const AT: &str = "x-echo-at";

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// The endpoint: its address, and which of its ports.
    pub at: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers by name; lines of one name in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

type Arrivals = Arc<Mutex<BTreeMap<String, Vec<Arrival>>>>;

/// A running upstream. A drop stops it.
#[derive(Debug)]
pub struct Recorder {
    /// Where it listens.
    pub upstream: Upstream,
    arrivals: Arrivals,
    tasks: Vec<JoinHandle<()>>,
}

impl Recorder {
    /// Starts it on free ports of all loopback addresses. Errors: it cannot listen.
    pub async fn start() -> Result<Self, String> {
        let arrivals = Arrivals::default();
        let (mut tasks, mut addresses) = (Vec::new(), Vec::new());
        for port in ["first", "second"] {
            let listener =
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.map_err(|error| format!("no upstream: {error}"))?;
            addresses.push(listener.local_addr().map_err(|error| error.to_string())?);
            tasks.push(tokio::spawn(accept(listener, port, Arc::clone(&arrivals))));
        }
        let [first, second] = addresses.as_slice() else { return Err("an upstream has two ports".into()) };
        let upstream = Upstream { first: *first, second: *second, dead: crate::harness::free_port() };
        Ok(Self { upstream, arrivals, tasks })
    }

    /// Takes what arrived of this request.
    pub fn take(&self, id: &str) -> Vec<Arrival> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).remove(id).unwrap_or_default()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, port: &'static str, arrivals: Arrivals) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, port, Arc::clone(&arrivals)));
        }
    }
}

async fn serve(stream: TcpStream, port: &'static str, arrivals: Arrivals) {
    let _ = stream.set_nodelay(true);
    let Ok(SocketAddr::V4(own)) = stream.local_addr() else { return };
    let at = format!("{}/{port}", own.ip());
    let service = service_fn(move |request| answer(at.clone(), Arc::clone(&arrivals), request));
    // A connection that ends is what was asked for, or Envoy's choice.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Why a connection ends without a response.
#[derive(Debug)]
struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a reset was asked for")
    }
}

impl std::error::Error for Reset {}

async fn answer(
    at: String,
    arrivals: Arrivals,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Reset> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
    let asked = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let id = asked(ID).unwrap_or_default();
    let (delay, status, reset) = (asked(ASK_DELAY), asked(ASK_STATUS), asked(ASK_RESET));
    let mut headers: Vec<(String, String)> =
        head.headers.iter().map(|(name, value)| (name.to_string(), latin1(value.as_bytes()))).collect();
    // Stable: lines of one name stay in order.
    headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    let arrival = Arrival {
        at: at.clone(),
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers,
        body: latin1(&body),
    };
    arrivals.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default().push(arrival);
    if reset.is_some() {
        return Err(Reset);
    }
    if let Some(delay) = delay.and_then(|delay| delay.parse().ok()) {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let mut response = hyper::Response::new(Full::new(Bytes::from_static(b"echo")));
    let status =
        status.and_then(|status| status.parse().ok()).and_then(|status| hyper::StatusCode::from_u16(status).ok());
    *response.status_mut() = status.unwrap_or(hyper::StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(AT, HeaderValue::from_str(&at).map_err(|_| Reset)?);
    for (name, value) in [("x-up", "up"), ("x-two", "1"), ("x-two", "2"), ("content-type", "text/plain")] {
        headers.append(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
