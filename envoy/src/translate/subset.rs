//! Subsets: which DestinationRule counts for a host (istio.md 2.0), and what of its subsets.

mod select;

use super::known::{Known, Origin};
use super::name::{is_any_label, is_label, is_wildcard_domain};
use super::traffic::{self, KnownPolicy};
use super::{Around, Notes, Options, missing, numbered, selector, spec};
use crate::diagnostic::Diagnostic;
use crate::manifest::{DestinationRule, Kind, Manifest, Manifests, TrafficPolicy};
use select::{Caller, Rule, Rules, covers, effective};
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::compile::resolve;

/// A part of a destination's endpoints.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownSubset {
    /// Its name.
    pub name: String,
    /// Labels that an endpoint must have.
    pub labels: BTreeMap<String, String>,
    /// How it is spoken to, where otherwise than the host.
    pub policy: Option<KnownPolicy>,
    /// Where it is written.
    pub origin: Origin,
}

impl Rule {
    fn policy(&self, written: Option<&TrafficPolicy>, at: &str) -> Option<KnownPolicy> {
        let origin = Origin { manifest: self.manifest, field: format!("{at}trafficPolicy") };
        written.map(|written| KnownPolicy { written: written.clone(), origin })
    }
}

/// Reads every DestinationRule and gives destinations their subsets.
pub fn assign(manifests: &Manifests, options: &Options, services: &mut BTreeMap<String, Known>, notes: &mut Notes) {
    let mut rules = vec![];
    for (index, manifest) in numbered(manifests, Kind::DestinationRule) {
        let Some(written) = notes.spec::<DestinationRule>(manifest) else { continue };
        check(index, manifests, &written, notes);
        rules.push(Rule {
            manifest: index,
            namespace: manifest.namespace.clone(),
            created: manifest.creation_timestamp.clone(),
            host: resolve(&written.host, &manifest.namespace, &options.domain),
            written,
        });
    }
    rules.sort_by(|a, b| a.order(manifests).cmp(&b.order(manifests)));
    let labels = options.proxy_labels();
    let caller = Caller { namespace: &manifests.namespace, labels: &labels, mesh: &options.mesh };
    let mut used = vec![false; manifests.all.len()];
    let mut told = traffic::Told::new();
    // Of each rule, the ports of the hosts that it counts for.
    let mut ports: BTreeMap<usize, BTreeSet<u16>> = BTreeMap::new();
    let indexed = Rules::new(&rules);
    for known in services.values_mut() {
        for rule in effective(&indexed, &known.host, &known.namespace, caller) {
            if let Some(used) = used.get_mut(rule.manifest) {
                *used = true;
            }
            ports.entry(rule.manifest).or_default().extend(known.ports.iter().map(|port| port.number));
            for (index, subset) in rule.written.subsets.iter().enumerate() {
                // A name that an older rule has is dropped, as in Istio.
                if let Some(first) = known.subsets.iter().find(|other| other.name == subset.name) {
                    notes.all.extend(dropped(manifests, rule, index, first));
                    continue;
                }
                known.subsets.push(KnownSubset {
                    name: subset.name.clone(),
                    labels: subset.labels.clone(),
                    policy: rule.policy(subset.traffic_policy.as_ref(), &format!("subsets[{index}].")),
                    origin: Origin { manifest: rule.manifest, field: format!("subsets[{index}]") },
                });
            }
            // Of the host's own the first counts, as in Istio: nothing is merged.
            match (&known.policy, rule.policy(rule.written.traffic_policy.as_ref(), "")) {
                (Some(first), Some(second)) => {
                    notes.all.extend(dropped_policy(manifests, &first.origin, &second.origin));
                }
                (None, policy) => known.policy = policy,
                (Some(_), None) => {}
            }
        }
        empty(manifests, known, notes);
        notes.all.extend(traffic::ejection(manifests, known, &mut told));
    }
    for rule in &rules {
        let (Some(manifest), Some(ports)) = (manifests.all.get(rule.manifest), ports.get(&rule.manifest)) else {
            continue;
        };
        traffic::unknown_ports(manifest, &rule.written, ports, notes);
    }
    for rule in rules.iter().filter(|rule| !used.get(rule.manifest).copied().unwrap_or(false)) {
        unused(rule, manifests, options.around, services, notes);
    }
}

