//! Delegates, and who sees what: Istio leaves out without a word what is not there, not exported, or contradictory
//! (istio.md 1.16). Here it is told.

use super::virtual_service::Routed;
use super::{Model, Notes, numbered, spec};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::{Kind, Manifest, Manifests};
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::compile::delegate::{Home, merge, visibility};

/// A VirtualService by namespace and name.
pub type Name<'a> = (&'a str, &'a str);

impl Routed {
    /// Whether it has no hosts: its rules count where others name it.
    pub fn is_delegate(&self) -> bool {
        self.written.hosts.is_empty()
    }

    /// Its own name.
    pub fn name(&self) -> Name<'_> {
        (&self.written.namespace, &self.written.name)
    }

    /// Whether proxies of a namespace see it.
    pub fn is_seen_by(&self, namespace: &str) -> bool {
        visibility(&self.exports, &self.written.namespace, namespace).is_some()
    }

    /// Rules that delegate, and to whom.
    pub fn delegations(&self) -> impl Iterator<Item = (usize, Name<'_>)> {
        self.written.http.iter().enumerate().filter(|_| !self.is_delegate()).filter_map(|(rule, http)| {
            let delegate = http.delegate.as_ref().filter(|delegate| !delegate.name.is_empty())?;
            let own = &self.written.namespace;
            let namespace = if delegate.namespace.is_empty() { own } else { &delegate.namespace };
            Some((rule, (namespace.as_str(), delegate.name.as_str())))
        })
    }
}

/// Gives each delegate the gateways of those who delegate to it: there it is served.
pub fn bind(all: &mut [Routed]) {
    let mut gateways: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for routed in all.iter() {
        for (_, (namespace, name)) in routed.delegations() {
            gateways.entry((namespace.into(), name.into())).or_default().extend(routed.gateways.iter().cloned());
        }
    }
    for routed in all.iter_mut().filter(|routed| routed.is_delegate()) {
        let (namespace, name) = routed.name();
        routed.gateways = gateways.get(&(namespace.to_owned(), name.to_owned())).cloned().unwrap_or_default();
    }
}

/// Notes what Istio leaves out.
pub fn check(model: &Model<'_>, notes: &mut Notes) {
    let manifests = model.manifests;
    let delegates: BTreeMap<Name<'_>, &Routed> =
        model.routed.iter().filter(|routed| routed.is_delegate()).map(|routed| (routed.name(), routed)).collect();
    let mut uses: BTreeMap<Name<'_>, Vec<(&Routed, usize)>> = BTreeMap::new();
    for routed in &model.routed {
        let Some(manifest) = manifests.all.get(routed.manifest) else { continue };
        let proxy = &manifests.namespace;
        if !routed.is_delegate() && !routed.is_seen_by(proxy) {
            let message =
                format!("no request comes here: the proxy's namespace `{proxy}` is none that it is exported to");
            notes.push(manifest.warning(&spec("exportTo"), &message).code("not-exported"));
        }
        for (rule, name) in routed.delegations() {
            let of_delegate = uses.entry(name).or_default();
            match delegates.get(&name) {
                None => notes.all.extend(unknown(manifests, manifest, rule, name, &delegates, notes.allow_missing)),
                Some(delegate) if !delegate.is_seen_by(&manifest.namespace) => {
                    notes.push(not_exported(manifests, manifest, rule, delegate));
                }
                Some(_) => of_delegate.push((routed, rule)),
            }
        }
    }
    for (name, delegate) in delegates {
        match uses.get(&name) {
            None => notes.all.extend(unused(manifests, delegate)),
            Some(uses) => contradictions(model, delegate, uses, notes),
        }
    }
}

