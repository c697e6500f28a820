//! Scenarios in what `switchyard generate` writes: real Envoys with the released .wasm.
//!
//! Those of one application share an Envoy, since each start compiles the .wasm: the listeners of all stand in it, over
//! the application's clusters, which must be the same for each. They run after each other, so that what arrives is told
//! apart; applications run side by side.

use super::send::send;
use super::workloads::Workloads;
use super::{Scenario, Tally};
use crate::generated::{Bootstrap, Site};
use crate::harness::{Ca, Envoy};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Runs all that are not refused.
pub async fn run_all(scenarios: &[Scenario]) -> Tally {
    let mut tally = Tally::default();
    let mut groups: BTreeMap<&str, Vec<Scenario>> = BTreeMap::new();
    for scenario in scenarios.iter().filter(|scenario| !scenario.is_refused()) {
        if let Some(reason) = scenario.spec.cannot_run.get("envoy") {
            tally.not_run.push(format!("{}: {reason}", scenario.name));
            continue;
        }
        let app = if scenario.spec.app.is_empty() { &scenario.name } else { &scenario.spec.app };
        groups.entry(app).or_default().push(scenario.clone());
    }
    let mut running = JoinSet::new();
    for group in groups.into_values() {
        running.spawn(async move { (run(&group).await, group) });
    }
    while let Some(done) = running.join_next().await {
        match done {
            Ok((Ok(wrong), group)) => {
                for (scenario, wrong) in group.iter().zip(wrong) {
                    let requests = scenario.spec.send.iter().map(|step| step.times as usize).sum();
                    tally.count(&scenario.name, requests, wrong);
                }
            }
            Ok((Err(error), group)) => {
                let names: Vec<&str> = group.iter().map(|scenario| scenario.name.as_str()).collect();
                tally.wrong.push(format!("{}: {error}", names.join(", ")));
            }
            Err(error) => tally.wrong.push(error.to_string()),
        }
    }
    tally
}

/// What is wrong with each. Errors: the Envoy of all does not start.
async fn run(scenarios: &[Scenario]) -> Result<Vec<Vec<String>>, String> {
    let mut workloads = Workloads::default();
    let mut shared = Shared::default();
    let mut added = Vec::new();
    let certs = TempDir::new().map_err(|error| error.to_string())?;
    for scenario in scenarios {
        let manifests = workloads.place(&scenario.manifests()?).await?;
        certify(certs.path(), &manifests)?;
        added.push(shared.add(scenario, &manifests, certs.path()));
    }
    let envoy = shared.bootstrap().start().await?;
    let mut all = Vec::new();
    for (scenario, added) in scenarios.iter().zip(added) {
        all.push(match added {
            Ok(()) => steps(scenario, &envoy, &workloads).await,
            Err(error) => vec![error],
        });
    }
    envoy.stop().await?;
    Ok(all)
}

/// A certificate for each credential that Gateways name.
fn certify(folder: &Path, manifests: &[Value]) -> Result<(), String> {
    let servers = manifests.iter().filter_map(|manifest| manifest.pointer("/spec/servers")?.as_array()).flatten();
    for name in servers.filter_map(|server| server.pointer("/tls/credentialName")?.as_str()) {
        Ca::new("scenarios").server(&[name]).write(&folder.join(name))?;
    }
    Ok(())
}

async fn steps(scenario: &Scenario, envoy: &Envoy, workloads: &Workloads) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in &scenario.spec.send {
        match envoy.listener(&format!("{}/{}", scenario.name, step.at)).await {
            Ok(address) => wrong.extend(send(step, address, workloads).await),
            Err(error) => wrong.push(error),
        }
    }
    wrong
}

/// The parts of several bootstraps.
#[derive(Default)]
struct Shared {
    listeners: Vec<Value>,
    clusters: BTreeMap<String, Value>,
    others: Value,
}

impl Shared {
    /// Adds what is generated of a scenario's manifests. Errors: the generator refuses them, or writes another cluster
    /// of a name than before.
    fn add(&mut self, scenario: &Scenario, manifests: &[Value], certs: &Path) -> Result<(), String> {
        // JSON is YAML.
        let text: Vec<String> = manifests.iter().map(Value::to_string).collect();
        let mut site = Site::new(&text.join("\n---\n"))?;
        site.options.certs = Some(certs.to_owned());
        let mut generated = site.bootstrap()?.value;
        let resources = generated["static_resources"].take();
        for cluster in resources["clusters"].as_array().into_iter().flatten() {
            let name = cluster["name"].as_str().unwrap_or_default();
            if self.clusters.entry(name.into()).or_insert_with(|| cluster.clone()) != cluster {
                return Err(format!("its cluster `{name}` differs from that of another scenario of the application"));
            }
        }
        for listener in resources["listeners"].as_array().into_iter().flatten() {
            let mut listener = listener.clone();
            listener["name"] = format!("{}/{}", scenario.name, listener["name"].as_str().unwrap_or_default()).into();
            listener["address"]["socket_address"]["port_value"] = 0.into();
            self.listeners.push(listener);
        }
        self.others = generated;
        Ok(())
    }

    /// All of it. What is beside listeners and clusters hangs on no policy.
    fn bootstrap(&self) -> Bootstrap {
        let mut value = self.others.clone();
        let clusters: Vec<&Value> = self.clusters.values().collect();
        value["static_resources"] = json!({"listeners": self.listeners, "clusters": clusters});
        Bootstrap { value, warnings: Vec::new() }
    }
}
