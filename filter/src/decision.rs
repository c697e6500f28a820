//! What becomes of a request, and why: data, for the shell to carry out and for people to read.

use crate::block::Missing;
use crate::chance::Chance;
use crate::document::{ControlHeaders, FaultCarrier};
use crate::draw::Digest;
use crate::fault::{AbortStatus, Injected};
use crate::headers;
use crate::operations::{Changed, ResponseEdit};
use crate::policy::{Destination, Policy, Route, Rule};
use crate::split::{Issue, Split};
use crate::tag::TagState;
use crate::timeout;
use core::fmt::Write as _;
use std::borrow::Cow;

/// What becomes of a request.
#[derive(Debug)]
pub struct Decision<'a> {
    /// What became of each of the policy's tags, in order.
    pub tags: Vec<TagState<'a>>,
    /// What is done.
    pub action: Action<'a>,
    /// What goes wrong on purpose before the action.
    pub fault: Injected,
    /// Choices that were made, in order.
    pub drawn: Vec<Drawn<'a>>,
    /// Chances of the rule and their outcomes; `None` where the recording does not hold the draw, which then counts as
    /// not happening.
    pub chances: Vec<(&'a Chance, Option<bool>)>,
    /// Cookies that the response carries.
    pub cookies: Vec<IssuedCookie<'a>>,
    /// The first choice whose subject is not known, where there is one.
    pub open: Option<&'a Split>,
    /// Headers of a request that goes on as the rule's operations leave them.
    pub changed: Vec<Changed<'a>>,
    /// What becomes of the response's headers, in order: the rule's operations, then CORS. Our own answers too.
    pub response: Vec<ResponseEdit<'a>>,
}

/// What is done with a request.
#[derive(Debug)]
pub enum Action<'a> {
    /// It goes to a destination.
    Forward(Forward<'a>),
    /// It is answered here.
    Reply(Reply<'a>),
    /// It is left to Envoy's own routes.
    Pass,
    /// The recording does not hold what decides it.
    Undecidable(Missing<'a>),
}

/// A request that goes to a destination.
#[derive(Debug)]
pub struct Forward<'a> {
    /// The rule that took it.
    pub rule: &'a Rule,
    /// The rule's match block that matched.
    pub route: &'a Route,
    /// Where it goes.
    pub destination: &'a Destination,
    /// `:path` as it goes out, where it is rewritten.
    pub path: Option<Vec<u8>>,
    /// `:path` as it came.
    pub original_path: &'a [u8],
    /// `:authority` as it came.
    pub original_authority: &'a [u8],
    /// Clusters of the rule's mirrors, in order; `None` for one that gets no copy of this request.
    pub mirrors: Vec<Option<&'a str>>,
    /// The value by which a host of the destination is chosen.
    pub hash: Option<Cow<'a, [u8]>>,
    /// How long the whole exchange may take, in milliseconds.
    pub timeout: Option<u64>,
    /// What a gRPC upstream is told of it, in milliseconds.
    pub grpc_timeout: Option<u64>,
}

/// A header of an answer: a name in lower case and a value.
pub type ReplyHeader<'a> = (&'static str, Cow<'a, [u8]>);

/// [`Reply::reason`] of the answer to a preflight.
pub const PREFLIGHT: &str = "cors_preflight";

/// An answer of our own.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    /// Its status.
    pub status: u16,
    /// Why, as response code details name it: `no_virtual_host`, `no_route`, `redirect`, `direct_response`,
    /// `cors_preflight`.
    pub reason: &'static str,
    /// The rule that answers, where one does.
    pub rule: Option<&'a Rule>,
    /// Its own headers, before [`Decision::response`].
    pub headers: Vec<ReplyHeader<'a>>,
    /// Its body.
    pub body: &'a [u8],
}

impl Reply<'_> {
    /// An answer that no rule gives.
    pub fn unruled(status: u16, reason: &'static str) -> Self {
        Self { status, reason, rule: None, headers: Vec::new(), body: b"" }
    }
}

