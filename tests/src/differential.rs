//! The differential test: random VirtualServices from the whole vocabulary, given to a real istiod for one Envoy and to
//! our generator for another, and random requests that lean towards the boundaries of their conditions. Both Envoys are
//! of the version that Istio 1.29 is built on, so only what decides differs.
//!
//! All policies of a run share one istiod and one pair of proxies: each has hosts of its own. Every endpoint is the same
//! upstream, which tells by the address that was reached which endpoint that is. Compared are status, body, response
//! headers, and every request that came to an upstream (retries and mirrors too): endpoint, method, path, headers, body.
//! What is left out of that stands in [`seen`]; differences that are meant stand in [`explained`], and nowhere else.
//!
//! Everything follows from one seed, which is printed; `SWITCHYARD_SEED=$(date +%s)` looks where nobody has looked yet. A failing pair is sent again, and
//! counts when it differs again; then it is made as small as possible and printed as YAML, ready to become a case.

mod compare;
mod explained;
mod feature;
mod matching;
mod outcome;
mod probe;
mod regex;
mod route;
mod seen;
mod shares;
mod shrink;
mod sides;
mod unit;
mod upstream;
mod verdict;
mod words;
mod world;

pub use outcome::Outcome;

use crate::rng::Rng;
use compare::{Pair, differences};
use explained::explained;
use feature::Features;
use probe::Probe;
use serde_json::Value;
use sides::{Sides, collect};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use unit::Unit;
use upstream::Recorder;
use world::Entry;

/// Connections to each side at a time.
const WORKERS: usize = 24;
/// Pairs between two looks at what arrived at the upstream.
const WAVE: usize = 4000;
/// Failing pairs that are shrunk, each of another kind.
const SHRUNK: usize = 3;
/// How long mirrors may take to arrive after the response.
const MIRRORS: Duration = Duration::from_millis(300);

/// How much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// What everything follows from.
    pub seed: u64,
    /// Policies.
    pub policies: usize,
    /// Requests to both sides.
    pub pairs: usize,
}

impl Size {
    /// That of a run of CI, or what `SWITCHYARD_SEED`, `SWITCHYARD_POLICIES` and `SWITCHYARD_PAIRS` say.
    ///
    /// # Errors
    /// One of them is no number.
    pub fn of_environment() -> Result<Self, String> {
        let number = |name: &str| match std::env::var(name) {
            Ok(text) => text.parse().map(Some).map_err(|_| format!("`{text}` in {name} is no number")),
            Err(_) => Ok(None),
        };
        let count = |name: &str, default: usize| {
            number(name).map(|found| found.and_then(|found: u64| usize::try_from(found).ok()).unwrap_or(default))
        };
        Ok(Self {
            // The same for everybody: what is red is red again. Another one looks further.
            seed: number("SWITCHYARD_SEED")?.unwrap_or(1),
            policies: count("SWITCHYARD_POLICIES", 330)?,
            pairs: count("SWITCHYARD_PAIRS", 21_000)?,
        })
    }
}

/// Runs it. Errors: a side does not start; what differs is in the outcome.
pub async fn run(size: Size) -> Result<Outcome, String> {
    let start = Instant::now();
    let features = Features::of_environment()?;
    outcome::say(&format!("differential test, SWITCHYARD_SEED={}", size.seed));
    let recorder = Recorder::start().await?;
    let mut outcome = Outcome::new(size, &features);
    let shared = world::manifests(recorder.upstream);
    let units = (0..size.policies).map(|number| Unit::new(size.seed, number, &features, recorder.upstream)).collect();
    let units = verdict::judge(units, &shared, &mut outcome).await?;
    outcome.covers(&units);
    let mut manifests: Vec<Value> =
        shared.iter().chain(units.iter().flat_map(|unit| &unit.manifests)).cloned().collect();
    if features.has(feature::Feature::Shares) {
        manifests.extend(shares::manifests());
    }
    let sides = Arc::new(Sides::start(&manifests, &Entry::ALL).await?);
    outcome.started = start.elapsed();
    let probes = probes(size, &units);
    let recorder = Arc::new(recorder);
    let mut failing = Vec::new();
    for (number, wave) in probes.chunks(WAVE).enumerate() {
        let pairs = ask_all(&sides, &recorder, wave, number * WAVE).await?;
        for (index, pair) in pairs {
            let Some((policy, _)) = wave.get(index) else { continue };
            let found = differences(&pair);
            outcome.pairs += 1;
            outcome.count(&pair);
            let Some(unit) = units.get(*policy).filter(|_| !found.is_empty()) else { continue };
            match explained(&pair, &found, unit) {
                Some(explained) => outcome.explain(explained),
                None => failing.push((*policy, pair.probe, found)),
            }
        }
    }
    let mut clients = sides.clients();
    let mut different = Vec::new();
    for (policy, probe, first) in failing {
        let Some(unit) = units.get(policy) else { continue };
        let pair = sides.ask(&mut clients, &recorder, &probe, MIRRORS).await?;
        let found = differences(&pair);
        match explained(&pair, &found, unit) {
            Some(explained) => outcome.explain(explained),
            None if found.is_empty() => outcome.passed(&first),
            None => different.push((policy, pair, found)),
        }
    }
    if features.has(feature::Feature::Shares) {
        let probes: Vec<(usize, Probe)> = shares::probes().into_iter().map(|probe| (0, probe)).collect();
        let pairs = ask_all(&sides, &recorder, &probes, size.pairs).await?;
        shares::compare(&pairs, &mut outcome);
    }
    outcome.compared = start.elapsed();
    let logs = sides.logs();
    if let Ok(sides) = Arc::try_unwrap(sides) {
        sides.stop().await?;
    }
    outcome.different(different, &units, &shared, &recorder, logs).await;
    outcome.took = start.elapsed();
    Ok(outcome)
}

/// Requests, each with the place of its policy.
fn probes(size: Size, units: &[Unit]) -> Vec<(usize, Probe)> {
    let mut rngs: Vec<Rng> = units.iter().map(|unit| Rng::of(!size.seed, unit.number)).collect();
    let count = if units.is_empty() { 0 } else { size.pairs };
    let one = |number: usize| {
        let policy = number % units.len();
        Some((policy, Probe::new(rngs.get_mut(policy)?, units.get(policy)?)))
    };
    (0..count).filter_map(one).collect()
}

async fn ask_all(
    sides: &Arc<Sides>,
    recorder: &Arc<Recorder>,
    wave: &[(usize, Probe)],
    first: usize,
) -> Result<Vec<(usize, Pair)>, String> {
    let next = Arc::new(AtomicUsize::new(0));
    let wave: Arc<Vec<Probe>> = Arc::new(wave.iter().map(|(_, probe)| probe.clone()).collect());
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (next, wave, mut clients) = (Arc::clone(&next), Arc::clone(&wave), sides.clients());
        workers.spawn(async move {
            let mut pairs = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(probe) = wave.get(index) else { return Ok::<_, String>(pairs) };
                pairs.push((index, clients.send(probe, &(first + index).to_string()).await?));
            }
        });
    }
    let mut pairs = Vec::new();
    while let Some(done) = workers.join_next().await {
        pairs.extend(done.map_err(|error| error.to_string())??);
    }
    tokio::time::sleep(MIRRORS).await;
    for (index, pair) in &mut pairs {
        collect(recorder, pair, &(first + *index).to_string());
    }
    pairs.sort_by_key(|(index, _)| *index);
    Ok(pairs)
}
