//! One case: manifests as a user applies them, requests, and what is decided of each. One behaviour a file.
//!
//! `tests/cases/<topic>/<rule>.yaml` holds the manifests and, last, a document of `kind: Case` ([`spec`]). [`load`] makes
//! of each file what every host can run without knowing YAML ([`Lowered`]): the filter's configuration, requests as
//! header lines, expectations. [`compare`] holds what a host saw ([`Observed`]) against them, and is the same for all.

mod compare;
#[cfg(not(target_family = "wasm"))]
mod load;
mod lowered;
mod observed;
#[cfg(not(target_family = "wasm"))]
pub mod spec;
mod tally;
#[cfg(not(target_family = "wasm"))]
pub mod translate;

pub use compare::compare;
#[cfg(not(target_family = "wasm"))]
pub use load::{CaseFile, folder, load, load_all};
pub use lowered::{Host, Lowered, LoweredRequest};
pub use observed::{ANSWER, Header, Observed, Seen, joined};
pub use tally::Tally;
