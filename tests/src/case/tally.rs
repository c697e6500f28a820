//! How a host fared: counts, reasons, and what is wrong.

use super::lowered::{Host, Lowered};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The outcome of all cases in one host.
#[derive(Debug)]
pub struct Tally {
    host: Host,
    passed: usize,
    requests: usize,
    failed: BTreeMap<String, Vec<String>>,
    cannot_run: BTreeMap<String, Vec<String>>,
}

impl Tally {
    /// Nothing has run yet.
    pub fn new(host: Host) -> Self {
        Self { host, passed: 0, requests: 0, failed: BTreeMap::new(), cannot_run: BTreeMap::new() }
    }

    /// Whether the case can run here; when not, it is counted with its reason.
    pub fn can_run(&mut self, case: &Lowered) -> bool {
        match case.cannot_run.get(&self.host) {
            Some(reason) => {
                self.cannot_run.entry(reason.clone()).or_default().push(case.name.clone());
                false
            }
            None => true,
        }
    }

    /// Counts a case that ran, with what is wrong about it.
    pub fn count(&mut self, case: &Lowered, wrong: Vec<String>) {
        self.requests += case.requests.len();
        if wrong.is_empty() {
            self.passed += 1;
        } else {
            self.failed.insert(case.name.clone(), wrong);
        }
    }

    /// What to print: counts, what cannot run and why, what failed and how.
    pub fn report(&self) -> String {
        let cannot: usize = self.cannot_run.values().map(Vec::len).sum();
        let mut text = format!(
            "cases, {}: {} passed, {} failed, {cannot} cannot run here ({} requests)",
            self.host,
            self.passed,
            self.failed.len(),
            self.requests
        );
        for (reason, names) in &self.cannot_run {
            let _ = write!(text, "\n  cannot run: {reason}: {}", names.join(", "));
        }
        for (name, wrong) in &self.failed {
            let _ = write!(text, "\n  FAILED {name}");
            for line in wrong {
                let _ = write!(text, "\n    {line}");
            }
        }
        text
    }

    /// Prints the report, also from a test that passes: past `cargo test`, which keeps to itself what `println!` says.
    #[cfg(not(target_family = "wasm"))]
    pub fn print(&self) {
        use std::io::Write as _;
        // Nobody is left to be told when this fails.
        let _ = writeln!(std::io::stderr(), "\n{}", self.report());
    }

    /// Whether every case that can run here passed, and there was one.
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.passed > 0
    }
}
