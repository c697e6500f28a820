//! How all cases fared.

use crate::case::{Host, Lowered, Tally};
use crate::istio::Kind;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Counts, reasons, and what is wrong.
#[derive(Debug)]
pub struct Outcome {
    pub(super) tally: Tally,
    pub(super) envoys: usize,
    pub(super) took: Duration,
    ran: BTreeMap<&'static str, usize>,
    plain: usize,
    not_here: BTreeMap<String, String>,
    refused: usize,
}

impl Outcome {
    pub(super) fn new() -> Self {
        Self {
            tally: Tally::new(Host::Plugin),
            envoys: 0,
            took: Duration::ZERO,
            ran: BTreeMap::new(),
            plain: 0,
            not_here: BTreeMap::new(),
            refused: 0,
        }
    }

    /// A case that says nothing of the plugin in Istio.
    pub(super) fn count_not_here(&mut self, case: &Lowered, reason: String) {
        self.not_here.insert(case.name.clone(), reason);
    }

    /// A case that `generate` had to refuse, and did.
    pub(super) fn refused(&mut self, case: &Lowered) {
        self.refused += 1;
        self.tally.count(case, Vec::new());
    }

    /// A case whose requests were sent.
    pub(super) fn ran(&mut self, case: &Lowered, prepared: (Kind, bool), wrong: Vec<String>) {
        let (kind, is_plain) = prepared;
        self.plain += usize::from(is_plain);
        let kind = match kind {
            Kind::Sidecar => "sidecar",
            Kind::Gateway => "gateway",
        };
        *self.ran.entry(kind).or_default() += 1;
        self.tally.count(case, wrong);
    }

    /// The cases that say nothing of the plugin in Istio, and why.
    pub fn not_here(&self) -> &BTreeMap<String, String> {
        &self.not_here
    }

    /// Whether every case that ran holds, and one ran in Istio.
    pub fn is_good(&self) -> bool {
        self.tally.is_good() && !self.ran.is_empty()
    }

    /// What to print: what ran and for how long, what is wrong, what did not run and why.
    pub fn report(&self) -> String {
        let mut text = self.tally.report();
        let ran: usize = self.ran.values().sum();
        let how: Vec<String> = self.ran.iter().map(|(kind, count)| format!("{count} as {kind}")).collect();
        let _ = write!(
            text,
            "\n{ran} cases ran as plugin in Istio ({}; {} of plain Istio vocabulary) in {} Envoys, in {:.0} s; {} are refused by `generate --target istio`",
            how.join(", "),
            self.plain,
            self.envoys,
            self.took.as_secs_f64(),
            self.refused
        );
        let _ = write!(text, "\n{} cases say nothing of the plugin in Istio", self.not_here.len());
        for (name, reason) in &self.not_here {
            let _ = write!(text, "\n  {name}: {reason}");
        }
        text
    }

    /// Prints the report, also from a test that passes.
    pub fn print(&self) {
        use std::io::Write as _;
        // Nobody is left to be told when this fails.
        let _ = writeln!(std::io::stderr(), "\n{}", self.report());
    }
}
