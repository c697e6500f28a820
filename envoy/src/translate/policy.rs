//! SwitchyardPolicies, merged in order of namespace, then name.

use super::virtual_service::Routed;
use super::{Around, Notes, Options, Origins, numbered, spec};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::{Kind, Manifest, Manifests, Sticky, SwitchyardPolicy};
use crate::yaml::Path;
use std::collections::BTreeSet;
use switchyard_filter::compile::resolve;
use switchyard_filter::document::{
    ControlHeaders, Document, FaultCarrier, HttpMatchRequest, MetricsDetail, Mode, OnUnmatched, Tag,
};
use switchyard_filter::headers::same_spelling;

/// What all policies say together.
#[derive(Debug, Default)]
pub struct Policies {
    tags: Vec<(usize, usize, Tag)>,
    seed: Option<Setting<String>>,
    mode: Option<Setting<Mode>>,
    on_unmatched: Option<Setting<OnUnmatched>>,
    faults: Option<Setting<FaultCarrier>>,
    max_delayed: Option<Setting<u32>>,
    metrics: Option<Setting<MetricsDetail>>,
    around: Around,
}

/// A setting and the manifest that makes it.
#[derive(Debug)]
struct Setting<T> {
    manifest: usize,
    value: T,
}

impl Policies {
    /// Reads and merges every policy, and makes rules sticky.
    pub fn merge(manifests: &Manifests, options: &Options, routed: &mut [Routed], notes: &mut Notes) -> Self {
        let mut merged = Self { around: options.around, ..Self::default() };
        let mut order: Vec<_> = numbered(manifests, Kind::SwitchyardPolicy).collect();
        order.sort_by_key(|(_, manifest)| (&manifest.namespace, &manifest.name));
        for (index, manifest) in order {
            let Some(policy) = notes.spec::<SwitchyardPolicy>(manifest) else { continue };
            for (at, mut tag) in policy.tags.into_iter().enumerate() {
                if let Some(found) = merged.tagged_before(manifests, manifest, at, &tag) {
                    notes.push(found);
                    continue;
                }
                warn_of_clients(manifest, at, &tag, &merged.tags, notes);
                // Short names are of the policy's own namespace; the document's may be another.
                if manifest.namespace != manifests.namespace {
                    for host in &mut tag.hosts {
                        *host = resolve(host, &manifest.namespace, &options.domain);
                    }
                }
                merged.tags.push((index, at, tag));
            }
            set(&mut merged.seed, policy.seed, "seed", index, manifests, notes);
            set(&mut merged.mode, policy.mode, "mode", index, manifests, notes);
            set(&mut merged.on_unmatched, policy.on_unmatched, "onUnmatched", index, manifests, notes);
            set(&mut merged.faults, policy.faults, "faults", index, manifests, notes);
            set(&mut merged.max_delayed, policy.max_delayed, "maxDelayed", index, manifests, notes);
            set(&mut merged.metrics, policy.metrics, "metrics", index, manifests, notes);
            for (at, sticky) in policy.sticky.iter().enumerate() {
                if let Some(found) = stick(manifests, index, manifest, at, sticky, routed) {
                    notes.push(found);
                }
            }
        }
        if let Some(mode) = merged.mode.as_ref().filter(|mode| mode.value == Mode::Observe && options.around.is_whole())
            && let Some(manifest) = manifests.all.get(mode.manifest)
        {
            let message = "under `mode: observe` the filter routes nothing, and the generated Envoy has no routes of its own: every request gets 404";
            notes.push(
                manifest
                    .warning(&spec("mode"), message)
                    .code("observe-without-routes")
                    .help("use the parts of `generate --parts` in an Envoy that has routes"),
            );
        }
        merged
    }

    /// Every tag, with its manifest and its place in there.
    pub fn tags(&self) -> &[(usize, usize, Tag)] {
        &self.tags
    }

