//! Services that answer with what they received, and say how many requests arrived.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Echo, Received};

/// Where the counts are: `/metrics` in Prometheus' text format, whatever the path.
const METRICS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9100);
/// The header by which the walk knows its own requests; a label of the counts.
pub const MARK: &str = "x-walk";
/// Values of [`MARK`] that are told apart; a client may send any.
const MARKS: usize = 100;

/// One service: `NAME@PORT`, or `NAME@PORT=STATUS` for one that answers every request with this status.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    name: String,
    port: u16,
    status: u16,
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (name, rest) = text.split_once('@')?;
            let (port, status) = rest.split_once('=').unwrap_or((rest, "200"));
            Some(Self { name: name.to_owned(), port: port.parse().ok()?, status: status.parse().ok()? })
        };
        read().ok_or_else(|| format!("`{text}` is no service; write `NAME@PORT` or `NAME@PORT=STATUS`"))
    }
}

/// How many requests arrived, by service and mark.
#[derive(Debug, Default)]
struct Counts(BTreeMap<(String, String), u64>);

impl Counts {
    fn add(&mut self, service: &str, received: &[Received]) {
        for request in received {
            let mark = request.headers.iter().find(|(name, _)| name == MARK).map_or("", |(_, value)| value);
            // A label's value that needs no escape, and not too many of them.
            let odd = !mark.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') || self.0.len() >= MARKS;
            let key = (service.to_owned(), if odd { "other".to_owned() } else { mark.to_owned() });
            *self.0.entry(key).or_default() += 1;
        }
    }

    fn text(&self) -> String {
        let mut text = String::from("# TYPE catalogdetail_requests_total counter\n");
        for ((service, mark), count) in &self.0 {
            let _ = writeln!(text, "catalogdetail_requests_total{{upstream=\"{service}\",walk=\"{mark}\"}} {count}");
        }
        text
    }
}

/// Runs the services until the process ends. Errors: a port is taken.
pub async fn serve(services: &[Service]) -> Result<(), String> {
    let mut echoes = Vec::new();
    let counts = Arc::new(Mutex::new(Counts::default()));
    for service in services {
        let address = (Ipv4Addr::UNSPECIFIED, service.port).into();
        let echo = Echo::named(&service.name).at(address).status(service.status).recording().obeying().start().await?;
        println!("{} answers on port {} with {}", service.name, service.port, service.status);
        // Counted from the start: of a series that begins with its requests Prometheus knows no rate.
        for mark in ["", "mirror"] {
            lock(&counts).0.insert((service.name.clone(), mark.to_owned()), 0);
        }
        echoes.push((service.name.clone(), echo));
    }
    let listener = TcpListener::bind(METRICS).await.map_err(|error| format!("cannot listen on {METRICS}: {error}"))?;
    let collect = || {
        let mut counts = lock(&counts);
        for (name, echo) in &echoes {
            counts.add(name, &echo.received());
        }
        counts.text()
    };
    // What is received is kept until it is collected: often enough, whether somebody asks or not.
    let mut rest = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            _ = rest.tick() => { collect(); }
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let text = collect();
                tokio::spawn(tokio::time::timeout(Duration::from_secs(5), tell(stream, text)));
            }
        }
    }
}

fn lock<T>(counts: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers one request on this connection with the text. Whoever breaks it off sees that himself.
async fn tell(mut stream: tokio::net::TcpStream, text: String) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 16_384 {
        head.push(stream.read_u8().await?);
    }
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_name_a_port_and_perhaps_a_status() {
        let service = |name: &str, port, status| Ok(Service { name: name.into(), port, status });
        assert_eq!("v1@3000".parse(), service("v1", 3000, 200));
        assert_eq!("broken@3005=500".parse(), service("broken", 3005, 500));
        let error = "v1:3000".parse::<Service>().unwrap_err();
        assert_eq!(error, "`v1:3000` is no service; write `NAME@PORT` or `NAME@PORT=STATUS`");
    }

    #[test]
    fn requests_are_counted_by_mark_and_odd_marks_together() {
        let request =
            |mark: &str| Received { method: "GET".into(), path: "/".into(), headers: vec![(MARK.into(), mark.into())] };
        let mut counts = Counts::default();
        counts.add("v1", &[request("mirror"), request("mirror"), request("\"}")]);
        assert_eq!(
            counts.text(),
            "\
# TYPE catalogdetail_requests_total counter
catalogdetail_requests_total{upstream=\"v1\",walk=\"mirror\"} 2
catalogdetail_requests_total{upstream=\"v1\",walk=\"other\"} 1
"
        );
    }
}
