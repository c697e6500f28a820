//! Gateways: what is generated, and what a running Envoy makes of it.

#![cfg(not(target_family = "wasm"))]

#[path = "gateways/bind.rs"]
mod bind;
#[path = "gateways/goldens.rs"]
mod goldens;
#[path = "gateways/plain.rs"]
mod plain;
#[path = "gateways/tls.rs"]
mod tls;
