//! Counts verdicts, in the order in which they come.

use super::catalog::{Catalog, RuleKey};
use super::report::{
    ChanceRow, ClusterReport, DestinationReport, DifferenceKind, InputReport, MissingReport, ParityReport,
    ReplayReport, RuleReport, TagReport,
};
use super::share::Shares;
use super::verdict::{Count, Difference, OTHER_SEED, Parity, Verdict};
use std::collections::BTreeMap;

/// How many examples are told.
pub const EXAMPLES: usize = 5;

/// The outcome of a chance that happens; 0 is that it does not.
const HAPPENS: usize = 1;

/// What requests that differ have in common: rule, expected and recorded cluster.
type Alike = (Option<String>, Option<String>, String);

/// Counts.
#[derive(Debug)]
pub struct Tally<'c> {
    catalog: &'c Catalog,
    actions: BTreeMap<&'static str, u64>,
    missing: BTreeMap<String, u64>,
    tags: Vec<Shares>,
    rules: Shares,
    destinations: Vec<Shares>,
    clusters: Shares,
    /// By chance: whether it happened, and of how many requests nobody knows.
    chances: Vec<(Shares, u64)>,
    compared: u64,
    equal: u64,
    kinds: BTreeMap<Alike, u64>,
    examples: Vec<Difference>,
}

impl<'c> Tally<'c> {
    /// Without any request.
    pub fn new(catalog: &'c Catalog) -> Self {
        Self {
            catalog,
            actions: ["forward", "pass", "reply", "undecidable"].into_iter().map(|action| (action, 0)).collect(),
            missing: BTreeMap::new(),
            tags: catalog.tags.iter().map(|(_, values)| Shares::new(values.len())).collect(),
            rules: Shares::new(catalog.rules.len()),
            destinations: catalog.destinations.iter().map(|clusters| Shares::new(clusters.len())).collect(),
            clusters: Shares::new(catalog.clusters.len()),
            chances: catalog.chances.iter().map(|_| (Shares::new(2), 0)).collect(),
            compared: 0,
            equal: 0,
            kinds: BTreeMap::new(),
            examples: Vec::new(),
        }
    }

    /// Counts a request.
    pub fn add(&mut self, verdict: Verdict) {
        *self.actions.entry(verdict.action).or_default() += 1;
        match verdict.counted {
            Err(missing) => *self.missing.entry(missing).or_default() += 1,
            Ok(counted) => {
                for (tag, count) in &counted.tags {
                    add(&mut self.tags[*tag], count);
                }
                add(&mut self.rules, &counted.rule);
                if let Some((rule, count)) = &counted.destination {
                    add(&mut self.destinations[*rule], count);
                }
                if let Some(count) = &counted.cluster {
                    add(&mut self.clusters, count);
                }
                for (number, probability, happens) in &counted.chances {
                    let (shares, unknown) = &mut self.chances[*number];
                    match happens {
                        Some(happens) => {
                            let expected = [(0, 1.0 - probability), (HAPPENS, *probability)];
                            shares.add(None, if *happens { HAPPENS } else { 0 }, Some(&expected));
                        }
                        None => *unknown += 1,
                    }
                }
            }
        }
        self.compared += u64::from(verdict.parity != Parity::NotCompared);
        self.equal += u64::from(verdict.parity == Parity::Equal);
        if let Parity::Differs(difference) = verdict.parity {
            let kind = (difference.rule.clone(), difference.expected.clone(), difference.recorded.clone());
            *self.kinds.entry(kind).or_default() += 1;
            if self.examples.len() < EXAMPLES {
                self.examples.push(difference);
            }
        }
    }

