//! Random DestinationRules.

use super::policy::{Block, policy};
use super::service::{created, host};
use super::set::World;
use crate::rng::Rng;
use serde_json::{Value, json};

/// Adds DestinationRules for the hosts of a set, several for some.
pub fn manifests(rng: &mut Rng, world: &World<'_>, all: &mut Vec<Value>) {
    let hosts: Vec<String> = all
        .iter()
        .flat_map(|manifest| manifest["spec"]["hosts"].as_array().into_iter().flatten())
        .filter_map(|host| host.as_str().map(str::to_owned))
        .collect();
    for index in 0..=rng.below(5) {
        let namespace = world.namespace(rng);
        let mut manifest =
            world.manifest("DestinationRule", &format!("r{index}"), &namespace, &rule(rng, world, &hosts, &namespace));
        created(rng, &mut manifest);
        all.push(manifest);
    }
}

fn rule(rng: &mut Rng, world: &World<'_>, hosts: &[String], namespace: &str) -> Value {
    let full = rng.pick(hosts);
    let short = full.strip_suffix(&format!(".{namespace}.svc.cluster.local")).map(str::to_owned);
    let host = match rng.below(10) {
        0 => host(rng, world),
        1 => format!("*.{}.svc.cluster.local", world.home()),
        2 => format!("*.s{}.localhost", world.number),
        _ => short.filter(|_| rng.chance(60)).unwrap_or(full),
    };
    let mut spec = json!({"host": host});
    if rng.chance(75) {
        spec["trafficPolicy"] = policy(rng, world, Block::Host);
    }
    let count = rng.below(4);
    if count > 0 {
        let first = rng.below(4);
        let subset = |at: usize, rng: &mut Rng| {
            let mut subset = json!({"name": format!("v{}", (first + at) % 4)});
            if rng.chance(85) {
                subset["labels"] = labels(rng);
            }
            if rng.chance(45) {
                subset["trafficPolicy"] = policy(rng, world, Block::Subset);
            }
            subset
        };
        spec["subsets"] = (0..count).map(|at| subset(at, rng)).collect();
    }
    let is_selective = rng.chance(20);
    if is_selective {
        let tier = rng.pick(&["a", "b"]);
        spec["workloadSelector"] = rng.pick(&[
            json!({"matchLabels": {"app": "front"}}),
            json!({"matchLabels": {"tier": tier}}),
            json!({"matchLabels": {"app": "front", "tier": tier}}),
            json!({}),
        ]);
    }
    if rng.chance(35) {
        let (own, home) = (world.proxy.namespace.as_str(), world.home());
        let among = [json!(["*"]), json!(["."]), json!([own]), json!([home]), json!([home, "."]), json!([])];
        let among = if is_selective { vec![json!(["."]), json!([namespace])] } else { among.to_vec() };
        let chosen = rng.pick(&among);
        let is_twice = chosen == json!([home, "."]) && home == namespace;
        spec["exportTo"] = if is_twice { json!(["."]) } else { chosen };
    }
    spec
}

fn labels(rng: &mut Rng) -> Value {
    match rng.below(12) {
        0 => json!({"topology.kubernetes.io/region": "eu"}),
        1 => json!({"topology.istio.io/network": "far"}),
        2 => json!({"version": "v1", "tier": "a"}),
        3 => json!({"tier": rng.pick(&["a", "b"])}),
        _ => json!({"version": rng.pick(&["v1", "v2", "v3", "v9"])}),
    }
}
