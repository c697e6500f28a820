//! One request: which tags it gets, which rule takes it, why each earlier rule does not, and what is done.
//!
//! [`request`] reads what was typed, [`Explanation`] is the answer as data, [`human`] writes it for people.

pub mod human;
mod merge;
pub mod request;

use crate::candidates::{Which, enumerate};
use merge::Walked;
use request::Asked;
use schemars::JsonSchema;
use serde::Serialize;
use switchyard_envoy::translate::Listener;
use switchyard_filter::block::Missing;
use switchyard_filter::decide;
use switchyard_filter::decision::{Action, Decision};
use switchyard_filter::draw::Draws;
use switchyard_filter::report::{ActionName, Report};
use switchyard_filter::request::{Known, Request};
use switchyard_filter::tag::TagState;
use switchyard_filter::trace::{BlockTrace, ConditionTrace, TagTrace, trace};
use switchyard_filter::truth::Truth;

/// What becomes of one request, and why: `explain --format json`.
///
/// Where a choice hangs on something that the request does not say (its id), the decision holds what all candidates
/// have in common, and `candidates` has each with its share.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The decision.
    #[serde(flatten)]
    pub decision: Report,
    /// The listener that takes the request.
    pub listener: String,
    /// Its port.
    pub listener_port: u16,
    /// What it may come to, where that hangs on a draw whose subject is not known; the largest share first.
    pub candidates: Vec<Candidate>,
    /// The decision hangs on the source address and none was given: it counts as one that is in no range.
    pub assumes_other_address: bool,
    /// Choices that were made.
    pub draws: Vec<Draw>,
    /// How each tag came about; where that hangs on a draw, as `whyRules` has it.
    pub why_tags: Vec<WhyTag>,
    /// The virtual host that takes the request: a name, `*.suffix` or `*`.
    pub virtual_host: Option<String>,
    /// Its rules up to the one that takes the request, one entry for each match block. Where the decision hangs on a draw:
    /// all that some candidate comes to; of a block that holds for some of these and for others not, `holds` is unknown.
    pub why_rules: Vec<Why>,
}

/// A decision that a request may come to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Its share, 0 to 1.
    pub share: f64,
    /// The decision.
    #[serde(flatten)]
    pub decision: Report,
}

/// A choice that was made.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Draw {
    /// The choice's name, which its draws hang on.
    pub choice: String,
    /// Who keeps it, in words.
    pub subject: String,
    /// The subject is there; else the request stands in for it.
    pub kept: bool,
    /// What was drawn: a tag's value or a cluster.
    pub drawn: String,
    /// Its share of the choice, 0 to 1.
    pub share: f64,
}

/// Where something is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// The file as given.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its column, from 1.
    pub column: usize,
    /// The field below `spec`.
    pub field: String,
}

/// How a tag came about.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhyTag {
    /// Its header.
    pub header: String,
    /// Its value.
    pub value: Option<String>,
    /// What gave it.
    pub by: By,
    /// Where the tag is written.
    pub written: Option<Written>,
    /// Its rules up to the one that gave the value, one entry for each match block.
    pub rules: Vec<Why>,
}

/// What gave a tag its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum By {
    /// A rule: the last of `rules`.
    Rule,
    /// Its shares.
    Split,
    /// The client, which may.
    Client,
    /// Nothing: no rule matches and there are no shares.
    Nothing,
    /// The request's host is none of the tag's.
    OtherHost,
    /// It is not known.
    Unknown,
}

/// Why a match block holds, or does not.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// `namespace/name` of the VirtualService; `null` for a tag's rule.
    pub virtual_service: Option<String>,
    /// The rule's name, else `http[i]`, or the value that a tag's rule gives.
    pub rule: String,
    /// Whether all conditions hold.
    pub holds: Truth,
    /// Where the match block is written, or the rule where it has none.
    pub written: Option<Written>,
    /// The conditions; none for a rule that takes everything.
    pub conditions: Vec<Condition>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it asks, in words.
    pub asks: String,
    /// Whether it holds.
    pub holds: Truth,
    /// What the request has there; `null`: nothing.
    pub found: Option<String>,
    /// Where it is written.
    pub written: Option<Written>,
}

/// Explains a request at a listener.
pub fn explain(listener: &Listener<'_>, asked: &Asked) -> Explanation {
    let policy = &listener.policy;
    let borrowed = asked.borrow();
    // Nothing but the address is unknown of what is typed. A share that hangs on it has candidates; of a condition the
    // answer is rather what an address in none of the ranges gets than none.
    let mut request = asked.request(&borrowed, Known::Unknown);
    let assumes_other_address = hangs_on_the_address(&decide(policy, &request, &Draws::default()));
    if assumes_other_address {
        request = asked.request(&borrowed, Known::Absent);
    }
    let decision = decide(policy, &request, &Draws::default());
    let mut candidates = Vec::new();
    let traced = trace(policy, &request, &decision);
    let mut walked = Walked::new(listener, &traced);
    if decision.open.is_some() {
        let mut all: Option<Walked> = None;
        enumerate(policy, &request, &Draws::default(), Which::Open, &mut |share, decision| {
            let one = Walked::new(listener, &trace(policy, &request, decision));
            match &mut all {
                Some(all) => all.merge(one),
                None => all = Some(one),
            }
            let decision = report(policy, &request, decision);
            match candidates.iter_mut().find(|known: &&mut Candidate| known.decision == decision) {
                Some(known) => known.share += share,
                None => candidates.push(Candidate { share, decision }),
            }
        });
        walked = all.unwrap_or(walked);
    }
    for candidate in &mut candidates {
        candidate.share = (candidate.share * 1e9).round() / 1e9;
    }
    candidates.sort_by(|a, b| b.share.total_cmp(&a.share));
    let own = report(policy, &request, &decision);
    Explanation {
        decision: common(&candidates, &own).unwrap_or(own),
        listener: listener.name.clone(),
        listener_port: listener.port(),
        draws: draws(policy, &decision),
        why_tags: walked.tags,
        virtual_host: traced.host.clone(),
        why_rules: walked.rules,
        candidates,
        assumes_other_address,
    }
}

