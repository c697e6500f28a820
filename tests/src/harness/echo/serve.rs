//! Accepting connections and answering what comes over them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::Received;
use super::connections::{Connection, Connections};
use super::manner::Manner;
use crate::case::ANSWER;
use crate::harness::latin1;
use crate::harness::server_tls::{self, ServerTls};

/// An upstream that runs.
#[derive(Debug)]
pub struct State {
    pub name: String,
    pub manner: Mutex<Manner>,
    pub count: AtomicU64,
    pub received: Option<Mutex<Vec<Received>>>,
    pub obeying: bool,
    pub tls: Option<ServerTls>,
    pub connections: Arc<Connections>,
}

/// Ends when the sender of `stopped` is dropped.
pub async fn accept(listener: TcpListener, state: Arc<State>, mut stopped: watch::Receiver<()>) {
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                // Counted before the next one is accepted.
                if let Ok((stream, connection)) = counted(stream, &state.connections) {
                    tasks.spawn(serve(stream, connection, Arc::clone(&state), stopped.clone()));
                }
            },
            Some(_) = tasks.join_next() => {}
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

fn counted(stream: TcpStream, connections: &Arc<Connections>) -> std::io::Result<(TcpStream, Connection)> {
    let stream = stream.into_std()?;
    let connection = connections.open(stream.try_clone()?);
    Ok((TcpStream::from_std(stream)?, connection))
}

async fn serve(stream: TcpStream, connection: Connection, state: Arc<State>, mut stopped: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = &state.tls else { return http(stream, connection, Value::Null, state, stopped).await };
    let handshake = TlsAcceptor::from(tls.config()).accept(stream);
    tokio::select! {
        shaken = handshake => match shaken {
            Ok(stream) => {
                let client = server_tls::peer(&stream);
                http(stream, connection, client, Arc::clone(&state), stopped).await;
            }
            Err(_) => connection.refuse(),
        },
        _ = stopped.changed() => {}
    }
}

async fn http<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    connection: Connection,
    tls: Value,
    state: Arc<State>,
    mut stopped: watch::Receiver<()>,
) {
    let service = service_fn(|request| answer(&state, &connection, &tls, request));
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
    state: &State,
    connection: &Connection,
    tls: &Value,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let under_way = connection.request();
    let (head, body) = request.into_parts();
    // Read to its end, so that the connection can be used again.
    body.collect().await?;
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), latin1(value.as_bytes()))).collect();
    let received = Received { method: head.method.to_string(), path: head.uri.to_string(), headers };
    let mut reply = json!({
        "upstream": state.name, "method": received.method, "path": received.path, "headers": received.headers,
    });
    if !tls.is_null() {
        reply["tls"] = tls.clone();
    }
    state.count.fetch_add(1, Ordering::Relaxed);
    if let Some(log) = &state.received {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(received);
    }
    let (mut status, mut latency) = {
        let mut manner = state.manner.lock().unwrap_or_else(PoisonError::into_inner);
        (manner.next(), manner.latency)
    };
    if state.obeying {
        let asked = |name: &str| head.headers.get(name)?.to_str().ok()?.parse::<u16>().ok();
        let asked_status = asked("x-answer-status").and_then(|status| hyper::StatusCode::from_u16(status).ok());
        status = asked_status.unwrap_or(status);
        latency = asked("x-answer-after-ms").map_or(latency, |wait| Duration::from_millis(wait.into()));
    }
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut response = hyper::Response::new(Full::new(Bytes::from(reply.to_string())));
    *response.status_mut() = status;
    for (name, value) in &head.headers {
        if let Some(Ok(name)) = name.as_str().strip_prefix(ANSWER).map(str::parse::<hyper::header::HeaderName>) {
            response.headers_mut().append(name, value.clone());
        }
    }
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    // Before the answer is sent: whoever has it may send the next request.
    drop(under_way);
    Ok(response)
}
