//! `make demo`: why one would switch, measured on a real Envoy.
//!
//! Two listeners stand side by side in one Envoy, over the same two upstreams: ours, as `switchyard generate` writes it
//! from `manifests/demo`, and one that does the same the usual way, a Lua script that tags by a random number and
//! native weighted clusters. Both get the same requests of the same users. What the demo says of our side it also
//! checks: it fails when a share lies outside its 99 % interval, when a forged tag gets through, when a user changes its
//! version, when a recorded request does not replay, when a process is left.

mod checks;
mod command;
mod config;
mod findings;
pub mod interval;
mod leftovers;
mod load;
mod manifests;
mod options;
mod progress;
mod readme;
mod rival;
mod steps;
mod surprise;
mod table;
mod text;
mod users;

pub(crate) use interval::expected_999999;
pub(crate) use load::HOST;
pub use options::Options;
pub use readme::{MARKERS, differences};
pub use steps::run;
pub(crate) use text::thousands;
pub(crate) use users::{User, users};
