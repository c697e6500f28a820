//! Every rule of a model: a request that reaches it, or the rules before that take all of its requests.
//!
//! What several listeners, or several hosts of one, have in common is one rule of one file, and is reached when it is
//! reached anywhere.

use super::cover::{Covering, Verdict};
use super::point::Point;
use super::search::Budget;
use super::site::Site;
use crate::diagnostic::Diagnostic;
use crate::source::Place;
use crate::translate::Listener;
use serde::Serialize;
use std::collections::BTreeMap;
use switchyard_filter::block::Ask;
use switchyard_filter::policy::Route;
use switchyard_filter::tag::{Tag, TagState};

/// What is found of one match block, or of a rule without any.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Where it is written.
    pub place: Option<Place>,
    /// Where its rule is.
    pub rule_place: Option<Place>,
    /// Its field below `spec`: `http[0].match[1]`.
    pub field: String,
    /// `namespace/name` of its VirtualService.
    pub virtual_service: String,
    /// Its rule's name; `http[i]` where it has none.
    pub rule: String,
    /// What was found.
    pub found: Found,
}

/// What is found of a match block.
#[derive(Clone, Debug)]
pub enum Found {
    /// This request reaches it.
    Request(Example),
    /// It would take too long to tell.
    Undecided,
    /// These rules before it take every request.
    Hidden(Vec<Hider>),
    /// No request fulfils one of its conditions.
    Never(Vain),
}

/// A condition that no request fulfils.
#[derive(Clone, Debug)]
pub struct Vain {
    /// Its field, below the match block.
    pub condition: String,
    /// Where it is.
    pub place: Option<Place>,
    /// What can be said, where the condition is about a tag.
    pub said: Vec<String>,
}

/// A rule that takes what another one asks for.
#[derive(Clone, Debug)]
pub struct Hider {
    /// `namespace/name` of its VirtualService.
    pub virtual_service: String,
    /// Its rule's name; `http[i]` where it has none.
    pub rule: String,
    /// Where its match block is.
    pub place: Option<Place>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Its method.
    pub method: String,
    /// Its scheme, authority and path.
    pub url: String,
    /// Its headers. Bytes that are no UTF-8 are shown as U+FFFD.
    pub headers: Vec<(String, String)>,
    /// What tags say of it, by header.
    pub tags: Vec<(String, String)>,
}

/// A match block: its file, its place there, and its field.
type Id = (String, usize, String);

