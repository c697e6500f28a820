//! A WasmPlugin and its EnvoyFilter, compared with what was generated.

use super::super::embedded::{EMBEDDED, Line};
use super::super::plugin::filter_in;
use super::super::seal::{ACCOUNT, URL, account, of_spec};
use super::{FETCH, Plugin, annotation, in_spec, json_of, name, text};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Manifest, Manifests};
use crate::yaml::Path;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const HELP: &str = "generate and apply again, with what was changed here in the manifests; what was applied with \
                    `--server-side` once, always with it: else what has gone from the file stays in force";

/// What is not as it was generated.
pub fn changed(plugin: &Plugin<'_>, live: &Manifests) -> Vec<Diagnostic> {
    let manifest = plugin.manifest;
    let Some(own) = plugin.generated.iter().find(|one| one.kind == "WasmPlugin") else {
        let message = format!(
            "`{manifest}` does not say what it was generated as: another version generated it, or the annotation was removed"
        );
        return vec![manifest.error(&name(), &message).code("drifted").help("generate and apply again")];
    };
    let mut now = of_spec(&manifest.spec());
    if let Some(embedded) = annotation(manifest, EMBEDDED) {
        now.insert(ACCOUNT.into(), account(embedded));
    }
    let mut found = fields(manifest, &own.digests, &now);
    let (generated, url) = (annotation(manifest, URL), text(manifest, &["spec", "url"]));
    if generated != url {
        let shown = |url: Option<&str>| url.map_or_else(|| "nothing".into(), |url| format!("`{url}`"));
        let message = format!("`{manifest}` has drifted: {} here, and {} was generated", shown(url), shown(generated));
        found.push(manifest.error(&in_spec("url"), &message).code("drifted").help(HELP));
    }
    found.extend(of_filter(plugin, live));
    found.extend(renamed(plugin, own, live));
    found
}

/// The EnvoyFilter that a plugin needs; of another name where something gave it one that did not change it.
pub fn envoy_filter<'a>(plugin: &Plugin<'_>, live: &'a Manifests) -> Option<&'a Manifest> {
    let noted = noted_filter(plugin)?;
    let of_namespace = || filters(live).filter(|one| one.namespace == plugin.manifest.namespace);
    let same = |one: &&Manifest| of_spec(&one.spec()) == noted.digests;
    of_namespace().find(|one| one.name == name_of(noted)).or_else(|| of_namespace().find(same))
}

fn noted_filter<'a>(plugin: &'a Plugin<'_>) -> Option<&'a Line> {
    plugin.generated.iter().find(|one| one.kind == "EnvoyFilter")
}

fn filters(live: &Manifests) -> impl Iterator<Item = &Manifest> {
    live.unread.iter().filter(|manifest| manifest.kind_name == "EnvoyFilter")
}

/// Without its namespace.
fn name_of(line: &Line) -> &str {
    line.name.rsplit('/').next().unwrap_or_default()
}

/// What is not as it was generated of the EnvoyFilter that a plugin needs.
fn of_filter(plugin: &Plugin<'_>, live: &Manifests) -> Vec<Diagnostic> {
    let Some(noted) = noted_filter(plugin) else { return vec![] };
    if let Some(filter) = envoy_filter(plugin, live) {
        return fields(filter, &noted.digests, &of_spec(&filter.spec()));
    }
    let own = plugin.manifest;
    let needed = format!("`EnvoyFilter {}/{}`, which `{own}` needs,", own.namespace, name_of(noted));
    if filters(live).next().is_none() {
        let message =
            format!("EnvoyFilters were not looked at, since there is none here: {needed} was not asked for or is gone");
        let help = "add `envoyfilter` to what `kubectl get` is asked for; where it is, apply what was generated again";
        return vec![own.warning(&name(), &message).code("drifted").help(help)];
    }
    let help = format!("look at what `{FETCH}` prints; where that was done, apply what was generated again");
    vec![own.error(&name(), &format!("{needed} is gone")).code("drifted").help(help)]
}

/// A plugin of another name than the one by which its EnvoyFilter keeps it off routes.
fn renamed(plugin: &Plugin<'_>, noted: &Line, live: &Manifests) -> Option<Diagnostic> {
    let own = plugin.manifest;
    let (namespace, was) = noted.name.split_once('/')?;
    if was == own.name && namespace == own.namespace {
        return None;
    }
    let filter = envoy_filter(plugin, live)?;
    let patches = json_of(filter, "configPatches");
    let known_as = filter_in(namespace, was);
    let names = |patch: &Value| !patch["patch"]["value"]["typed_per_filter_config"][&known_as].is_null();
    patches.as_array()?.iter().any(names).then(|| {
        let message = format!(
            "`{own}` was generated as `{}`, and `{filter}` keeps it off the routes of other Gateways by that name: it runs there",
            noted.name
        );
        let help = "generate it with its name (`--name`), rather than rename it";
        own.error(&name(), &message).code("drifted").help(help).also(filter.name_place(), "the EnvoyFilter")
    })
}

/// The fields that differ.
fn fields(manifest: &Manifest, was: &BTreeMap<String, String>, is: &BTreeMap<String, String>) -> Vec<Diagnostic> {
    let all: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let differ = all.into_iter().filter(|field| was.get(*field) != is.get(*field));
    let told = |field: &String| {
        let (path, shown) = if field == ACCOUNT {
            (Path::root().field("metadata").field("annotations").field(EMBEDDED), EMBEDDED)
        } else {
            (in_spec(field), &**field)
        };
        let how = match (was.get(field), is.get(field)) {
            (None, _) => "was not generated",
            (_, None) => "was generated, and is gone",
            _ => "is not what was generated",
        };
        let message = format!("`{manifest}` has drifted: `{shown}` {how}");
        manifest.error(&path, &message).code("drifted").help(HELP)
    };
    differ.map(told).collect()
}
