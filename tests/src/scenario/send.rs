//! Requests to a listener, several at a time.

use super::outcome::{Outcome, arrivals, judge};
use super::spec::Step;
use super::workloads::Workloads;
use crate::harness::{Client, Request};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long one request may take, injected delays included.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long copies may take to arrive, which nobody waits for.
const COPIES: Duration = Duration::from_secs(2);

/// Sends a step's requests to a listener; gives what is wrong.
pub async fn send(step: &Step, address: SocketAddr, workloads: &Workloads) -> Vec<String> {
    let before = counts(workloads);
    let wrong = match outcomes(step, address).await {
        Ok(outcomes) => judge(step, &outcomes),
        Err(error) => vec![error],
    };
    let mut wrong = wrong;
    if !step.arrived.is_empty() {
        wrong.extend(wait(step, &before, workloads).await);
    }
    wrong.into_iter().map(|line| format!("{}: {line}", step.shows)).collect()
}

async fn outcomes(step: &Step, address: SocketAddr) -> Result<Vec<Outcome>, String> {
    let (authority, target) = step.address()?;
    let mut request = Request::new(&step.method, authority, target);
    for (name, value) in &step.headers {
        request = request.header(name, value.as_str());
    }
    let left = Arc::new(AtomicU32::new(step.times));
    let mut clients = JoinSet::new();
    for _ in 0..step.at_a_time {
        let (request, left) = (request.clone(), Arc::clone(&left));
        clients.spawn(async move {
            let mut client = Client::new(address).patience(PATIENCE);
            let mut outcomes = Vec::new();
            let take = |left: u32| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                let start = Instant::now();
                let response = client.send(&request).await?;
                outcomes.push(Outcome::new(&response, start.elapsed()));
            }
            Ok::<_, String>(outcomes)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = clients.join_next().await {
        all.extend(done.map_err(|error| error.to_string())??);
    }
    Ok(all)
}

fn counts(workloads: &Workloads) -> BTreeMap<String, u64> {
    workloads.counts().into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

/// What is wrong with what arrived, once it is right or time is up.
async fn wait(step: &Step, before: &BTreeMap<String, u64>, workloads: &Workloads) -> Vec<String> {
    let start = Instant::now();
    loop {
        let now = workloads.counts().into_iter();
        let since = now.map(|(name, count)| (name.to_owned(), count - before.get(name).copied().unwrap_or(0)));
        let wrong = arrivals(step, &since.collect());
        // What comes late must not make right what is too much already.
        if start.elapsed() > if wrong.is_empty() { COPIES / 20 } else { COPIES } {
            return wrong;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
