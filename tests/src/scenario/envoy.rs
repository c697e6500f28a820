//! Scenarios in what `switchyard generate` writes: a real Envoy with the released .wasm, one for each.

use super::send::send;
use super::workloads::Workloads;
use super::{Scenario, Tally};
use crate::generated::Site;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Runs all that are not refused, several at a time: much of it is waiting.
pub async fn run_all(scenarios: &[Scenario]) -> Tally {
    let mut tally = Tally::default();
    let free = Arc::new(Semaphore::new(4));
    let mut running = JoinSet::new();
    for scenario in scenarios.iter().filter(|scenario| !scenario.is_refused()) {
        if let Some(reason) = scenario.spec.cannot_run.get("envoy") {
            tally.not_run.push(format!("{}: {reason}", scenario.name));
            continue;
        }
        let (scenario, free) = (scenario.clone(), Arc::clone(&free));
        running.spawn(async move {
            // The semaphore is never closed.
            let _turn = free.acquire().await;
            let wrong = run(&scenario).await.unwrap_or_else(|error| vec![error]);
            (scenario, wrong)
        });
    }
    while let Some(done) = running.join_next().await {
        match done {
            Ok((scenario, wrong)) => {
                let requests = scenario.spec.send.iter().map(|step| step.times as usize).sum();
                tally.count(&scenario.name, requests, wrong);
            }
            Err(error) => tally.wrong.push(error.to_string()),
        }
    }
    tally
}

async fn run(scenario: &Scenario) -> Result<Vec<String>, String> {
    let (workloads, manifests) = Workloads::start(&scenario.manifests()?).await?;
    // JSON is YAML.
    let text: Vec<String> = manifests.iter().map(Value::to_string).collect();
    let mut bootstrap = Site::new(&text.join("\n---\n"))?.bootstrap()?;
    for listener in bootstrap.value["static_resources"]["listeners"].as_array_mut().into_iter().flatten() {
        listener["address"]["socket_address"]["port_value"] = 0.into();
    }
    let envoy = bootstrap.start().await?;
    let mut wrong = Vec::new();
    for step in &scenario.spec.send {
        wrong.extend(send(step, envoy.listener(&step.at).await?, &workloads).await);
    }
    envoy.stop().await?;
    Ok(wrong)
}
