//! Wildcards of VirtualServices at sidecars: one that covers hosts of services stands for these and for no other host
//! (`separateVSHostsAndServices` of istiod's route.go), so that nobody's requests to the outside are redirected. The filter
//! does so by itself where it knows the port; one configuration for all ports says it in its hosts. Istio keeps such a
//! wildcard on port 80 where none of the services has that: its own routes do so still, since other hosts pass.

use super::configured::Configured;
use super::selection::{Place, Target};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifest, Manifests};
use crate::translate::Known;
use crate::yaml::Path;
use std::collections::BTreeMap;
use switchyard_filter::compile::delegate::visibility;
use switchyard_filter::compile::resolve;
use switchyard_filter::document::{Document, VirtualService};

/// Whether it has any.
pub fn has_wildcards(document: &Document) -> bool {
    document.virtual_services.iter().flat_map(|one| &one.hosts).any(|host| host.starts_with('*'))
}

/// Puts the hosts of services in the place of wildcards that cover any. `all` has VirtualServices too that are not embedded:
/// what they have more exactly is theirs.
pub fn narrow(document: &mut Document, all: &Document, services: &BTreeMap<String, Known>) {
    let known: Vec<&str> = services
        .values()
        .filter(|known| known.ports_of_requests().next().is_some())
        .map(|known| known.host.as_str())
        .collect();
    let hosts = |service: &VirtualService| -> Vec<String> {
        service.hosts.iter().map(|host| resolve(host, &service.namespace, &all.domain)).collect()
    };
    let is_wide = |host: &String| host.starts_with('*') && known.iter().any(|known| meets(host, known));
    if !document.virtual_services.iter().flat_map(hosts).any(|host| is_wide(&host)) {
        return;
    }
    // Of equal hosts the first counts (`computeWildcardHostVirtualServiceIndex`).
    let near = |one: &VirtualService| visibility(&one.export_to, &one.namespace, &all.proxy.namespace);
    let mut order: Vec<&VirtualService> = all.virtual_services.iter().collect();
    order.sort_by_key(|one| (near(one).unwrap_or(u8::MAX), &one.creation_timestamp, &one.name, one.namespace.as_str()));
    let mut owners: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    for one in order {
        for host in hosts(one) {
            owners.entry(host).or_insert((&one.namespace, &one.name));
        }
    }
    let owner = |known: &str| {
        let exact = owners.get_key_value(known);
        let covering = owners.iter().filter(|(host, _)| host.strip_prefix('*').is_some_and(|end| known.ends_with(end)));
        exact.or_else(|| covering.max_by_key(|(host, _)| host.len()))
    };
    document.virtual_services.retain_mut(|one| {
        let own = (one.namespace.clone(), one.name.clone());
        let mut kept = vec![];
        for (written, host) in one.hosts.iter().zip(hosts(one)) {
            if !is_wide(&host) {
                kept.push(written.clone());
                continue;
            }
            let is_own = |known: &&str| {
                owner(known).is_some_and(|(by, (namespace, name))| *by == host && own.0 == *namespace && own.1 == *name)
            };
            kept.extend(known.iter().copied().filter(is_own).map(str::to_owned));
        }
        // Without hosts it would be a delegate.
        let is_left = !kept.is_empty() || one.hosts.is_empty();
        one.hosts = kept;
        is_left
    });
}

/// Whether a wildcard and a service's host, which may be one too, have names in common (`host.Name.Matches`).
fn meets(wildcard: &str, known: &str) -> bool {
    let end = wildcard.trim_start_matches('*');
    known.ends_with(end) || known.strip_prefix('*').is_some_and(|known| end.ends_with(known))
}

/// What wildcards stand for.
pub fn told(manifests: &Manifests, configured: &[Configured], target: &Target) -> Vec<Diagnostic> {
    if target.place != Place::Sidecar {
        return vec![];
    }
    let mut found = vec![];
    for one in configured.iter().flat_map(|one| &one.document.virtual_services) {
        let is_it = |manifest: &&Manifest| manifest.namespace == one.namespace && manifest.name == one.name;
        let Some(manifest) = manifests.of(Kind::VirtualService).find(is_it) else { continue };
        let spec = manifest.spec();
        let written = spec["hosts"].as_array().into_iter().flatten().filter_map(|host| host.as_str()).enumerate();
        for (index, wide) in
            written.filter(|(_, host)| host.starts_with('*') && !one.hosts.iter().any(|own| own == host))
        {
            let below: Vec<_> = one.hosts.iter().filter(|host| meets(&wide.to_ascii_lowercase(), host)).collect();
            let mut shown: Vec<_> = below.iter().take(3).map(|host| format!("`{host}`")).collect();
            if below.len() > shown.len() {
                shown.push(format!("{} more", below.len().saturating_sub(shown.len())));
            }
            let message = format!(
                "in the mesh `{wide}` stands for the services below it, of which the manifests have {}: requests for others are left to Istio",
                shown.join(", ")
            );
            let path = Path::root().field("spec").field("hosts").index(index);
            found.push(manifest.warning(&path, &message).help("give the manifests of all services below it"));
        }
    }
    found
}
