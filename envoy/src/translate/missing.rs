//! Destinations that are not there.

use super::virtual_service::Routed;
use super::{Known, Notes, spec};
use crate::diagnostic::{Diagnostic, nearest};
use crate::manifest::{Manifest, Manifests};
use std::collections::BTreeMap;
use switchyard_filter::Policy;
use switchyard_filter::compile::resolve;

/// Notes every destination whose host or subset is not known.
pub fn check(
    manifests: &Manifests,
    routed: &[Routed],
    services: &BTreeMap<String, Known>,
    domain: &str,
    notes: &mut Notes,
) {
    for routed in routed {
        let Some(manifest) = manifests.all.get(routed.manifest) else { continue };
        for (rule, http) in routed.written.http.iter().enumerate() {
            let route = http.route.iter().enumerate();
            let route = route.map(|(index, route)| (format!("route[{index}].destination"), &route.destination));
            let mirror = http.mirror.iter().map(|mirror| ("mirror".to_owned(), mirror));
            let mirrors = http.mirrors.iter().enumerate();
            let mirrors = mirrors
                .filter_map(|(index, one)| Some((format!("mirrors[{index}].destination"), one.destination.as_ref()?)));
            for (at, destination) in route.chain(mirror).chain(mirrors) {
                let at = format!("http[{rule}].{at}");
                let host = resolve(&destination.host, &manifest.namespace, domain);
                let found = match services.get(&host) {
                    // The compiler says what is no name at all.
                    None if destination.host.is_empty() || destination.host.contains('*') => None,
                    None => Some(unknown_host(manifest, &at, &destination.host, &host, services)),
                    Some(known) => unknown_subset(manifest, &at, &destination.subset, known),
                };
                if let Some(found) = found {
                    notes.missing(found);
                }
            }
        }
    }
}

fn unknown_host(
    manifest: &Manifest,
    at: &str,
    written: &str,
    host: &str,
    services: &BTreeMap<String, Known>,
) -> Diagnostic {
    let message = if written == host {
        format!("no ServiceEntry or Service has the host `{host}`")
    } else {
        format!("no ServiceEntry or Service has the host `{host}`, which `{written}` means here")
    };
    let found = manifest.error(&spec(&format!("{at}.host")), &message);
    let Some(near) = meant(host, services) else { return found };
    // What was written short is suggested short.
    let suffix = host.strip_prefix(&written.to_ascii_lowercase()).unwrap_or_default();
    let short = near.strip_suffix(suffix).filter(|short| !short.is_empty()).unwrap_or(near);
    found.help(format!("did you mean `{short}`?"))
}

/// The known host that was probably meant: the nearest, or the whole of which this is the beginning. Istio completes no
/// name that has a dot, `cart.shop` say.
pub fn meant<'a>(host: &str, services: &'a BTreeMap<String, Known>) -> Option<&'a str> {
    let mut hosts = services.keys().map(String::as_str);
    let is_whole = |known: &&str| known.strip_prefix(host).is_some_and(|rest| rest.starts_with('.'));
    nearest(host, hosts.clone()).or_else(|| hosts.find(is_whole))
}

fn unknown_subset(manifest: &Manifest, at: &str, subset: &str, known: &Known) -> Option<Diagnostic> {
    let names = || known.subsets.iter().map(|subset| subset.name.as_str());
    if subset.is_empty() || names().any(|name| name == subset) {
        return None;
    }
    let message = format!("no DestinationRule gives `{}` a subset `{subset}`", known.host);
    let found = manifest.error(&spec(&format!("{at}.subset")), &message);
    let help = match nearest(subset, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.subsets.is_empty() => "it has no subsets".into(),
        None => format!("it has {}", list(names())),
    };
    Some(found.help(help))
}

/// Destinations of a listener whose host is known and has no such port.
pub fn ports(policy: &Policy, manifests: &[&Manifest], services: &BTreeMap<String, Known>, notes: &mut Notes) {
    for rule in policy.rules() {
        let mirrors = rule.mirrors.iter().map(|mirror| (&mirror.destination, "mirrors"));
        let destinations = rule.destinations.iter().map(|destination| (destination, "route"));
        for (destination, list) in destinations.chain(mirrors) {
            let Some(known) = services.get(&*destination.host) else { continue };
            if known.ports.iter().any(|port| port.number == destination.port) {
                continue;
            }
            // A rule that delegates has routes of its delegate's, and mirrors of either.
            let places = [rule.written(), (rule.virtual_service_index, rule.index)];
            let found = places.into_iter().find_map(|(owner, index)| {
                let manifest = manifests.get(owner)?;
                let mirror = format!("http[{index}].mirror");
                let is_mirror = list == "mirrors" && manifest.node.at(&spec(&mirror)).is_some();
                let at = format!("http[{index}].{list}[{}].destination", destination.index);
                let at = if is_mirror { mirror } else { at };
                manifest.node.at(&spec(&at)).is_some().then_some((manifest, at))
            });
            let Some((manifest, at)) = found else { continue };
            let numbers: Vec<_> = known.ports.iter().map(|port| port.number.to_string()).collect();
            let has = format!("it has {}", self::list(numbers.iter().map(String::as_str)));
            let port = spec(&format!("{at}.port.number"));
            notes.missing(if manifest.node.at(&port).is_some() {
                let message = format!("`{}` has no port `{}`", destination.host, destination.port);
                manifest.error(&port, &message).help(has)
            } else {
                let message = format!(
                    "`{}` has several ports and not the listener's `{}`: name one",
                    destination.host, destination.port
                );
                manifest.error(&spec(&at), &message).help(format!("write `port: {{number: …}}`; {has}"))
            });
        }
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
