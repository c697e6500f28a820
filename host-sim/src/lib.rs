//! What the command `switchyard` does. It has no routing logic of its own: [`switchyard_filter::decide`] decides.
//!
//! [`cli`] reads what was typed and writes results; [`check`], [`explain`] and [`replay`] do the work; [`candidates`] asks the core
//! what other draws would give; [`path`] stands in for the connection manager's path normalisation.

pub mod candidates;
pub mod check;
pub mod cli;
pub mod explain;
pub mod path;
pub mod replay;
#[cfg(feature = "wasm-host")]
pub mod wasm_host;
