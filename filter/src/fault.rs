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

#[cfg(test)]
mod tests {
    use crate::draw::Draws;
    use crate::request::Request;
    use crate::{compile_json, decide};

    const POLICY: &str = r#"{"virtualServices": [{"name": "shop", "hosts": ["shop"], "http": [{"name": "r",
        "fault": {"delay": {"percentage": {"value": 50}, "fixedDelay": "1s"},
                  "abort": {"percentage": {"value": 50}, "httpStatus": 503}},
        "mirrors": [{"destination": {"host": "a"}, "percentage": {"value": 50}},
                    {"destination": {"host": "a"}, "percentage": {"value": 50}}],
        "route": [{"destination": {"host": "a"}, "weight": 50}, {"destination": {"host": "b"}, "weight": 50}]}]}]}"#;

    /// Delay, abort, both mirrors, the split.
    const DRAWS: usize = 5;

    /// Everything that is drawn for the requests of an id, each with its own number.
    fn drawn(requests: u128, id: impl Fn(u128) -> String) -> Vec<[bool; DRAWS]> {
        let policy = compile_json(POLICY.as_bytes()).unwrap();
        let draw = |number: u128| {
            let id = id(number);
            let headers: [(&[u8], &[u8]); 3] =
                [(b":path", b"/"), (b":authority", b"shop"), (b"x-request-id", id.as_bytes())];
            let request = Request::new(&headers, None);
            // As random as the shell's, and the same in every run.
            let fresh = number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
            let decision = decide(&policy, &request, &Draws { fresh: Some(fresh), ..Draws::default() });
            let chances: Vec<_> = decision.chances.iter().map(|(_, happens)| happens.unwrap()).collect();
            let [delay, abort, first, second] = chances.try_into().unwrap();
            [delay, abort, first, second, decision.drawn[0].option == 0]
        };
        (0..requests).map(draw).collect()
    }

    #[test]
    fn what_is_drawn_for_a_request_hangs_on_nothing_else_that_is() {
        let requests = 40_000;
        let all = drawn(requests, |number| format!("request-{number}"));
        // Six standard deviations of a binomial of 40,000 at 1/2 and at 1/4.
        let near = |count: usize, expected: usize, bound: usize| assert!(count.abs_diff(expected) < bound, "{count}");
        for a in 0..DRAWS {
            near(all.iter().filter(|drawn| drawn[a]).count(), 20_000, 600);
            for b in a + 1..DRAWS {
                for (x, y) in [(true, true), (true, false), (false, true), (false, false)] {
                    near(all.iter().filter(|drawn| drawn[a] == x && drawn[b] == y).count(), 10_000, 520);
                }
            }
        }
    }

    #[test]
    fn chances_are_drawn_anew_for_each_request_and_splits_for_each_id() {
        let all = drawn(1000, |_| "6f8d9a3c-4f2b-4c1d-9e57-0a1b2c3d4e5f".to_owned());
        for chance in 0..DRAWS - 1 {
            let happened = all.iter().filter(|drawn| drawn[chance]).count();
            assert!((400..600).contains(&happened), "{chance}: {happened}");
        }
        assert!(
            all.iter().all(|drawn| drawn[DRAWS - 1] == all[0][DRAWS - 1]),
            "calls that share an id share their splits"
        );
    }

    #[test]
    fn without_its_number_a_request_leaves_chances_open() {
        let policy = compile_json(POLICY.as_bytes()).unwrap();
        let headers: [(&[u8], &[u8]); 3] = [(b":path", b"/"), (b":authority", b"shop"), (b"x-request-id", b"a")];
        let request = Request::new(&headers, None);
        let decision = decide(&policy, &request, &Draws::default());
        assert!(decision.chances.iter().all(|(_, happens)| happens.is_none()));
        let forced = [("default/shop/r/delay", 1), ("default/shop/r/abort", 0)];
        let decision = decide(&policy, &request, &Draws { forced: &forced, ..Draws::default() });
        let known: Vec<_> = decision.chances.iter().filter_map(|(_, happens)| *happens).collect();
        assert_eq!((known, decision.fault.delay, decision.fault.abort), (vec![true, false], Some(1000), None));
    }
}
