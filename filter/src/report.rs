//! A decision as people and scripts read it: the JSON of `switchyard explain`, of `replay --decisions`, and of the cases.

use crate::chance::Chance;
use crate::decision::{Action, Decision};
use crate::fault::{AbortStatus, Injected};
use crate::operations::ResponseEdit;
use crate::policy::{Policy, Rule};
use std::collections::BTreeMap;

/// A decision; absent things are `null` or empty.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// `namespace/name` of the VirtualService that took the request.
    pub virtual_service: Option<String>,
    /// The rule that took it: its name, else `http[i]`.
    pub rule: Option<String>,
    /// What is done. A fault does not change it.
    pub action: ActionName,
    /// Envoy's name of the destination: `outbound|<port>|<subset>|<host>`.
    pub cluster: Option<String>,
    /// The destination's full host name.
    pub host: Option<String>,
    /// Its subset.
    pub subset: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// `:path` as it goes out. Bytes above 127 are one character each (Latin-1), here and below.
    pub path: Option<String>,
    /// `:authority` as it goes out.
    pub authority: Option<String>,
    /// Tags that have a value, by header.
    pub tags: BTreeMap<String, String>,
    /// Headers that the request goes on with in place of any that came; tags are among them. Several lines of one name are
    /// joined with `,`.
    pub request_headers: BTreeMap<String, String>,
    /// Headers of the request that the rule's operations remove, in order.
    pub removed_headers: Vec<String>,
    /// Headers that the response gets, in order.
    pub response_headers: Vec<(String, String)>,
    /// Headers of the response that the rule's operations remove, in order.
    pub removed_response_headers: Vec<String>,
    /// Clusters that get a copy.
    pub mirrors: Vec<String>,
    /// How long the whole exchange may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// When the request is tried again; `null` for never.
    pub retries: Option<RetriesReport>,
    /// The fault that is injected.
    pub fault: Option<Fault>,
    /// What hangs on chance, in order: delay, abort, mirrors.
    pub chances: Vec<ChanceReport>,
    /// The answer, where `action` is `reply`.
    pub reply: Option<ReplyReport>,
    /// What is not known and would decide it, where `action` is `undecidable`.
    pub missing: Option<String>,
}

/// What is done with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ActionName {
    /// It goes to `cluster`.
    Forward,
    /// It is answered by the filter.
    Reply,
    /// It is left to Envoy's own routes.
    #[default]
    Pass,
    /// The recording does not hold what decides it.
    Undecidable,
}

/// When a request is tried again.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetriesReport {
    /// How often at most.
    pub attempts: u32,
    /// How long each try may take, in milliseconds.
    pub per_try_timeout_ms: Option<u64>,
    /// Conditions and status codes, joined with `,`.
    pub retry_on: String,
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fault {
    /// How long the request waits, in milliseconds.
    pub delay_ms: Option<u64>,
    /// The status that it is answered with.
    pub abort_status: Option<u16>,
    /// The gRPC status that it is answered with.
    pub grpc_status: Option<u16>,
}

/// Something that happens to a share of a rule's requests.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChanceReport {
    /// What the draw is called.
    pub name: String,
    /// What happens: `delay 5000 ms`, `abort 503`, `abort grpc-14`, `mirror` and the cluster.
    pub what: String,
    /// How many of 100 requests.
    pub percent: f64,
    /// Whether it happens to this one; `null` where the recording does not hold the draw.
    pub happens: Option<bool>,
}

