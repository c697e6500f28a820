//! Switchyard's decision: Istio's VirtualService vocabulary as a pure function, and the Proxy-Wasm shell around it.
//!
//! [`Document`](document::Document) is the configuration as written; [`compile()`] makes a [`Policy`] of it or tells
//! everything that is wrong; [`decide()`] says what becomes of a request. No clock, no randomness of its own, no I/O:
//! whatever a decision needs is an argument. `shell` (only on wasm32-wasip1) is the one module that knows Envoy.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "tests fail by panicking"
    )
)]

// So that `record!` can name this crate from wherever it is used.
extern crate self as switchyard_filter;

pub mod document;
pub mod error;
pub mod read;

pub use error::Error;
