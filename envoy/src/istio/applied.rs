//! What is in force: whether it is still what was generated.

use super::ROOT_NAMESPACE;
use super::embedded::{self, EMBEDDED, Line};
use super::plugin::VIA;
use crate::diagnostic::{Diagnostic, sort};
use crate::manifest::{Kind, Manifest, Manifests};
use crate::yaml::{Data, Node, Path};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::document::Document;
use switchyard_filter::read::read_on;

/// Everything that is wrong with the WasmPlugins of ours among live resources: a configuration that does not compile,
/// what they embed and has changed, two for one workload.
///
/// # Errors
/// None of them is ours.
pub fn drifted(live: &Manifests) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let ours: Vec<_> =
        live.unread.iter().filter(|manifest| is_ours(manifest)).map(|one| (one, document(one))).collect();
    if ours.is_empty() {
        return Err(vec![
            Diagnostic::unplaced("no WasmPlugin of ours is among these resources")
                .help("write them with `kubectl get wasmplugin,virtualservice,destinationrule -A -o yaml`"),
        ]);
    }
    let mut found = vec![];
    for (plugin, read) in &ours {
        let (document, errors) = read;
        found.extend(errors.iter().cloned());
        let embedded = text(plugin, &["metadata", "annotations", EMBEDDED]).unwrap_or_default();
        for line in embedded::parse(embedded) {
            found.extend(drift(plugin, document.as_ref(), &line, live));
        }
    }
    for (index, (one, _)) in ours.iter().enumerate() {
        let others = ours.iter().skip(index + 1).filter(|(other, _)| share_a_workload(one, other));
        found.extend(others.map(|(other, _)| {
            let message =
                format!("`{other}` decides for workloads for which `{one}` does too: requests are decided twice");
            let found = other.error(&Path::root().field("metadata").field("name"), &message).code("two-switchyards");
            found
                .help("delete one of them, or let them select other workloads or ports")
                .also(one.name_place(), "the other one")
        }));
    }
    sort(&mut found);
    Ok(found)
}

fn is_ours(manifest: &Manifest) -> bool {
    manifest.kind_name == "WasmPlugin"
        && manifest.api_version.starts_with("extensions.istio.io/")
        && (text(manifest, &["metadata", "labels", VIA]).is_some()
            || text(manifest, &["metadata", "annotations", EMBEDDED]).is_some()
            || text(manifest, &["spec", "pluginName"]) == Some("switchyard"))
}

/// The configuration, and what is wrong with it.
fn document(plugin: &Manifest) -> (Option<Document>, Vec<Diagnostic>) {
    let config = Path::root().field("spec").field("pluginConfig");
    let Some(node) = plugin.node.at(&config) else {
        let spec = Path::root().field("spec");
        return (None, vec![plugin.error(&spec, "`pluginConfig` is missing: the filter refuses to start without one")]);
    };
    let (read, mut errors) = read_on::<Document>(&node.to_json());
    if let (true, Some(document)) = (errors.is_empty(), &read) {
        errors = switchyard_filter::compile(document).err().unwrap_or_default();
    }
    let told = |error: &switchyard_filter::Error| {
        let path = config.clone().join(&Path::parse(&error.path).0);
        plugin.error(&path, &format!("{}, in the live `{plugin}`", error.message))
    };
    let errors = errors.iter().map(told).collect();
    (read, errors)
}

