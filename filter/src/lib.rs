//! Switchyard's decision: Istio's VirtualService vocabulary as a pure function, and the Proxy-Wasm shell around it.
//!
//! [`Document`](document::Document) is the configuration as written; [`compile()`] makes a [`Policy`] of it or tells
//! everything that is wrong; [`decide()`] says what becomes of a request. No clock, no randomness of its own, no I/O:
//! whatever a decision needs is an argument. `shell` (only on wasm32-wasip1) is the one module that knows Envoy.

// A panic takes an Envoy worker's VM down (proxy-wasm.md 2.11): nothing here may have one.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
#![cfg_attr(
    test,
    allow(clippy::cast_precision_loss, clippy::type_complexity, reason = "statistics and tables of cases")
)]

// So that `record!` can name this crate from wherever it is used.
extern crate self as switchyard_filter;

pub mod answer;
pub mod block;
pub mod chance;
pub mod compile;
pub mod connection;
pub mod cors;
pub mod decide;
pub mod decision;
pub mod document;
pub mod draw;
pub mod duration;
pub mod edit;
pub mod error;
pub mod fault;
pub mod hash;
pub mod headers;
mod json;
pub mod matcher;
pub mod mirror;
pub mod operations;
pub mod pairs;
pub mod policy;
pub mod read;
pub mod recorded;
pub mod report;
pub mod request;
pub mod retry;
pub mod rewrite;
pub mod series;
#[cfg(target_os = "wasi")]
mod shell;
pub mod split;
pub mod tag;
pub mod template;
mod timeout;
pub mod trace;
pub mod truth;

pub use compile::{compile, compile_json};
pub use decide::decide;
pub use error::Error;
pub use policy::Policy;
