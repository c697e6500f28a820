//! Scenarios in Istio itself, without our filter: an istiod for each, and a sidecar or a gateway that it configures.

use super::send::send;
use super::spec::Step;
use super::workloads::Workloads;
use super::{Scenario, Tally};
use crate::istio::{IstioEnvoy, Istiod, Kind, Proxy};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use switchyard_envoy::manifest::Manifests;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Runs all of plain Istio vocabulary, several at a time.
pub async fn run_all(scenarios: &[Scenario]) -> Tally {
    let mut tally = Tally::default();
    let free = Arc::new(Semaphore::new(3));
    let mut running = JoinSet::new();
    for scenario in scenarios {
        if let Some(reason) = scenario.spec.cannot_run.get("istio") {
            tally.not_run.push(format!("{}: {reason}", scenario.name));
            continue;
        }
        let manifests = match scenario.manifests() {
            Ok(manifests) => manifests,
            Err(error) => {
                tally.wrong.push(format!("{}: {error}", scenario.name));
                continue;
            }
        };
        if let Some(ours) = manifests.all.iter().find(|manifest| Scenario::is_ours(manifest)) {
            tally.not_run.push(format!("{}: Istio has no {}", scenario.name, ours.kind_name));
            continue;
        }
        let (scenario, free) = (scenario.clone(), Arc::clone(&free));
        running.spawn(async move {
            // The semaphore is never closed.
            let _turn = free.acquire().await;
            let wrong = run(&scenario, &manifests).await.unwrap_or_else(|error| vec![error]);
            (scenario, wrong)
        });
    }
    while let Some(done) = running.join_next().await {
        match done {
            Ok((scenario, wrong)) => {
                tally.count(&scenario.name, steps(&scenario).iter().map(|step| step.times as usize).sum(), wrong);
            }
            Err(error) => tally.wrong.push(error.to_string()),
        }
    }
    tally
}

/// What is sent here.
fn steps(scenario: &Scenario) -> &[Step] {
    scenario.spec.istio.as_ref().map_or(&scenario.spec.send, |istio| &istio.send)
}

async fn run(scenario: &Scenario, read: &Manifests) -> Result<Vec<String>, String> {
    let mut workloads = Workloads::default();
    let mut manifests = workloads.place(read).await?;
    let proxies = proxies(scenario, &read.namespace, &manifests);
    manifests.extend(proxies.values().flat_map(Proxy::manifests));
    let started = Istiod::start(&manifests).await;
    let istiod = match (&scenario.spec.istio, started) {
        (Some(istio), Err(said)) if !istio.takes && said.starts_with("istiod refuses: ") => return Ok(Vec::new()),
        (Some(istio), Ok(_)) if !istio.takes => return Ok(vec!["istiod takes it".into()]),
        (_, started) => started?,
    };
    let mut envoys: BTreeMap<&str, IstioEnvoy> = BTreeMap::new();
    for (at, proxy) in &proxies {
        envoys.insert(at, istiod.run(proxy).await?);
    }
    let mut wrong = Vec::new();
    for step in steps(scenario) {
        let proxy = proxies.get(step.at.as_str()).ok_or("no such proxy")?;
        let port = match proxy.kind {
            Kind::Sidecar => mesh_port(scenario, &manifests),
            Kind::Gateway => step.gateway_port().ok_or("no port")?,
        };
        wrong.extend(send(step, proxy.address(port)?, &workloads).await);
    }
    for (_, envoy) in envoys {
        envoy.stop().await?;
    }
    Ok(wrong)
}

/// A proxy for each listener that requests are sent to.
fn proxies<'a>(scenario: &'a Scenario, namespace: &str, manifests: &[Value]) -> BTreeMap<&'a str, Proxy> {
    let mut proxies = BTreeMap::new();
    for step in steps(scenario) {
        let proxy = match step.gateway_port() {
            None => Proxy::sidecar("caller", namespace, ports(manifests)),
            Some(port) => {
                let gateway = manifests.iter().find(|one| one["kind"] == "Gateway");
                let labels = gateway.map(|one| pairs(&one["spec"]["selector"])).unwrap_or_default();
                Proxy::gateway(&step.at, "istio-system", [port]).labelled(labels)
            }
        };
        proxies.entry(step.at.as_str()).or_insert(proxy);
    }
    proxies
}

/// The port that calls are sent to: that of all services where they agree, as `switchyard generate` takes it.
fn mesh_port(scenario: &Scenario, manifests: &[Value]) -> u16 {
    let ports = ports(manifests);
    let agreed = if ports.len() == 1 { ports.first().copied() } else { None };
    scenario.spec.port.or(agreed).unwrap_or(80)
}

/// The ports of all services.
fn ports(manifests: &[Value]) -> BTreeSet<u16> {
    let entries = manifests.iter().filter(|one| one["kind"] == "ServiceEntry");
    let ports = entries.flat_map(|one| one["spec"]["ports"].as_array().into_iter().flatten());
    ports.filter_map(|port| u16::try_from(port["number"].as_u64()?).ok()).collect()
}

fn pairs(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
