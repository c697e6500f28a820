//! Whether an Envoy that had another case's configuration has this one's, and nothing else in its place.

use super::prepare::Prepared;
use crate::harness::Admin;
use crate::istio::{IstioEnvoy, dump, revision};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long manifests may take to reach a running Envoy: 0.2 s alone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until all of a case is in force. Errors: it is not after 20 s.
pub async fn wait(envoy: &IstioEnvoy, prepared: &Prepared, version: &str) -> Result<(), String> {
    let start = Instant::now();
    loop {
        let missing = missing(Admin(envoy.envoy().admin()), prepared, version).await?;
        match missing {
            None => return Ok(()),
            Some(missing) if start.elapsed() > PATIENCE => {
                return Err(format!("Envoy has not {missing} after {PATIENCE:?}\n{}", envoy.envoy().log_tail()));
            }
            Some(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn missing(admin: Admin, prepared: &Prepared, version: &str) -> Result<Option<String>, String> {
    let listeners = dump(admin, "dynamic_listeners").await?;
    let proxy = &prepared.plain.proxy;
    let mut tables = BTreeSet::new();
    for port in proxy.ports() {
        let real = proxy.address(port)?.port();
        // Every case has ports of its own: a listener there is of no other.
        let active = configs(&listeners).iter().map(|one| &one["active_state"]["listener"]);
        let found = active.into_iter().find(|one| one["address"]["socket_address"]["port_value"] == real);
        match found {
            Some(listener) => route_tables(listener, &mut tables),
            None => return Ok(Some(format!("a listener for port {port}"))),
        }
    }
    // Listeners of cases before this one may still drain, and hold routes of theirs.
    let routes = dump(admin, "dynamic_route_configs").await?;
    for name in tables {
        let table = configs(&routes).iter().find(|table| table["route_config"]["name"] == name.as_str());
        if table.and_then(revision) != Some(version) {
            return Ok(Some(format!("version {version} of the routes `{name}`")));
        }
    }
    // Without any, the admin interface does not know the word.
    let filters = if prepared.plugins.is_empty() { Value::Null } else { dump(admin, "ecds_filters").await? };
    for (name, config) in &prepared.plugins {
        let filter = configs(&filters).iter().map(|one| &one["ecds_filter"]).find(|one| one["name"] == name.as_str());
        let text = filter.and_then(|filter| filter["typed_config"]["config"]["configuration"]["value"].as_str());
        let found = text.and_then(|text| serde_json::from_str::<Value>(text).ok());
        if !found.is_some_and(|found| same(&found, config)) {
            return Ok(Some(format!("the pluginConfig of `{name}`")));
        }
    }
    let warming = dump(admin, "dynamic_warming_clusters").await?;
    Ok(configs(&warming).first().map(|cluster| format!("endpoints of {}", cluster["cluster"]["name"])))
}

fn configs(dump: &Value) -> &[Value] {
    dump["configs"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The names of the route tables that a listener asks for.
fn route_tables(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "route_config_name") {
                    Some(table) => drop(found.insert(table.to_owned())),
                    None => route_tables(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| route_tables(value, found)),
        _ => {}
    }
}

/// Whether two values are the same to JSON, where 1 is 1.0: istiod makes every number one of floating point.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
