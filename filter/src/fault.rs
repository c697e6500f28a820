//! Faults: what goes wrong on purpose (istio.md 1.13).

use crate::chance::{Chance, Least, millionths};
use crate::document::{HttpFaultInjection, Percent};
use crate::draw::Seed;
use crate::duration;
use crate::error::At;

/// The faults of a rule. Delay and abort have a draw each.
#[derive(Debug)]
pub struct Fault {
    /// The request waits first.
    pub delay: Option<Delay>,
    /// It is answered with an error then.
    pub abort: Option<Abort>,
}

/// A delay.
#[derive(Debug)]
pub struct Delay {
    /// For which requests.
    pub chance: Chance,
    /// How long, in milliseconds; at least 1.
    pub milliseconds: u64,
}

/// An abort.
#[derive(Debug)]
pub struct Abort {
    /// For which requests.
    pub chance: Chance,
    /// What they are answered with.
    pub status: AbortStatus,
}

/// What an aborted request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortStatus {
    /// An HTTP status, 200 to 599. Istio takes 600 too, and Envoy then refuses the whole configuration.
    Http(u16),
    /// A gRPC status, 0 to 16.
    Grpc(u16),
}

/// What is injected into one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    /// How long it waits, in milliseconds.
    pub delay: Option<u64>,
    /// What it is answered with then.
    pub abort: Option<AbortStatus>,
}

/// Names of gRPC's status codes, in order.
const GRPC: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Fault {
    /// Compiles `fault` of the rule whose draws are named after `rule`.
    pub fn compile(written: &HttpFaultInjection, seed: Seed, rule: &str, at: &mut At) -> Self {
        if written.delay.is_none() && written.abort.is_none() {
            at.error("a fault needs `delay` or `abort`");
        }
        let share = |percentage: &Option<Percent>, at: &mut At| {
            let percentage = percentage.as_ref();
            percentage.map(|percent| at.field("percentage", |at| millionths(percent, Least::Millionth, at)))
        };
        let delay = written.delay.as_ref().and_then(|delay| {
            at.field("delay", |at| {
                let share = share(&delay.percentage, at).or_else(|| {
                    // Deprecated, and of 100.
                    let percent = delay.percent?;
                    let millionths = u32::try_from(percent).ok().filter(|percent| *percent <= 100);
                    if millionths.is_none() {
                        at.field("percent", |at| at.error(format!("`{percent}` is no percentage: 0 to 100")));
                    }
                    millionths.map(|percent| percent.saturating_mul(10_000))
                });
                let fixed = delay.fixed_delay.as_ref()?;
                let milliseconds = at.field("fixedDelay", |at| duration::compile_positive(fixed, at))?;
                Some(Delay { chance: Chance::new(seed, &format!("{rule}/delay"), share.unwrap_or(0)), milliseconds })
            })
        });
        let abort = written.abort.as_ref().and_then(|abort| {
            at.field("abort", |at| {
                let share = share(&abort.percentage, at).unwrap_or(0);
                let status = match (abort.http_status, &abort.grpc_status) {
                    (Some(status), None) => {
                        let status = u16::try_from(status).ok().filter(|status| (200..=599).contains(status));
                        if status.is_none() {
                            let written = abort.http_status.unwrap_or_default();
                            at.field("httpStatus", |at| at.error(format!("`{written}` is out of range: 200 to 599")));
                        }
                        AbortStatus::Http(status?)
                    }
                    (None, Some(name)) => {
                        let code = GRPC.iter().position(|known| known == name);
                        if code.is_none() {
                            at.field("grpcStatus", |at| {
                                at.error(format!(
                                    "`{name}` is no gRPC status: write one of {}",
                                    crate::read::list(&GRPC)
                                ));
                            });
                        }
                        AbortStatus::Grpc(u16::try_from(code?).ok()?)
                    }
                    (Some(_), Some(_)) => {
                        at.error("only one of `httpStatus` and `grpcStatus` can be set");
                        return None;
                    }
                    // Istio warns and drops it.
                    (None, None) => return None,
                };
                Some(Abort { chance: Chance::new(seed, &format!("{rule}/abort"), share), status })
            })
        });
        Self { delay, abort }
    }
}