/// What is found of every match block that a listener serves, in order of place; `budget` is what is left of it.
pub fn all(listeners: &[Listener<'_>], budget: &mut Budget) -> Vec<Reach> {
    let mut blocks: BTreeMap<Id, Reach> = BTreeMap::new();
    for listener in listeners {
        for site in &Site::all(&listener.policy) {
            let mut covering = Covering::new(site, budget);
            for (at, route) in site.routes.iter().enumerate() {
                let Some(rule) = listener.policy.rules().get(route.rule) else { continue };
                let (place, field) = shown(listener, route);
                let start = place.as_ref().map_or(0, |place| place.span.start);
                let file = place.as_ref().map_or(String::new(), |place| place.source.name.clone());
                let id = (file, start, field.clone());
                // One request is enough.
                if blocks.get(&id).is_some_and(|known| matches!(known.found, Found::Request(_))) {
                    continue;
                }
                let found = found(listener, site, route, covering.verdict(at));
                let (service, index) = rule.written();
                let rule_place = listener.place(&format!("virtualServices[{service}].http[{index}]"));
                let reach = Reach {
                    place,
                    rule_place: rule_place.map(|(place, _)| place),
                    field,
                    virtual_service: rule.virtual_service.to_string(),
                    rule: rule.name.to_string(),
                    found,
                };
                match blocks.get_mut(&id) {
                    Some(known) if known.found.rank() <= reach.found.rank() => {}
                    Some(known) => *known = reach,
                    None => {
                        blocks.insert(id, reach);
                    }
                }
            }
        }
    }
    blocks.into_values().collect()
}

/// Where a route's block is written, and its field.
fn shown(listener: &Listener<'_>, route: &Route) -> (Option<Place>, String) {
    let field = document_field(listener, route);
    listener.place(&field).map_or((None, field), |(place, field)| (Some(place), field))
}

/// A route's block in the listener's document.
fn document_field(listener: &Listener<'_>, route: &Route) -> String {
    if let Some(written) = &route.written {
        return written.to_string();
    }
    let Some(rule) = listener.policy.rules().get(route.rule) else { return String::new() };
    let block = route.index.map(|block| format!(".match[{block}]")).unwrap_or_default();
    format!("virtualServices[{}].http[{}]{block}", rule.virtual_service_index, rule.index)
}

fn found(listener: &Listener<'_>, site: &Site<'_>, route: &Route, verdict: Verdict<'_>) -> Found {
    match verdict {
        Verdict::Reached(point) => Found::Request(Example::new(site, &point)),
        Verdict::Undecided => Found::Undecided,
        Verdict::Never(condition) => {
            let path = format!("{}.{condition}", document_field(listener, route));
            let place = listener.place(&path).map(|(place, _)| place);
            Found::Never(Vain { condition: condition.to_owned(), place, said: said(listener, route, condition) })
        }
        Verdict::Hidden(by) => {
            let hider = |route: &usize| {
                let route = site.routes.get(*route)?;
                let rule = listener.policy.rules().get(route.rule)?;
                let (place, _) = shown(listener, route);
                Some(Hider { virtual_service: rule.virtual_service.to_string(), rule: rule.name.to_string(), place })
            };
            Found::Hidden(by.iter().filter_map(hider).collect())
        }
    }
}

impl Found {
    /// What counts of two hosts or listeners: the lower.
    fn rank(&self) -> u8 {
        match self {
            Self::Request(_) => 0,
            Self::Undecided => 1,
            Self::Hidden(_) => 2,
            Self::Never(..) => 3,
        }
    }
}

impl Example {
    fn new(site: &Site<'_>, point: &Point<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (authority, path) = (point.authority(site), point.full_path());
        let states = site.tag_states(&authority, &point.tags);
        let tags = site.policy.tags().iter().zip(states).filter_map(|(tag, state)| match state {
            TagState::Value(value) => Some((tag.header.to_string(), value.to_owned())),
            _ => None,
        });
        Self {
            method: text(point.method()),
            url: format!("{}://{}{}", text(point.scheme()), text(&authority), text(&path)),
            headers: point.headers().map(|(name, value)| (text(name), text(value))).collect(),
            tags: tags.collect(),
        }
    }
}

/// Warnings about what no request reaches: a rule where none of its blocks is reached, else the block.
pub fn warnings(all: &[Reach]) -> Vec<Diagnostic> {
    let mut warnings = vec![];
    let same_rule = |a: &Reach, b: &Reach| a.rule_place == b.rule_place && rule_of(a) == rule_of(b);
    for blocks in all.chunk_by(same_rule) {
        let hidden = blocks.iter().filter(|block| matches!(block.found, Found::Hidden(_))).count();
        if hidden == blocks.len() {
            warnings.extend(hidden_rule(blocks));
            continue;
        }
        warnings.extend(blocks.iter().filter_map(|block| match &block.found {
            Found::Hidden(by) => hidden_block(block, by),
            Found::Never(vain) => never(block, vain),
            _ => None,
        }));
    }
    warnings
}

/// The field of a block's rule.
fn rule_of(block: &Reach) -> &str {
    block.field.split(".match[").next().unwrap_or_default()
}

fn hidden_rule(blocks: &[Reach]) -> Option<Diagnostic> {
    let first = blocks.first()?;
    let mut by: Vec<&Hider> = vec![];
    for block in blocks {
        let Found::Hidden(all) = &block.found else { continue };
        // A block that another one of the rule hides is hidden by what hides that.
        by.extend(all.iter().filter(|hider| !is_of(hider, first)));
    }
    if by.is_empty() {
        return None;
    }
    let found = Diagnostic::warning(first.rule_place.clone()?, taken(&by, first)).field(rule_of(first));
    Some(told(found, &by))
}

fn hidden_block(block: &Reach, by: &[Hider]) -> Option<Diagnostic> {
    let by: Vec<_> = by.iter().collect();
    let found = Diagnostic::warning(block.place.clone()?, taken(&by, block)).field(block.field.as_str());
    Some(told(found, &by))
}

/// Whether a rule is that of a block.
fn is_of(hider: &Hider, block: &Reach) -> bool {
    hider.virtual_service == block.virtual_service && hider.rule == block.rule
}

fn told(found: Diagnostic, by: &[&Hider]) -> Diagnostic {
    let is_one = by.iter().all(|hider| by.first().is_some_and(|first| first.place == hider.place));
    let why = if is_one { "takes every one of its requests" } else { "takes some of its requests" };
    let mut found = found.code("unreachable-rule").help("put it before what takes its requests, or leave it out");
    for place in by.iter().filter_map(|hider| hider.place.clone()) {
        if !found.also.iter().any(|(known, _)| *known == place) {
            found.also.push((place, why.to_owned()));
        }
    }
    found
}

/// `no request comes here: …`, with the rules that take them.
fn taken(by: &[&Hider], block: &Reach) -> String {
    let mut names: Vec<String> = vec![];
    for hider in by {
        let name = if is_of(hider, block) {
            "another block of this rule".to_owned()
        } else if hider.virtual_service == block.virtual_service {
            format!("the rule `{}`", hider.rule)
        } else {
            format!("the rule `{}` of `{}`", hider.rule, hider.virtual_service)
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.as_slice() {
        [] => "no request comes here".to_owned(),
        [only] => format!("no request comes here: {only} before takes every one"),
        [first @ .., last] => {
            format!("no request comes here: {} and {last} before take every one together", first.join(", "))
        }
    }
}

/// What the tag says that a condition asks for; nothing where it asks for no tag.
fn said(listener: &Listener<'_>, route: &Route, condition: &str) -> Vec<String> {
    let asked = route.block.conditions.iter().find(|asked| *asked.field == *condition);
    let Some(Ask::Header(header)) = asked.map(|asked| &asked.ask) else { return vec![] };
    let tag = header.tag.and_then(|tag| listener.policy.tags().get(tag.index));
    let mut said: Vec<_> = tag.into_iter().flat_map(Tag::values).map(str::to_owned).collect();
    said.sort();
    said.dedup();
    said
}

fn never(block: &Reach, vain: &Vain) -> Option<Diagnostic> {
    let condition = &vain.condition;
    let (message, help) = if condition == "uri" {
        let help = "a path begins with `/`, has no spaces, and ends before `?`: ask for the query by `queryParams`";
        ("no request comes here: no path is like `uri`".to_owned(), help.to_owned())
    } else if vain.said.is_empty() {
        let help = "look whether another condition rules it out";
        (format!("no request comes here: none fulfils `{condition}`"), help.to_owned())
    } else {
        let said: Vec<_> = vain.said.iter().map(|value| format!("`{value}`")).collect();
        let message = format!("no request comes here: its tag never says what `{condition}` asks for");
        (message, format!("the tag says {}", said.join(", ")))
    };
    let found = Diagnostic::warning(vain.place.clone()?, message).code("never-matches");
    Some(found.field(format!("{}.{condition}", block.field)).help(help))
}
