//! The whole chain, from `kubectl apply` to a decided request: `reference/istio.md` 5.6.

#![cfg(not(target_family = "wasm"))]

#[path = "istio_chain/applying.rs"]
mod applying;
#[path = "istio_chain/first_wasm.rs"]
mod first_wasm;
#[path = "istio_chain/gateway_api.rs"]
mod gateway_api;
#[path = "istio_chain/images.rs"]
mod images;
#[path = "istio_chain/kubernetes.rs"]
mod kubernetes;
#[path = "istio_chain/mtls.rs"]
mod mtls;
#[path = "istio_chain/mtls_hops.rs"]
mod mtls_hops;
#[path = "istio_chain/ports.rs"]
mod ports;
#[path = "istio_chain/shop.rs"]
mod shop;
#[path = "istio_chain/waypoint.rs"]
mod waypoint;
