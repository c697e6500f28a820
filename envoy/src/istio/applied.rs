//! What is in force: whether it is still what was generated.

mod embeds;
mod meeting;
mod missing;
mod others;
mod own;

use super::embedded::{self, EMBEDDED, Line};
use super::plugin::VIA;
use super::seal::GENERATED;
use super::workload::{Labels, pairs};
use crate::diagnostic::{Diagnostic, sort};
use crate::manifest::{Manifest, Manifests};
use crate::translate::Mesh;
use crate::yaml::{Node, Path};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::document::Document;
use switchyard_filter::read::read_on;

/// What fetches all that is looked at.
const FETCH: &str = "kubectl get wasmplugin,envoyfilter,virtualservice,destinationrule -A -o yaml";

/// A WasmPlugin of ours.
struct Plugin<'a> {
    manifest: &'a Manifest,
    /// Its configuration, as far as it can be read.
    document: Option<Document>,
    /// What it embeds.
    embedded: Vec<Line>,
    /// What it was generated as, with its EnvoyFilter.
    generated: Vec<Line>,
}

/// Everything that is wrong with the WasmPlugins of ours among live resources: a configuration that does not compile, what
/// is not as it was generated, what they embed and has changed, what they would embed by now, two for one workload.
/// Warnings are no errors; that none of them is ours is one.
pub fn drifted(live: &Manifests, mesh: &Mesh) -> Vec<Diagnostic> {
    let mut found = vec![];
    let ours = once(ours(live), &mut found);
    let ours: Vec<_> = ours.into_iter().map(|manifest| read(manifest, &mut found)).collect();
    if ours.is_empty() {
        let message = "nothing of ours is applied: no WasmPlugin of ours is among these resources";
        return vec![Diagnostic::unplaced(message).help(format!("write them with `{FETCH}`"))];
    }
    for plugin in &ours {
        found.extend(own::changed(plugin, live));
        // What another version noted is not compared.
        if !plugin.generated.is_empty() {
            found.extend(plugin.embedded.iter().flat_map(|line| embeds::drift(plugin, line, live)));
            found.extend(missing::missing(plugin, &ours, live, mesh));
            found.extend(others::taken(plugin, live));
        }
    }
    for (index, one) in ours.iter().enumerate() {
        found.extend(ours[index + 1..].iter().filter_map(|other| meeting::two(one, other, live, &mesh.root_namespace)));
    }
    sort(&mut found);
    found
}

/// WasmPlugins that are ours by what they say of themselves, or run the same code as one of those.
fn ours(live: &Manifests) -> Vec<&Manifest> {
    let is_plugin = |manifest: &&Manifest| {
        manifest.kind_name == "WasmPlugin" && manifest.api_version.starts_with("extensions.istio.io/")
    };
    let plugins: Vec<_> = live.unread.iter().filter(is_plugin).collect();
    let says = |manifest: &Manifest| {
        text(manifest, &["metadata", "labels", VIA]).is_some()
            || annotation(manifest, EMBEDDED).is_some()
            || annotation(manifest, GENERATED).is_some()
            || text(manifest, &["spec", "pluginName"]) == Some("switchyard")
    };
    let url = |manifest: &Manifest| text(manifest, &["spec", "url"]).map(ToOwned::to_owned);
    let urls: BTreeSet<_> = plugins.iter().filter(|one| says(one)).filter_map(|one| url(one)).collect();
    plugins.into_iter().filter(|one| says(one) || url(one).is_some_and(|url| urls.contains(&url))).collect()
}

/// Each once: two lists that were put together may both have it. Two that differ are told.
fn once<'a>(all: Vec<&'a Manifest>, found: &mut Vec<Diagnostic>) -> Vec<&'a Manifest> {
    let mut firsts: BTreeMap<_, &Manifest> = BTreeMap::new();
    let is_first = |manifest: &&'a Manifest| match firsts.entry((&manifest.namespace, &manifest.name)) {
        Entry::Vacant(entry) => {
            entry.insert(manifest);
            true
        }
        Entry::Occupied(first) => {
            if first.get().spec() != manifest.spec() {
                let twice = manifest.error(&name(), &format!("`{manifest}` is written twice"));
                found.push(twice.also(first.get().name_place(), "first written here"));
            }
            false
        }
    };
    all.into_iter().filter(is_first).collect()
}

fn read<'a>(manifest: &'a Manifest, found: &mut Vec<Diagnostic>) -> Plugin<'a> {
    let (document, errors) = document(manifest);
    found.extend(errors);
    let lines = |name| annotation(manifest, name).map(embedded::parse).unwrap_or_default();
    Plugin { manifest, document, embedded: lines(EMBEDDED), generated: lines(GENERATED) }
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

/// The labels that a WasmPlugin asks for.
fn labels(manifest: &Manifest) -> Labels {
    let selector = manifest.node.get("spec").and_then(|spec| spec.get("selector"));
    selector.and_then(|selector| selector.get("matchLabels")).map(pairs).unwrap_or_default()
}

fn text<'a>(manifest: &'a Manifest, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(&manifest.node, |node, key| node.get(key))?.as_str()
}

/// An annotation; manifests of kinds that are not read are without.
fn annotation<'a>(manifest: &'a Manifest, name: &str) -> Option<&'a str> {
    text(manifest, &["metadata", "annotations", name])
}

/// `metadata.name`, where a resource itself is meant.
fn name() -> Path {
    Path::root().field("metadata").field("name")
}

/// A field of `spec`.
fn in_spec(field: &str) -> Path {
    Path::root().field("spec").join(&Path::parse(field).0)
}

/// A field as JSON; null where it is absent.
fn json_of(manifest: &Manifest, field: &str) -> serde_json::Value {
    manifest.node.get("spec").and_then(|spec| spec.get(field)).map(Node::to_json).unwrap_or_default()
}
