//! One recorded request through the core, and what of it is counted.

use super::catalog::Catalog;
use super::recorded::Exchange;
use crate::candidates::{Which, enumerate};
use serde::Serialize;
use std::collections::BTreeMap;
use switchyard_filter::block::Missing;
use switchyard_filter::chance::WHOLE;
use switchyard_filter::decision::{Action, Decision};
use switchyard_filter::document::Mode;
use switchyard_filter::report::Report;
use switchyard_filter::request::{Known, Request};
use switchyard_filter::tag::TagState;
use switchyard_filter::{Policy, decide};

/// What is missing where a recording holds digests of another seed.
pub const OTHER_SEED: &str = "digests under this policy's seed";

/// What became of a recorded request.
#[derive(Debug)]
pub struct Verdict {
    /// What is counted, or what is missing.
    pub counted: Result<Counted, String>,
    /// What is done.
    pub action: &'static str,
    /// Against what Envoy did.
    pub parity: Parity,
    /// The line for `--decisions`, where one is asked for.
    pub line: Option<String>,
}

/// What is counted of a decided request.
#[derive(Debug)]
pub struct Counted {
    /// By tag that applies.
    pub tags: Vec<(usize, Count)>,
    /// Which rule, or what instead.
    pub rule: Count,
    /// The rule's number with the destination in it.
    pub destination: Option<(usize, Count)>,
    /// Which cluster.
    pub cluster: Option<Count>,
    /// By chance of the rule: how probable it was, and whether it happened; `None` where the draw is not recorded.
    pub chances: Vec<(usize, f64, Option<bool>)>,
}

/// One outcome; see [`Shares::add`](super::share::Shares::add).
#[derive(Debug)]
pub struct Count {
    /// Who keeps it.
    pub subject: Option<u64>,
    /// Which.
    pub outcome: usize,
    /// How probable each was.
    pub expected: Option<Vec<(usize, f64)>>,
}

/// A decision against what Envoy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parity {
    /// The request is undecidable, or the recording does not hold the cluster, or it is Envoy's own choice.
    NotCompared,
    /// The same cluster.
    Equal,
    /// Another one.
    Differs(Difference),
}

/// A request that does not re-derive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The stream's id.
    pub id: Option<String>,
    /// Method, authority and path.
    pub request: String,
    /// The rule that takes it under this policy.
    pub rule: Option<String>,
    /// The cluster under this policy; `null`: none.
    pub expected: Option<String>,
    /// The cluster in the recording.
    pub recorded: String,
}

/// One line of `replay --decisions`: a decision with the request that it is about.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionLine<'a> {
    /// The stream's id.
    pub id: Option<&'a str>,
    /// The listener whose policy decided.
    pub listener: &'a str,
    /// The decision.
    #[serde(flatten)]
    pub decision: Report,
    /// The cluster that the recording holds.
    pub recorded_cluster: Option<&'a str>,
    /// Whether both are the same; `null` where they are not compared.
    pub parity: Option<bool>,
}

/// Decides a recorded request. `index`: the policy's place in the catalog.
pub fn verdict(
    catalog: &Catalog,
    index: usize,
    listener: &str,
    policy: &Policy,
    exchange: &Exchange,
    with_line: bool,
) -> Verdict {
    let borrowed = exchange.borrow();
    let request = exchange.request(&borrowed);
    let draws = exchange.draws(&borrowed);
    let decision = decide(policy, &request, &draws);
    let recorded = recorded_cluster(policy, exchange);
    let parity = compare(&decision, &request, exchange, recorded);
    let line = with_line.then(|| {
        let (path, authority) = (present(request.first(b":path")), present(request.first(b":authority")));
        let line = DecisionLine {
            id: exchange.id.as_deref(),
            listener,
            decision: Report::new(policy, &decision, path, authority),
            recorded_cluster: recorded,
            parity: (parity != Parity::NotCompared).then_some(parity == Parity::Equal),
        };
        serde_json::to_string(&line).unwrap_or_default()
    });
    let action = match &decision.action {
        Action::Forward(_) => "forward",
        Action::Reply(_) => "reply",
        Action::Pass => "pass",
        Action::Undecidable(_) => "undecidable",
    };
    let counted = match (&decision.action, catalog.rule(index, &decision)) {
        (Action::Undecidable(Missing::Subject(_)), _) if exchange.has_other_seed(policy) => Err(OTHER_SEED.to_owned()),
        (Action::Undecidable(missing), _) => Err(missing.to_string()),
        (_, None) => Err("what decides it".to_owned()),
        (_, Some(rule)) => {
            let mut likely = Likely::default();
            let complete = enumerate(policy, &request, &draws, Which::All, &mut |probability, decision| {
                likely.add(catalog, index, probability, decision);
            });
            Ok(count(catalog, index, rule, &decision, (complete && !likely.is_unknown).then_some(&likely)))
        }
    };
    Verdict { counted, action, parity, line }
}

