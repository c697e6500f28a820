//! Command.

#[cfg(feature = "wasm-host")]
pub mod wasm_host;
