//! How a run went, and how it is told.

use super::compare::{Difference, Pair};
use super::explained::{EXPLAINED, Explained, REFUSED};
use super::feature::{Feature, Features};
use super::probe::Probe;
use super::shrink::{Shrunk, shrink};
use super::unit::Unit;
use super::upstream::Recorder;
use super::world::{Entry, GATEWAY_PORTS, HOME};
use super::{SHRUNK, Size};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;
use switchyard_envoy::bootstrap::to_yaml;

/// How a run went.
#[derive(Debug)]
pub struct Outcome {
    size: Size,
    off: Vec<String>,
    /// In how many policies each feature is.
    used: BTreeMap<Feature, usize>,
    /// Pairs compared.
    pub(super) pairs: usize,
    by_status: BTreeMap<u16, usize>,
    forwarded: usize,
    explained: BTreeMap<&'static str, usize>,
    /// Pairs that differed once and not again.
    passing: BTreeMap<String, usize>,
    pub(super) refused_by_both: usize,
    pub(super) meant_refusals: BTreeMap<&'static str, usize>,
    pub(super) only_istio_refuses: Vec<(String, Unit)>,
    pub(super) only_we_refuse: Vec<(String, Unit)>,
    /// Shares that lie outside of their interval.
    pub(super) wrong_shares: Vec<String>,
    /// Shares compared.
    pub(super) shares: usize,
    differing: usize,
    kinds: BTreeMap<String, (usize, String)>,
    shrunk: Vec<String>,
    pub(super) started: Duration,
    pub(super) compared: Duration,
    pub(super) took: Duration,
    logs: String,
}

impl Outcome {
    pub(super) fn new(size: Size, features: &Features) -> Self {
        Self {
            size,
            off: features.off(),
            used: features.on().iter().map(|feature| (*feature, 0)).collect(),
            pairs: 0,
            by_status: BTreeMap::new(),
            forwarded: 0,
            explained: BTreeMap::new(),
            passing: BTreeMap::new(),
            refused_by_both: 0,
            meant_refusals: BTreeMap::new(),
            only_istio_refuses: Vec::new(),
            only_we_refuse: Vec::new(),
            wrong_shares: Vec::new(),
            shares: 0,
            differing: 0,
            kinds: BTreeMap::new(),
            shrunk: Vec::new(),
            started: Duration::ZERO,
            compared: Duration::ZERO,
            took: Duration::ZERO,
            logs: String::new(),
        }
    }

    pub(super) fn count(&mut self, pair: &Pair) {
        *self.by_status.entry(pair.istio.status).or_default() += 1;
        self.forwarded += usize::from(pair.istio.endpoint().is_some());
    }

    /// Notes what the policies that are compared are made of.
    pub(super) fn covers(&mut self, units: &[Unit]) {
        for feature in units.iter().flat_map(|unit| &unit.used) {
            *self.used.entry(*feature).or_default() += 1;
        }
    }

    pub(super) fn explain(&mut self, explained: &Explained) {
        *self.explained.entry(explained.what).or_default() += 1;
    }

    /// Notes a difference that was gone when the request was sent again.
    pub(super) fn passed(&mut self, found: &[Difference]) {
        *self.passing.entry(kind(found)).or_default() += 1;
    }

    /// Notes what differs, and shrinks one of each kind.
    pub(super) async fn different(
        &mut self,
        different: Vec<(usize, Pair, Vec<Difference>)>,
        units: &[Unit],
        shared: &[Value],
        recorder: &Recorder,
        logs: String,
    ) {
        self.differing = different.len();
        if self.differing > 0 {
            say(&format!("{} pairs differ; one of each of {SHRUNK} kinds is made small", self.differing));
        }
        for (policy, pair, found) in different {
            let kind = kind(&found);
            let Some(unit) = units.get(policy) else { continue };
            let example = told(&pair, &found, &unit.manifests);
            let known = self.kinds.entry(kind).or_insert((0, example));
            known.0 += 1;
            if known.0 == 1 && self.shrunk.len() < SHRUNK {
                let Shrunk { manifests, pair, differences } = shrink(recorder, shared, unit, pair, found).await;
                let manifests: Vec<Value> = referenced(shared, &manifests).into_iter().chain(manifests).collect();
                self.shrunk.push(told(&pair, &differences, &manifests));
            }
        }
        if self.differing > 0 {
            self.logs = logs;
        }
    }

    /// Whether enough ran, and nothing differs without an explanation.
    pub fn is_good(&self) -> bool {
        let refused = self.only_istio_refuses.len() + self.only_we_refuse.len();
        let flaky = self.passing.values().sum::<usize>() * 200 <= self.pairs;
        // Shares have policies of their own.
        let all = self.used.iter().all(|(feature, count)| *count > 0 || *feature == Feature::Shares);
        self.pairs > 0 && flaky && all && refused + self.differing + self.wrong_shares.len() == 0
    }