fn count(catalog: &Catalog, index: usize, rule: usize, decision: &Decision<'_>, likely: Option<&Likely>) -> Counted {
    let own = decision.forward().and_then(|forward| forward.rule.split.as_ref());
    let is_own = |name: &str| own.is_some_and(|own| *own.name == *name);
    let kept = |which: &dyn Fn(&str) -> bool| {
        let drawn = decision.drawn.iter().filter(|drawn| drawn.kept && which(&drawn.split.name));
        combined(drawn.filter_map(|drawn| drawn.subject).map(|digest| digest.0))
    };
    let expected = |table: &dyn Fn(&Likely) -> &BTreeMap<usize, f64>| {
        likely.map(|likely| table(likely).iter().map(|(outcome, p)| (*outcome, *p)).collect())
    };
    let tags = decision.tags.iter().enumerate().filter_map(|(place, state)| {
        let number = catalog.tag(index, place);
        let outcome = value_number(catalog, number, state)?;
        let name = format!("tag/{}", catalog.tags[number].0);
        let expected = expected(&|likely| likely.tags.get(&number).unwrap_or(&NOTHING));
        Some((number, Count { subject: kept(&|choice| choice == name), outcome, expected }))
    });
    let tags = tags.collect();
    let chances = decision.chances.iter().filter_map(|(chance, happens)| {
        let probability = f64::from(chance.millionths) / f64::from(WHOLE);
        Some((catalog.chance(&chance.name)?, probability, *happens))
    });
    let chances = chances.collect();
    let forward = decision.forward();
    Counted {
        tags,
        chances,
        rule: Count {
            subject: kept(&|choice| !is_own(choice)),
            outcome: rule,
            expected: expected(&|likely| &likely.rules),
        },
        destination: forward.map(|forward| {
            let numbers = catalog.destinations(index, forward);
            let mut shares = BTreeMap::<usize, f64>::new();
            let weights = own.map_or_else(|| vec![1], |own| own.weights().collect());
            let sum = weights.iter().copied().map(f64::from).sum::<f64>();
            for (weight, (number, _)) in weights.iter().zip(numbers) {
                *shares.entry(*number).or_default() += f64::from(*weight) / sum;
            }
            let outcome = catalog.destination(index, forward).0;
            (rule, Count { subject: kept(&is_own), outcome, expected: Some(shares.into_iter().collect()) })
        }),
        cluster: forward.map(|forward| Count {
            subject: kept(&|_| true),
            outcome: catalog.destination(index, forward).1,
            expected: expected(&|likely| &likely.clusters),
        }),
    }
}

static NOTHING: BTreeMap<usize, f64> = BTreeMap::new();

/// How probable each outcome was.
#[derive(Debug, Default)]
struct Likely {
    /// With other draws the request would hang on something that is not recorded.
    is_unknown: bool,
    tags: BTreeMap<usize, BTreeMap<usize, f64>>,
    rules: BTreeMap<usize, f64>,
    clusters: BTreeMap<usize, f64>,
}

impl Likely {
    fn add(&mut self, catalog: &Catalog, index: usize, probability: f64, decision: &Decision<'_>) {
        for (place, state) in decision.tags.iter().enumerate() {
            let tag = catalog.tag(index, place);
            if let Some(value) = value_number(catalog, tag, state) {
                *self.tags.entry(tag).or_default().entry(value).or_default() += probability;
            }
        }
        let rule = catalog.rule(index, decision);
        self.is_unknown |= rule.is_none();
        if let Some(rule) = rule {
            *self.rules.entry(rule).or_default() += probability;
        }
        if let Some(forward) = decision.forward() {
            *self.clusters.entry(catalog.destination(index, forward).1).or_default() += probability;
        }
    }
}

/// `None` where the tag does not apply, or is not known.
fn value_number(catalog: &Catalog, tag: usize, state: &TagState<'_>) -> Option<usize> {
    match state {
        TagState::Value(value) => Some(catalog.value(tag, Some(value))),
        TagState::None => Some(catalog.value(tag, None)),
        TagState::Elsewhere | TagState::Unknown(_) => None,
    }
}

/// One number for several subjects; `None` for none.
fn combined(digests: impl Iterator<Item = u64>) -> Option<u64> {
    let mut all: Vec<u64> = digests.collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().reduce(|all, digest| all.rotate_left(17) ^ digest)
}

/// The cluster that a recording holds: the one that Envoy chose; with `mode: observe` the one that the filter would have.
fn recorded_cluster<'e>(policy: &Policy, exchange: &'e Exchange) -> Option<&'e str> {
    let decided = exchange.decided_cluster.as_deref().filter(|cluster| *cluster != "-");
    match policy.mode() {
        Mode::Observe => decided,
        // Without an upstream (a local reply) the filter's word stands.
        Mode::Enforce => exchange.upstream_cluster.as_deref().or(decided),
    }
}

fn compare(decision: &Decision<'_>, request: &Request<'_>, exchange: &Exchange, recorded: Option<&str>) -> Parity {
    let Some(recorded) = recorded else {
        return Parity::NotCompared;
    };
    let expected = match &decision.action {
        Action::Undecidable(_) => return Parity::NotCompared,
        // The cluster is then Envoy's own choice, unless the filter had made one.
        Action::Pass if exchange.decided_cluster.as_deref() != Some(recorded) => return Parity::NotCompared,
        Action::Pass | Action::Reply(_) => None,
        Action::Forward(forward) => Some(&*forward.destination.cluster),
    };
    if expected == Some(recorded) {
        return Parity::Equal;
    }
    let text = |name: &[u8]| present(request.first(name)).map(|v| String::from_utf8_lossy(v).into_owned());
    let parts = [text(b":method"), text(b":authority"), text(b":path")].map(|part| part.unwrap_or_else(|| "?".into()));
    Parity::Differs(Difference {
        id: exchange.id.clone(),
        request: format!("{} {}{}", parts[0], parts[1], parts[2]),
        rule: decision.rule().map(|rule| format!("{}/{}", rule.virtual_service, rule.name)),
        expected: expected.map(str::to_owned),
        recorded: recorded.to_owned(),
    })
}

fn present(value: Known<&[u8]>) -> Option<&[u8]> {
    if let Known::Present(value) = value { Some(value) } else { None }
}
