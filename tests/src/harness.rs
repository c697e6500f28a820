//! A real Envoy and what stands around it in a test: an echo upstream, a client that can send anything, free ports.
//!
//! The harness knows processes, sockets and bytes, and nothing of policies: what Envoy is told to do is a file.

mod admin;
mod app;
mod certificates;
mod client;
mod echo;
pub(crate) mod envoy;
pub(crate) mod folder;
pub(crate) mod keeper;
mod ports;
mod server_tls;
mod tls;
pub(crate) mod tools;

pub use admin::Admin;
pub use app::{App, Calls};
pub use certificates::{Ca, Certificate};
pub use client::{Client, Request, Response};
pub use echo::{Echo, EchoBuilder, Load, Received};
pub use envoy::{Envoy, Launch, validate, validate_with};
pub use ports::free_port;
pub use server_tls::ServerTls;
pub use switchyard_filter::report::latin1;
pub use tls::Tls;
pub use tools::{envoy_binary, envoy_binary_of, released_wasm};

/// What [`latin1`] was made of; `None` when a character is above U+00FF.
pub fn from_latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok()).collect()
}
