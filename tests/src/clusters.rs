//! Istio as the judge of clusters: sets of manifests, each with a proxy, given to istiod for a stock Envoy and to our
//! generator, and every cluster compared as Envoys dump them, endpoints included.
//!
//! Random sets have hosts and namespaces of their own, so that many are judged by one istiod; some of them share a proxy.
//! Everything follows from one seed, which is printed. Sets that one side refuses the other must refuse too. What differs
//! by right stands in [`explained`], and nowhere else. A set that differs is made small and printed: nothing is judged twice,
//! since what istiod and its proxies have heard is known ([`heard`]).

mod batch;
pub mod certs;
pub mod compare;
mod dump;
pub mod explained;
mod golden;
mod heard;
mod kubernetes;
mod mesh;
mod outcome;
mod policy;
mod proxy;
mod rule;
mod secrets;
mod service;
mod set;
mod shrink;
mod sides;
mod verdict;
mod wrong;

pub use batch::{Found, judge};
pub use kubernetes::judge_on;
pub use outcome::Outcome;
pub use proxy::Proxy;
pub use set::Set;
pub use sides::{Clusters, generated};

use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Sets that are judged together: of two proxies. Each proxy gets the clusters of all, and with many of them its
/// endpoints come late.
const BATCH: usize = 10;
/// Batches at a time.
const AT_ONCE: usize = 6;
/// Sets that are made small.
const SHRUNK: usize = 3;

/// How much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// What everything follows from.
    pub seed: u64,
    /// Sets of manifests.
    pub sets: usize,
    /// Whether every few of them are in a mesh of other defaults than Istio's.
    pub meshes: bool,
}

impl Size {
    /// That of a run of CI, or what `SWITCHYARD_SEED` and `SWITCHYARD_SETS` say.
    ///
    /// # Errors
    /// One of them is no number.
    pub fn of_environment() -> Result<Self, String> {
        let number = |name: &str, default: u64| match std::env::var(name) {
            Ok(text) => text.parse().map_err(|_| format!("`{text}` in {name} is no number")),
            Err(_) => Ok(default),
        };
        let sets = usize::try_from(number("SWITCHYARD_SETS", 250)?).map_err(|error| error.to_string())?;
        Ok(Self { seed: number("SWITCHYARD_SEED", 1)?, sets, meshes: false })
    }
}

/// Runs it. Errors: a side does not start; what differs is in the outcome.
pub async fn run(size: Size) -> Result<Outcome, String> {
    let start = Instant::now();
    println!("random clusters, SWITCHYARD_SEED={}", size.seed);
    let certs = certs::folder()?;
    let set = |number: usize| {
        let mesh = if size.meshes { mesh::fields(size.seed, number / BATCH) } else { serde_json::Value::Null };
        Set { mesh, ..Set::new(size.seed, number, certs.path()) }
    };
    let sets = (0..size.sets).map(set).collect();
    let mut outcome = Outcome::new(size);
    let mut open = verdict::judge(sets, &mut outcome).await?;
    outcome.sets = open.len();
    println!("{} sets are taken by both, {:?}", open.len(), start.elapsed());
    // Those that take longest come first, beside all others.
    open.sort_by_key(|set| (set.mesh.to_string(), !set.waits_for_secrets(), set.proxy.clone()));
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let running: Vec<_> = open
        .chunk_by(|one, two| one.mesh == two.mesh)
        .flat_map(|all| all.chunks(BATCH))
        .map(|batch| {
            let (batch, permits) = (batch.to_vec(), permits.clone());
            tokio::spawn(async move {
                let _permit = permits.acquire_owned().await;
                found(&batch).await
            })
        })
        .collect();
    let mut all = vec![];
    for batch in running {
        all.extend(batch.await.map_err(|error| error.to_string())?);
    }
    for (set, found) in open.into_iter().zip(all) {
        outcome.count(&found);
        if !found.differences.is_empty() {
            outcome.different.push((set, found.differences));
        }
    }
    outcome.compared = start.elapsed();
    for (set, differences) in &outcome.different {
        println!("{}: {}\n{}", set.name, differences.join("\n"), set.to_yaml());
    }
    for (set, differences) in outcome.different.iter_mut().take(SHRUNK) {
        (*set, *differences) = shrink::shrink(set, differences).await;
    }
    outcome.took = start.elapsed();
    Ok(outcome)
}

/// What became of sets; one that a side breaks at is judged alone, and differs.
async fn found(batch: &[Set]) -> Vec<Found> {
    let said = match judge(batch).await {
        Ok(found) => return found,
        Err(said) => said,
    };
    if batch.len() < 2 {
        return vec![Found { differences: vec![said], ..Found::default() }];
    }
    println!("{} sets are judged in halves: {said}", batch.len());
    let (first, second) = batch.split_at(batch.len() / 2);
    let mut all = Box::pin(found(first)).await;
    all.extend(Box::pin(found(second)).await);
    all
}
