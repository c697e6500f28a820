//! Carries a decision out.

use super::host::{self, Error, Map};
use super::metrics::Metrics;
use crate::decision::{Decision, IssuedCookie};
use crate::document::AccessLog;
use crate::draw::Draws;
use crate::edit::{self, Edit};
use crate::operations::ResponseEdit;
use crate::policy::Policy;
use crate::recorded::Recording;
use crate::report::{access_log_values, fault_value};
use crate::request::Request;
use std::borrow::Cow;

/// Changes the request's headers; stops at the first that cannot be changed.
pub fn edits(policy: &Policy, decision: &Decision<'_>, request: &Request<'_>) -> Result<(), Error> {
    edit::edits(policy, decision, request).iter().try_for_each(|edit| match edit {
        Edit::Remove(name) => host::remove_header(Map::Request, name),
        Edit::Set(name, value) => host::replace_header(Map::Request, name.as_bytes(), value),
        Edit::Add(name, value) => host::add_header(Map::Request, name.as_bytes(), value),
    })
}

/// What becomes of the response's headers, kept from the request: operations and CORS, unless an answer of ours has them
/// already, and cookies.
pub fn response(decision: &Decision<'_>, is_answered: bool) -> Vec<ResponseEdit<'static>> {
    let name = |name: &Cow<'_, str>| Cow::Owned(name.to_string());
    let edits: &[_] = if is_answered { &[] } else { &decision.response };
    let edits = edits.iter().map(|edit| match edit {
        ResponseEdit::Remove(gone) => ResponseEdit::Remove(name(gone)),
        ResponseEdit::Set(set, value) => ResponseEdit::Set(name(set), Cow::Owned(value.to_vec())),
        ResponseEdit::Add(added, value) => ResponseEdit::Add(name(added), Cow::Owned(value.to_vec())),
    });
    let cookie = |cookie: &IssuedCookie<'_>| {
        ResponseEdit::Add(Cow::Borrowed("set-cookie"), Cow::Owned(cookie.set_cookie().into_bytes()))
    };
    edits.chain(decision.cookies.iter().map(cookie)).collect()
}

/// Changes the response's headers. One that cannot be changed costs the client no answer.
pub fn respond(edits: &[ResponseEdit<'_>], metrics: &Metrics) {
    let is_type = |edit: &ResponseEdit<'_>| edit.name() == "content-type";
    let of_envoy = edits.iter().any(is_type).then(|| envoys_own(metrics)).flatten();
    // Envoy has the last word on the type of its own answers: none where there is no body, and its own where nothing was
    // set or added, so that goes with the first that is.
    let mut is_envoys_type = of_envoy == Some(true);
    for edit in edits {
        let changed = match edit {
            _ if is_type(edit) && of_envoy == Some(false) => continue,
            ResponseEdit::Remove(_) if is_type(edit) && of_envoy.is_some() => continue,
            ResponseEdit::Add(name, value) if is_type(edit) && core::mem::take(&mut is_envoys_type) => {
                host::replace_header(Map::Response, name.as_bytes(), value)
            }
            ResponseEdit::Remove(name) => host::remove_header(Map::Response, name.as_bytes()),
            // The host's replace would leave further lines of this name.
            ResponseEdit::Set(name, value) => {
                is_envoys_type &= !is_type(edit);
                host::remove_header(Map::Response, name.as_bytes())
                    .and_then(|()| host::add_header(Map::Response, name.as_bytes(), value))
            }
            ResponseEdit::Add(name, value) => host::add_header(Map::Response, name.as_bytes(), value),
        };
        if let Err(error) = changed {
            metrics.host_error(&error);
        }
    }
}

/// Whether the response is an answer of Envoy's own that has a body; `None` for one from an upstream.
fn envoys_own(metrics: &Metrics) -> Option<bool> {
    let ask = |path: &str| {
        host::property(path).unwrap_or_else(|error| {
            metrics.host_error(&error);
            None
        })
    };
    let details = ask("response\0code_details").filter(|details| details != b"via_upstream")?;
    // To a gRPC call it always answers as gRPC.
    let kind = ask("response\0headers\0content-type").unwrap_or_default();
    Some(!details.is_empty() && !kind.is_empty() && !kind.starts_with(b"application/grpc"))
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
    if let Some(fault) = fault_value(decision.fault) {
        tell("switchyard_fault", &fault);
    }
    if access_log == AccessLog::Draws {
        let recording = Recording::new(policy, request, draws, decision);
        tell("switchyard_draws", &recording.write());
    }
}
