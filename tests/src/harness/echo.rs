//! An upstream that answers with what it received.

mod connections;
mod manner;
mod serve;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use connections::Load;
use manner::{Manner, status};
use serve::{State, accept};

use super::server_tls::ServerTls;

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
    tls: Option<ServerTls>,
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

    /// Speaks TLS; answers then have `tls`: the `sni` that was asked for and the `certificate` that was shown (DER,
    /// base64), or `null`.
    #[must_use]
    pub fn over(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Starts to listen. Errors: the address is taken, the status is none.
    pub async fn start(self) -> Result<Echo, String> {
        let manner = Mutex::new(Manner::new(status(self.status)?));
        let listener = TcpListener::bind(self.address)
            .await
            .map_err(|error| format!("upstream `{}` cannot listen on {}: {error}", self.name, self.address))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let received = self.recording.then(Mutex::default);
        let state = Arc::new(State {
            name: self.name,
            manner,
            count: AtomicU64::new(0),
            received,
            obeying: self.obeying,
            tls: self.tls,
            connections: Arc::default(),
        });
        let (stop, stopped) = watch::channel(());
        let task = tokio::spawn(accept(listener, Arc::clone(&state), stopped));
        Ok(Echo { address, state, stop, task })
    }
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
        EchoBuilder { name: name.into(), address, status: 200, recording: false, obeying: false, tls: None }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests answered until now.
    pub fn count(&self) -> u64 {
        self.state.count.load(Ordering::Relaxed)
    }

    /// What it has borne until now.
    pub fn load(&self) -> Load {
        self.state.connections.load()
    }

    /// Answers with this status from the next request on.
    ///
    /// # Panics
    /// When the status is none: 200 to 599.
    pub fn set_status(&self, number: u16) {
        self.manner().status = status(number).expect("a status");
    }

    /// Takes so long for every answer, from the next request on; 0 at first.
    pub fn set_latency(&self, latency: Duration) {
        self.manner().latency = latency;
    }

    /// Answers so many of a hundred requests with this status, evenly spread, from the next on. 50 is: a good answer,
    /// a bad one, and so on.
    ///
    /// # Panics
    /// When the status is none: 200 to 599.
    pub fn set_errors(&self, percent: u64, number: u16) {
        let mut manner = self.manner();
        manner.failing = (percent.min(100), status(number).expect("a status"));
        manner.seen = 0;
    }

    fn manner(&self) -> MutexGuard<'_, Manner> {
        self.state.manner.lock().unwrap_or_else(PoisonError::into_inner)
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
