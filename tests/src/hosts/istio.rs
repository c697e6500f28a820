//! Istio itself, without our filter: istiod and a stock Envoy for each case whose policy is plain Istio vocabulary.
//!
//! Each case has an istiod and an Envoy of its own, so that its manifests run as they are written: no name is changed,
//! and no case sees another's. Both are there in 0.4 s. Changed are only the services' endpoints (all are the test's
//! upstream), the listeners' addresses, and names for rules without one (`http[0]`, as we tell them), which Istio shows
//! and does not look at. What Istio shows is compared ([`judge`]); what has no counterpart in it is counted, not compared.
//!
//! A case that must be refused is shown to istiod as well. That we refuse more than Istio does is our choice, so it is
//! told and no failure.

mod judge;
mod plain;

use crate::case::{CaseFile, Host, Tally};
use crate::harness::{Echo, from_latin1};
use crate::hosts::envoy::lines;
use crate::istio::{self, Istiod, Kind};
use judge::judge;
use plain::Plain;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How all cases fared.
#[derive(Debug)]
pub struct Outcome {
    tally: Tally,
    ran: BTreeMap<&'static str, usize>,
    requests: usize,
    compared: usize,
    without_counterpart: BTreeMap<String, usize>,
    not_plain: BTreeMap<String, Vec<String>>,
    refused_too: Vec<String>,
    taken: Vec<String>,
    took: Duration,
}

/// What became of one case.
enum Result1 {
    Ran { kind: Kind, wrong: Vec<String>, compared: usize, without: Vec<String> },
    Refused(bool),
}

/// Runs every case that Istio can run, as many at a time as there are cores. Errors: no istiod, no Envoy.
pub async fn run_all(cases: &[CaseFile]) -> Result<Outcome, String> {
    let start = Instant::now();
    // Built or installed before the clock of any case runs.
    istio::binary()?;
    crate::harness::envoy_binary_of(istio::ENVOY)?;
    let mut outcome = Outcome::new();
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let free = Arc::new(Semaphore::new(cores));
    let mut running = JoinSet::new();
    for (index, case) in cases.iter().enumerate() {
        if !outcome.tally.can_run(&case.lowered) {
            continue;
        }
        let plain = match plain::plain(case) {
            Ok(plain) => plain,
            Err(reason) => {
                outcome.not_plain.entry(reason).or_default().push(case.lowered.name.clone());
                continue;
            }
        };
        let (case, free) = (case.clone(), Arc::clone(&free));
        running.spawn(async move {
            // The semaphore is never closed.
            let _turn = free.acquire().await;
            (index, run(&case, plain).await)
        });
    }
    while let Some(done) = running.join_next().await {
        let (index, result) = done.map_err(|error| error.to_string())?;
        if let Some(case) = cases.get(index) {
            outcome.count(case, result);
        }
    }
    outcome.took = start.elapsed();
    Ok(outcome)
}

async fn run(case: &CaseFile, plain: Plain) -> Result<Result1, String> {
    if case.lowered.refused {
        return match Istiod::start(&plain.manifests).await {
            Ok(_) => Ok(Result1::Refused(false)),
            Err(said) if said.starts_with("istiod refuses: ") => Ok(Result1::Refused(true)),
            Err(error) => Err(error),
        };
    }
    let echo = Echo::named("upstream").at(([0, 0, 0, 0], 0).into()).recording().start().await?;
    let manifests = plain.at_upstream(echo.address().port());
    let istiod = Istiod::start(&manifests).await?;
    let envoy = istiod.run(&plain.proxy).await?;
    let routes = envoy.routes().await?;
    let mut client = envoy.client(plain.port)?;
    let (mut wrong, mut compared, mut without) = (Vec::new(), 0, Vec::new());
    for (number, request) in case.lowered.requests.iter().enumerate() {
        let seen = envoy.send(&mut client, &echo, &lines(request, None)).await;
        let verdict = match seen {
            Ok(seen) => judge(request, &seen, &routes, &plain),
            Err(error) => {
                wrong.push(format!("requests[{number}]: {error}"));
                continue;
            }
        };
        compared += verdict.compared;
        without.extend(verdict.without_counterpart);
        wrong.extend(verdict.wrong.into_iter().map(|line| format!("requests[{number}]: {line}")));
    }
    envoy.stop().await?;
    Ok(Result1::Ran { kind: plain.proxy.kind, wrong, compared, without })
}

