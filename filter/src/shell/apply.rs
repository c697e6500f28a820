//! Carries a decision out.

use super::host::{self, Error};
use super::metrics::Metrics;
use crate::decision::Decision;
use crate::document::AccessLog;
use crate::draw::Draws;
use crate::edit::{self, Edit};
use crate::pairs;
use crate::policy::Policy;
use crate::recorded::Recording;
use crate::report::access_log_values;
use crate::request::Request;

/// The answer to a request whose headers could not be read or changed.
pub const HOST_ERROR: (u16, &str) = (503, "host_error");

/// Changes the request's headers; stops at the first that cannot be changed.
pub fn edits(policy: &Policy, decision: &Decision<'_>, request: &Request<'_>) -> Result<(), Error> {
    edit::edits(policy, decision, request).iter().try_for_each(|edit| match edit {
        Edit::Remove(name) => host::remove_request_header(name),
        Edit::Set(name, value) => host::replace_request_header(name, value),
        Edit::Add(name, value) => host::add_request_header(name, value),
    })
}

/// Tells the access log what the policy wants told.
pub fn tell(policy: &Policy, request: &Request<'_>, draws: &Draws<'_>, decision: &Decision<'_>, metrics: &Metrics) {
    let access_log = policy.access_log();
    if access_log == AccessLog::Off {
        return;
    }
    let tell = |name: &str, value: &str| {
        if let Err(error) = host::set_filter_state(name, value) {
            metrics.host_error(&error);
        }
    };
    for (name, value) in access_log_values(policy, decision) {
        tell(name, &value);
    }
    if access_log == AccessLog::Draws {
        let recording = Recording::new(policy, request, draws, decision);
        tell("switchyard_draws", &recording.write());
    }
}

/// Answers the request: no body, response code details `switchyard{reason}`, and the cookies that were issued.
pub fn reply(status: u16, reason: &str, cookies: &[String]) -> Result<(), Error> {
    let cookies: Vec<_> = cookies.iter().map(|cookie| (&b"set-cookie"[..], cookie.as_bytes())).collect();
    host::reply(status, &format!("switchyard{{{reason}}}"), &pairs::encode(&cookies))
}
