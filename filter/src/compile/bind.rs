//! Which routes which host has (istio.md 1.1).

use super::virtual_service::Routing;
use super::{Scope, name};
use crate::policy::{Route, VirtualHost};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The full names of a VirtualService's hosts, and its routes.
pub type Emitted = (Vec<String>, Arc<[Route]>);

/// Puts routes into virtual hosts. In a mesh the first VirtualService for a host has it alone; on a gateway their
/// routes follow each other, those that take everything last.
pub fn bind(emitted: &[Emitted], scope: &Scope<'_>, routing: &mut Routing) {
    let mut claims: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut wildcards: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, (names, routes)) in emitted.iter().enumerate() {
        // A VirtualService without a route for this proxy does not exist for it.
        if routes.is_empty() {
            continue;
        }
        for host in names {
            let aliases = if scope.is_mesh { name::aliases(host, scope.proxy_namespace) } else { Vec::new() };
            if host.starts_with('*') {
                wildcards.entry(host).or_insert(index);
            }
            for domain in core::iter::once(host.clone()).chain(aliases) {
                let claimed = claims.entry(domain).or_default();
                if claimed.is_empty() || !(scope.is_mesh || claimed.contains(&index)) {
                    claimed.push(index);
                }
            }
        }
    }
    if scope.is_mesh {
        // Services that only a wildcard covers are served under their short names too.
        for service in scope.services.keys() {
            let cover = wildcards.iter().filter(|(host, _)| service.ends_with(host.trim_start_matches('*')));
            let covered = cover.max_by_key(|(host, _)| host.len()).filter(|_| !claims.contains_key(service));
            let Some((_, index)) = covered else { continue };
            for domain in core::iter::once(service.clone()).chain(name::aliases(service, scope.proxy_namespace)) {
                claims.entry(domain).or_insert_with(|| vec![*index]);
            }
        }
    }
    let mut lists: BTreeMap<Vec<usize>, Arc<[Route]>> = BTreeMap::new();
    for (domain, claimed) in claims {
        let list = lists.entry(claimed).or_insert_with_key(|claimed| merge(claimed, emitted, scope.is_mesh));
        routing.hosts.entry(&domain, || VirtualHost { routes: Arc::clone(list) });
    }
    routing.routes = lists.into_values().collect();
}

/// The routes of the VirtualServices of a host; on a gateway those that take everything last.
fn merge(claimed: &[usize], emitted: &[Emitted], is_mesh: bool) -> Arc<[Route]> {
    let mut lists = claimed.iter().filter_map(|index| emitted.get(*index)).map(|(_, routes)| routes);
    match (claimed, lists.next()) {
        ([_], Some(only)) if is_mesh => Arc::clone(only),
        (_, first) => {
            let all = first.into_iter().chain(lists).flat_map(|routes| routes.iter());
            let takes_all = |route: &&Route| route.block.is_catch_all();
            all.clone().filter(|route| !takes_all(route)).chain(all.filter(takes_all)).cloned().collect()
        }
    }
}
