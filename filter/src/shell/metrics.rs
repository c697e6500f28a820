//! Counters: `wasmcustom.switchyard_…` in Envoy, `switchyard_…` in Prometheus. Their names never hang on a request, since
//! statistics live for ever (proxy-wasm.md 2.6).
//!
//! Counted in the VM and handed over by the tick, so that a request costs no host call for it.

use super::MILLISECOND;
use super::host::{self, Error, Level};
use super::tick::Tick;
use crate::decision::Decision;
use crate::policy::Policy;
use core::cell::{Cell, RefCell};

/// How long a count may wait, in nanoseconds.
const FLUSH: u64 = 1000 * MILLISECOND;

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
    /// [`NAMES`], then the policy's series.
    counters: RefCell<Vec<Batch>>,
    /// When what is counted is handed over, in the tick's time; `None` while there is nothing.
    flush: Cell<Option<u64>>,
    host_errors: Option<u32>,
    errors: Cell<u64>,
}

/// A counter and what the host has not been told of it.
#[derive(Debug)]
struct Batch {
    id: Option<u32>,
    pending: u32,
}

impl Metrics {
    /// Defines all counters: once for each configuration, as every definition makes a new id.
    pub fn define(policy: &Policy) -> Self {
        let series = policy.series().names(policy);
        let names = NAMES.into_iter().chain(series.iter().map(String::as_str));
        let counters = names.map(|name| Batch { id: host::define_counter(name).ok(), pending: 0 }).collect();
        Self {
            counters: RefCell::new(counters),
            flush: Cell::new(None),
            host_errors: host::define_counter("switchyard_host_errors").ok(),
            errors: Cell::new(0),
        }
    }

    /// Counts one of [`NAMES`].
    pub fn count(&self, counter: Counter) {
        self.add(counter as usize);
    }

    /// Counts a decision under its labels. `aborts` says whether a fault answers it.
    pub fn count_series(&self, policy: &Policy, decision: &Decision<'_>, aborts: bool) {
        if let Some(series) = policy.series().of(decision, aborts) {
            self.add(NAMES.len().saturating_add(series));
        }
    }

    fn add(&self, index: usize) {
        // Borrowed for these lines only, here and below, and nothing in them calls back.
        if let Ok(mut counters) = self.counters.try_borrow_mut()
            && let Some(batch) = counters.get_mut(index)
        {
            batch.pending = batch.pending.saturating_add(1);
        }
    }

    /// Sees to it that what is counted will be handed over. At once, should the host have no tick.
    pub fn flush_soon(&self, tick: &Tick) {
        if self.flush.get().is_some() {
            return;
        }
        let armed = tick.now().and_then(|now| {
            let deadline = now.saturating_add(FLUSH);
            tick.by(deadline, now).map(|()| deadline)
        });
        match armed {
            Ok(deadline) => self.flush.set(Some(deadline)),
            Err(error) => {
                self.host_error(&error);
                self.flush();
            }
        }
    }

    /// Hands over what is counted, if its time has come; when it will have, otherwise.
    pub fn flush_due(&self, tick: &Tick) -> Option<u64> {
        let deadline = self.flush.get()?;
        if tick.now().is_ok_and(|now| now < deadline) {
            return Some(deadline);
        }
        self.flush();
        None
    }

    /// Hands over what is counted.
    pub fn flush(&self) {
        self.flush.set(None);
        let mut failed = None;
        if let Ok(mut counters) = self.counters.try_borrow_mut() {
            for batch in counters.iter_mut().filter(|batch| batch.pending > 0) {
                let pending = core::mem::take(&mut batch.pending);
                failed = batch.id.and_then(|id| host::count(id, pending).err()).or(failed);
            }
        }
        if let Some(error) = failed {
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
