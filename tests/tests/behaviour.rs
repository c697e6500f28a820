//! What DestinationRules and routes ask for happens in a running Envoy: the manifests as people write them, the Envoy that
//! `generate` configures, upstreams of ours that are slow, fail, stay away or want certificates.
//!
//! Bounds are those of the rules (`envoy.md` 4) or four standard deviations of what is drawn, never this machine's speed.

#![cfg(not(target_family = "wasm"))]

#[path = "behaviour/balancing.rs"]
mod balancing;
#[path = "behaviour/ejection.rs"]
mod ejection;
#[path = "behaviour/failover.rs"]
mod failover;
#[path = "behaviour/hashing.rs"]
mod hashing;
#[path = "behaviour/mesh.rs"]
mod mesh;
#[path = "behaviour/pool.rs"]
mod pool;
#[path = "behaviour/retries.rs"]
mod retries;
#[path = "behaviour/tls.rs"]
mod tls;

use mesh::{Mesh, Service, eventually, responder, together};
use std::net::SocketAddr;
use std::time::Duration;
use switchyard_tests::harness::{Client, Echo, Request, Response};

/// An upstream that answers 200 at once.
async fn upstream(name: &str) -> Echo {
    Echo::named(name).start().await.unwrap()
}

/// So many of them: `a`, `b`, …
async fn upstreams(count: u8) -> Vec<Echo> {
    let mut all = Vec::new();
    for index in 0..count {
        all.push(upstream(&char::from(b'a' + index).to_string()).await);
    }
    all
}

fn addresses(of: &[Echo]) -> Vec<SocketAddr> {
    of.iter().map(Echo::address).collect()
}

/// `of` drawn with probability `chance`, and four standard deviations around it: one of 16,000 runs is outside.
fn band(of: u32, chance: f64) -> std::ops::RangeInclusive<f64> {
    let (mean, deviation) = (f64::from(of) * chance, (f64::from(of) * chance * (1.0 - chance)).sqrt());
    mean - 4.0 * deviation..=mean + 4.0 * deviation
}

/// Asks a service and gives its answer.
async fn ask(client: &mut Client, service: &str) -> Response {
    client.send(&Request::new("GET", service, "/")).await.unwrap()
}
