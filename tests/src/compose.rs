//! The programs of the docker-compose demo (`envoy/demo`): services that answer, users that come, the policy where Envoy
//! watches it, and the walk through the scenarios that says of each whether it holds.
//!
//! They run in containers and know each other by the names that `envoy/demo/docker-compose.yml` gives.

mod dashboard;
mod load;
mod measure;
mod metrics;
mod policy;
mod scenarios;
mod serve;
mod traffic;
mod walk;

use std::net::SocketAddr;

pub use load::load;
pub use policy::Policy;
pub use serve::{Service, serve};
pub use walk::walk;

/// The address of `name:port`; the first one where a name has several. Errors: it has none.
async fn resolve(name: &str) -> Result<SocketAddr, String> {
    let mut found = tokio::net::lookup_host(name).await.map_err(|error| format!("no address of `{name}`: {error}"))?;
    found.next().ok_or_else(|| format!("no address of `{name}`"))
}
