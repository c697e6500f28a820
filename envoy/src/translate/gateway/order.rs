//! Which VirtualService of a host comes first, where several servers share a port.
//!
//! Istio appends routes server by server (istio.md 1.1), so those that are bound to the first Gateway come first, however
//! old they are. The filter orders by age: where that is another order, it gets other ages.

use super::super::virtual_service::Routed;
use super::edge::Edge;
use std::collections::BTreeMap;
use switchyard_filter::compile::delegate::visibility;

/// What became of the order.
#[derive(Debug, PartialEq, Eq)]
pub enum Ordered {
    /// By age, as the filter has it.
    ByAge,
    /// These, by their places in the list, one after the other.
    Listed(Vec<usize>),
    /// Two of them, each of which is first for some host.
    Contradiction(usize, usize),
}

/// The order of the VirtualServices of an edge, for a proxy of this namespace.
pub fn order(edge: &Edge, routed: &[&Routed], namespace: &str, domain: &str) -> Ordered {
    if edge.servers.iter().len() == 1 {
        return Ordered::ByAge;
    }
    let mut by_age: Vec<usize> = (0..routed.len()).collect();
    by_age.sort_by_key(|at| {
        routed.get(*at).map(|routed| {
            let written = &routed.written;
            let near = visibility(&routed.exports, &written.namespace, namespace).unwrap_or(u8::MAX);
            (near, &written.creation_timestamp, &written.name, &written.namespace, *at)
        })
    });
    // Each comes where the first server has it, and there by its age.
    let mut claims: BTreeMap<String, Vec<(usize, usize, usize)>> = BTreeMap::new();
    let mut firsts = vec![];
    for (rank, at) in by_age.iter().enumerate() {
        let Some(routed) = routed.get(*at) else { continue };
        let served = edge.hosts(routed, domain);
        firsts.extend(served.first().map(|(_, place)| (*place, rank, *at)));
        for (host, place) in served {
            claims.entry(host).or_default().push((place, rank, *at));
        }
    }
    let listed = |mut claims: Vec<(usize, usize, usize)>| -> Vec<usize> {
        claims.sort_unstable();
        claims.into_iter().map(|(.., at)| at).collect()
    };
    let hosts: BTreeMap<String, Vec<usize>> = claims.into_iter().map(|(host, claims)| (host, listed(claims))).collect();
    let listed = listed(firsts);
    if contradiction(&hosts, &by_age).is_none() {
        return Ordered::ByAge;
    }
    match contradiction(&hosts, &listed) {
        None => Ordered::Listed(listed),
        Some((a, b)) => Ordered::Contradiction(a, b),
    }
}

/// The first pair that a host has in another order.
fn contradiction(hosts: &BTreeMap<String, Vec<usize>>, order: &[usize]) -> Option<(usize, usize)> {
    let places: BTreeMap<usize, usize> = order.iter().enumerate().map(|(place, at)| (*at, place)).collect();
    let pairs = hosts.values().flat_map(|claims| claims.iter().zip(claims.iter().skip(1)));
    pairs.map(|(a, b)| (*a, *b)).find(|(a, b)| places.get(a) > places.get(b))
}
