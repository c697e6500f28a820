//! The hosts that run the cases. All run the same files and compare by the same code.

pub mod core;
#[cfg(not(target_family = "wasm"))]
pub mod envoy;
#[cfg(not(target_family = "wasm"))]
pub mod istio;
#[cfg(not(target_family = "wasm"))]
pub mod plugin;
#[cfg(not(target_family = "wasm"))]
pub mod wasm;
