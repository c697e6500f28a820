//! An upstream that answers with what it received.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::latin1;
use crate::case::ANSWER;

/// A request as it arrived at an [`Echo`].
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Received {
    /// `GET`.
    pub method: String,
    /// The request target: path and query, `*`, or `host:port` of a CONNECT.
    pub path: String,
    /// Name and value in the order of arrival, repeats of a name together; names are in lower case, values Latin-1
    /// text (one character for each byte, see [`latin1`]).
    pub headers: Vec<(String, String)>,
}

/// How an [`Echo`] is to be; see [`Echo::named`].
#[derive(Debug)]
pub struct EchoBuilder {
    name: String,
    address: SocketAddr,
    status: u16,
    recording: bool,
    obeying: bool,
}

impl EchoBuilder {
    /// Listens here instead of on a free port of 127.0.0.1.
    #[must_use]
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Answers with this status (200 to 599) instead of 200.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Keeps every request for [`Echo::received`]: for mirrors, whose responses nobody sees.
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.recording = true;
        self
    }

    /// Does what the headers of a request ask: `x-answer-status` (200 to 599), `x-answer-after-ms`.
    #[must_use]
    pub fn obeying(mut self) -> Self {
        self.obeying = true;
        self
    }

    /// Starts to listen. Errors: the address is taken, the status is none.
    pub async fn start(self) -> Result<Echo, String> {
        let status = hyper::StatusCode::from_u16(self.status)
            .map_err(|_| format!("`{}` is no status; write one between 200 and 599", self.status))?;
        let listener = TcpListener::bind(self.address)
            .await
            .map_err(|error| format!("upstream `{}` cannot listen on {}: {error}", self.name, self.address))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let received = self.recording.then(Mutex::default);
        let count = AtomicU64::new(0);
        let state = Arc::new(State { name: self.name, status, count, received, obeying: self.obeying });
        let (stop, stopped) = watch::channel(());
        let task = tokio::spawn(accept(listener, Arc::clone(&state), stopped));
        Ok(Echo { address, state, stop, task })
    }
}

#[derive(Debug)]
struct State {
    name: String,
    status: hyper::StatusCode,
    count: AtomicU64,
    received: Option<Mutex<Vec<Received>>>,
    obeying: bool,
}

/// An HTTP/1.1 upstream that answers every request with a JSON object: `upstream` (its name), `method`, `path` and
/// `headers` (a list of name and value), as [`Received`] describes them.
///
/// A drop stops it: no new connections, the requests under way are answered, idle connections are closed.
#[derive(Debug)]
pub struct Echo {
    address: SocketAddr,
    state: Arc<State>,
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Echo {
    /// An upstream of this name; status 200, on a free port of 127.0.0.1, unless the builder is told otherwise.
    pub fn named(name: impl Into<String>) -> EchoBuilder {
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        EchoBuilder { name: name.into(), address, status: 200, recording: false, obeying: false }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests answered until now.
    pub fn count(&self) -> u64 {
        self.state.count.load(Ordering::Relaxed)
    }

    /// Takes what arrived since the last call, in the order of arrival; empty unless it was built with
    /// [`EchoBuilder::recording`].
    pub fn received(&self) -> Vec<Received> {
        let log = self.state.received.as_ref();
        log.map(|log| std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner))).unwrap_or_default()
    }

    /// Stops it and waits until its port is free and the requests under way are answered.
    pub async fn stop(self) {
        let Self { stop, task, .. } = self;
        drop(stop);
        // The task ends by itself and does not panic.
        let _ = task.await;
    }
}

/// Ends when the sender of `stopped` is dropped.
async fn accept(listener: TcpListener, state: Arc<State>, mut stopped: watch::Receiver<()>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(serve(stream, Arc::clone(&state), stopped.clone()));
            },
            Some(_) = connections.join_next() => {}
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(stream: TcpStream, state: Arc<State>, mut stopped: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&state), request));
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A connection that breaks is the client's matter: it sees it.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(
    state: Arc<State>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    // Read to its end, so that the connection can be used again.
    body.collect().await?;
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), latin1(value.as_bytes()))).collect();
    let received = Received { method: head.method.to_string(), path: head.uri.to_string(), headers };
    let reply = json!({
        "upstream": state.name, "method": received.method, "path": received.path, "headers": received.headers,
    });
    state.count.fetch_add(1, Ordering::Relaxed);
    if let Some(log) = &state.received {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(received);
    }
    let mut response = hyper::Response::new(Full::new(Bytes::from(reply.to_string())));
    *response.status_mut() = state.status;
    if state.obeying {
        let asked = |name: &str| head.headers.get(name)?.to_str().ok()?.parse::<u16>().ok();
        if let Some(status) = asked("x-answer-status").and_then(|status| hyper::StatusCode::from_u16(status).ok()) {
            *response.status_mut() = status;
        }
        if let Some(wait) = asked("x-answer-after-ms") {
            tokio::time::sleep(Duration::from_millis(wait.into())).await;
        }
    }
    for (name, value) in &head.headers {
        if let Some(Ok(name)) = name.as_str().strip_prefix(ANSWER).map(str::parse::<hyper::header::HeaderName>) {
            response.headers_mut().append(name, value.clone());
        }
    }
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    Ok(response)
}
