//! What the command `switchyard` does.

pub mod candidates;
pub mod path;
pub mod replay;
#[cfg(feature = "wasm-host")]
pub mod wasm_host;
