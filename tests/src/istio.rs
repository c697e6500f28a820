//! Istio without Kubernetes and without our filter: istiod on a folder of manifests, and stock Envoys that it configures,
//! as sidecars or gateways (`reference/istio.md` 5). What they do is what Istio does; nothing here knows our policies.
//!
//! ```no_run
//! # async fn example() -> Result<(), String> {
//! use serde_json::json;
//! use switchyard_tests::harness::{Echo, Request};
//! use switchyard_tests::istio::{Istiod, Proxy, to_upstream};
//!
//! let echo = Echo::named("upstream").at(([0, 0, 0, 0], 0).into()).recording().start().await?;
//! // Manifests as JSON; every ServiceEntry gets an endpoint per subset, all of them the echo.
//! let mut manifests = vec![
//!     json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "shop", "namespace": "demo"},
//!         "spec": {"hosts": ["shop.demo.svc.cluster.local"], "resolution": "STATIC",
//!             "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}}),
//!     json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "shop", "namespace": "demo"},
//!         "spec": {"hosts": ["shop"], "http": [{"name": "all", "route": [{"destination": {"host": "shop"}}]}]}}),
//! ];
//! to_upstream(&mut manifests, echo.address().port());
//!
//! // A proxy is planned first: its listeners are part of what istiod is told.
//! let proxy = Proxy::sidecar("front", "demo", [80]);
//! manifests.extend(proxy.manifests());
//! let istiod = Istiod::start(&manifests).await?;
//! let envoy = istiod.run(&proxy).await?; // ready: listeners, routes and endpoints are there
//!
//! let mut client = envoy.client(80)?;
//! let seen = envoy.send(&mut client, &echo, &Request::new("GET", "shop", "/")).await?;
//! assert_eq!(seen.cluster.as_deref(), Some("outbound|80||shop.demo.svc.cluster.local"));
//! assert_eq!((seen.status, seen.route.as_deref()), (200, Some("all")));
//!
//! // Other manifests, in the same istiod and Envoy.
//! let version = istiod.apply(&manifests).await?;
//! envoy.wait_synced(&version).await?;
//! # Ok(()) }
//! ```
//!
//! Everything ends with its value: a drop kills the process, and so does the end of this one.

mod envoy;
mod exchange;
mod istiod;
mod proxy;
mod routes;
mod sync;
mod upstream;

pub use envoy::IstioEnvoy;
pub use exchange::Exchange;
pub use istiod::{Istiod, binary};
pub(crate) use istiod::{Serving, command, revealing};
pub use proxy::{GATEWAY_NAME, Kind, Proxy};
pub use routes::{Destination, Route, Routes, milliseconds};
pub(crate) use sync::{dump, missing, revision};
pub use upstream::to_upstream;

/// The Envoy that Istio 1.29 is built on (istio.md 5.0).
pub const ENVOY: &str = "1.37.0";

/// Istio's root namespace: what lies there is for every proxy.
pub const ROOT: &str = "istio-system";