fn check(index: usize, manifests: &Manifests, written: &DestinationRule, notes: &mut Notes) {
    let Some(manifest) = manifests.all.get(index) else { return };
    host(manifest, written, notes);
    exports(manifest, written, notes);
    if let Some(policy) = &written.traffic_policy {
        traffic::check(manifest, "trafficPolicy", policy, notes);
    }
    for (at, subset) in written.subsets.iter().enumerate() {
        if let Some(policy) = &subset.traffic_policy {
            traffic::check(manifest, &format!("subsets[{at}].trafficPolicy"), policy, notes);
        }
        if !is_any_label(&subset.name) {
            let message = format!("`{}` is no name of a subset", subset.name.escape_debug());
            let found = manifest.error(&spec(&format!("subsets[{at}].name")), &message);
            notes.push(found.help("write letters, digits and `-`, at most 63"));
        }
        selector::labels(manifest, &format!("subsets[{at}].labels"), &subset.labels, notes);
        if written.subsets.iter().take(at).any(|other| other.name == subset.name) {
            let message = format!("the subset `{}` is listed twice", subset.name);
            notes.push(manifest.error(&spec(&format!("subsets[{at}].name")), &message));
        }
    }
}

fn host(manifest: &Manifest, written: &DestinationRule, notes: &mut Notes) {
    if !is_wildcard_domain(&written.host) {
        let message = format!("`{}` is no host", written.host.escape_debug());
        notes.push(manifest.error(&spec("host"), &message).help("write a name, `*.suffix` or `*`"));
    }
}

/// Whom it is for (istio.md 2.0, 2.6).
fn exports(manifest: &Manifest, written: &DestinationRule, notes: &mut Notes) {
    let mut before = BTreeSet::new();
    for (index, name) in written.export_to.iter().enumerate() {
        let path = spec(&format!("exportTo[{index}]"));
        let meant = if name == "." { manifest.namespace.as_str() } else { name };
        if name != "*" && !is_label(meant) {
            let message = format!("`{}` is no namespace", name.escape_debug());
            notes.push(manifest.error(&path, &message).help("write a name, `.` or `*`"));
        } else if !before.insert(meant) {
            let found = manifest.error(&path, &format!("the namespace `{meant}` is listed twice"));
            notes.push(found.help("leave one of them out"));
        } else if name == "*" && written.export_to.len() > 1 {
            notes.push(manifest.error(&path, "`*` is every namespace: leave the others out"));
        } else if written.workload_selector.is_some() && meant != manifest.namespace {
            let message = "with a `workloadSelector` it is for its own namespace only";
            notes.push(manifest.error(&path, message).help("write `.`, or leave it out"));
        }
    }
    if let Some(selector) = &written.workload_selector {
        selector::check(manifest, "workloadSelector.matchLabels", &selector.match_labels, notes);
    }
    if written.workload_selector.as_ref().is_some_and(|selector| selector.match_labels.is_empty()) {
        // As in Istio, which warns too (`validateWorkloadSelector`); it still comes before those without.
        let message = "a `workloadSelector` without `matchLabels` is for every proxy of its namespace";
        notes.push(manifest.warning(&spec("workloadSelector"), message));
    }
}

/// Warns of a subset whose name an older DestinationRule of the host has.
fn dropped(manifests: &Manifests, rule: &Rule, index: usize, first: &KnownSubset) -> Option<Diagnostic> {
    // Twice in one DestinationRule is an error, which is told.
    let other = manifests.all.get(first.origin.manifest).filter(|_| first.origin.manifest != rule.manifest)?;
    let message = format!(
        "this subset has no effect: the DestinationRule `{}/{}` comes first and has a `{}` too",
        other.namespace, other.name, first.name
    );
    let found = manifests
        .all
        .get(rule.manifest)?
        .warning(&spec(&format!("subsets[{index}].name")), &message)
        .code("dropped-subset");
    Some(found.also(other.place(&spec(&format!("{}.name", first.origin.field))), "this one counts"))
}

