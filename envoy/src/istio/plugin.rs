//! WasmPlugins.

use super::configured::Configured;
use super::embedded::EMBEDDED;
use super::selection::{Place, Target};
use super::{FailStrategy, Settings, Via};
use serde_json::{Value, json};

/// The label that says in which form a resource of ours is.
pub const VIA: &str = "switchyard.dev/via";

/// `metadata` of a resource.
pub fn metadata(name: &str, target: &Target, settings: &Settings) -> Value {
    let via = match settings.via {
        Via::ClusterHeader => "cluster-header",
        Via::Tags => "tags",
    };
    json!({
        "name": name,
        "namespace": target.namespace,
        "labels": {"app.kubernetes.io/managed-by": "switchyard", VIA: via},
    })
}

/// The name of each: that of the settings where there is one.
pub fn names(settings: &Settings, configured: &[Configured]) -> Vec<String> {
    // That of a Gateway ends with its own name, which may end with `-` and a number, and has no dots.
    let sign = if settings.name.contains('.') { '.' } else { '-' };
    let name = |one: &Configured| match one.ports.first() {
        Some(port) if configured.len() > 1 => format!("{}{sign}{port}", settings.name),
        _ => settings.name.clone(),
    };
    configured.iter().map(name).collect()
}

/// What Envoy's filter of a WasmPlugin is called (istio.md 4.4).
pub fn filter_name(target: &Target, name: &str) -> String {
    filter_in(&target.namespace, name)
}

/// The same of what lies in a namespace.
pub fn filter_in(namespace: &str, name: &str) -> String {
    format!("extensions.istio.io/wasmplugin/{namespace}.{name}")
}

/// The resource.
pub fn plugin(one: &Configured, name: &str, settings: &Settings, target: &Target, strategy: FailStrategy) -> Value {
    let mut metadata = metadata(name, target, settings);
    if !one.embedded.is_empty() {
        let mut lines = one.embedded.join("\n");
        lines.push('\n');
        metadata["annotations"] = json!({ EMBEDDED: lines });
    }
    let mut spec = json!({
        "url": settings.code.url.as_str(),
        "pluginName": "switchyard",
        "failStrategy": strategy.name(),
        "pluginConfig": one.document,
    });
    for (field, value) in target.of_plugin() {
        spec[field] = value;
    }
    if let Some(sha256) = &settings.code.sha256 {
        spec["sha256"] = json!(sha256);
    }
    if let Some(secret) = &settings.code.pull_secret {
        spec["imagePullSecret"] = json!(secret);
    }
    if let Some(phase) = settings.phase {
        spec["phase"] = json!(phase.name());
    }
    // A waypoint's listeners are inbound ones to Istio: it has no other.
    if target.place != Place::Waypoint {
        let mut matches = json!({"mode": "CLIENT"});
        if !one.matched.is_empty() {
            matches["ports"] = one.matched.iter().map(|port| json!({"number": port})).collect();
        }
        spec["match"] = json!([matches]);
    }
    json!({
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": "WasmPlugin",
        "metadata": metadata,
        "spec": spec,
    })
}