/// What has changed of something that a plugin embeds.
fn drift(plugin: &Manifest, document: Option<&Document>, line: &Line, all: &Manifests) -> Vec<Diagnostic> {
    let help = "generate and apply again; or leave it to Istio: annotate it with `switchyard.dev/embed: \"false\"`";
    let is_meant = |manifest: &&Manifest| {
        format!("{}/{}", manifest.namespace, manifest.name) == line.name && manifest.kind_name == line.kind
    };
    let Some(now) = all.all.iter().find(is_meant) else {
        let message = format!("the {} `{}`, which `{plugin}` embeds, is gone", line.kind, line.name);
        return vec![plugin.error(&Path::root().field("metadata").field("name"), &message).code("drifted").help(help)];
    };
    let Some(digests) = embedded::digests(now) else {
        let message = format!("`{now}` cannot be read any more, and `{plugin}` embeds it");
        return vec![now.error(&Path::root().field("spec"), &message).code("drifted").help(help)];
    };
    let changed = digests.iter().filter(|(field, digest)| line.digests.get(*field) != Some(digest));
    let mut found = vec![];
    for (field, _) in changed {
        let mut differences = vec![];
        if now.kind == Kind::VirtualService
            && let Some((before, after)) = both(document, now, field)
        {
            compare(field, &before, &after, &mut differences);
        }
        if differences.is_empty() {
            differences.push((field.clone(), format!("`{field}`"), String::new()));
        }
        for (path, was, is) in differences {
            let path = Path::root().field("spec").join(&Path::parse(&path).0);
            let message = if is.is_empty() {
                format!("`{now}` has drifted: {was} is no longer what `{plugin}` embeds")
            } else {
                format!("`{now}` has drifted: {is} here, and `{plugin}` embeds {was}")
            };
            found.push(now.error(&path, &message).code("drifted").help(help));
        }
    }
    found
}

/// A field of a VirtualService as it is embedded and as it is. Which hosts a gateway serves is no part of it.
fn both(document: Option<&Document>, now: &Manifest, field: &str) -> Option<(Value, Value)> {
    let services = &document?.virtual_services;
    let mut before = services.iter().find(|one| one.name == now.name && one.namespace == now.namespace)?.clone();
    // That is of a SwitchyardPolicy.
    before.http.iter_mut().for_each(|rule| rule.sticky_by = None);
    let before = serde_json::to_value(before).ok()?[field].clone();
    let after = embedded::virtual_service(now)?.remove(field)?;
    (field == "http").then_some((before, after))
}

/// Each leaf that differs: its path, what it was and what it is.
fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<(String, String, String)>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let (old, new) = (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
                compare(&format!("{path}.{key}"), old, new, found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}[{index}]"), old, new, found);
            }
        }
        (before, after) => found.push((path.into(), shown(before), shown(after))),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".into(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

/// Whether two surely meet at one workload: one selects whatever the other does, on one port.
fn share_a_workload(a: &Manifest, b: &Manifest) -> bool {
    let is_root = |manifest: &Manifest| manifest.namespace == ROOT_NAMESPACE;
    if a.namespace != b.namespace && !is_root(a) && !is_root(b) {
        return false;
    }
    let [first, second] = [a, b].map(|manifest| {
        let field = |name: &str| manifest.node.get("spec").and_then(|spec| spec.get(name));
        let target = field("targetRefs").or_else(|| field("targetRef")).map(Node::to_json);
        let labels = field("selector").and_then(|selector| selector.get("matchLabels"));
        let labels: BTreeMap<_, _> =
            labels.map(Node::entries).unwrap_or_default().iter().map(|e| (e.key.clone(), e.value.to_json())).collect();
        (target, labels, ports(field("match")))
    });
    let selects = |wide: &BTreeMap<String, Value>, narrow: &BTreeMap<String, Value>| {
        wide.iter().all(|(key, value)| narrow.get(key) == Some(value))
    };
    let same = match (&first.0, &second.0) {
        (None, None) => selects(&first.1, &second.1) || selects(&second.1, &first.1),
        (one, other) => one == other,
    };
    let meet = first.2.is_empty() || second.2.is_empty() || first.2.iter().any(|port| second.2.contains(port));
    same && meet
}

/// The ports of a `match`; none where some block asks for none.
fn ports(matches: Option<&Node>) -> Vec<u64> {
    let Some(Data::List(blocks)) = matches.map(|node| &node.data) else { return vec![] };
    let numbers = |block: &Node| -> Vec<u64> {
        let Some(Data::List(ports)) = block.get("ports").map(|node| &node.data) else { return vec![] };
        ports.iter().filter_map(|port| port.get("number")?.to_json().as_u64()).collect()
    };
    let all: Vec<_> = blocks.iter().map(numbers).collect();
    if all.iter().any(Vec::is_empty) { vec![] } else { all.concat() }
}

fn text<'a>(manifest: &'a Manifest, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(&manifest.node, |node, key| node.get(key))?.as_str()
}
