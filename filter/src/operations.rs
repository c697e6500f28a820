//! Operations on headers (istio.md 1.7), as Envoy carries them out: what was seen is in the cases of `operations/`.

use crate::connection::Connection;
use crate::decision::{Action, Decision};
use crate::document::{HeaderOperations, HttpRoute};
use crate::error::At;
use crate::headers::{self, CONTROL_PREFIX, FAULT_PREFIX, ROUTER_HINTS};
use crate::policy::Policy;
use crate::request::{Known, Request};
use crate::tag::TagState;
use crate::template::{Template, Values};
use core::net::IpAddr;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Operations of one level: removals first, then what is set, then what is added.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    /// Names of headers that go.
    pub remove: Vec<Box<str>>,
    /// Values in place of any that are there, in order: the last one of a name stands.
    pub set: Vec<(Box<str>, Template)>,
    /// Values beside any that are there, in order.
    pub add: Vec<(Box<str>, Template)>,
}

/// Levels of operations, in the order in which they are carried out.
pub type Levels = Box<[Arc<Operations>]>;

/// What operations leave of a request's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed<'a> {
    /// Its name in lower case.
    pub name: &'a str,
    /// Its lines; none where it goes.
    pub values: Vec<Cow<'a, [u8]>>,
}

/// A change of the response's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseEdit<'a> {
    /// Every line of this name goes.
    Remove(Cow<'a, str>),
    /// The header has this one line then.
    Set(Cow<'a, str>, Cow<'a, [u8]>),
    /// The header has this line beside others.
    Add(Cow<'a, str>, Cow<'a, [u8]>),
}

impl ResponseEdit<'_> {
    /// The header that changes.
    pub fn name(&self) -> &str {
        match self {
            Self::Remove(name) | Self::Set(name, _) | Self::Add(name, _) => name,
        }
    }
}

impl Operations {
    /// Compiles operations on a request's headers, and what they make of the authority.
    pub fn compile_request(written: &HeaderOperations, at: &mut At) -> (Self, Option<Box<str>>) {
        let authority = |values: &BTreeMap<String, String>| {
            let (_, value) = values.iter().find(|(name, _)| is_authority(name))?;
            (!value.is_empty()).then(|| value.as_str().into())
        };
        // istio.md 1.7: `set` beats `add`.
        (Self::compile(written, true, at), authority(&written.set).or_else(|| authority(&written.add)))
    }

    /// Compiles operations on a response's headers.
    pub fn compile_response(written: &HeaderOperations, at: &mut At) -> Self {
        Self::compile(written, false, at)
    }

    fn compile(written: &HeaderOperations, of_request: bool, at: &mut At) -> Self {
        let mut operations = Self::default();
        for (field, values, compiled) in
            [("set", &written.set, &mut operations.set), ("add", &written.add, &mut operations.add)]
        {
            at.field(field, |at| {
                for (name, value) in values {
                    at.field(name, |at| {
                        if of_request && is_authority(name) {
                            // It becomes `host_rewrite_literal`, which Envoy takes as it is.
                            if value.contains('%') {
                                at.error("the authority is taken as it is written, without operators: leave `%` out");
                            }
                            crate::compile::check_authority(value, at);
                            return;
                        }
                        check_name(name, of_request, true, at);
                        compiled.push((name.to_ascii_lowercase().into(), Template::compile(value, at)));
                    });
                }
            });
        }
        at.field("remove", |at| {
            for (index, name) in written.remove.iter().enumerate() {
                at.index(index, |at| check_name(name, of_request, false, at));
                operations.remove.push(name.to_ascii_lowercase().into());
            }
        });
        operations
    }

    /// Puts other operations behind these, in the same level.
    pub fn append(&mut self, other: Self) {
        self.remove.extend(other.remove);
        self.set.extend(other.set);
        self.add.extend(other.add);
    }

    /// Whether nothing is done.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// Every value.
    pub fn values(&self) -> impl Iterator<Item = &Template> {
        self.set.iter().chain(&self.add).map(|(_, value)| value)
    }
}

/// Whether a header is the authority.
fn is_authority(name: &str) -> bool {
    name.eq_ignore_ascii_case(":authority") || name.eq_ignore_ascii_case("host")
}