    fn tagged_before(&self, manifests: &Manifests, manifest: &Manifest, at: usize, tag: &Tag) -> Option<Diagnostic> {
        let spelled = |other: &Tag| same_spelling(other.header.as_bytes(), tag.header.as_bytes());
        let (first, first_at, _) = self.tags.iter().find(|(_, _, other)| spelled(other))?;
        let message = format!("`{}` is tagged twice (case, `-` and `_` are alike)", tag.header);
        let found = manifest.error(&spec(&format!("tags[{at}].header")), &message);
        let place = manifests.all.get(*first)?.place(&spec(&format!("tags[{first_at}].header")));
        Some(found.also(place, "first tagged here"))
    }

    /// Writes tags and settings into a document.
    pub fn write(&self, document: &mut Document, origins: &mut Origins) {
        for (manifest, at, tag) in &self.tags {
            origins.copied(&format!("tags[{}]", document.tags.len()), *manifest, spec(&format!("tags[{at}]")));
            document.tags.push(tag.clone());
        }
        if self.around.is_whole() {
            document.on_unmatched = OnUnmatched::NotFound;
        }
        if !matches!(self.around, Around::Nothing | Around::Dynamic) {
            document.control_headers = ControlHeaders::Stripped;
        }
        if self.around != Around::Nothing {
            document.faults = FaultCarrier::Envoy;
        }
        let mut origin = |name: &str, manifest| origins.copied(name, manifest, spec(name));
        if let Some(seed) = &self.seed {
            document.seed.clone_from(&seed.value);
            origin("seed", seed.manifest);
        }
        if let Some(mode) = &self.mode {
            document.mode = mode.value;
            origin("mode", mode.manifest);
        }
        if let Some(on_unmatched) = &self.on_unmatched {
            document.on_unmatched = on_unmatched.value;
            origin("onUnmatched", on_unmatched.manifest);
        }
        if let Some(faults) = &self.faults {
            document.faults = faults.value;
            origin("faults", faults.manifest);
        }
        if let Some(max_delayed) = &self.max_delayed {
            document.max_delayed = Some(max_delayed.value);
            origin("maxDelayed", max_delayed.manifest);
        }
        if let Some(metrics) = &self.metrics {
            document.metrics = metrics.value;
            origin("metrics", metrics.manifest);
        }
    }
}

/// Warns of rules that ask only for what a client sends: it can give itself the tag.
fn warn_of_clients(manifest: &Manifest, at: usize, tag: &Tag, before: &[(usize, usize, Tag)], notes: &mut Notes) {
    // A tag that is set already is nothing that a client sends.
    let is_tag = |name: &String| {
        before.iter().any(|(_, _, tag)| !tag.trust_client && same_spelling(tag.header.as_bytes(), name.as_bytes()))
    };
    let rests_on_client = |block: &HttpMatchRequest| {
        // The port is where a request comes to, and not what a client says in it.
        block.source_ip.is_empty() && block.peer.is_empty() && block.port.is_none() && !block.headers.keys().any(is_tag)
    };
    for (index, rule) in tag.rules.iter().enumerate() {
        if let Some(block) = rule.matches.iter().position(rests_on_client) {
            let message = format!(
                "any client can give itself `{}: {}`: this asks only for what it sends",
                tag.header, rule.value
            );
            let path = spec(&format!("tags[{at}].rules[{index}].match[{block}]"));
            notes.push(
                manifest
                    .warning(&path, &message)
                    .code("tag-by-client")
                    .help("ask for `sourceIp` or `peer` too, unless the tag gives no rights"),
            );
        }
    }
}

