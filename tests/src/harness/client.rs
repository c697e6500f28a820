//! A client that sends what it is told: HTTP/1.1 written by hand, since libraries lower-case names, refuse bytes and
//! normalise targets, and those are what is tested.

mod request;
mod response;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tls::Tls;

pub use request::Request;
pub use response::Response;
use response::{Framing, Progress};

/// One connection to a server, opened at the first request, kept alive between requests, opened anew after it broke.
///
/// A request is never sent twice: one that is lost is an error, also on a connection that was idle for long.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    patience: Duration,
    tls: Option<Tls>,
    stream: Option<Stream>,
}

/// A connection, plain or over TLS.
type Stream = Box<dyn Transport>;

trait Transport: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin> Transport for T {}

impl Client {
    /// A client of the server at this address; it is not connected yet.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, patience: Duration::from_secs(10), tls: None, stream: None }
    }

    /// The client over TLS. What was refused in the handshake is an error of the first request.
    #[must_use]
    pub fn over(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How long one exchange may take (connect, send, receive); 10 s unless it is said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Whether the next request goes over a connection that is open already.
    pub fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// Sends the request and reads its response, informational ones (1xx) left out. Errors: no connection, one that
    /// breaks, something that is no HTTP/1.1, patience at its end.
    pub async fn send(&mut self, request: &Request) -> Result<Response, String> {
        // Taken out: whatever goes wrong, a connection in the middle of a response is not used again.
        let stream = self.stream.take();
        let exchange = exchange(self.address, self.tls.as_ref(), stream, request);
        let (response, stream) = tokio::time::timeout(self.patience, exchange)
            .await
            .map_err(|_| format!("no complete response from {} in {:?}", self.address, self.patience))?
            .map_err(|error| format!("request to {}: {error}", self.address))?;
        self.stream = stream;
        Ok(response)
    }

    /// `GET target` with this host and no other header.
    pub async fn get(&mut self, host: &str, target: &str) -> Result<Response, String> {
        self.send(&Request::new("GET", host, target)).await
    }
}

async fn exchange(
    address: SocketAddr,
    tls: Option<&Tls>,
    stream: Option<Stream>,
    request: &Request,
) -> Result<(Response, Option<Stream>), String> {
    let mut stream = match stream {
        Some(stream) => stream,
        None => connect(address, tls).await?,
    };
    stream.write_all(&request.bytes()).await.map_err(|error| format!("cannot be sent: {error}"))?;
    let mut input = Vec::new();
    loop {
        match response::parse(&input, &request.method)? {
            Progress::Interim(length) => {
                input.drain(..length);
            }
            Progress::Complete(response, Framing::Kept) => return Ok((response, Some(stream))),
            Progress::Complete(response, Framing::Closed) => return Ok((response, None)),
            Progress::Partial(until_close) => {
                let count = stream.read_buf(&mut input).await.map_err(|error| format!("cannot be read: {error}"))?;
                if count == 0 {
                    return match until_close {
                        Some(response) => Ok((response, None)),
                        None if input.is_empty() => Err("the connection was closed without a response".into()),
                        None => Err("the connection was closed in the middle of the response".into()),
                    };
                }
            }
        }
    }
}

async fn connect(address: SocketAddr, tls: Option<&Tls>) -> Result<Stream, String> {
    if let Some(tls) = tls {
        return Ok(Box::new(tls.connect(address).await?));
    }
    let stream = TcpStream::connect(address).await.map_err(|error| format!("no connection: {error}"))?;
    // Each request is one write: waiting to fill a packet only costs time.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(Box::new(stream))
}
