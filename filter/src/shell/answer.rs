//! Answers of our own.

use super::host::{self, Error};
use crate::decision::{Action, Decision};
use crate::fault::AbortStatus;
use crate::pairs;
use crate::policy::{Policy, Rule};

/// The body of an abort, as Envoy's fault filter has it (envoy.md 2).
const ABORTED: &str = "fault filter abort";

/// What a request is answered with. It outlives the decision, so it holds nothing of the request.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    /// A gRPC status of its own. Without one Envoy derives it from the HTTP status, for a gRPC request.
    grpc_status: i32,
    details: String,
    /// In the form of [`pairs`].
    headers: Vec<u8>,
    /// Its body, unless that is the policy's.
    body: &'static str,
}

impl Answer {
    /// The answer to a request whose headers could not be read or changed.
    pub fn host_error() -> Self {
        Self::new(503, "host_error", None, "")
    }

    /// What a decision answers; `None` for a request that goes on.
    pub fn of(policy: &Policy, decision: &Decision<'_>) -> Option<Self> {
        if let Some(abort) = decision.own_fault(policy).abort {
            let (status, grpc_status) = match abort {
                AbortStatus::Http(status) => (status, host::NO_GRPC_STATUS),
                // As Envoy: with the gRPC status for a gRPC request, a plain 200 for any other (envoy.md 2).
                AbortStatus::Grpc(status) => (200, status.into()),
            };
            let answer = Self::new(status, "fault_abort", decision.rule(), ABORTED);
            return Some(Self { grpc_status, headers: Self::headers(decision), ..answer });
        }
        let Action::Reply(reply) = &decision.action else {
            return None;
        };
        let answer = Self::new(reply.status, reply.reason, reply.rule, "");
        Some(Self { headers: Self::headers(decision), ..answer })
    }

    fn headers(decision: &Decision<'_>) -> Vec<u8> {
        let headers: Vec<_> =
            decision.reply_headers().into_iter().map(|(name, value)| (name.as_bytes(), value)).collect();
        pairs::encode(&headers)
    }

    fn new(status: u16, reason: &str, rule: Option<&Rule>, body: &'static str) -> Self {
        let rule = rule.map(|rule| [":", &rule.virtual_service, "/", &rule.name].concat()).unwrap_or_default();
        let details = ["switchyard{", reason, &rule, "}"].concat();
        Self { status, grpc_status: host::NO_GRPC_STATUS, details, headers: pairs::encode(&[]), body }
    }

    /// Answers the request that host calls act on. `direct`: the body of a direct response, which never waits, as no fault
    /// can stand beside it.
    pub fn send(&self, direct: &[u8]) -> Result<(), Error> {
        let body = match self.status {
            // They have no body (RFC 9110): the client would take one for the next response.
            204 | 304 => b"",
            _ if self.body.is_empty() => direct,
            _ => self.body.as_bytes(),
        };
        host::reply(self.status, &self.details, &self.headers, body, self.grpc_status)
    }
}
