//! Two WasmPlugins of ours at one workload.

use super::super::plugin::filter_in;
use super::super::workload::{Labels, contradict};
use super::{Plugin, json_of, labels, name, own};
use crate::diagnostic::{Diagnostic, Severity};
use crate::manifest::{Manifest, Manifests};
use crate::translate::selects;
use serde_json::Value;
use std::collections::BTreeSet;

/// The label of the pods of a Gateway of the Gateway API (istio.md 4.4).
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// Whether two surely meet: one selects whatever the other does, on one port. A warning where they may: a workload can
/// have the labels of both.
pub fn two(one: &Plugin<'_>, other: &Plugin<'_>, live: &Manifests, root_namespace: &str) -> Option<Diagnostic> {
    let (a, b) = (one.manifest, other.manifest);
    let (first, second) = (matched_ports(a), matched_ports(b));
    if !first.is_empty() && !second.is_empty() && !first.iter().any(|port| second.contains(port)) {
        return None;
    }
    let surely = meet(a, b, root_namespace)?;
    if !surely && is_at_gateway(one) != is_at_gateway(other) {
        // Labels of sidecars and of gateways: who generated them knew which is which.
        return None;
    }
    if let (Some(first), Some(second)) = (routes(one, live), routes(other, live))
        && first.is_disjoint(&second)
    {
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

/// Whether they are surely for the same workloads, or may be; `None`: they are not. Of a proxy, Istio takes plugins of its
/// namespace and of the root one (`WasmPluginsByListenerInfo`).
fn meet(a: &Manifest, b: &Manifest, root_namespace: &str) -> Option<bool> {
    let (is_one, is_root) = (a.namespace == b.namespace, |manifest: &Manifest| manifest.namespace == root_namespace);
    let (first, second) = (targets(a), targets(b));
    // What targets something is for its own namespace.
    let reaches = |from: &Manifest, targets: &BTreeSet<_>| is_root(from) && targets.is_empty();
    if !is_one && !reaches(a, &first) && !reaches(b, &second) {
        return None;
    }
    if !first.is_empty() && !second.is_empty() {
        return (!first.is_disjoint(&second)).then_some(true);
    }
    let (first, second) = (selected(a, &first), selected(b, &second));
    let both = first.iter().flat_map(|one| second.iter().map(move |other| (one, other)));
    let surely = |(one, other): (&Labels, &Labels)| {
        // Which workloads another namespace has, the root's does not tell.
        (is_one || is_root(a)) && selects(one, other) || (is_one || is_root(b)) && selects(other, one)
    };
    both.filter(|(one, other)| !contradict(one, other)).map(surely).max()
}

fn is_at_gateway(plugin: &Plugin<'_>) -> bool {
    let gateways = plugin.document.as_ref().map(|document| document.proxy.gateways.as_slice()).unwrap_or_default();
    !gateways.is_empty() && !gateways.iter().any(|gateway| gateway == "mesh")
}

/// The routes of Gateways on which a plugin runs, by Gateway (none: those of every plain server) and port, where its
/// EnvoyFilter keeps it off those of the other HTTPS servers of these ports.
fn routes(plugin: &Plugin<'_>, live: &Manifests) -> Option<BTreeSet<(String, u64)>> {
    let patches = json_of(own::envoy_filter(plugin, live)?, "configPatches");
    let of = |kind: &'static str| {
        let patches = patches.as_array().into_iter().flatten().filter(move |patch| patch["applyTo"] == kind);
        patches.map(|patch| (&patch["match"]["routeConfiguration"], &patch["patch"]["value"]))
    };
    let text = |node: &Value| node.as_str().unwrap_or_default().to_owned();
    let at = |place: &Value| Some((text(&place["gateway"]), place["portNumber"].as_u64()?));
    let filter = filter_in(&plugin.manifest.namespace, &plugin.manifest.name);
    let is_off = |value: &Value| value["typed_per_filter_config"][&filter]["disabled"] == true;
    let off: BTreeSet<_> =
        of("ROUTE_CONFIGURATION").filter(|(_, value)| is_off(value)).filter_map(|(p, _)| at(p)).collect();
    let port = plugin.document.as_ref()?.proxy.port.map(u64::from);
    // What is found by a name alone is not told apart.
    let all: Option<Vec<_>> = of("HTTP_ROUTE").map(|(place, _)| at(place)).collect();
    let own: BTreeSet<_> = all?.into_iter().filter(|(_, at)| port.is_none_or(|port| port == *at)).collect();
    let is_kept = |(gateway, port): &(String, u64)| gateway.is_empty() || off.contains(&(String::new(), *port));
    (!own.is_empty() && own.iter().all(is_kept)).then_some(own)
}

/// Group, kind and name of what it targets.
fn targets(manifest: &Manifest) -> BTreeSet<(String, String, String)> {
    let (many, one) = (json_of(manifest, "targetRefs"), json_of(manifest, "targetRef"));
    let many = many.as_array().cloned().unwrap_or_default();
    let all = if many.is_empty() && !one.is_null() { vec![one] } else { many };
    let text = |target: &Value, field: &str| target[field].as_str().unwrap_or_default().to_owned();
    let group = |target: &Value| Some(text(target, "group")).filter(|group| group != "core").unwrap_or_default();
    all.iter().map(|target| (group(target), text(target, "kind"), text(target, "name"))).collect()
}

/// The labels of the proxies that it selects; none where labels decide nothing. A waypoint takes what targets it, or what is
/// behind it, and nothing else; what targets something is for proxies of the Gateway API alone (`ShouldAttachPolicy`).
fn selected(manifest: &Manifest, targets: &BTreeSet<(String, String, String)>) -> Vec<Labels> {
    if targets.is_empty() {
        return vec![labels(manifest)];
    }
    // Ours for a waypoint have none.
    let is_for_gateways = !json_of(manifest, "match").is_null();
    let gateways = targets.iter().filter(|(_, kind, _)| is_for_gateways && kind == "Gateway");
    gateways.map(|(.., name)| Labels::from([(GATEWAY_NAME.to_owned(), name.clone())])).collect()
}

/// The ports of its `match`; none where some block asks for none.
pub fn matched_ports(manifest: &Manifest) -> Vec<u64> {
    let matches = json_of(manifest, "match");
    let numbers = |block: &Value| -> Vec<u64> {
        block["ports"].as_array().into_iter().flatten().filter_map(|port| port["number"].as_u64()).collect()
    };
    let all: Vec<_> = matches.as_array().into_iter().flatten().map(numbers).collect();
    if all.iter().any(Vec::is_empty) { vec![] } else { all.concat() }
}