/// A delegate that is not there. A misspelled name must not be silent.
fn unknown(
    manifests: &Manifests,
    manifest: &Manifest,
    rule: usize,
    (namespace, name): Name<'_>,
    delegates: &BTreeMap<Name<'_>, &Routed>,
    allow_missing: bool,
) -> Option<Diagnostic> {
    let mut all = numbered(manifests, Kind::VirtualService);
    let same = all.find(|(_, other)| other.namespace == namespace && other.name == name);
    let found = match same {
        // It could not be read, which has been told.
        Some((_, other)) if other.node.at(&spec("hosts")).is_none() => return None,
        Some((_, other)) => {
            let message = format!("`{namespace}/{name}` has `hosts`, so it is no delegate");
            let found = manifest.error(&spec(&format!("http[{rule}].delegate")), &message);
            found.help("a delegate is a VirtualService without `hosts`").also(other.place(&spec("hosts")), "its hosts")
        }
        None => {
            let message = format!("there is no delegate `{namespace}/{name}`");
            let field =
                if manifest.node.at(&spec(&format!("http[{rule}].delegate.name"))).is_some() { ".name" } else { "" };
            let mut found = manifest.error(&spec(&format!("http[{rule}].delegate{field}")), &message);
            let here: Vec<&str> =
                delegates.keys().filter(|(other, _)| *other == namespace).map(|(_, name)| *name).collect();
            let elsewhere = delegates.keys().find(|(_, other)| *other == name);
            found.help = did_you_mean(name, here).or_else(|| {
                elsewhere.map(|(other, _)| format!("there is one in `{other}`: write `namespace: {other}`"))
            });
            found
        }
    };
    let mut notes = Notes { allow_missing, ..Notes::default() };
    notes.missing(found);
    notes.all.pop()
}

fn not_exported(manifests: &Manifests, manifest: &Manifest, rule: usize, delegate: &Routed) -> Diagnostic {
    let (namespace, name) = delegate.name();
    let own = &manifest.namespace;
    let message = format!("this rule has no effect: the delegate `{namespace}/{name}` is not exported to `{own}`");
    let found = manifest.warning(&spec(&format!("http[{rule}].delegate")), &message).code("not-exported");
    match manifests.all.get(delegate.manifest) {
        Some(other) => found.also(other.place(&spec("exportTo")), format!("add `{own}` here")),
        None => found,
    }
}

fn unused(manifests: &Manifests, delegate: &Routed) -> Option<Diagnostic> {
    let manifest = manifests.all.get(delegate.manifest)?;
    let message = "no request comes here: a VirtualService without `hosts` is a delegate, and no rule delegates to it";
    let found = manifest.warning(&spec("http"), message).code("unused-delegate");
    let (namespace, name) = delegate.name();
    Some(
        found.help(format!(
            "write `hosts`, or `delegate: {{name: {name}, namespace: {namespace}}}` in a rule of another"
        )),
    )
}

/// Notes rules of a delegate that go with no rule that delegates to it, and rules that delegate and have nothing of it.
fn contradictions(model: &Model<'_>, delegate: &Routed, uses: &[(&Routed, usize)], notes: &mut Notes) {
    let Some(manifest) = model.manifests.all.get(delegate.manifest) else { return };
    let home = |namespace| Home { namespace, domain: &model.options.domain };
    let own = home(&delegate.written.namespace);
    let mut goes = vec![false; delegate.written.http.len()];
    for (root, rule) in uses {
        let Some(http) = root.written.http.get(*rule) else { continue };
        let mut any = false;
        for (leaf, goes) in delegate.written.http.iter().zip(&mut goes) {
            let both = merge(http, home(&root.written.namespace), leaf, own).is_some();
            *goes |= both;
            any |= both;
        }
        if !any && let Some(owner) = model.manifests.all.get(root.manifest) {
            let (namespace, name) = delegate.name();
            let message = format!(
                "this rule has no effect: what it asks for contradicts every rule of `{namespace}/{name}`, as Istio compares them"
            );
            let found = owner.warning(&spec(&format!("http[{rule}].match")), &message).code("delegate-conflict");
            notes.push(found.also(manifest.place(&spec("http")), "the rules"));
        }
    }
    if uses.is_empty() {
        return;
    }
    for (rule, _) in goes.iter().enumerate().filter(|(_, goes)| !**goes) {
        let who: Vec<_> = uses.iter().map(|(root, _)| format!("`{}/{}`", root.name().0, root.name().1)).collect();
        let message = format!(
            "no request comes here: what this rule asks for contradicts what {} asks for before, as Istio compares them",
            who.join(", ")
        );
        let found = manifest.warning(&spec(&format!("http[{rule}].match")), &message).code("delegate-conflict");
        notes.push(found.help(
            "a prefix goes with a longer one or an exact path below it; a regex goes with nothing, and neither does presence",
        ));
    }
}

#[cfg(test)]
mod tests;
