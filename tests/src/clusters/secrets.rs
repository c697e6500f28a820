//! Secrets, as istio-agent hands them to its Envoy (SDS): one certificate and its authority under every name.
//!
//! istiod names some of them with a timeout of 0, so an Envoy that never gets those never asks for endpoints either.

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/// A server of secrets; it ends when it is dropped.
pub struct Secrets {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

/// What all secrets hold.
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Secrets {
    /// Serves what a folder has as `tls.crt` and `tls.key`. Errors: they cannot be read, or no port is free.
    pub async fn start(folder: &Path) -> Result<Self, String> {
        let read = |name: &str| fs::read(folder.join(name)).map_err(|error| format!("`{name}`: {error}"));
        let pair = Arc::new(Pair { certificate: read("tls.crt")?, key: read("tls.key")? });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let pair = pair.clone();
                let service = hyper::service::service_fn(move |request| stream_secrets(request, pair.clone()));
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { address, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// `SecretDiscoveryService.StreamSecrets`: answers the first request, and stays open.
async fn stream_secrets(mut request: Request<Incoming>, pair: Arc<Pair>) -> Result<Response<Answer>, Infallible> {
    let mut asked = vec![];
    // A message is behind a byte and its length.
    while asked.len() < 5 || asked.len() < 5 + usize::try_from(length(&asked)).unwrap_or(usize::MAX) {
        let Some(Ok(frame)) = request.body_mut().frame().await else { break };
        asked.extend(frame.into_data().unwrap_or_default());
    }
    let names = resource_names(asked.get(5..).unwrap_or_default());
    let mut message = field(1, b"1");
    for name in names {
        let any = [field(1, SECRET.as_bytes()), field(2, &secret(&name, &pair))].concat();
        message.extend(field(2, &any));
    }
    message.extend(field(4, SECRET.as_bytes()));
    message.extend(field(5, b"1"));
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend(message);
    let mut response = Response::new(Answer { message: Some(framed.into()), _asking: request.into_body() });
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// One message, and then nothing for ever. Envoy's half is kept, or its stream would be reset.
struct Answer {
    message: Option<Bytes>,
    _asking: Incoming,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.message.take().map_or(Poll::Pending, |message| Poll::Ready(Some(Ok(Frame::data(message)))))
    }
}

/// `Secret` of a name: what checks others where the name says so, else what shows itself.
fn secret(name: &str, pair: &Pair) -> Vec<u8> {
    let bytes = |number: u8, data: &[u8]| field(number, &field(2, data));
    let is_authority = name == "ROOTCA" || name.starts_with("file-root:") || name.ends_with("-cacert");
    let kind = if is_authority {
        field(4, &bytes(1, &pair.certificate))
    } else {
        field(2, &[bytes(1, &pair.certificate), bytes(2, &pair.key)].concat())
    };
    [field(1, name.as_bytes()), kind].concat()
}

fn length(framed: &[u8]) -> u32 {
    framed.get(1..5).and_then(|bytes| bytes.try_into().ok()).map_or(u32::MAX, u32::from_be_bytes)
}

/// A field of protobuf that has a length.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut all = vec![number << 3 | 2];
    let mut rest = value.len();
    while rest >= 0x80 {
        all.push(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
        rest >>= 7;
    }
    all.push(u8::try_from(rest).unwrap_or_default());
    all.extend(value);
    all
}

/// `DiscoveryRequest.resource_names`, its field 3.
fn resource_names(mut message: &[u8]) -> Vec<String> {
    let mut names = vec![];
    while let Some((&tag, rest)) = message.split_first() {
        let Some((value, rest)) = varint(rest) else { break };
        message = rest;
        if tag & 7 == 2 {
            let Some((bytes, rest)) = message.split_at_checked(value) else { break };
            message = rest;
            if tag >> 3 == 3 {
                names.push(String::from_utf8_lossy(bytes).into_owned());
            }
        }
    }
    names
}

fn varint(message: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (index, byte) in message.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, message.get(index + 1..)?));
        }
    }
    None
}
