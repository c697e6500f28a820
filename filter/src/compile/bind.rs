//! Which routes which host has (istio.md 1.1).

use super::places::Places;
use super::virtual_service::Routing;
use super::{Scope, name};
use crate::policy::{Route, VirtualHost};
use std::sync::Arc;

/// The full names of a VirtualService's hosts, and its routes.
pub type Emitted = (Vec<String>, Arc<[Route]>);

/// The services that a sidecar knows at this port.
fn known<'a>(scope: &'a Scope<'_>) -> impl Iterator<Item = &'a str> {
    scope.services.iter().filter(|(_, place)| is_known(*place, scope)).map(|(host, _)| host)
}

fn is_known(place: usize, scope: &Scope<'_>) -> bool {
    let service = scope.document.services.get(place);
    service.is_some_and(|service| service.ports.is_empty() || service.ports.contains(&scope.port))
}

/// Whether a host is below a wildcard.
fn covers(wildcard: &str, host: &str) -> bool {
    host.ends_with(wildcard.trim_start_matches('*'))
}

/// Puts routes into virtual hosts. In a mesh the first VirtualService for a host has it alone; on a gateway their
/// routes follow each other, those that take everything last.
pub fn bind(emitted: &[Emitted], scope: &Scope<'_>, routing: &mut Routing) {
    let mut claims = Claims::default();
    let mut wildcards: Vec<(&str, usize)> = Vec::new();
    let mut without: Vec<&String> = Vec::new();
    for (index, (names, routes)) in emitted.iter().enumerate() {
        // A VirtualService without a route for this proxy does not exist for it. In a mesh its services still are its own:
        // no wider wildcard has them.
        if routes.is_empty() {
            if scope.is_mesh {
                let (wide, exact): (Vec<&String>, Vec<&String>) = names.iter().partition(|host| host.starts_with('*'));
                wildcards.extend(wide.into_iter().map(|host| (host.as_str(), index)));
                without.extend(exact);
            }
            continue;
        }
        for host in names {
            let mut aliases = if scope.is_mesh { name::aliases(host, scope.proxy_namespace) } else { Vec::new() };
            if host.starts_with('*') {
                wildcards.push((host, index));
                // In a mesh it stands for the services below it, and for itself only where there are none.
                if scope.is_mesh && known(scope).any(|service| covers(host, service)) {
                    continue;
                }
            } else if scope.is_mesh && scope.services.get(host).is_some_and(|place| is_known(place, scope)) {
                aliases.push(format!("{host}."));
            }
            for domain in core::iter::once(host.clone()).chain(aliases) {
                let claimed = claims.of(domain);
                if claimed.is_empty() || !(scope.is_mesh || claimed.contains(&index)) {
                    claimed.push(index);
                }
            }
        }
    }
    if scope.is_mesh {
        // Services that only a wildcard covers are served under their short names too. Of equal ones the first has it.
        wildcards.sort_unstable_by_key(|(host, index)| (usize::MAX.saturating_sub(host.len()), *index));
        for service in known(scope) {
            let covered = wildcards.iter().find(|(host, _)| covers(host, service));
            let is_free = |index: usize| {
                let has_routes = emitted.get(index).is_some_and(|(_, routes)| !routes.is_empty());
                has_routes && !claims.has(service) && !without.iter().any(|host| *host == service)
            };
            let Some((_, index)) = covered.filter(|(_, index)| is_free(*index)) else { continue };
            let own = [service.to_owned(), format!("{service}.")];
            for domain in own.into_iter().chain(name::aliases(service, scope.proxy_namespace)) {
                let claimed = claims.of(domain);
                if claimed.is_empty() {
                    claimed.push(*index);
                }
            }
        }
    }
    // Hosts of the same VirtualServices share their routes.
    let mut lists = Places::default();
    for (domain, claimed) in claims.iter() {
        let key = claimed.iter().flat_map(|index| [index.to_string(), " ".to_owned()]).collect();
        let (place, is_new) = lists.enter(key, routing.routes.len());
        if is_new {
            routing.routes.push(merge(claimed, emitted, scope.is_mesh));
        }
        if let Some(list) = routing.routes.get(place) {
            routing.hosts.entry(domain, || VirtualHost { routes: Arc::clone(list) });
        }
    }
}

/// Which VirtualServices claim which host, in order.
#[derive(Default)]
struct Claims {
    hosts: Places,
    lists: Vec<Vec<usize>>,
}

impl Claims {
    fn of(&mut self, host: String) -> &mut Vec<usize> {
        let (place, is_new) = self.hosts.enter(host, self.lists.len());
        if is_new {
            self.lists.push(Vec::new());
        }
        #[expect(clippy::indexing_slicing, reason = "each host's place is that of a list")]
        &mut self.lists[place]
    }

    fn has(&self, host: &str) -> bool {
        self.hosts.get(host).is_some()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.hosts.iter().filter_map(|(host, place)| Some((host, self.lists.get(place)?.as_slice())))
    }
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