/// An answer of the filter.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplyReport {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Report {
    /// What `decision` says. `path` and `authority` are those of the request, unless it changes them.
    pub fn new(policy: &Policy, decision: &Decision<'_>, path: Option<&[u8]>, authority: Option<&[u8]>) -> Self {
        let mut report = Self {
            path: path.map(latin1),
            authority: authority.map(latin1),
            tags: decision.tag_values(policy).map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            ..Self::default()
        };
        let headers = decision.request_headers(policy);
        report.request_headers = headers.map(|(name, value)| (name.into_owned(), latin1(&value))).collect();
        for changed in &decision.changed {
            let values: Vec<_> = changed.values.iter().map(|value| latin1(value)).collect();
            if values.is_empty() {
                report.removed_headers.push(changed.name.to_owned());
            } else {
                report.request_headers.insert(changed.name.to_owned(), values.join(","));
            }
        }
        for edit in &decision.response {
            match edit {
                ResponseEdit::Remove(name) => report.removed_response_headers.push(name.to_string()),
                ResponseEdit::Set(name, value) | ResponseEdit::Add(name, value) => {
                    report.response_headers.push((name.to_string(), latin1(value)));
                }
            }
        }
        let cookies = decision.cookies.iter().map(|cookie| ("set-cookie".to_owned(), cookie.set_cookie()));
        report.response_headers.extend(cookies);
        report.fault = (decision.fault != Injected::default()).then_some(Fault {
            delay_ms: decision.fault.delay,
            abort_status: if let Some(AbortStatus::Http(status)) = decision.fault.abort { Some(status) } else { None },
            grpc_status: if let Some(AbortStatus::Grpc(status)) = decision.fault.abort { Some(status) } else { None },
        });
        let chance = |(chance, happens): &(&Chance, Option<bool>)| ChanceReport {
            name: chance.name.to_string(),
            what: decision.rule().map(|rule| what_happens(rule, chance)).unwrap_or_default(),
            percent: f64::from(chance.millionths) / 10_000.0,
            happens: *happens,
        };
        report.chances = decision.chances.iter().map(chance).collect();
        report.virtual_service = decision.rule().map(|rule| rule.virtual_service.to_string());
        report.rule = decision.rule().map(|rule| rule.name.to_string());
        match &decision.action {
            Action::Forward(forward) => {
                report.action = ActionName::Forward;
                report.cluster = Some(forward.destination.cluster.to_string());
                report.host = Some(forward.destination.host.to_string());
                report.subset =
                    (!forward.destination.subset.is_empty()).then(|| forward.destination.subset.to_string());
                report.port = Some(forward.destination.port);
                if let Some(path) = &forward.path {
                    report.path = Some(latin1(path));
                }
                if let Some(authority) = &forward.destination.authority {
                    report.authority = Some(authority.to_string());
                }
                // Who is aborted does not come to the router, which makes the copies.
                let mirrors = forward.mirrors.iter().flatten().filter(|_| decision.fault.abort.is_none());
                report.mirrors = mirrors.map(|cluster| (*cluster).to_owned()).collect();
                report.timeout_ms = forward.timeout;
                report.retries = forward.rule.retries.as_ref().map(|retries| RetriesReport {
                    attempts: retries.attempts,
                    per_try_timeout_ms: retries.per_try_timeout,
                    retry_on: [&retries.http_on, &retries.grpc_on, &retries.status_codes]
                        .into_iter()
                        .filter(|on| !on.is_empty())
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .join(","),
                });
            }
            Action::Reply(reply) => {
                report.action = ActionName::Reply;
                report.reply = Some(ReplyReport {
                    status: reply.status,
                    headers: reply.headers.iter().map(|(name, value)| ((*name).to_owned(), latin1(value))).collect(),
                    body: latin1(reply.body),
                });
            }
            Action::Pass => {}
            Action::Undecidable(missing) => {
                report.action = ActionName::Undecidable;
                report.missing = Some(missing.to_string());
            }
        }
        report
    }
}

/// What the filter writes to the access log, each under its name below `wasm.`; also what a recording holds of the
/// decision. Values in the order of the names: `switchyard_rule`, `switchyard_tags`, `switchyard_cluster`.
pub fn access_log_values(policy: &Policy, decision: &Decision<'_>) -> [(&'static str, String); 3] {
    let rule = match (decision.rule(), &decision.action) {
        (Some(rule), _) => format!("{}/{}", rule.virtual_service, rule.name),
        (None, Action::Reply(reply)) => reply.reason.to_owned(),
        (None, _) => "-".to_owned(),
    };
    // Values are joined by `,`, so one of their own is percent-encoded.
    let tag = |(name, value): (&str, &str)| format!("{name}={}", value.replace('%', "%25").replace(',', "%2C"));
    let tags = decision.tag_values(policy).map(tag).collect::<Vec<_>>().join(",");
    let cluster = decision.forward().map_or_else(|| "-".to_owned(), |forward| forward.destination.cluster.to_string());
    [("switchyard_rule", rule), ("switchyard_tags", tags), ("switchyard_cluster", cluster)]
}

/// What happens when a chance of a rule does: `delay 5000 ms`, `abort 503`, `abort grpc-14`, `mirror` and the cluster.
pub fn what_happens(rule: &Rule, chance: &Chance) -> String {
    let is = |other: &Chance| core::ptr::eq(other, chance);
    let fault = rule.fault.as_ref();
    if let Some(delay) = fault.and_then(|fault| fault.delay.as_ref()).filter(|delay| is(&delay.chance)) {
        return format!("delay {} ms", delay.milliseconds);
    }
    match fault.and_then(|fault| fault.abort.as_ref()).filter(|abort| is(&abort.chance)).map(|abort| abort.status) {
        Some(AbortStatus::Http(status)) => return format!("abort {status}"),
        Some(AbortStatus::Grpc(status)) => return format!("abort grpc-{status}"),
        None => {}
    }
    let mirror = rule.mirrors.iter().find(|mirror| is(&mirror.chance));
    mirror.map(|mirror| format!("mirror {}", mirror.destination.cluster)).unwrap_or_default()
}

/// What the filter writes to the access log of a fault, as `wasm.switchyard_fault`: `delay=300`, `abort=503`,
/// `abort=grpc-14`, or two of them joined by `,`. `None` for a request without one.
pub fn fault_value(fault: Injected) -> Option<String> {
    let delay = fault.delay.map(|milliseconds| format!("delay={milliseconds}"));
    let abort = fault.abort.map(|abort| match abort {
        AbortStatus::Http(status) => format!("abort={status}"),
        AbortStatus::Grpc(status) => format!("abort=grpc-{status}"),
    });
    match (delay, abort) {
        (Some(delay), Some(abort)) => Some([&delay, ",", &abort].concat()),
        (delay, abort) => delay.or(abort),
    }
}

/// Bytes as text: one character each.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}
