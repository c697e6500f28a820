//! The decision: pure and total. Tags in order, then the virtual host, then the first route that matches.

use crate::block::{Block, Missing};
use crate::chance::Chance;
use crate::cors::Outcome;
use crate::decision::{Action, Decision, Drawn, Forward, IssuedCookie, PREFLIGHT, Reply, ReplyHeader};
use crate::document::OnUnmatched;
use crate::draw::{Digest, Draws};
use crate::fault::{Fault, Injected};
use crate::hash;
use crate::headers;
use crate::operations::{self, ResponseEdit};
use crate::policy::{Destination, Policy, Route, Rule, VirtualHost};
use crate::recorded::REQUEST;
use crate::request::{Header, Known, Request, split_path};
use crate::split::{Split, Subject};
use crate::tag::{Tag, TagState};
use crate::timeout;
use crate::truth::Truth;
use std::borrow::Cow;

/// What becomes of a request under a policy.
///
/// Everything that it rests on is an argument; equal arguments give an equal decision, on every platform.
pub fn decide<'a>(policy: &'a Policy, request: &Request<'a>, draws: &Draws<'a>) -> Decision<'a> {
    // Rules are many, so what they all ask for is put in order once.
    let joined = request.joined();
    let lines: Option<Vec<Header<'_>>> =
        joined.as_ref().map(|joined| joined.iter().map(|(name, value)| (*name, &**value)).collect());
    let parameters = policy.asks_query.then(|| request.sorted_parameters());
    let asked = request.prepared(lines.as_deref().unwrap_or(request.headers()), parameters.as_deref());
    let mut deciding = Deciding {
        policy,
        request,
        asked,
        draws,
        tags: Vec::new(),
        fault: Injected::default(),
        drawn: Vec::new(),
        chances: Vec::new(),
        cookies: Vec::new(),
        open: None,
        cors: Vec::new(),
    };
    let action = match request.first(b":authority") {
        Known::Unknown => {
            let missing = Missing::Header(":authority");
            deciding.tags = vec![TagState::Unknown(missing); policy.tags.len()];
            Action::Undecidable(missing)
        }
        // A request without a host is for anybody.
        Known::Absent => deciding.act(b""),
        Known::Present(authority) => deciding.act(authority),
    };
    let Deciding { tags, fault, drawn, chances, cookies, open, cors, .. } = deciding;
    let (changed, response) = (Vec::new(), Vec::new());
    let mut decision = Decision { tags, action, fault, drawn, chances, cookies, open, changed, response };
    // A preflight is answered before the router, whose work the rule's operations are. An abort gets them (istio.md 1.7),
    // and comes before CORS.
    let aborts = decision.fault.abort.is_some();
    if aborts || !matches!(&decision.action, Action::Reply(reply) if reply.reason == PREFLIGHT) {
        operations::carry_out(policy, request, &mut decision);
        hash::settle(&mut decision);
    }
    if matches!(&decision.action, Action::Reply(reply) if !aborts && reply.body.is_empty()) {
        // Of an answer without a body there is no type (Envoy: `Utility::prepareLocalReply`).
        let of_body = |edit: &ResponseEdit<'_>| edit.name() == "content-type";
        decision.response.retain(|edit| !of_body(edit));
    }
    if !aborts {
        for (name, value) in cors {
            operations::push(&mut decision.response, ResponseEdit::Set(name.into(), value));
        }
    }
    decision
}

