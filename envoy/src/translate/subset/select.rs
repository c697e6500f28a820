//! Which DestinationRules count for a host and a proxy, and which of them are one (istio.md 2.0).

use super::super::selector::selects;
use crate::manifest::{DestinationRule, Manifests};
use crate::translate::Mesh;
use std::collections::{BTreeMap, BTreeSet};

/// A DestinationRule.
#[derive(Debug)]
pub struct Rule {
    /// Its place in the list of all manifests.
    pub manifest: usize,
    /// Its namespace.
    pub namespace: String,
    /// When it was made, as written.
    pub created: String,
    /// Its full host, or a pattern.
    pub host: String,
    /// As written.
    pub written: DestinationRule,
}

impl Rule {
    /// Those for some proxies first, then the oldest, then the first by name: never by file.
    pub fn order<'a>(&'a self, manifests: &'a Manifests) -> (bool, &'a str, Option<&'a str>, &'a str, usize) {
        let name = manifests.all.get(self.manifest).map(|manifest| manifest.name.as_str());
        (self.selector().is_none(), &self.created, name, &self.namespace, self.manifest)
    }

    fn selector(&self) -> Option<&BTreeMap<String, String>> {
        self.written.workload_selector.as_ref().map(|selector| &selector.match_labels)
    }

    /// Whom it is for; one for some proxies never leaves its namespace.
    fn export_to(&self) -> BTreeSet<&str> {
        if self.selector().is_some() {
            return BTreeSet::from(["."]);
        }
        self.written.export_to.iter().map(String::as_str).collect()
    }

    fn is_for_own_namespace(&self) -> bool {
        let export = self.export_to();
        export.is_empty() || ["*", ".", &self.namespace].iter().any(|name| export.contains(name))
    }

    /// For its own namespace and nobody else.
    fn is_private(&self, mesh: &Mesh) -> bool {
        let export = self.export_to();
        if export.is_empty() {
            return mesh.destination_rules.is_private();
        }
        export.len() == 1 && (export.contains(".") || export.contains(self.namespace.as_str()))
    }
}

/// All rules, by what they are for: each host has few of many.
#[derive(Debug)]
pub struct Rules<'a> {
    by_host: BTreeMap<&'a str, Vec<(usize, &'a Rule)>>,
    patterns: Vec<(usize, &'a Rule)>,
}

impl<'a> Rules<'a> {
    /// Of rules in their order.
    pub fn new(ordered: &'a [Rule]) -> Self {
        let mut rules = Self { by_host: BTreeMap::new(), patterns: vec![] };
        for numbered in ordered.iter().enumerate() {
            let host = numbered.1.host.as_str();
            if host.starts_with('*') {
                rules.patterns.push(numbered);
            } else {
                rules.by_host.entry(host).or_default().push(numbered);
            }
        }
        rules
    }

    /// Those whose host, or pattern, is for a host, in their order.
    fn of(&self, host: &str) -> Vec<&'a Rule> {
        let patterns = self.patterns.iter().filter(|(_, rule)| covers(&rule.host, host));
        let mut found: Vec<_> = self.by_host.get(host).into_iter().flatten().chain(patterns).copied().collect();
        found.sort_by_key(|(order, _)| *order);
        found.into_iter().map(|(_, rule)| rule).collect()
    }
}

/// The proxy that is generated for.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// What counts where a rule does not say.
    pub mesh: &'a Mesh,
}

/// Rules that are one.
struct Merged<'a> {
    rules: Vec<&'a Rule>,
    export_to: BTreeSet<&'a str>,
}

/// The rules that count for a host of a namespace, in the order in which they are merged: of the first namespace that
/// has any (the proxy's, the host's, the root's) those of the most specific host.
pub fn effective<'a>(rules: &Rules<'a>, host: &str, namespace: &str, caller: Caller<'_>) -> Vec<&'a Rule> {
    let rules = rules.of(host);
    let of = |namespace: &str, is_listed: &dyn Fn(&Rule) -> bool| -> Vec<Merged<'a>> {
        let listed = rules.iter().copied().filter(|rule| rule.namespace == namespace && is_listed(rule));
        merged(most_specific(listed.collect()))
    };
    let root = caller.mesh.root_namespace.as_str();
    let own = if caller.namespace == root {
        of(caller.namespace, &|rule| rule.is_private(caller.mesh))
    } else {
        of(caller.namespace, &Rule::is_for_own_namespace)
    };
    if !own.is_empty() {
        return chosen(own, caller);
    }
    for namespace in [namespace, root] {
        let mut exported = of(namespace, &|rule| !rule.is_private(caller.mesh));
        exported.retain(|one| {
            let export = &one.export_to;
            export.is_empty() || export.contains("*") || export.contains(caller.namespace)
        });
        if !exported.is_empty() {
            return chosen(exported, caller);
        }
    }
    vec![]
}

/// Of several: the first whose proxies are the caller, else the last for all.
fn chosen<'a>(all: Vec<Merged<'a>>, caller: Caller<'_>) -> Vec<&'a Rule> {
    let mut for_all = vec![];
    for one in all {
        let Some(first) = one.rules.first() else { continue };
        match first.selector() {
            None => for_all = one.rules,
            Some(selector) if first.namespace == caller.namespace => {
                if selects(selector, caller.labels) {
                    return one.rules;
                }
            }
            Some(_) => {}
        }
    }
    for_all
}

fn most_specific(rules: Vec<&Rule>) -> Vec<&Rule> {
    // An exact host is longer than any wildcard that covers it.
    let best = rules.iter().map(|rule| specificity(&rule.host)).max();
    rules.into_iter().filter(|rule| Some(specificity(&rule.host)) == best).collect()
}

/// Makes one of those that are for the same proxies, as `mergeDestinationRule` of istiod does.
fn merged(rules: Vec<&Rule>) -> Vec<Merged<'_>> {
    let mut all: Vec<Merged<'_>> = vec![];
    for rule in rules {
        let export_to = rule.export_to();
        let mut stands_alone = true;
        for other in &mut all {
            if export_to == other.export_to {
                stands_alone = false;
            } else {
                stands_alone = true;
                if other.export_to.is_empty() || !export_to.is_superset(&other.export_to) {
                    continue;
                }
            }
            let selector = other.rules.first().and_then(|first| first.selector());
            match (selector, rule.selector()) {
                (Some(one), Some(two)) if one != two => {
                    stands_alone = true;
                    continue;
                }
                (None, None) | (Some(_), Some(_)) => stands_alone = false,
                _ => {}
            }
            other.rules.push(rule);
        }
        if stands_alone {
            all.push(Merged { rules: vec![rule], export_to });
        }
    }
    all
}

fn specificity(host: &str) -> (bool, usize) {
    (!host.starts_with('*'), host.len())
}

/// Whether a host, or a pattern, is for a host. What a `*` stands for may be nothing (Istio's
/// `mostSpecificHostWildcardMatch`): `*a.example` is for `a.example` too.
pub fn covers(pattern: &str, host: &str) -> bool {
    pattern == host || pattern.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix))
}

#[cfg(test)]
mod tests;
