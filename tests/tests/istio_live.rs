//! Change in a mesh that serves: what users see while a policy is updated, rolled out, observed, taken over by another
//! controller, made very large, and taken away. From `kubectl apply` to Envoy everything is real: `reference/istio.md` 5.6.

#![cfg(not(target_family = "wasm"))]

#[path = "istio_live/again.rs"]
mod again;
#[path = "istio_live/catalog.rs"]
mod catalog;
#[path = "istio_live/deleted.rs"]
mod deleted;
#[path = "istio_live/edited.rs"]
mod edited;
#[path = "istio_live/large.rs"]
mod large;
#[path = "istio_live/observed.rs"]
mod observed;
#[path = "istio_live/updated.rs"]
mod updated;
#[path = "istio_live/weights.rs"]
mod weights;