    /// What to print.
    pub fn report(&self) -> String {
        let mut text = format!(
            "differential test, SWITCHYARD_SEED={}: {} policies, {} pairs of requests ({} forwarded) in {:.0} s (sides {:.0} s, requests {:.0} s)\n",
            self.size.seed,
            self.size.policies,
            self.pairs,
            self.forwarded,
            self.took.as_secs_f64(),
            self.started.as_secs_f64(),
            self.compared.saturating_sub(self.started).as_secs_f64(),
        );
        let statuses: Vec<String> = self.by_status.iter().map(|(status, count)| format!("{status}: {count}")).collect();
        let _ = writeln!(text, "Istio's statuses: {}", statuses.join(", "));
        let _ = writeln!(
            text,
            "switched off: {}",
            if self.off.is_empty() { "nothing".into() } else { self.off.join(", ") }
        );
        let used: Vec<String> = self.used.iter().map(|(feature, count)| format!("{feature:?} {count}")).collect();
        let _ = writeln!(text, "policies with each feature: {}", used.join(", "));
        let _ = writeln!(text, "policies that both refuse: {}", self.refused_by_both);
        for (part, why) in &REFUSED {
            let _ = writeln!(
                text,
                "policies that only we refuse, meant: {} `{part}`: {why}",
                self.meant_refusals.get(part).unwrap_or(&0)
            );
        }
        for explained in &EXPLAINED {
            let count = self.explained.get(explained.what).unwrap_or(&0);
            let _ = writeln!(text, "explained: {count} of `{}`: {}", explained.what, explained.why);
        }
        let _ =
            writeln!(text, "shares: {} compared, {} outside of their interval", self.shares, self.wrong_shares.len());
        let passing: Vec<String> = self.passing.iter().map(|(kind, count)| format!("{count} of {kind}")).collect();
        let _ = writeln!(
            text,
            "differed once and not again: {}",
            if passing.is_empty() { "none".into() } else { passing.join("; ") }
        );
        for share in &self.wrong_shares {
            let _ = writeln!(text, "WRONG SHARE {share}");
        }
        for (title, refused) in
            [("ONLY ISTIO REFUSES", &self.only_istio_refuses), ("ONLY WE REFUSE", &self.only_we_refuse)]
        {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            for (said, unit) in refused {
                let count = seen.entry(without_names(said)).or_default();
                *count += 1;
                if *count == 1 && seen.len() <= 8 {
                    let _ = writeln!(text, "{title}: {said}\n{}", yaml(&unit.manifests));
                }
            }
            if !refused.is_empty() {
                let _ = writeln!(text, "{title}: {} policies, {} reasons:", refused.len(), seen.len());
                for (said, count) in seen {
                    let _ = writeln!(text, "  {count} {said}");
                }
            }
        }
        for shrunk in &self.shrunk {
            let _ = writeln!(text, "\nDIFFERENT, made small:\n{shrunk}");
        }
        for (kind, (count, example)) in &self.kinds {
            let _ = writeln!(text, "\nDIFFERENT {count} times: {kind}\nfor example:\n{example}");
        }
        let _ = write!(text, "unexplained differences: {}", self.differing);
        if !self.logs.trim().is_empty() {
            let _ = write!(text, "\nthe Envoys' logs:\n{}", self.logs);
        }
        text
    }

    /// Prints the report, also from a test that passes.
    pub fn print(&self) {
        say(&self.report());
    }
}

/// Says something also from a test that passes.
pub(super) fn say(text: &str) {
    use std::io::Write as _;
    // Nobody is left to be told when this fails.
    let _ = writeln!(std::io::stderr(), "\n{text}");
}

/// Which fields differ, and which statuses.
fn kind(found: &[Difference]) -> String {
    let mut fields: Vec<String> = found
        .iter()
        .map(|one| if ["status", "error"].contains(&one.field.as_str()) { one.to_string() } else { one.field.clone() })
        .collect();
    fields.dedup();
    fields.truncate(4);
    fields.join(", ")
}

fn without_names(said: &str) -> String {
    said.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect()
}

fn yaml(manifests: &[Value]) -> String {
    manifests.iter().map(to_yaml).collect::<Vec<_>>().join("---\n")
}

/// Those of the shared manifests that a policy names, and what goes with them.
fn referenced(shared: &[Value], own: &[Value]) -> Vec<Value> {
    let text = Value::from(own.to_vec()).to_string();
    let named = |one: &Value| {
        let name = one["metadata"]["name"].as_str().unwrap_or_default();
        ["\"", "/"]
            .iter()
            .any(|before| ["\"", "."].iter().any(|after| text.contains(&format!("{before}{name}{after}"))))
    };
    shared.iter().filter(|one| named(one)).cloned().collect()
}

/// A failing pair as a case, with what each side does as comments.
fn told(pair: &Pair, found: &[Difference], manifests: &[Value]) -> String {
    let mut text = String::new();
    for one in found {
        let _ = writeln!(text, "# {one}");
    }
    let _ = writeln!(text, "# Istio: {} {}", pair.istio.status, pair.istio.told);
    let _ = writeln!(text, "# we: {} {}", pair.ours.status, pair.ours.told);
    let _ = writeln!(text, "# {}", wire(&pair.probe));
    let port_and_gateway = match pair.probe.entry {
        Entry::Mesh => json!({"namespace": HOME}),
        Entry::Gateway(port) => {
            let name = GATEWAY_PORTS.iter().find(|(known, _)| *known == port).map_or("gw", |(_, name)| name);
            json!({"namespace": HOME, "gateway": format!("{HOME}/{name}"), "port": port})
        }
    };
    let case = json!({
        "apiVersion": "switchyard.dev/v1alpha1", "kind": "Case",
        "spec": {"pins": "", "proxy": port_and_gateway, "requests": [pair.probe.case()]},
    });
    text + &yaml(manifests) + "---\n" + &to_yaml(&case)
}

fn wire(probe: &Probe) -> String {
    let bytes = probe.request("id").bytes();
    String::from_utf8_lossy(&bytes).replace("\r\n", " ⏎ ")
}