/// Notes a name that no operation may have (istio.md 1.18), or that would steer Envoy behind the decision.
fn check_name(name: &str, of_request: bool, has_value: bool, at: &mut At) {
    let lower = name.to_ascii_lowercase();
    let asks = |instead: &str| format!("`{name}` asks Envoy's router for something: write {instead} of the rule");
    at.error(if name.is_empty() {
        "a name is missing".into()
    } else if is_authority(name) {
        let side = if of_request { "a request cannot go without its authority" } else { "a response has no authority" };
        format!("{side}: leave it out")
    } else if name.starts_with(':') {
        let instead = if lower == ":path" { "rewrite the path with `rewrite.uri`" } else { "leave it out" };
        format!("`{name}` is no header that can be changed: {instead}")
    } else if !headers::is_token(name) {
        format!("`{}` is no header name", name.escape_debug())
    } else if !of_request {
        return;
    } else if headers::is_control(name.as_bytes()) {
        if headers::same_spelling(
            lower.as_bytes().get(..FAULT_PREFIX.len()).unwrap_or_default(),
            FAULT_PREFIX.as_bytes(),
        ) {
            format!("`{FAULT_PREFIX}` headers ask Envoy's fault filter for something: write `fault` of the rule")
        } else {
            format!("`{CONTROL_PREFIX}` headers are Switchyard's own: leave it out")
        }
    } else if !has_value || !ROUTER_HINTS.contains(&&*lower) {
        return;
    } else if lower.contains("retr") {
        asks("`retries`")
    } else if lower.contains("per-try") {
        asks("`retries.perTryTimeout`")
    } else if lower.contains("timeout-ms") || lower.contains("duration") {
        asks("`timeout`")
    } else {
        format!("`{name}` asks Envoy's router for what no field of a rule does: leave it out")
    });
}

/// Notes an authority that is written more than once in a rule: in `rewrite`, `headers.request.set` and `.add`. Istio
/// looks at no destination's (istio.md 1.18).
pub fn check_authority_once(http: &HttpRoute, at: &mut At) {
    let rewritten = http.rewrite.as_ref().is_some_and(|rewrite| !rewrite.authority.is_empty());
    let Some(request) = http.headers.as_ref().and_then(|headers| headers.request.as_ref()) else {
        return;
    };
    let mut first = rewritten.then(|| "rewrite.authority".to_owned());
    for (field, values) in [("set", &request.set), ("add", &request.add)] {
        for name in values.keys().filter(|name| is_authority(name)) {
            match &first {
                Some(first) => at.field("headers", |at| {
                    at.field("request", |at| {
                        at.field(field, |at| {
                            at.field(name, |at| {
                                at.error(format!("`{first}` sets the authority already: leave one out"));
                            });
                        });
                    });
                }),
                None => first = Some(format!("headers.request.{field}.{name}")),
            }
        }
    }
}

/// Evaluates the operations of a decision that is otherwise complete, and no preflight: that one has none.
pub fn carry_out<'a>(policy: &'a Policy, request: &Request<'a>, decision: &mut Decision<'a>) {
    let (before, after): (&'a [Arc<Operations>], &'a [Arc<Operations>]) = match &decision.action {
        Action::Forward(forward) => (&forward.destination.request, &forward.destination.response),
        // Seen on Envoy 1.37: redirects and direct responses have them.
        Action::Reply(reply) => {
            let rule = reply.rule.map_or(&[][..], |rule| rule.response.as_slice());
            // An aborted preflight: the operations of a single destination are those of its rule.
            match reply.rule.map(|rule| &*rule.destinations) {
                Some([only]) => (&[], &only.response),
                _ => (&[], rule),
            }
        }
        _ => return,
    };
    if before.is_empty() && after.is_empty() {
        return;
    }
    let mut lines = Lines { policy, request, decision, changed: Vec::new(), goes_out: false };
    let mut response = Vec::new();
    // The values of an aborted request's answer see it as it came: it never gets to the router, which carries out
    // operations and rewrites (seen on Envoy 1.37).
    let aborts = decision.fault.abort.is_some();
    if !aborts {
        for level in before {
            lines.change(level);
        }
        lines.goes_out = true;
    }
    for level in after {
        lines.respond(level, &mut response);
    }
    if aborts {
        for level in before {
            lines.change(level);
        }
    }
    let mut changed = lines.changed;
    // The router has the last word on what it sets itself.
    changed.retain(|changed| {
        decision.forward().is_none_or(|forward| forward.headers().all(|(own, _)| own != changed.name))
    });
    decision.changed = changed;
    decision.response = response;
}

/// Adds an edit. One that removes or sets a header leaves nothing of what was done to it before.
pub fn push<'a>(edits: &mut Vec<ResponseEdit<'a>>, edit: ResponseEdit<'a>) {
    if !matches!(edit, ResponseEdit::Add(..)) {
        edits.retain(|earlier| earlier.name() != edit.name());
    }
    edits.push(edit);
}

