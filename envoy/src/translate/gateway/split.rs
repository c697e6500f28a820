//! VirtualServices whose rules ask for the gateway, on a port that several Gateways share.
//!
//! To the filter the gateways of a port are one proxy. Istio makes the routes of a VirtualService anew for each Gateway
//! whose server has the host, and appends them server by server (`buildGatewayHTTPRouteConfig`, read in 1.29.1). So such
//! a VirtualService is there once for each Gateway here, each time with the hosts that this one serves.

use super::super::virtual_service::Routed;
use super::edge::Edge;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::compile::resolve_gateway;

/// The VirtualServices of an edge, with those whose rules are not the same for all of its gateways once for each.
///
/// The first keeps the name. The others are named `<name>.<gateway's namespace>.<gateway>`, since the filter takes each
/// name once: they draw and count by themselves.
pub fn split<'a>(edge: &Edge, routed: &[&'a Routed], domain: &str) -> Vec<Cow<'a, Routed>> {
    if edge.gateways().len() < 2 {
        return routed.iter().copied().map(Cow::Borrowed).collect();
    }
    let delegates: BTreeMap<_, _> =
        routed.iter().filter(|one| one.is_delegate()).map(|one| (one.name(), *one)).collect();
    let mut names: BTreeSet<_> = routed.iter().map(|one| own(one.name())).collect();
    let mut all = vec![];
    for one in routed {
        let asked: BTreeSet<String> = std::iter::once(*one)
            .chain(one.delegations().filter_map(|(_, name)| delegates.get(&name).copied()))
            .flat_map(asked)
            .collect();
        let groups = groups(edge, one, &asked, domain);
        if groups.len() < 2 {
            all.push(Cow::Borrowed(*one));
            continue;
        }
        for (place, group) in groups.into_iter().enumerate() {
            let mut copy = (*one).clone();
            if place > 0 {
                let gateway = group.first().map(|gateway| gateway.replace('/', ".")).unwrap_or_default();
                let first = format!("{}.{gateway}", one.written.name);
                let numbered = (2..).map(|number| format!("{first}.{number}"));
                let mut free = std::iter::once(first.clone()).chain(numbered);
                let free = free.find(|name| names.insert((one.written.namespace.clone(), name.clone())));
                copy.written.name = free.unwrap_or(first);
            }
            copy.gateways = group.into_iter().collect();
            all.push(Cow::Owned(copy));
        }
    }
    all
}

fn own((namespace, name): (&str, &str)) -> (String, String) {
    (namespace.to_owned(), name.to_owned())
}

/// The gateways that rules ask for.
fn asked(routed: &Routed) -> impl Iterator<Item = String> {
    let blocks = routed.written.http.iter().flat_map(|http| &http.matches);
    blocks.flat_map(|block| &block.gateways).map(|gateway| resolve_gateway(gateway, &routed.written.namespace))
}

/// The gateways that serve it here, in Istio's order: each that is asked for alone, the others together.
fn groups(edge: &Edge, routed: &Routed, asked: &BTreeSet<String>, domain: &str) -> Vec<Vec<String>> {
    if routed.is_delegate() || asked.is_empty() {
        return vec![];
    }
    let serving = edge.serving(routed, domain);
    let (mut seen, mut groups, mut others) = (BTreeSet::new(), vec![], None);
    for gateway in edge.servers.iter().map(|server| &server.gateway) {
        if !serving.contains(gateway.as_str()) || !seen.insert(gateway) {
            continue;
        }
        let place = match others {
            Some(place) if !asked.contains(gateway) => place,
            _ => {
                groups.push(vec![]);
                groups.len() - 1
            }
        };
        if !asked.contains(gateway) {
            others = Some(place);
        }
        if let Some(group) = groups.get_mut(place) {
            group.push(gateway.clone());
        }
    }
    groups
}
