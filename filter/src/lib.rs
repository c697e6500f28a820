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

pub mod block;
pub mod compile;
pub mod decide;
pub mod decision;
pub mod document;
pub mod draw;
mod duration;
pub mod error;
pub mod headers;
pub mod matcher;
pub mod policy;
pub mod read;
pub mod recorded;
pub mod report;
pub mod request;
pub mod retry;
pub mod split;
pub mod tag;
mod timeout;
pub mod trace;
pub mod truth;

pub use compile::{compile, compile_json};
pub use decide::decide;
pub use error::Error;
pub use policy::Policy;