struct Deciding<'a, 'r> {
    policy: &'a Policy,
    request: &'r Request<'a>,
    /// The same with repeated headers joined: what conditions are asked of.
    asked: Request<'r>,
    draws: &'r Draws<'a>,
    tags: Vec<TagState<'a>>,
    fault: Injected,
    drawn: Vec<Drawn<'a>>,
    chances: Vec<(&'a Chance, Option<bool>)>,
    cookies: Vec<IssuedCookie<'a>>,
    open: Option<&'a Split>,
    /// What the response tells browsers.
    cors: Vec<ReplyHeader<'a>>,
}

impl<'a> Deciding<'a, '_> {
    fn act(&mut self, authority: &[u8]) -> Action<'a> {
        self.tag(authority);
        let policy = self.policy;
        match policy.hosts.find(authority) {
            Some(host) => self.route(host),
            None if policy.on_unmatched == OnUnmatched::NotFound => {
                Action::Reply(Reply::unruled(404, "no_virtual_host"))
            }
            None => Action::Pass,
        }
    }

    /// Sets every tag: first those that a client may set or that nobody may have, then by rules and shares, in order.
    fn tag(&mut self, authority: &[u8]) {
        let policy = self.policy;
        self.tags = initial_tags(policy, self.request, authority);
        for (index, tag) in policy.tags.iter().enumerate() {
            if self.tags.get(index) == Some(&TagState::None) {
                let state = self.evaluate(tag);
                if let Some(slot) = self.tags.get_mut(index) {
                    *slot = state;
                }
            }
        }
    }

    fn evaluate(&mut self, tag: &'a Tag) -> TagState<'a> {
        for rule in &tag.rules {
            match self.any(rule.blocks.iter().map(|(_, block)| block)) {
                Ok(true) => return TagState::Value(&rule.value),
                Ok(false) => {}
                Err(missing) => return TagState::Unknown(missing),
            }
        }
        let Some(split) = &tag.split else {
            return TagState::None;
        };
        match self.pick(&split.split) {
            Ok(option) => split.values.get(option).map_or(TagState::None, |value| TagState::Value(value)),
            Err(missing) => TagState::Unknown(missing),
        }
    }

    /// Whether any block matches, or what one would have to know.
    fn any(&self, blocks: impl Iterator<Item = &'a Block>) -> Result<bool, Missing<'a>> {
        let mut unknown = None;
        for block in blocks {
            match block.matches(&self.asked, &self.tags) {
                Truth::True => return Ok(true),
                Truth::False => {}
                Truth::Unknown => unknown = unknown.or(Some(block)),
            }
        }
        unknown.map_or(Ok(false), |block| Err(block.missing(&self.asked, &self.tags)))
    }

    /// The first route that is not false takes the request, or leaves it undecidable.
    fn route(&mut self, host: &'a VirtualHost) -> Action<'a> {
        let mut routes = host.routes.iter();
        while let Some(route) = routes.next() {
            match route.block.matches(&self.asked, &self.tags) {
                Truth::False => {}
                Truth::True => return self.take(route),
                Truth::Unknown => {
                    // Another block of the same rule may take the request all the same; which one matters to a rewrite.
                    let is_same = |other: &&Route| other.rule == route.rule;
                    let taken = |other: &Route| other.block.matches(&self.asked, &self.tags) == Truth::True;
                    let rewrites = self.policy.rules.get(route.rule).is_none_or(Rule::asks_what_matched);
                    return match routes.as_slice().iter().take_while(is_same).find(|other| taken(other)) {
                        Some(other) if !rewrites => self.take(other),
                        _ => Action::Undecidable(route.block.missing(&self.asked, &self.tags)),
                    };
                }
            }
        }
        // istio.md 1.1: a virtual host without a matching rule.
        Action::Reply(Reply::unruled(404, "no_route"))
    }

    /// What the rule of a route does with the request. Envoy's order: faults, then CORS, then the route's action.
    fn take(&mut self, route: &'a Route) -> Action<'a> {
        let Some(rule) = self.policy.rules.get(route.rule) else {
            return Action::Pass;
        };
        if let Some(fault) = &rule.fault {
            self.inject(fault);
        }
        if let Some(answer) = &rule.answer {
            // Envoy's CORS filter leaves routes alone that have no cluster.
            let reply = answer.reply(rule, &route.block.path, self.request);
            return reply.map_or_else(Action::Undecidable, Action::Reply);
        }
        match rule.cors.as_ref().map_or(Ok(Outcome::Nothing), |cors| cors.outcome(self.request)) {
            Ok(Outcome::Nothing) => {}
            Ok(Outcome::Headers(headers)) => self.cors = headers,
            Ok(Outcome::Preflight(headers)) => {
                let reply = Reply { status: 200, reason: PREFLIGHT, rule: Some(rule), headers, body: b"" };
                return Action::Reply(reply);
            }
            Err(missing) => return Action::Undecidable(missing),
        }
        self.forward(rule, route)
    }

    fn inject(&mut self, fault: &'a Fault) {
        let delay = fault.delay.as_ref().filter(|delay| self.happens(&delay.chance));
        let abort = fault.abort.as_ref().filter(|abort| self.happens(&abort.chance));
        self.fault = Injected { delay: delay.map(|delay| delay.milliseconds), abort: abort.map(|abort| abort.status) };
    }

    /// Whether something happens to this request; noted.
    fn happens(&mut self, chance: &'a Chance) -> bool {
        let forced = self.draws.forced.iter().find(|(name, _)| *name == &*chance.name).map(|(_, option)| *option != 0);
        let drawn = || self.own_number().map(|digest| chance.happens(digest));
        let outcome = forced.or_else(|| chance.certain()).or_else(drawn);
        self.chances.push((chance, outcome));
        outcome.unwrap_or(false)
    }

    fn forward(&mut self, rule: &'a Rule, route: &'a Route) -> Action<'a> {
        let option = match rule.split.as_ref().map_or(Ok(0), |split| self.pick(split)) {
            Ok(option) => option,
            Err(missing) => return Action::Undecidable(missing),
        };
        let Some(destination) = rule.destinations.get(option) else {
            return Action::Pass;
        };
        let Known::Present(original_path) = self.request.first(b":path") else {
            return Action::Undecidable(Missing::Header(":path"));
        };
        let path = rule.rewrite.as_ref().and_then(|rewrite| {
            let (path, query) = split_path(original_path);
            let mut new = rewrite.path(&route.block.path, path)?;
            new.extend_from_slice(query);
            Some(new)
        });
        let timeout = match timeout::effective(rule.timeout, self.request) {
            Ok(timeout) => timeout,
            Err(missing) => return Action::Undecidable(missing),
        };
        let per_try = rule.retries.as_ref().and_then(|retries| retries.per_try_timeout);
        let grpc_timeout = timeout::told(timeout, per_try, self.request);
        let mirrors =
            rule.mirrors.iter().map(|mirror| self.happens(&mirror.chance).then_some(&*mirror.destination.cluster));
        let mirrors = mirrors.collect();
        let hash = self.hash(destination);
        let original_authority = match self.request.first(b":authority") {
            Known::Present(authority) => authority,
            Known::Absent | Known::Unknown => b"",
        };
        Action::Forward(Forward {
            rule,
            route,
            destination,
            path,
            original_path,
            original_authority,
            mirrors,
            hash,
            timeout,
            grpc_timeout,
        })
    }

    /// The value by which a host of the destination is chosen; none where the request lacks it, or a recording does.
    fn hash(&mut self, destination: &'a Destination) -> Option<Cow<'a, [u8]>> {
        let subject = destination.hash.as_ref()?;
        match hash::value(subject, self.request, &self.tags) {
            Known::Present(value) => Some(value),
            Known::Absent => self.issue(subject).map(|value| Cow::Owned(value.into_bytes())),
            Known::Unknown => None,
        }
    }

    /// The outcome of a choice, or what one would have to know.
    fn pick(&mut self, split: &'a Split) -> Result<usize, Missing<'a>> {
        if let Some((_, option)) = self.draws.forced.iter().find(|(name, _)| *name == &*split.name) {
            self.drawn.push(Drawn { split, option: *option, subject: None, kept: false });
            return Ok(*option);
        }
        match self.subject(&split.subject) {
            Ok((subject, kept)) => {
                let option = split.pick(subject);
                self.drawn.push(Drawn { split, option, subject: Some(subject), kept });
                Ok(option)
            }
            // Whoever it is gets the only option. Nothing is drawn; a cookie that a known subject would bring is not issued.
            Err(_) if split.weights().len() == 1 => Ok(0),
            Err(missing) => {
                self.open = self.open.or(Some(split));
                Err(missing)
            }
        }
    }

    /// Whose a choice is, and whether that is the subject itself: not the request in its stead.
    fn subject(&mut self, subject: &'a Subject) -> Result<(Digest, bool), Missing<'a>> {
        // What a tag of this policy says is computed, not looked up: the recording may be of another policy.
        if !self.is_of_tag(subject) {
            match self.draws.recorded.get(self.policy.seed, subject.key()) {
                Some(Some(digest)) => return Ok((digest, subject.is_sticky())),
                Some(None) => return self.without(subject),
                None => {}
            }
        }
        if *subject == Subject::RequestId {
            return self.request_itself();
        }
        match sticky_value(self.policy, &self.asked, &self.tags, subject) {
            Known::Present(Some(digest)) => Ok((digest, true)),
            Known::Present(None) | Known::Absent => self.without(subject),
            Known::Unknown => Err(Missing::Subject(subject.key())),
        }
    }

    /// Whether a tag sets the header that is the subject.
    fn is_of_tag(&self, subject: &Subject) -> bool {
        let Subject::Header { tag: Some(tag), .. } = subject else {
            return false;
        };
        !matches!(self.tags.get(tag.index), None | Some(TagState::Elsewhere))
    }

    /// A request that lacks the subject: a cookie is issued and decides, or else the request itself does.
    fn without(&mut self, subject: &'a Subject) -> Result<(Digest, bool), Missing<'a>> {
        if !matches!(subject, Subject::Cookie { issue: Some(_), .. }) {
            return self.request_itself();
        }
        let value = self.issue(subject).ok_or(Missing::Subject(subject.key()))?;
        Ok((self.policy.seed.digest(value.as_bytes()), true))
    }

    /// The value of a cookie that is issued, once for all that ask for it; none where the subject issues none, or nothing
    /// can be drawn.
    fn issue(&mut self, subject: &'a Subject) -> Option<String> {
        let Subject::Cookie { name, issue: Some(issue), .. } = subject else {
            return None;
        };
        let value = format!("{:032x}", self.draws.fresh?);
        if !self.cookies.iter().any(|cookie| *cookie.name == **name) {
            self.cookies.push(IssuedCookie { name, value: value.clone(), issue });
        }
        Some(value)
    }

    fn request_itself(&self) -> Result<(Digest, bool), Missing<'a>> {
        let seed = self.policy.seed;
        let unknown = Missing::Header(headers::REQUEST_ID);
        match self.request.first(headers::REQUEST_ID.as_bytes()) {
            Known::Present(id) if !id.is_empty() => Ok((seed.digest_request_id(id), false)),
            Known::Unknown => Err(unknown),
            _ => self.own_number().map(|digest| (digest, false)).ok_or(unknown),
        }
    }

    /// The digest of the number that was drawn for this request alone.
    fn own_number(&self) -> Option<Digest> {
        let seed = self.policy.seed;
        let recorded = || self.draws.recorded.get(seed, REQUEST).flatten();
        self.draws.fresh.map(|fresh| seed.digest_fresh(fresh)).or_else(recorded)
    }
}

/// The digest of a sticky subject that a request has, as its tags leave it.
pub(crate) fn digest_of(
    policy: &Policy,
    request: &Request<'_>,
    tags: &[TagState<'_>],
    subject: &Subject,
) -> Option<Digest> {
    if let Known::Present(digest) = sticky_value(policy, request, tags, subject) { digest } else { None }
}

/// The digest of a sticky subject's value; none for an empty one.
fn sticky_value(
    policy: &Policy,
    request: &Request<'_>,
    tags: &[TagState<'_>],
    subject: &Subject,
) -> Known<Option<Digest>> {
    subject.value(request, tags).map(|value| policy.seed.digest_value(&value))
}

/// Tags before the first is evaluated: a client has said its own where it may, and nobody else.
pub(crate) fn initial_tags<'a>(policy: &'a Policy, request: &Request<'a>, authority: &[u8]) -> Vec<TagState<'a>> {
    let initial = |tag: &'a Tag| match tag.hosts.find(authority) {
        None => TagState::Elsewhere,
        Some(()) if tag.trust_client => trusted(tag, request),
        Some(()) => TagState::None,
    };
    policy.tags.iter().map(initial).collect()
}

/// What a client says of a tag that it may set: one value that the tag can itself produce; anything else counts as none.
fn trusted<'a>(tag: &'a Tag, request: &Request<'a>) -> TagState<'a> {
    let mut lines = request.lines(tag.header.as_bytes());
    match (lines.next(), lines.next()) {
        (Some(said), None) => {
            tag.values().find(|value| value.as_bytes() == said).map_or(TagState::None, TagState::Value)
        }
        (None, _) if request.unlisted::<()>(tag.header.as_bytes()) == Known::Unknown => {
            TagState::Unknown(Missing::Header(&tag.header))
        }
        _ => TagState::None,
    }
}

#[cfg(test)]
mod tests;
