//! Istio itself, without our filter: istiod and a stock Envoy for each case whose policy is plain Istio vocabulary.
//!
//! Each case has an istiod and an Envoy of its own, so that its manifests run as they are written: no name is changed,
//! and no case sees another's. Both are there in 0.4 s. Changed are only the services' endpoints (all are the test's
//! upstream), the listeners' addresses, and names for rules without one (`http[0]`, as we tell them), which Istio shows
//! and does not look at. What Istio shows is compared ([`judge`]); what has no counterpart in it is counted, not compared.
//!
//! A case that must be refused is shown to istiod as well. Where Istio takes it, the case says why we do not.

mod hashed;
mod judge;
pub(super) mod plain;

use crate::case::{CaseFile, Host, LoweredRequest, Tally};
use crate::harness::{Client, Echo};
use crate::hosts::envoy::lines;
use crate::istio::{self, Exchange, IstioEnvoy, Istiod, Kind, Route, Routes};
use judge::{Chance, Verdict, judge, taken};
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
    not_plain: BTreeMap<String, usize>,
    not_here: BTreeMap<String, String>,
    refused: usize,
    stuck: usize,
    took: Duration,
}

/// How long one exchange may take, injected delays included.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a request is sent again where Istio leaves something to chance and it fell otherwise than it must here,
/// and for how long.
const AGAIN: (usize, Duration) = (300, Duration::from_secs(3));

/// How long copies of a mirrored request may take to arrive.
const COPIES: Duration = Duration::from_secs(2);

/// What became of one case.
enum Done {
    /// Its requests were sent.
    Ran { kind: Kind, wrong: Vec<String>, compared: usize, without: Vec<String> },
    /// It was to be refused: whether Istio does.
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
        let plain = match plain::any(case) {
            Ok((plain, ours)) if ours.is_empty() => plain,
            Ok((_, ours)) => {
                let ours = ours.into_iter().collect::<Vec<_>>().join(" and ");
                *outcome.not_plain.entry(ours).or_default() += 1;
                continue;
            }
            Err(reason) => {
                outcome.not_here.insert(case.lowered.name.clone(), reason);
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

async fn run(case: &CaseFile, plain: Plain) -> Result<(Done, usize), String> {
    if case.lowered.refused {
        return match Istiod::start(&plain.manifests).await {
            Ok(istiod) => Ok((Done::Refused(false), istiod.stuck())),
            Err(said) if said.starts_with("istiod refuses: ") => Ok((Done::Refused(true), 0)),
            Err(error) => Err(error),
        };
    }
    let echo = Echo::named("upstream").at(([0, 0, 0, 0], 0).into()).recording().start().await?;
    let istiod = Istiod::start(&plain.at_upstream(echo.address().port())).await?;
    let envoy = istiod.run(&plain.proxy).await?;
    let client = envoy.client(plain.port)?.patience(PATIENCE);
    let mut running = Running { routes: envoy.routes().await?, envoy, client, echo, plain };
    let (mut wrong, mut compared, mut without) = (Vec::new(), 0, Vec::new());
    for (number, request) in case.lowered.requests.iter().enumerate() {
        match running.ask(request).await {
            Ok(verdict) => {
                compared += verdict.compared;
                without.extend(verdict.without_counterpart);
                wrong.extend(verdict.wrong.into_iter().map(|line| format!("requests[{number}]: {line}")));
            }
            Err(error) => wrong.push(format!("requests[{number}]: {error}")),
        }
    }
    running.envoy.stop().await?;
    Ok((Done::Ran { kind: running.plain.proxy.kind, wrong, compared, without }, istiod.stuck()))
}

/// A case in its Istio.
struct Running {
    envoy: IstioEnvoy,
    routes: Routes,
    client: Client,
    echo: Echo,
    plain: Plain,
}

impl Running {
    /// Sends a request; where something is left to chance, until it falls as expected. What never does must at least be
    /// possible: a share of 1 % need not come up.
    async fn ask(&mut self, request: &LoweredRequest) -> Result<Verdict, String> {
        let sent = lines(request, None);
        let start = Instant::now();
        for count in 1.. {
            let mut seen = self.envoy.send(&mut self.client, &self.echo, &sent).await?;
            let route = taken(&seen, &self.routes);
            self.wait_for_copies(&mut seen, route).await;
            let verdict = judge(request, &seen, route, &self.plain, Chance::Fallen);
            if verdict.wrong.is_empty() || !route.is_some_and(Route::is_random) {
                return Ok(verdict);
            }
            if count > AGAIN.0 || start.elapsed() > AGAIN.1 {
                return Ok(judge(request, &seen, route, &self.plain, Chance::Possible));
            }
        }
        Err("nothing was sent".into())
    }

    /// Copies are sent beside the request, and nobody waits for them.
    async fn wait_for_copies(&self, seen: &mut Exchange, route: Option<&Route>) {
        let mirrors = route.map(Route::mirrors).unwrap_or_default();
        if mirrors.iter().all(|(_, share)| *share == 0) {
            return;
        }
        let sure = mirrors.iter().filter(|(_, share)| *share >= 1_000_000).count();
        let start = Instant::now();
        // Those that may come have a moment in any case.
        while (seen.mirrored.len() < sure && start.elapsed() < COPIES) || start.elapsed() < COPIES / 100 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            seen.mirrored.extend(self.echo.received());
        }
    }
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
            not_here: BTreeMap::new(),
            refused: 0,
            stuck: 0,
            took: Duration::ZERO,
        }
    }

    fn count(&mut self, case: &CaseFile, result: Result<(Done, usize), String>) {
        self.stuck += result.as_ref().map_or(0, |(_, stuck)| *stuck);
        match result.map(|(done, _)| done) {
            Ok(Done::Refused(true)) => {
                self.refused += 1;
                self.tally.count(&case.lowered, Vec::new());
            }
            Ok(Done::Refused(false)) => {
                let said = "Istio takes what is refused here: say why in `cannotRun: {istio: …}`, or take it too";
                self.tally.count(&case.lowered, vec![said.into()]);
            }
            Ok(Done::Ran { kind, mut wrong, compared, without }) => {
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

    /// The cases that say nothing to Istio, and why.
    pub fn not_here(&self) -> &BTreeMap<String, String> {
        &self.not_here
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
            "\n{ran} cases ran in Istio ({}), {} requests, {} fields compared, in {:.0} s; {} starts of istiod came to nothing and were repeated",
            how.join(", "),
            self.requests,
            self.compared,
            self.took.as_secs_f64(),
            self.stuck
        );
        let counts: Vec<String> = self.not_plain.iter().map(|(ours, count)| format!("{ours} {count}")).collect();
        let all: usize = self.not_plain.values().sum();
        let _ = write!(text, "\n{all} cases are not plain Istio: {}", counts.join(", "));
        let _ = write!(text, "\n{} cases say nothing to Istio", self.not_here.len());
        for (name, reason) in &self.not_here {
            let _ = write!(text, "\n  {name}: {reason}");
        }
        let _ = write!(text, "\n{} cases are refused by Istio as they are here", self.refused);
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