/// Whether a condition that decides asks for the address, and not only a choice.
fn hangs_on_the_address(decision: &Decision<'_>) -> bool {
    let asks = |missing: &Missing<'_>| *missing == Missing::SourceAddress;
    matches!(&decision.action, Action::Undecidable(missing) if asks(missing))
        || decision.tags.iter().any(|state| matches!(state, TagState::Unknown(missing) if asks(missing)))
}

fn report(policy: &switchyard_filter::Policy, request: &Request<'_>, decision: &Decision<'_>) -> Report {
    let present = |name: &[u8]| if let Known::Present(value) = request.first(name) { Some(value) } else { None };
    Report::new(policy, decision, present(b":path"), present(b":authority"))
}

/// What all candidates have in common; what they do not is `null` or left out.
fn common(candidates: &[Candidate], undecided: &Report) -> Option<Report> {
    let (first, rest) = candidates.split_first()?;
    let mut all = first.decision.clone();
    for Candidate { decision: other, .. } in rest {
        macro_rules! keep {
            ($($field:ident),*) => {$(if all.$field != other.$field { all.$field = Default::default(); })*};
        }
        keep!(virtual_service, rule, cluster, host, subset, port, path, authority, timeout_ms, retries, fault, reply);
        keep!(removed_headers, response_headers, removed_response_headers, mirrors, chances);
        all.tags.retain(|name, value| other.tags.get(name) == Some(value));
        all.request_headers.retain(|name, value| other.request_headers.get(name) == Some(value));
        if all.action != other.action {
            all.action = ActionName::Undecidable;
        }
    }
    all.missing.clone_from(&undecided.missing);
    Some(all)
}

fn draws(policy: &switchyard_filter::Policy, decision: &Decision<'_>) -> Vec<Draw> {
    let drawn = decision.drawn.iter().map(|drawn| {
        let tag =
            policy.tags().iter().filter_map(|tag| tag.split.as_ref()).find(|tag| tag.split.name == drawn.split.name);
        let value = tag.and_then(|tag| tag.values.get(drawn.option)).map(ToString::to_string);
        let cluster = || decision.forward().map(|forward| forward.destination.cluster.to_string());
        let weights: Vec<f64> = drawn.split.weights().map(f64::from).collect();
        Draw {
            choice: drawn.split.name.to_string(),
            subject: drawn.split.subject.to_string(),
            kept: drawn.kept,
            drawn: value.or_else(cluster).unwrap_or_default(),
            share: weights.get(drawn.option).copied().unwrap_or_default() / weights.iter().sum::<f64>(),
        }
    });
    drawn.collect()
}

fn why_tag(listener: &Listener<'_>, traced: &TagTrace<'_>) -> WhyTag {
    let rules = traced.tag.rules.iter().zip(&traced.rules).flat_map(|(rule, tried)| {
        let whole = Why {
            virtual_service: None,
            rule: rule.value.to_string(),
            holds: tried.truth,
            written: written(listener, &tried.field),
            conditions: Vec::new(),
        };
        if tried.blocks.is_empty() {
            return vec![whole];
        }
        let blocks = tried.blocks.iter();
        blocks.map(|block| Why { holds: block.truth, ..why(listener, None, &rule.value, block) }).collect()
    });
    WhyTag {
        header: traced.tag.header.to_string(),
        value: if let TagState::Value(value) = traced.state { Some(value.to_owned()) } else { None },
        by: match traced.state {
            TagState::Elsewhere => By::OtherHost,
            TagState::Unknown(_) => By::Unknown,
            TagState::None => By::Nothing,
            TagState::Value(_) if traced.from_client => By::Client,
            TagState::Value(_) if traced.from_split => By::Split,
            TagState::Value(_) => By::Rule,
        },
        written: written(listener, &traced.field),
        rules: rules.collect(),
    }
}

fn why(listener: &Listener<'_>, virtual_service: Option<&str>, rule: &str, block: &BlockTrace) -> Why {
    Why {
        virtual_service: virtual_service.map(str::to_owned),
        rule: rule.to_owned(),
        holds: block.truth,
        written: written(listener, &block.field),
        conditions: block.conditions.iter().map(|asked| condition(listener, asked)).collect(),
    }
}

fn condition(listener: &Listener<'_>, traced: &ConditionTrace) -> Condition {
    Condition {
        asks: traced.text.clone(),
        holds: traced.truth,
        found: if let Known::Present(found) = &traced.found { Some(found.clone()) } else { None },
        written: written(listener, &traced.field),
    }
}

fn written(listener: &Listener<'_>, field: &str) -> Option<Written> {
    let (place, field) = listener.place(field)?;
    Some(Written { file: place.source.name.clone(), line: place.span.line, column: place.span.column, field })
}