/// A choice that was made.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    /// Which.
    pub split: &'a Split,
    /// Its outcome.
    pub option: usize,
    /// Whose it is; `None` where the outcome was given.
    pub subject: Option<Digest>,
    /// Whether the subject is the one that keeps it, and not the request in its stead.
    pub kept: bool,
}

/// A cookie that the response carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCookie<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value: 32 hexadecimal digits.
    pub value: String,
    /// Its attributes.
    pub issue: &'a Issue,
}

impl IssuedCookie<'_> {
    /// The value of its `set-cookie` header.
    pub fn set_cookie(&self) -> String {
        let Issue { path, max_age, attributes } = self.issue;
        let mut line = format!("{}={}", self.name, self.value);
        if *max_age > 0 {
            let _ = write!(line, "; Max-Age={max_age}");
        }
        let path: [&str; 2] = if path.is_empty() { [""; 2] } else { ["; Path=", path] };
        // Envoy's order.
        for part in path.into_iter().chain([&**attributes, "; HttpOnly"]) {
            line.push_str(part);
        }
        line
    }
}

impl<'a> Decision<'a> {
    /// Where the request goes, if it does.
    pub fn forward(&self) -> Option<&Forward<'a>> {
        if let Action::Forward(forward) = &self.action { Some(forward) } else { None }
    }

    /// The rule that took the request, if one did.
    pub fn rule(&self) -> Option<&'a Rule> {
        match &self.action {
            Action::Forward(forward) => Some(forward.rule),
            Action::Reply(reply) => reply.rule,
            Action::Pass | Action::Undecidable(_) => None,
        }
    }

    /// Headers of an answer of ours as they go out: those of the reply, if it is one, as [`Self::response`] leaves them.
    /// They go with the answer, and not behind it: only then is `content-type` what the rule says, and gone where there is
    /// no body, as with answers of Envoy's own.
    pub fn reply_headers(&self) -> Vec<(&str, &[u8])> {
        let own: &[ReplyHeader<'_>] = match &self.action {
            Action::Reply(reply) if self.fault.abort.is_none() => &reply.headers,
            _ => &[],
        };
        let mut lines: Vec<(&str, &[u8])> = own.iter().map(|(name, value)| (*name, &**value)).collect();
        for edit in &self.response {
            match edit {
                ResponseEdit::Remove(name) => lines.retain(|(line, _)| *line != &**name),
                ResponseEdit::Set(name, value) => {
                    lines.retain(|(line, _)| *line != &**name);
                    lines.push((name, value));
                }
                ResponseEdit::Add(name, value) => lines.push((name, value)),
            }
        }
        lines
    }

    /// What the filter itself must inject: everything, unless Envoy's fault filter does. That one stands behind us, so it
    /// cannot delay an answer of ours.
    pub fn own_fault(&self, policy: &Policy) -> Injected {
        let is_envoys = policy.faults == FaultCarrier::Envoy && matches!(self.action, Action::Forward(_));
        if is_envoys { Injected::default() } else { self.fault }
    }

    /// The tags that have a value, in order: header and value.
    pub fn tag_values<'d>(&'d self, policy: &'d Policy) -> impl Iterator<Item = (&'d str, &'a str)> {
        policy.tags.iter().zip(&self.tags).filter_map(|(tag, state)| match state {
            TagState::Value(value) => Some((&*tag.header, *value)),
            _ => None,
        })
    }

    /// Headers that the request goes on with, each once, in place of any that came: tags, then our own and Envoy's.
    /// `:path` and `:authority` are not among them, nor are those that the rule's operations [change](Self::changed).
    pub fn request_headers<'d>(&'d self, policy: &'d Policy) -> impl Iterator<Item = (Cow<'d, str>, Cow<'d, [u8]>)> {
        let tags = self.tag_values(policy).map(|(header, value)| (header.into(), Cow::Borrowed(value.as_bytes())));
        let faults = if policy.faults == FaultCarrier::Envoy { self.fault } else { Injected::default() };
        let faults = self.forward().into_iter().flat_map(move |_| fault_headers(faults));
        let all = tags.chain(self.forward().into_iter().flat_map(Forward::headers)).chain(faults);
        all.filter(|(name, _)| !self.changed.iter().any(|changed| changed.name == &**name))
    }

    /// Whether a header line that came must go, because nobody outside may set it and nothing overwrites it. `name` in
    /// lower case; called for each line, so decided on bytes.
    pub fn removes(&self, policy: &Policy, name: &[u8]) -> bool {
        let removes_control = policy.control_headers == ControlHeaders::Remove;
        if removes_control && headers::is_control(name) {
            return !self.request_headers(policy).any(|(header, _)| header.as_bytes() == name);
        }
        for (tag, state) in policy.tags.iter().zip(&self.tags) {
            if (removes_control || tag.trust_client)
                && *state != TagState::Elsewhere
                && headers::same_spelling(tag.header.as_bytes(), name)
            {
                return *state == TagState::None || name != tag.header.as_bytes();
            }
        }
        let Some(forward) = self.forward() else {
            return false;
        };
        name.starts_with(b"x-envoy-")
            && headers::ROUTER_HINTS.iter().any(|hint| hint.as_bytes() == name)
            && !forward.headers().any(|(header, _)| header.as_bytes() == name)
            && !self.changed.iter().any(|changed| changed.name.as_bytes() == name)
    }
}

