//! Shares of outcomes: over requests, or over the subjects that keep them.
//!
//! A subject counts once, however many requests it sends: by the fraction of its requests that had the outcome. Where a
//! choice is sticky all of them had the same one, so that this is the count of distinct subjects; the draws of a user
//! who returns a thousand times are one draw, not a thousand.

use super::wilson;
use serde::Serialize;
use std::collections::BTreeMap;

/// The share of one outcome.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Requests that had it.
    pub requests: u64,
    /// What `n` counts.
    pub over: Over,
    /// How many subjects, or requests, there were for all outcomes together.
    pub n: u64,
    /// The share that the weights give on average over all draws, for these very requests; 0 to 1. `null` where there
    /// are none, or too many combinations of draws.
    pub expected: Option<f64>,
    /// The share that came out, 0 to 1.
    pub actual: Option<f64>,
    /// The lower end of its 95 % interval (Wilson).
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// What shares are counted over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Over {
    /// Each request draws for itself.
    Requests,
    /// A subject (a cookie, say) keeps its draw; a request without one counts as a subject of its own.
    Subjects,
}

/// Counts outcomes; they are numbered from 0.
#[derive(Debug)]
pub struct Shares {
    outcomes: Vec<Outcome>,
    /// Requests that belong to no subject.
    single: u64,
    subjects: BTreeMap<u64, Subject>,
    expected_is_known: bool,
}

#[derive(Clone, Debug, Default)]
struct Outcome {
    requests: u64,
    single: u64,
    single_expected: f64,
}

#[derive(Debug, Default)]
struct Subject {
    requests: u64,
    /// Outcomes with how many of its requests had them, and how many should.
    outcomes: BTreeMap<usize, (u64, f64)>,
}

impl Shares {
    /// Without any request, of so many outcomes.
    pub fn new(outcomes: usize) -> Self {
        Self {
            outcomes: vec![Outcome::default(); outcomes],
            single: 0,
            subjects: BTreeMap::new(),
            expected_is_known: true,
        }
    }

    /// Counts a request with its outcome, the subject that keeps it, and how probable each outcome was (`None`: not known).
    pub fn add(&mut self, subject: Option<u64>, outcome: usize, expected: Option<&[(usize, f64)]>) {
        if let Some(outcome) = self.outcomes.get_mut(outcome) {
            outcome.requests += 1;
        }
        self.expected_is_known &= expected.is_some();
        let expected = expected.unwrap_or_default();
        if let Some(subject) = subject {
            let subject = self.subjects.entry(subject).or_default();
            subject.requests += 1;
            subject.outcomes.entry(outcome).or_default().0 += 1;
            for (outcome, probability) in expected {
                subject.outcomes.entry(*outcome).or_default().1 += probability;
            }
        } else {
            self.single += 1;
            if let Some(outcome) = self.outcomes.get_mut(outcome) {
                outcome.single += 1;
            }
            for (outcome, probability) in expected {
                if let Some(outcome) = self.outcomes.get_mut(*outcome) {
                    outcome.single_expected += probability;
                }
            }
        }
    }

    /// The share of each outcome, in order.
    #[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
    pub fn rows(&self) -> Vec<Share> {
        let n = self.single + self.subjects.len() as u64;
        let over = if self.subjects.is_empty() { Over::Requests } else { Over::Subjects };
        let mut sums: Vec<(f64, f64)> =
            self.outcomes.iter().map(|outcome| (outcome.single as f64, outcome.single_expected)).collect();
        for subject in self.subjects.values() {
            for (outcome, (actual, expected)) in &subject.outcomes {
                if let Some(sum) = sums.get_mut(*outcome) {
                    sum.0 += *actual as f64 / subject.requests as f64;
                    sum.1 += expected / subject.requests as f64;
                }
            }
        }
        let row = |(outcome, (actual, expected)): (&Outcome, (f64, f64))| {
            let actual = (n > 0).then(|| actual / n as f64);
            let interval = actual.and_then(|actual| wilson::interval(actual, n));
            Share {
                requests: outcome.requests,
                over,
                n,
                expected: (n > 0 && self.expected_is_known).then(|| round(expected / n as f64)),
                actual: actual.map(round),
                low: interval.map(|(low, _)| round(low)),
                high: interval.map(|(_, high)| round(high)),
            }
        };
        self.outcomes.iter().zip(sums).map(row).collect()
    }
}

/// To nine digits: what sums of another order would change is not told.
fn round(share: f64) -> f64 {
    (share * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_counts_once_however_often_it_returns() {
        let mut shares = Shares::new(2);
        for _ in 0..98 {
            shares.add(Some(7), 0, Some(&[(0, 0.5), (1, 0.5)]));
        }
        shares.add(Some(8), 1, Some(&[(0, 0.5), (1, 0.5)]));
        shares.add(None, 1, Some(&[(0, 0.5), (1, 0.5)]));
        let rows = shares.rows();
        assert_eq!((rows[0].requests, rows[0].over, rows[0].n), (98, Over::Subjects, 3));
        assert_eq!((rows[0].actual, rows[0].expected), (Some(0.333_333_333), Some(0.5)));
        assert_eq!(rows[1].actual, Some(0.666_666_667));
    }

    #[test]
    fn without_subjects_every_request_counts() {
        let mut shares = Shares::new(2);
        for outcome in [0, 0, 0, 1] {
            shares.add(None, outcome, Some(&[(0, 0.75), (1, 0.25)]));
        }
        let rows = shares.rows();
        assert_eq!(
            (rows[0].over, rows[0].n, rows[0].actual, rows[0].expected),
            (Over::Requests, 4, Some(0.75), Some(0.75))
        );
        assert!(rows[0].low < rows[0].actual && rows[0].actual < rows[0].high);
    }

    #[test]
    fn nothing_counted_says_nothing() {
        let row = Shares::new(1).rows().remove(0);
        assert_eq!((row.n, row.expected, row.actual, row.low, row.high), (0, None, None, None, None));
    }
}
