//! What the common tutorials teach: manifests as they print them, what `switchyard check` says of them, and what comes of
//! requests once they are applied.
//!
//! `tests/scenarios/<name>/` holds `manifests/`, [`scenario.yaml`](spec), and `check.txt`, which is all that the command
//! prints. [`command`] holds the command against it; [`envoy`] sends the requests through what `switchyard generate`
//! writes, and [`istio`] through Istio itself, without our filter. Both see what a user sees ([`outcome`]): status, which
//! workload answered, what came to it. Decisions are the matter of the cases.
//!
//! Changed are addresses only: each endpoint of a ServiceEntry is a workload of the test, named after its labels
//! (`reviews-v2`), and gateways listen on free ports.

pub mod command;
pub mod envoy;
pub mod istio;
mod load;
mod outcome;
mod send;
pub mod spec;
mod workloads;

pub use load::{Scenario, load_all};

/// The outcome of all scenarios in one host.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests that were sent.
    pub requests: usize,
    /// Scenarios whose outcome is as it is taught.
    pub passed: usize,
    /// Scenarios that cannot run there, with the reason.
    pub not_run: Vec<String>,
    /// What is wrong, by scenario.
    pub wrong: Vec<String>,
}

impl Tally {
    fn count(&mut self, name: &str, requests: usize, wrong: Vec<String>) {
        self.requests += requests;
        if wrong.is_empty() {
            self.passed += 1;
        }
        self.wrong.extend(wrong.into_iter().map(|line| format!("{name}: {line}")));
    }

    /// Prints it, also from a test that passes, and tells whether all that ran is right and something ran.
    pub fn is_good(&mut self, host: &str) -> bool {
        use std::io::Write as _;
        self.not_run.sort();
        self.wrong.sort();
        let mut text = format!(
            "scenarios, {host}: {} passed, {} things wrong, {} not run ({} requests)",
            self.passed,
            self.wrong.len(),
            self.not_run.len(),
            self.requests
        );
        for line in self.not_run.iter().chain(&self.wrong) {
            text.push_str("\n  ");
            text.push_str(line);
        }
        // Nobody is left to be told when this fails.
        let _ = writeln!(std::io::stderr(), "\n{text}");
        self.wrong.is_empty() && self.passed > 0
    }
}
