//! Counters: `wasmcustom.switchyard_…` in Envoy, `switchyard_…` in Prometheus. Their names never hang on a request, since
//! statistics live for ever (proxy-wasm.md 2.6).
//!
//! One increment for each request: at 0.08 us (envoy.md 8.1) it costs less than what would have to run to batch them.

use super::host::{self, Error, Level};
use core::cell::Cell;

/// What is counted: of each request one of the first four.
#[derive(Clone, Copy, Debug)]
pub enum Counter {
    /// It went to a destination (or would have, under `mode: observe`).
    Forward,
    /// It was answered here.
    Reply,
    /// It was left to Envoy's own routes.
    Pass,
    /// The filter answered it with an error on purpose.
    Abort,
    /// The filter had it wait first.
    Delay,
    /// It should have waited, and too many did.
    DelayOverflow,
}

/// Names of the counters, in the order of [`Counter`].
const NAMES: [&str; 6] = [
    "switchyard_forward",
    "switchyard_reply",
    "switchyard_pass",
    "switchyard_aborts",
    "switchyard_delays",
    "switchyard_delays_overflow",
];

/// The counters of one configuration. A host that does not define them counts nothing.
#[derive(Debug)]
pub struct Metrics {
    ids: [Option<u32>; NAMES.len()],
    host_errors: Option<u32>,
    errors: Cell<u64>,
}

impl Metrics {
    /// Defines all counters: once for each configuration, as every definition makes a new id.
    pub fn define() -> Self {
        let define = |name| host::define_counter(name).ok();
        Self { ids: NAMES.map(define), host_errors: define("switchyard_host_errors"), errors: Cell::new(0) }
    }

    /// Counts a request.
    pub fn count(&self, counter: Counter) {
        let id = self.ids.get(counter as usize).copied().flatten();
        if let Some(Err(error)) = id.map(|id| host::count(id, 1)) {
            self.host_error(&error);
        }
    }

    /// Counts a host call that failed. Logs the first, second, fourth, eighth and so on: a host that fails does so on
    /// every request.
    pub fn host_error(&self, error: &Error) {
        let errors = self.errors.get().saturating_add(1);
        self.errors.set(errors);
        if let Some(id) = self.host_errors {
            let _ = host::count(id, 1);
        }
        if errors.is_power_of_two() {
            host::log(Level::Warn, &format!("switchyard: {error} (host error {errors} of this configuration)"));
        }
    }
}