/// Takes a setting, or notes that another policy has set it otherwise.
fn set<T: PartialEq>(
    slot: &mut Option<Setting<T>>,
    value: Option<T>,
    name: &str,
    index: usize,
    manifests: &Manifests,
    notes: &mut Notes,
) {
    let Some(value) = value else { return };
    let Some(first) = slot else {
        *slot = Some(Setting { manifest: index, value });
        return;
    };
    if first.value == value {
        return;
    }
    if let (Some(manifest), Some(other)) = (manifests.all.get(index), manifests.all.get(first.manifest)) {
        let found = manifest.error(&spec(name), &format!("`{name}` is set otherwise by another SwitchyardPolicy"));
        notes.push(found.also(other.place(&spec(name)), "first set here"));
    }
}

/// Makes a rule sticky, or says why not.
fn stick(
    manifests: &Manifests,
    index: usize,
    manifest: &Manifest,
    at: usize,
    sticky: &Sticky,
    routed: &mut [Routed],
) -> Option<Diagnostic> {
    let path = |field: &str| spec(&format!("sticky[{at}].{field}"));
    let (namespace, name) =
        sticky.virtual_service.split_once('/').unwrap_or((&manifest.namespace, &sticky.virtual_service));
    let target = routed.iter_mut().find(|routed| routed.written.namespace == namespace && routed.written.name == name);
    let Some(target) = target else {
        return unknown_virtual_service(manifests, manifest, &path("virtualService"), sticky, namespace, name);
    };
    let mut found_rules = target
        .written
        .http
        .iter_mut()
        .enumerate()
        .filter(|(_, rule)| rule.name == sticky.rule && !rule.name.is_empty());
    match (found_rules.next(), found_rules.next()) {
        (Some((rule, http)), None) => {
            if let Some((policy, entry)) = target.sticky.get(&rule) {
                let message = format!("the rule `{}` of `{namespace}/{name}` is made sticky twice", sticky.rule);
                let found = manifest.error(&path("rule"), &message);
                let place = manifests.all.get(*policy)?.place(&spec(&format!("sticky[{entry}].rule")));
                return Some(found.also(place, "first made sticky here"));
            }
            http.sticky_by = Some(sticky.by.clone());
            let single = http.route.len() == 1;
            target.sticky.insert(rule, (index, at));
            single.then(|| {
                let message = format!(
                    "the rule `{}` of `{namespace}/{name}` has one destination: nothing to be sticky about",
                    sticky.rule
                );
                manifest.warning(&path("rule"), &message).code("sticky-without-choice")
            })
        }
        (Some(_), Some(_)) => {
            let message =
                format!("`{namespace}/{name}` has several rules `{}`: give them names of their own", sticky.rule);
            Some(manifest.error(&path("rule"), &message))
        }
        _ => {
            let names = target.written.http.iter().map(|rule| rule.name.as_str()).filter(|name| !name.is_empty());
            let mut found =
                manifest.error(&path("rule"), &format!("`{namespace}/{name}` has no rule `{}`", sticky.rule));
            found.help = did_you_mean(&sticky.rule, names).or_else(|| Some("a rule is named by its `name`".into()));
            Some(found)
        }
    }
}

fn unknown_virtual_service(
    manifests: &Manifests,
    manifest: &Manifest,
    path: &Path,
    sticky: &Sticky,
    namespace: &str,
    name: &str,
) -> Option<Diagnostic> {
    let all: BTreeSet<_> =
        numbered(manifests, Kind::VirtualService).map(|(_, vs)| (vs.namespace.as_str(), vs.name.as_str())).collect();
    // It is there and could not be read, which has been told.
    if all.contains(&(namespace, name)) {
        return None;
    }
    let mut found = manifest.error(path, &format!("there is no VirtualService `{namespace}/{name}`"));
    let qualified = sticky.virtual_service.contains('/');
    let names: Vec<String> = all
        .iter()
        .filter(|(ns, _)| qualified || *ns == namespace)
        .map(|(ns, name)| if qualified { format!("{ns}/{name}") } else { (*name).to_owned() })
        .collect();
    found.help = did_you_mean(&sticky.virtual_service, names.iter().map(String::as_str));
    Some(found)
}
