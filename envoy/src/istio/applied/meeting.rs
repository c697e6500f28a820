//! Two WasmPlugins of ours at one workload.

use super::{Plugin, json_of, name};
use crate::diagnostic::{Diagnostic, Severity};
use crate::manifest::Manifest;
use crate::translate::selects;
use serde_json::Value;
use std::collections::BTreeMap;

/// The label of the pods of a Gateway of the Gateway API (istio.md 4.4).
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// Whether two surely meet: one selects whatever the other does, on one port. A warning where they may: a workload can
/// have the labels of both.
pub fn two(one: &Plugin<'_>, other: &Plugin<'_>, root_namespace: &str) -> Option<Diagnostic> {
    let (a, b) = (one.manifest, other.manifest);
    let is_root = |manifest: &Manifest| manifest.namespace == root_namespace;
    if a.namespace != b.namespace && !is_root(a) && !is_root(b) {
        return None;
    }
    let (first, second) = (ports(a), ports(b));
    if !first.is_empty() && !second.is_empty() && !first.iter().any(|port| second.contains(port)) {
        return None;
    }
    let surely = match (target(a), target(b)) {
        (Some(first), Some(second)) if first != second => return None,
        (Some(_), Some(_)) => true,
        _ => {
            let (first, second) = (labels(a), labels(b));
            if first.iter().any(|(key, value)| second.get(key).is_some_and(|other| other != value)) {
                return None;
            }
            selects(&first, &second) || selects(&second, &first)
        }
    };
    if !surely && is_at_gateway(one) != is_at_gateway(other) {
        // Labels of sidecars and of gateways: who generated them knew which is which.
        return None;
    }
    let message = if surely {
        format!("`{b}` decides for workloads for which `{a}` does too: requests are decided twice")
    } else {
        format!(
            "`{b}` decides for workloads for which `{a}` may do too: where one has the labels of both, requests are decided twice"
        )
    };
    let found = b.error(&name(), &message).code("two-switchyards");
    let severity = if surely { Severity::Error } else { Severity::Warning };
    let found = Diagnostic { severity, ..found };
    Some(
        found
            .help("delete one of them, or let them select other workloads or ports")
            .also(a.name_place(), "the other one"),
    )
}

fn is_at_gateway(plugin: &Plugin<'_>) -> bool {
    let gateways = plugin.document.as_ref().map(|document| document.proxy.gateways.as_slice()).unwrap_or_default();
    !gateways.is_empty() && !gateways.iter().any(|gateway| gateway == "mesh")
}

/// What it targets, but for a Gateway, whose pods have a label.
fn target(manifest: &Manifest) -> Option<Value> {
    let target = match json_of(manifest, "targetRefs") {
        Value::Null => json_of(manifest, "targetRef"),
        targets => targets,
    };
    (!target.is_null() && gateway(manifest).is_none()).then_some(target)
}

/// The one Gateway that it targets.
fn gateway(manifest: &Manifest) -> Option<String> {
    let (many, one) = (json_of(manifest, "targetRefs"), json_of(manifest, "targetRef"));
    let target = match many.as_array().map(Vec::as_slice) {
        Some([target]) => target,
        Some(_) => return None,
        None => &one,
    };
    (target["kind"] == "Gateway").then(|| target["name"].as_str().unwrap_or_default().to_owned())
}

fn labels(manifest: &Manifest) -> BTreeMap<String, Value> {
    let labels = json_of(manifest, "selector")["matchLabels"].as_object().cloned().unwrap_or_default();
    let gateway = gateway(manifest).map(|name| (GATEWAY_NAME.to_owned(), name.into()));
    labels.into_iter().chain(gateway).collect()
}

/// The ports of its `match`; none where some block asks for none.
fn ports(manifest: &Manifest) -> Vec<u64> {
    let matches = json_of(manifest, "match");
    let numbers = |block: &Value| -> Vec<u64> {
        block["ports"].as_array().into_iter().flatten().filter_map(|port| port["number"].as_u64()).collect()
    };
    let all: Vec<_> = matches.as_array().into_iter().flatten().map(numbers).collect();
    if all.iter().any(Vec::is_empty) { vec![] } else { all.concat() }
}
