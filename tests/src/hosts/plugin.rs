//! The released .wasm in Istio, as `generate --target istio` writes it (form (a)): istiod, stock Envoys, and the cases'
//! own manifests, but for VirtualServices, which are stubs that answer 599. What a case expects, only the filter can do.
//!
//! Each case is generated for the proxy that it names, sidecar or gateway, and applied to an istiod. Compared is what the
//! host [`envoy`](super::envoy) compares, by the same code. Cases that are not of plain Istio vocabulary run as well.
//!
//! Compiling the filter takes an Envoy longer than all else, so cases of one kind of proxy share one, one after the other:
//! a new pluginConfig for the same .wasm is another configuration in the same VM. Each case has listeners on ports of its
//! own, and is asked when its routes, listeners, clusters and pluginConfigs are all in force.
//!
//! A case that must be refused never gets to a proxy: `generate` has to refuse it.

mod outcome;
mod prepare;
mod sync;

pub use outcome::Outcome;

use super::envoy::check;
use crate::case::CaseFile;
use crate::harness::{Client, Echo};
use crate::istio::{self, IstioEnvoy, Istiod};
use prepare::{Prepared, Unprepared, prepare};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How long one exchange may take, injected delays included.
const PATIENCE: Duration = Duration::from_secs(20);

/// So many cases share an istiod and an Envoy at most.
const BATCH: usize = 60;

/// A case that is ready to run, and its place among all.
struct Job {
    index: usize,
    case: CaseFile,
    prepared: Prepared,
}

/// Runs every case that can run, as many at a time as there are cores. Errors: no istiod, no Envoy.
pub async fn run_all(wasm: &Path, cases: &[CaseFile]) -> Result<Outcome, String> {
    let start = Instant::now();
    // Built or installed before the clock of any case runs.
    istio::binary()?;
    crate::harness::envoy_binary_of(istio::ENVOY)?;
    let mut outcome = Outcome::new();
    let mut kinds: BTreeMap<String, Vec<Job>> = BTreeMap::new();
    for (index, case) in cases.iter().enumerate() {
        if !outcome.tally.can_run(&case.lowered) {
            continue;
        }
        match prepare(case, wasm) {
            Ok(prepared) => {
                kinds.entry(prepared.shared_by()).or_default().push(Job { index, case: case.clone(), prepared });
            }
            Err(Unprepared::NotHere(reason)) => outcome.count_not_here(&case.lowered, reason),
            Err(Unprepared::Refused) => outcome.refused(&case.lowered),
            Err(Unprepared::Wrong(wrong)) => outcome.tally.count(&case.lowered, vec![wrong]),
        }
    }
    let free = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));
    let mut running = JoinSet::new();
    for mut jobs in kinds.into_values() {
        while !jobs.is_empty() {
            let batch = jobs.split_off(jobs.len().saturating_sub(BATCH));
            let free = Arc::clone(&free);
            running.spawn(async move {
                // The semaphore is never closed.
                let _turn = free.acquire().await;
                run_batch(batch).await
            });
        }
    }
    while let Some(done) = running.join_next().await {
        let batch = done.map_err(|error| error.to_string())??;
        outcome.envoys += batch.envoys;
        for (index, prepared, wrong) in batch.done {
            if let Some(case) = cases.get(index) {
                outcome.ran(&case.lowered, prepared, wrong);
            }
        }
    }
    outcome.took = start.elapsed();
    Ok(outcome)
}

/// Runs a case, but for its plugins: what is wrong then. Errors: it cannot be run.
pub async fn without_plugin(wasm: &Path, case: &CaseFile) -> Result<Vec<String>, String> {
    let Ok(mut prepared) = prepare(case, wasm) else { return Err(format!("`{}` does not run", case.lowered.name)) };
    prepared.plugins.clear();
    prepared.plain.manifests.retain(|one| one["kind"] != "WasmPlugin");
    let echo = upstream().await?;
    let job = Job { index: 0, case: case.clone(), prepared };
    let running = first(&job, &echo).await?;
    let wrong = ask(&job, &echo).await;
    running.envoy.stop().await?;
    Ok(wrong)
}

async fn upstream() -> Result<Echo, String> {
    Echo::named("upstream").at(([0, 0, 0, 0], 0).into()).recording().start().await
}

/// How a batch fared.
struct Batch {
    done: Vec<(usize, (istio::Kind, bool), Vec<String>)>,
    /// How many Envoys it took.
    envoys: usize,
}

/// Errors: no upstream.
async fn run_batch(jobs: Vec<Job>) -> Result<Batch, String> {
    let echo = upstream().await?;
    let mut batch = Batch { done: Vec::new(), envoys: 0 };
    let mut shared = None;
    for mut job in jobs {
        job.prepared.plain.proxy.elsewhere();
        let about = (job.prepared.plain.proxy.kind, job.prepared.is_plain);
        let running = if let Some(running) = shared.take() {
            next(running, &job, &echo).await
        } else {
            batch.envoys += 1;
            first(&job, &echo).await
        };
        let wrong = match running {
            Ok(running) => {
                let wrong = ask(&job, &echo).await;
                shared = Some(running);
                wrong
            }
            // The next one starts anew.
            Err(error) => vec![error],
        };
        batch.done.push((job.index, about, wrong));
    }
    if let Some(Running { envoy, .. }) = shared {
        envoy.stop().await?;
    }
    Ok(batch)
}

/// What cases share.
struct Running {
    // Dropped first.
    envoy: IstioEnvoy,
    istiod: Istiod,
}

/// Its plugin is there when the Envoy starts: the first one that came later would end it (istio.md 5.6).
async fn first(job: &Job, echo: &Echo) -> Result<Running, String> {
    let istiod = Istiod::start(&job.prepared.at_upstream(echo.address().port())).await?;
    let envoy = istiod.run(&job.prepared.plain.proxy).await?;
    let running = Running { envoy, istiod };
    sync::wait(&running.envoy, &job.prepared, &running.istiod.version()).await?;
    Ok(running)
}

async fn next(running: Running, job: &Job, echo: &Echo) -> Result<Running, String> {
    let version = running.istiod.apply(&job.prepared.at_upstream(echo.address().port())).await?;
    sync::wait(&running.envoy, &job.prepared, &version).await?;
    Ok(running)
}

async fn ask(job: &Job, echo: &Echo) -> Vec<String> {
    let plain = &job.prepared.plain;
    let mut client = match plain.proxy.address(plain.port) {
        Ok(address) => Client::new(address).patience(PATIENCE),
        Err(error) => return vec![error],
    };
    let mut wrong = Vec::new();
    // What came late from the case before is nobody's.
    drop(echo.received());
    for (number, request) in job.case.lowered.requests.iter().enumerate() {
        let found = check(&mut client, echo, request, job.prepared.observes).await;
        let found = found.unwrap_or_else(|error| vec![error]);
        wrong.extend(found.into_iter().map(|line| format!("requests[{number}]: {line}")));
    }
    wrong
}