impl Forward<'_> {
    /// Headers that carry the decision to Envoy's router.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, [u8]>)> {
        let cluster = (headers::CLUSTER, Cow::Borrowed(self.destination.cluster.as_bytes()));
        let path = self.path.as_ref().map(|_| (headers::ORIGINAL_PATH, Cow::Borrowed(self.original_path)));
        let host = self.destination.authority.as_ref();
        let host = host.map(|_| (headers::ORIGINAL_HOST, Cow::Borrowed(self.original_authority)));
        let timeout =
            self.timeout.map(|ms| ("x-envoy-upstream-rq-timeout-ms", Cow::Owned(ms.to_string().into_bytes())));
        let told = self.grpc_timeout.map(|ms| ("grpc-timeout", Cow::Owned(timeout::wire(ms).into_bytes())));
        let retries = self.rule.retry_headers.iter().map(|(name, value)| (*name, Cow::Borrowed(value.as_bytes())));
        let hash = self.hash.as_ref().map(|hash| (headers::HASH, Cow::Borrowed(&**hash)));
        let all =
            core::iter::once(cluster).chain(path).chain(host).chain(timeout).chain(told).chain(retries).chain(hash);
        let mirrors = self.mirrors.iter().zip(1_u32..).filter_map(|(cluster, number)| {
            let name = format!("{}{number}", headers::MIRROR_PREFIX);
            cluster.map(|cluster| (Cow::Owned(name), Cow::Borrowed(cluster.as_bytes())))
        });
        all.map(|(name, value)| (Cow::Borrowed(name), value)).chain(mirrors)
    }
}

/// Headers that ask Envoy's fault filter for a fault.
fn fault_headers<'d>(fault: Injected) -> impl Iterator<Item = (Cow<'d, str>, Cow<'d, [u8]>)> {
    let delay = fault.delay.map(|milliseconds| (headers::FAULT_DELAY, milliseconds));
    let abort = fault.abort.map(|status| match status {
        AbortStatus::Http(status) => (headers::FAULT_ABORT, status.into()),
        AbortStatus::Grpc(status) => (headers::FAULT_ABORT_GRPC, status.into()),
    });
    delay.into_iter().chain(abort).map(|(name, number)| (name.into(), Cow::Owned(number.to_string().into_bytes())))
}