/// Warns of a traffic policy of a host that an older DestinationRule has one for.
fn dropped_policy(manifests: &Manifests, first: &Origin, second: &Origin) -> Option<Diagnostic> {
    let other = manifests.all.get(first.manifest)?;
    let message = format!(
        "this `trafficPolicy` has no effect: the DestinationRule `{}/{}` comes first and has one too",
        other.namespace, other.name
    );
    let found = manifests.all.get(second.manifest)?.warning(&spec(&second.field), &message).code("ignored-field");
    Some(found.also(other.place(&spec(&first.field)), "this one counts"))
}

/// Warns of subsets that no endpoint belongs to.
fn empty(manifests: &Manifests, known: &Known, notes: &mut Notes) {
    for subset in &known.subsets {
        if known.endpoints_of(Some(subset)).next().is_some() {
            continue;
        }
        let Some(manifest) = manifests.all.get(subset.origin.manifest) else { continue };
        let message =
            format!("no endpoint of `{}` belongs to the subset `{}`: requests to it get 503", known.host, subset.name);
        let is_service = manifests.all.get(known.origin.manifest).is_some_and(|m| m.kind == Kind::Service);
        let mut found =
            manifest.warning(&spec(&format!("{}.name", subset.origin.field)), &message).code("no-endpoints");
        if is_service {
            found = found.help(
                "labels are those of pods: give EndpointSlices and Pods too, as `kubectl get -o yaml` prints them",
            );
        }
        notes.push(found);
    }
}

fn unused(rule: &Rule, manifests: &Manifests, around: Around, services: &BTreeMap<String, Known>, notes: &mut Notes) {
    // A host that is none has been told.
    let is_host = is_wildcard_domain(&rule.written.host);
    let Some(manifest) = manifests.all.get(rule.manifest).filter(|_| is_host) else { return };
    let host = &rule.host;
    if let Some(known) = services.values().find(|known| covers(host, &known.host)) {
        let message = format!("this DestinationRule has no effect: others count for `{}`", known.host);
        let found = manifest.warning(&spec("host"), &message).code("unused-destination-rule");
        let mine = &manifests.namespace;
        notes.push(if rule.written.workload_selector.is_some() {
            let found = manifest.warning(&spec("workloadSelector"), "this DestinationRule is for other proxies");
            found.code("unused-destination-rule").help(format!(
                "it is for proxies of `{}` with these labels; say what this one is: `--namespace`, `--labels`",
                rule.namespace
            ))
        } else if !rule.written.export_to.is_empty() {
            found.help(format!("it is not exported to the proxy's namespace `{mine}`, or others come first"))
        } else {
            found.help(format!(
                "rules of the proxy's namespace `{mine}` come first, then those of the host's, `{}`",
                known.namespace
            ))
        });
        return;
    }
    let message = format!("no ServiceEntry or Service has the host `{host}`");
    if host.starts_with('*') || around == Around::Mesh {
        // A pattern may be for hosts to come; in a mesh Istio carries the rule out, with services that it knows.
        notes.push(manifest.warning(&spec("host"), &message).code("unknown-host"));
        return;
    }
    // A misspelled host would leave the meant one without its TLS, and nobody would see it.
    let mut found = manifest.error(&spec("host"), &message);
    found.help = missing::meant(host, services).map(|meant| format!("did you mean `{meant}`?"));
    notes.missing(found);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SERVICES, told};

    #[test]
    fn a_subset_has_a_name_that_a_cluster_can_have() {
        let bad = SERVICES.replace("{name: v1, labels", "{name: 'V_1', labels");
        assert_eq!(told(&[&bad]), ["error a.yaml:17:20: `V_1` is no name of a subset"]);
    }

    #[test]
    fn of_several_rules_the_oldest_then_the_first_by_name_counts_whatever_their_files_are() {
        let rule = |name: &str, created: &str| {
            format!(
                "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}, namespace: workshop, creationTimestamp: '{created}'}}
spec: {{host: catalogdetail, subsets: [{{name: v9, labels: {{version: v1}}}}]}}
"
            )
        };
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        for (first, second, dropped, winner) in [
            (rule("b", old), rule("a", old), "b", "a"),
            (rule("a", old), rule("b", old), "c", "a"),
            (rule("a", new), rule("b", old), "b", "b"),
        ] {
            let message = format!(
                "warning {dropped}.yaml:4:46: this subset has no effect: the DestinationRule `workshop/{winner}` comes \
                 first and has a `v9` too"
            );
            assert_eq!(told(&[SERVICES, &first, &second]), [message]);
        }
    }
}