impl Outcome {
    fn new() -> Self {
        Self {
            tally: Tally::new(Host::Istio),
            ran: BTreeMap::new(),
            requests: 0,
            compared: 0,
            without_counterpart: BTreeMap::new(),
            not_plain: BTreeMap::new(),
            refused_too: Vec::new(),
            taken: Vec::new(),
            took: Duration::ZERO,
        }
    }

    fn count(&mut self, case: &CaseFile, result: Result<Result1, String>) {
        let name = &case.lowered.name;
        match result {
            Ok(Result1::Refused(true)) => self.refused_too.push(name.clone()),
            Ok(Result1::Refused(false)) => self.taken.push(name.clone()),
            Ok(Result1::Ran { kind, mut wrong, compared, without }) => {
                if compared == 0 && wrong.is_empty() {
                    let fields: BTreeSet<_> = without.into_iter().collect();
                    let fields: Vec<_> = fields.into_iter().collect();
                    wrong.push(format!(
                        "nothing that it expects can be seen in Istio ({}): expect more, or say so in `cannotRun: {{istio: …}}`",
                        fields.join(", ")
                    ));
                } else {
                    for field in without {
                        *self.without_counterpart.entry(field).or_default() += 1;
                    }
                }
                let kind = match kind {
                    Kind::Sidecar => "sidecar",
                    Kind::Gateway => "gateway",
                };
                *self.ran.entry(kind).or_default() += 1;
                self.requests += case.lowered.requests.len();
                self.compared += compared;
                self.tally.count(&case.lowered, wrong);
            }
            Err(error) => self.tally.count(&case.lowered, vec![error]),
        }
    }

    /// Whether every case that ran holds in Istio, and one ran.
    pub fn is_good(&self) -> bool {
        self.tally.is_good()
    }

    /// What to print: what ran and for how long, what Istio refutes, what did not run and why.
    pub fn report(&self) -> String {
        let mut text = self.tally.report();
        let ran: usize = self.ran.values().sum();
        let how: Vec<String> = self.ran.iter().map(|(kind, count)| format!("{count} as {kind}")).collect();
        let _ = write!(
            text,
            "\n{ran} cases ran in Istio ({}), {} requests, {} fields compared, in {:.0} s",
            how.join(", "),
            self.requests,
            self.compared,
            self.took.as_secs_f64()
        );
        let counts: Vec<String> = self.not_plain.iter().map(|(why, names)| format!("{why} {}", names.len())).collect();
        let all: usize = self.not_plain.values().map(Vec::len).sum();
        let _ = write!(text, "\n{all} cases are not plain Istio: {}", counts.join(", "));
        let _ = write!(
            text,
            "\nof the manifests that we refuse Istio refuses {} too and takes {}: {}",
            self.refused_too.len(),
            self.taken.len(),
            sorted(&self.taken)
        );
        let fields: Vec<String> =
            self.without_counterpart.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let _ = write!(text, "\nexpected and without a counterpart in Istio: {}", fields.join(", "));
        text
    }

    /// Prints the report, also from a test that passes.
    pub fn print(&self) {
        use std::io::Write as _;
        // Nobody is left to be told when this fails.
        let _ = writeln!(std::io::stderr(), "\n{}", self.report());
    }
}

fn sorted(names: &[String]) -> String {
    let mut names = names.to_vec();
    names.sort();
    names.join(", ")
}

/// Latin-1 text of a case as what it stands for in a header.
fn bytes(text: &str) -> Vec<u8> {
    from_latin1(text).unwrap_or_else(|| text.into())
}