    /// What was found.
    pub fn report(self, input: InputReport) -> ReplayReport {
        let catalog = self.catalog;
        let tags = catalog.tags.iter().zip(&self.tags).flat_map(|((header, values), shares)| {
            let rows = values.iter().zip(shares.rows());
            // A tag that always has a value needs no row for none.
            let rows = rows.filter(|(value, share)| value.is_some() || share.requests > 0);
            rows.map(|(value, share)| TagReport { header: header.clone(), value: value.clone(), share })
        });
        let tags = tags.collect();
        let rules = catalog.rules.iter().zip(self.rules.rows());
        let rules = rules.filter(|(key, share)| matches!(key, RuleKey::Rule(..)) || share.requests > 0);
        let rules = rules.map(|(key, share)| {
            let (virtual_service, rule) = match key {
                RuleKey::Rule(virtual_service, rule) => (Some(virtual_service.clone()), rule.as_str()),
                RuleKey::NoRule => (None, "noRule"),
                RuleKey::NoVirtualHost => (None, "noVirtualHost"),
                RuleKey::Pass => (None, "pass"),
            };
            RuleReport { virtual_service, rule: rule.to_owned(), share }
        });
        let rules = rules.collect();
        let destinations = catalog.rules.iter().zip(&catalog.destinations).zip(&self.destinations);
        let destinations = destinations.flat_map(|((key, clusters), shares)| {
            let RuleKey::Rule(virtual_service, rule) = key else {
                return Vec::new();
            };
            let rows = clusters.iter().zip(shares.rows()).map(|(cluster, share)| DestinationReport {
                virtual_service: virtual_service.clone(),
                rule: rule.clone(),
                cluster: cluster.clone(),
                share,
            });
            rows.collect()
        });
        let destinations = destinations.collect();
        let clusters = catalog.clusters.iter().zip(self.clusters.rows());
        let clusters = clusters.map(|(cluster, share)| ClusterReport { cluster: cluster.clone(), share }).collect();
        let chances = catalog.chances.iter().zip(&self.chances).map(|((name, what), (shares, unknown))| ChanceRow {
            name: name.clone(),
            what: what.clone(),
            unknown: *unknown,
            share: shares.rows().swap_remove(HAPPENS),
        });
        let chances = chances.collect();
        let mut undecidable: Vec<_> = self
            .missing
            .into_iter()
            .map(|(missing, requests)| MissingReport { log: advice(&missing), missing, requests })
            .collect();
        undecidable.sort_by_key(|row| std::cmp::Reverse(row.requests));
        let mut kinds: Vec<_> = self
            .kinds
            .into_iter()
            .map(|((rule, expected, recorded), requests)| DifferenceKind { rule, expected, recorded, requests })
            .collect();
        kinds.sort_by_key(|row| std::cmp::Reverse(row.requests));
        #[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
        let percent = (self.compared > 0).then(|| self.equal as f64 / self.compared as f64 * 100.0);
        let parity =
            ParityReport { compared: self.compared, equal: self.equal, percent, kinds, examples: self.examples };
        ReplayReport { input, actions: self.actions, undecidable, tags, rules, destinations, clusters, chances, parity }
    }
}

fn add(shares: &mut Shares, count: &Count) {
    shares.add(count.subject, count.outcome, count.expected.as_deref());
}

/// What to log, so that a decision no longer hangs on something unknown.
fn advice(missing: &str) -> String {
    if missing == OTHER_SEED {
        return "the recording was made under another `seed`; replay under that one, or record with \
                `--record-headers all`, which holds the values"
            .to_owned();
    }
    let quoted = |prefix: &str| missing.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('`'));
    let key = match (quoted("header `"), quoted("subject `")) {
        (Some(":method"), _) => r#""m": "%REQ(:METHOD)%""#.to_owned(),
        (Some(":scheme"), _) => r#""s": "%REQ(:SCHEME)%""#.to_owned(),
        (Some(":authority"), _) => r#""a": "%REQ(:AUTHORITY)%""#.to_owned(),
        (Some(":path"), _) => r#""p": "%REQ(:PATH)%""#.to_owned(),
        (Some("x-request-id"), _) => r#""rid": "%REQ(X-REQUEST-ID)%""#.to_owned(),
        (Some("authorization" | "cookie" | "proxy-authorization"), _) => {
            return "`switchyard generate --record FILE --record-headers all` logs it, with all others".to_owned();
        }
        // Rules see repeated headers joined with `,`; `%REQ(…)%` is the first of them.
        (Some(name), _) => format!(r#""h": {{"{name}": "%TYPED_CEL(request.headers['{name}'])%"}}"#),
        (_, Some(_)) => r#""draws": "%FILTER_STATE(wasm.switchyard_draws:PLAIN)%""#.to_owned(),
        _ if missing == "source address" => r#""ra": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%""#.to_owned(),
        _ => r#""listener": "<the listener's name>""#.to_owned(),
    };
    format!("log {key}, as `switchyard generate --record FILE` does")
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn what_is_missing_comes_with_what_to_log() {
        for (missing, key) in [
            ("header `end-user`", r#""h": {"end-user": "%TYPED_CEL(request.headers['end-user'])%"}"#),
            ("header `x-request-id`", r#""rid": "%REQ(X-REQUEST-ID)%""#),
            ("subject `cookie/uid`", r#""draws": "%FILTER_STATE(wasm.switchyard_draws:PLAIN)%""#),
            ("source address", r#""ra": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%""#),
        ] {
            assert_eq!(advice(missing), format!("log {key}, as `switchyard generate --record FILE` does"));
        }
    }
}
