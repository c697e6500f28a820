//! How a decision came about: what was tried, and why it failed. For people; a decision never looks at it.

use crate::block::{Ask, Block};
use crate::decide::initial_tags;
use crate::decision::Decision;
use crate::policy::{Policy, Route, Rule};
use crate::request::{Known, Request};
use crate::tag::{Tag, TagState};
use crate::truth::Truth;

/// What was tried for one request.
#[derive(Debug)]
pub struct Trace<'a> {
    /// Each tag of the policy, in order.
    pub tags: Vec<TagTrace<'a>>,
    /// The virtual host that took the request, as compiled: a full name, an alias, `*.suffix` or `*`.
    pub host: Option<String>,
    /// Its routes up to the one that took the request, or left it undecidable.
    pub routes: Vec<RouteTrace<'a>>,
}

/// What was tried for a tag.
#[derive(Debug)]
pub struct TagTrace<'a> {
    /// The tag.
    pub tag: &'a Tag,
    /// `tags[0]`.
    pub field: String,
    /// What became of it.
    pub state: TagState<'a>,
    /// A client's own value stayed.
    pub from_client: bool,
    /// Its rules up to the one that gave the value: `rules[i]` with what it asked. Empty where the value is the client's
    /// or the host is none of the tag's.
    pub rules: Vec<BlocksTrace>,
    /// Whether the value came of the split.
    pub from_split: bool,
}

/// Match blocks of which any suffices.
#[derive(Debug)]
pub struct BlocksTrace {
    /// The rule: `tags[0].rules[1]`.
    pub field: String,
    /// Whether any block matched.
    pub truth: Truth,
    /// Each block.
    pub blocks: Vec<BlockTrace>,
}

/// A match block.
#[derive(Debug)]
pub struct BlockTrace {
    /// `virtualServices[0].http[1].match[2]`; the rule itself where it has no `match`.
    pub field: String,
    /// Whether all conditions held.
    pub truth: Truth,
    /// Each condition, the path first. Of those that no block writes, only what failed.
    pub conditions: Vec<ConditionTrace>,
}

/// A condition.
#[derive(Debug)]
pub struct ConditionTrace {
    /// `virtualServices[0].http[1].match[2].headers.user-type`.
    pub field: String,
    /// What it asks, in words: ``header `user-type` is `internal` ``.
    pub text: String,
    /// Whether it held.
    pub truth: Truth,
    /// What the request had there, bytes as Latin-1.
    pub found: Known<String>,
}

/// A route that was tried.
#[derive(Debug)]
pub struct RouteTrace<'a> {
    /// Its rule.
    pub rule: &'a Rule,
    /// The route.
    pub route: &'a Route,
    /// What it asked.
    pub block: BlockTrace,
}

/// How `decision` came about: it must be the one that `decide` made of this policy and request.
pub fn trace<'a>(policy: &'a Policy, request: &Request<'a>, decision: &Decision<'a>) -> Trace<'a> {
    let authority = match request.first(b":authority") {
        Known::Present(authority) => authority,
        Known::Absent => b"",
        Known::Unknown => return Trace { tags: Vec::new(), host: None, routes: Vec::new() },
    };
    let initial = initial_tags(policy, request, authority);
    let tags = policy.tags().iter().enumerate().map(|(index, tag)| {
        // As they were when this one was evaluated: those before it have their values, those after it not yet.
        let before = decision.tags.iter().take(index).chain(initial.iter().skip(index)).copied().collect::<Vec<_>>();
        tag_trace(index, tag, request, &initial, &before, decision)
    });
    let tags = tags.collect();
    let mut trace = Trace { tags, host: policy.hosts().find_name(authority), routes: Vec::new() };
    for route in policy.hosts().find(authority).into_iter().flat_map(|host| host.routes.iter()) {
        let Some(rule) = policy.rules().get(route.rule) else { continue };
        let field = route.written.as_ref().map_or_else(
            || {
                block_field(
                    &format!("virtualServices[{}].http[{}]", rule.virtual_service_index, rule.index),
                    route.index,
                )
            },
            ToString::to_string,
        );
        let block = block_trace(field, &route.block, request, &decision.tags);
        let tried_last = block.truth != Truth::False;
        trace.routes.push(RouteTrace { rule, route, block });
        if tried_last {
            break;
        }
    }
    trace
}

fn tag_trace<'a>(
    index: usize,
    tag: &'a Tag,
    request: &Request<'a>,
    initial: &[TagState<'a>],
    before: &[TagState<'a>],
    decision: &Decision<'a>,
) -> TagTrace<'a> {
    let field = format!("tags[{index}]");
    let state = decision.tags.get(index).copied().unwrap_or(TagState::Elsewhere);
    let mut traced = TagTrace { tag, field, state, from_client: false, rules: Vec::new(), from_split: false };
    match initial.get(index) {
        Some(TagState::None) => {}
        Some(TagState::Value(_)) => {
            traced.from_client = true;
            return traced;
        }
        _ => return traced,
    }
    for rule in &tag.rules {
        let field = format!("{}.rules[{}]", traced.field, rule.index);
        let blocks: Vec<_> = rule
            .blocks
            .iter()
            .map(|(index, block)| block_trace(block_field(&field, Some(*index)), block, request, before))
            .collect();
        let truth = blocks.iter().fold(Truth::False, |any, block| any.or(|| block.truth));
        traced.rules.push(BlocksTrace { field, truth, blocks });
        if truth != Truth::False {
            return traced;
        }
    }
    traced.from_split = matches!(state, TagState::Value(_));
    traced
}

/// The field of a match block of a rule; the rule itself where it has none.
fn block_field(rule: &str, index: Option<usize>) -> String {
    index.map_or_else(|| rule.to_owned(), |index| format!("{rule}.match[{index}]"))
}

fn block_trace(field: String, block: &Block, request: &Request<'_>, tags: &[TagState<'_>]) -> BlockTrace {
    let path = ConditionTrace {
        field: block.uri.as_ref().map_or_else(|| format!("{field}.uri"), ToString::to_string),
        text: block.path.to_string(),
        truth: block.path_matches(request),
        found: request.path().map(crate::report::latin1),
    };
    let mut conditions = Vec::new();
    // The prefix `/` that nobody wrote is worth a word only where it fails.
    if !block.path.is_catch_all() || path.truth != Truth::True {
        conditions.push(path);
    }
    conditions.extend(block.conditions.iter().map(|condition| ConditionTrace {
        field: if condition.field.starts_with("virtualServices[") {
            condition.field.to_string()
        } else {
            format!("{field}.{}", condition.field)
        },
        text: condition.to_string(),
        truth: condition.matches(request, tags),
        found: found(&condition.ask, request, tags),
    }));
    BlockTrace { truth: block.matches(request, tags), field, conditions }
}

fn found(ask: &Ask, request: &Request<'_>, tags: &[TagState<'_>]) -> Known<String> {
    match ask {
        Ask::Header(header) => crate::matcher::header::value(request, tags, &header.name, header.tag)
            .map(|value| crate::report::latin1(&value)),
        Ask::Query(query) => request.query_parameter(query.name.as_bytes()).map(crate::report::latin1),
        Ask::SourceIp(_) => request.source_address().map(|address| address.to_string()),
        Ask::Peer(_) => request.connection().peer.map(crate::report::latin1),
    }
}
