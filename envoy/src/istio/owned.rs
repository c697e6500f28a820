//! VirtualServices that stay Istio's: a progressive delivery controller patches them, or their owner says so.

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::{Kind, Manifest, Manifests, SwitchyardPolicy};
use crate::yaml::{Node, Path};
use std::collections::BTreeSet;

/// The annotation that says whether a VirtualService is embedded.
pub const EMBED: &str = "switchyard.dev/embed";

/// Takes those out that are not embedded, and says which (`namespace/name`).
///
/// # Errors
/// An annotation that says neither; what asks for rules of one that is not there.
pub fn split(manifests: &Manifests) -> Result<(Manifests, BTreeSet<String>), Vec<Diagnostic>> {
    let mut wrong = vec![];
    let mut left = BTreeSet::new();
    let mut embedded = manifests.clone();
    for manifest in manifests.of(Kind::VirtualService) {
        wrong.extend(neither(manifest));
        if is_left(manifest) {
            left.insert(id(manifest));
        }
    }
    embedded.all.retain(|manifest| manifest.kind != Kind::VirtualService || !left.contains(&id(manifest)));
    for manifest in embedded.of(Kind::VirtualService) {
        wrong.extend(delegating(manifest, &left));
    }
    for manifest in manifests.of(Kind::SwitchyardPolicy) {
        wrong.extend(sticking(manifest, &left));
    }
    if wrong.is_empty() { Ok((embedded, left)) } else { Err(wrong) }
}

/// An annotation that says neither.
pub fn neither(manifest: &Manifest) -> Option<Diagnostic> {
    let value = manifest.annotations.get(EMBED).filter(|value| !matches!(value.as_str(), "true" | "false"))?;
    let path = Path::root().field("metadata").field("annotations").field(EMBED);
    let mut found = manifest.error(&path, &format!("`{value}` is neither `true` nor `false`"));
    found.help = did_you_mean(value, ["true", "false"]).or_else(|| Some("write `\"false\"`".into()));
    Some(found)
}

/// Whether it stays Istio's.
pub fn is_left(manifest: &Manifest) -> bool {
    match manifest.annotations.get(EMBED) {
        Some(value) => value == "false",
        None => is_of_canary(manifest),
    }
}

fn id(manifest: &Manifest) -> String {
    format!("{}/{}", manifest.namespace, manifest.name)
}

/// Whether Flagger made it, and patches its weights.
fn is_of_canary(manifest: &Manifest) -> bool {
    let owners = manifest.node.get("metadata").and_then(|metadata| metadata.get("ownerReferences"));
    let owners = owners.map(Node::items).unwrap_or_default();
    let is = |owner: &Node, field: &str, wanted: &str| {
        owner.get(field).and_then(Node::as_str).is_some_and(|value| value.starts_with(wanted))
    };
    owners.iter().any(|owner| is(owner, "kind", "Canary") && is(owner, "apiVersion", "flagger.app/"))
}

/// Rules of one that is embedded and delegates to one that is not: they would be lost.
fn delegating(manifest: &Manifest, left: &BTreeSet<String>) -> Vec<Diagnostic> {
    let rules = manifest.node.get("spec").and_then(|spec| spec.get("http"));
    let rules = rules.map(Node::items).unwrap_or_default();
    let found = rules.iter().enumerate().filter_map(|(index, rule)| {
        let delegate = rule.get("delegate")?;
        let field = |name: &str| delegate.get(name).and_then(Node::as_str);
        let target = format!("{}/{}", field("namespace").unwrap_or(&manifest.namespace), field("name")?);
        let message = format!("the delegate `{target}` is not embedded, and `{}` is", id(manifest));
        let path = Path::root().field("spec").join(&Path::parse(&format!("http[{index}].delegate")).0);
        left.contains(&target).then(|| {
            manifest.error(&path, &message).help(format!("annotate both with `{EMBED}: \"false\"`, or none of them"))
        })
    });
    found.collect()
}

/// Policies that make a rule sticky which Istio draws.
fn sticking(manifest: &Manifest, left: &BTreeSet<String>) -> Vec<Diagnostic> {
    let Ok(policy) = manifest.read_spec::<SwitchyardPolicy>() else { return vec![] };
    let found = policy.sticky.iter().enumerate().filter_map(|(index, sticky)| {
        let written = &sticky.virtual_service;
        let target = if written.contains('/') { written.clone() } else { format!("{}/{written}", manifest.namespace) };
        let path = Path::root().field("spec").join(&Path::parse(&format!("sticky[{index}].virtualService")).0);
        let message = format!("`{target}` is not embedded: Istio draws its destinations, and keeps nobody at one");
        left.contains(&target)
            .then(|| manifest.error(&path, &message).help(format!("leave this out, or embed it: `{EMBED}: \"true\"`")))
    });
    found.collect()
}
