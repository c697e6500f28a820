//! What a WasmPlugin embeds, compared with what is in force.

use super::super::embedded::{self, Line, PASSED};
use super::super::owned;
use super::{FETCH, Plugin, in_spec, name};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifest, Manifests};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use switchyard_filter::document::VirtualService;
use switchyard_filter::read::read_on;

const AGAIN: &str = "generate and apply again";
const HELP: &str = "generate and apply again; or leave it to Istio: annotate it with `switchyard.dev/embed: \"false\"`";

/// What has changed of something that a plugin embeds.
pub fn drift(plugin: &Plugin<'_>, noted: &Line, live: &Manifests) -> Vec<Diagnostic> {
    if noted.kind == PASSED {
        return vec![];
    }
    let own = plugin.manifest;
    let is_meant = |manifest: &&Manifest| {
        format!("{}/{}", manifest.namespace, manifest.name) == noted.name && manifest.kind_name == noted.kind
    };
    let Some(now) = live.all.iter().find(is_meant) else {
        let what = format!("the {} `{}`, which `{own}` embeds,", noted.kind, noted.name);
        if live.all.iter().any(|manifest| manifest.kind_name == noted.kind) {
            return vec![own.error(&name(), &format!("{what} is gone")).code("drifted").help(AGAIN)];
        }
        let message = format!(
            "{}s were not looked at, since there is none here: {what} was not asked for or is gone",
            noted.kind
        );
        let help = format!("look at what `{FETCH}` prints; where that was done, {AGAIN}");
        return vec![own.error(&name(), &message).code("drifted").help(help)];
    };
    if let Some(found) = owned::neither(now) {
        return vec![found];
    }
    if now.kind == Kind::VirtualService && owned::is_left(now) {
        let message = format!("`{now}` is to be left to Istio by now, and `{own}` still embeds it");
        return vec![now.error(&name(), &message).code("drifted").help(AGAIN)];
    }
    let digests = embedded::digests(now).unwrap_or_default();
    let fields: BTreeSet<_> = digests.keys().chain(noted.digests.keys()).collect();
    let mut found = vec![];
    for field in fields.into_iter().filter(|field| digests.get(*field) != noted.digests.get(*field)) {
        let help = if now.kind == Kind::VirtualService { HELP } else { AGAIN };
        let told = |(path, what): (String, String)| {
            let message = format!("`{now}` has drifted: {what}");
            now.error(&in_spec(&path), &message).code("drifted").help(help)
        };
        let differences = differences(plugin, now, field);
        if differences.is_empty() {
            found.push(told((field.clone(), format!("`{field}` is no longer what `{own}` embeds"))));
        }
        found.extend(differences.into_iter().map(told));
    }
    found
}

/// Where a field of a VirtualService differs from what is embedded: path and what is so. Which hosts a gateway serves is no
/// part of it.
fn differences(plugin: &Plugin<'_>, now: &Manifest, field: &str) -> Vec<(String, String)> {
    let services = plugin.document.iter().flat_map(|document| &document.virtual_services);
    let embedded = services.into_iter().find(|one| one.name == now.name && one.namespace == now.namespace);
    let (Some(embedded), "http") = (embedded, field) else { return vec![] };
    let mut before = embedded.clone();
    // That is of a SwitchyardPolicy.
    before.http.iter_mut().for_each(|rule| rule.sticky_by = None);
    let mut spec = now.spec();
    spec["name"] = json!(now.name);
    let (read, errors) = read_on::<VirtualService>(&spec);
    // What is embedded was read without an error.
    let mut found: Vec<_> = errors
        .into_iter()
        .filter(|error| error.path.starts_with(field))
        .map(|error| {
            // What Istio knows, and we do not, is no misspelling.
            let message = error.message.split(", expected one of ").next().unwrap_or_default();
            (error.path.clone(), format!("{message}, and `{}` embeds it without", plugin.manifest))
        })
        .collect();
    let Some(after) = read.and_then(|read| serde_json::to_value(read).ok()) else { return found };
    let mut differing = vec![];
    let before = serde_json::to_value(before).unwrap_or_default();
    compare(field, &before[field], &after[field], &mut differing);
    let told = |(path, was, is)| (path, format!("{is} here, and `{}` embeds {was}", plugin.manifest));
    found.extend(differing.into_iter().map(told));
    found
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
        (Value::Array(old), Value::Array(new)) if pair_up(old, new) => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}[{index}]"), old, new, found);
            }
        }
        (Value::Array(old), Value::Array(new)) if is_order(old, new) => {
            found.push((path.into(), format!("a list of {}", old.len()), "the same list in another order".into()));
        }
        (Value::Array(old), Value::Array(new)) => found.push((path.into(), list(old, new), list(new, old))),
        (before, after) => found.push((path.into(), shown(before), shown(after))),
    }
}

/// Whether two lists are of the same things, each in its place, as far as names tell.
fn pair_up(old: &[Value], new: &[Value]) -> bool {
    old.len() == new.len() && !is_order(old, new) && names(old).zip(names(new)).is_none_or(|(old, new)| old == new)
}

fn is_order(old: &[Value], new: &[Value]) -> bool {
    let sorted = |items: &[Value]| {
        let mut items: Vec<_> = items.iter().map(Value::to_string).collect();
        items.sort();
        items
    };
    sorted(old) == sorted(new)
}

/// What items are called, where all of them are.
fn names(items: &[Value]) -> Option<Vec<&str>> {
    items.iter().map(|item| item["name"].as_str().or(item.as_str()).filter(|name| !name.is_empty())).collect()
}

/// A list and what of it the other one has not.
fn list(items: &[Value], other: &[Value]) -> String {
    let named = |items| names(items).unwrap_or_default();
    let (own, other) = (named(items), named(other));
    let extra: Vec<_> = own.iter().filter(|name| !other.contains(name)).map(|name| format!("`{name}`")).collect();
    let with = if extra.is_empty() { String::new() } else { format!(" with {}", extra.join(", ")) };
    format!("a list of {}{with}", items.len())
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
