//! Tests.

pub mod case;
#[cfg(not(target_family = "wasm"))]
pub mod chain;
#[cfg(not(target_family = "wasm"))]
pub mod clusters;
#[cfg(not(target_family = "wasm"))]
pub mod compose;
#[cfg(not(target_family = "wasm"))]
pub mod demo;
#[cfg(not(target_family = "wasm"))]
pub mod differential;
#[cfg(not(target_family = "wasm"))]
pub mod gateways;
#[cfg(not(target_family = "wasm"))]
pub mod generated;
#[cfg(not(target_family = "wasm"))]
pub mod harness;
pub mod hosts;
#[cfg(not(target_family = "wasm"))]
pub mod istio;
#[cfg(not(target_family = "wasm"))]
pub mod rng;
#[cfg(not(target_family = "wasm"))]
pub mod rollout;
#[cfg(not(target_family = "wasm"))]
pub mod scenario;