/// A request's headers while operations are carried out.
struct Lines<'a, 'd> {
    policy: &'a Policy,
    request: &'d Request<'a>,
    decision: &'d Decision<'a>,
    /// What operations have made of headers so far.
    changed: Vec<Changed<'a>>,
    /// The request is as it goes out: rewritten, too.
    goes_out: bool,
}

impl<'a> Lines<'a, '_> {
    /// Carries one level out on the request.
    fn change(&mut self, level: &'a Operations) {
        for name in &level.remove {
            self.edit(name, false, None);
        }
        // Seen on Envoy 1.37: every value is evaluated before any is set, and an empty one is neither set nor added.
        let (set, add) = (self.evaluate(&level.set), self.evaluate(&level.add));
        for (name, value) in set {
            self.edit(name, false, Some(value));
        }
        for (name, value) in add {
            self.edit(name, true, Some(value));
        }
    }

    /// Carries one level out on the response.
    fn respond(&self, level: &'a Operations, edits: &mut Vec<ResponseEdit<'a>>) {
        for name in &level.remove {
            push(edits, ResponseEdit::Remove(Cow::Borrowed(name)));
        }
        for (name, value) in self.evaluate(&level.set) {
            push(edits, ResponseEdit::Set(Cow::Borrowed(name), value));
        }
        for (name, value) in self.evaluate(&level.add) {
            let is_removed = edits.contains(&ResponseEdit::Remove(Cow::Borrowed(name)));
            let edit = if is_removed { ResponseEdit::Set } else { ResponseEdit::Add };
            push(edits, edit(Cow::Borrowed(name), value));
        }
    }

    fn evaluate(&self, values: &'a [(Box<str>, Template)]) -> Vec<(&'a str, Cow<'a, [u8]>)> {
        let all = values.iter().map(|(name, value)| (&**name, value.evaluate(self)));
        all.filter(|(_, value)| !value.is_empty()).collect()
    }

    /// Gives a header another line, or none; the lines that it has stay or go.
    fn edit(&mut self, name: &'a str, keeps: bool, value: Option<Cow<'a, [u8]>>) {
        if let Some(changed) = self.changed.iter_mut().find(|changed| changed.name == name) {
            if !keeps {
                changed.values.clear();
            }
            changed.values.extend(value);
            return;
        }
        let mut values = if keeps { self.before(name) } else { Vec::new() };
        values.extend(value);
        self.changed.push(Changed { name, values });
    }

    /// The lines of a header before any operation.
    fn before(&self, name: &'a str) -> Vec<Cow<'a, [u8]>> {
        match self.tag(name) {
            Some(TagState::Value(value)) => vec![Cow::Borrowed(value.as_bytes())],
            _ if self.decision.removes(self.policy, name.as_bytes()) => Vec::new(),
            _ => self.request.lines(name.as_bytes()).map(Cow::Borrowed).collect(),
        }
    }

    /// What a header is as a tag, where it is one.
    fn tag(&self, name: &str) -> Option<&TagState<'a>> {
        let mut tags = self.policy.tags.iter().zip(&self.decision.tags);
        tags.find(|(tag, _)| &*tag.header == name).map(|(_, state)| state)
    }

    /// A header that the router sets, once the request goes out.
    fn rewritten(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        let forward = self.decision.forward().filter(|_| self.goes_out)?;
        let authority = forward.destination.authority.as_ref();
        match name {
            ":path" => forward.path.clone().map(Cow::Owned),
            ":authority" => authority.map(|authority| Cow::Borrowed(authority.as_bytes())),
            headers::ORIGINAL_PATH => forward.path.as_ref().map(|_| Cow::Borrowed(forward.original_path)),
            headers::ORIGINAL_HOST => authority.map(|_| Cow::Borrowed(forward.original_authority)),
            _ => None,
        }
    }
}

impl<'a> Values<'a> for Lines<'a, '_> {
    fn header(&self, name: &'a str) -> Known<Cow<'a, [u8]>> {
        if let Some(value) = self.rewritten(name) {
            return Known::Present(value);
        }
        if let Some(changed) = self.changed.iter().find(|changed| changed.name == name) {
            return changed.values.first().map_or(Known::Absent, |value| Known::Present(value.clone()));
        }
        match self.tag(name) {
            Some(TagState::Value(value)) => Known::Present(Cow::Borrowed(value.as_bytes())),
            Some(TagState::Unknown(_)) => Known::Unknown,
            _ if self.decision.removes(self.policy, name.as_bytes()) => Known::Absent,
            _ => self.request.first(name.as_bytes()).map(Cow::Borrowed),
        }
    }

    fn connection(&self) -> &Connection<'a> {
        self.request.connection()
    }

    fn source_ip(&self) -> Known<IpAddr> {
        self.request.source_address()
    }
}

#[cfg(test)]
mod tests;
