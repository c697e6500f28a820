//! Traffic policies: which one counts for a cluster, and what the filter must know of it (istio.md 1.17, 2.1).

use super::known::{Known, Origin};
use super::subset::KnownSubset;
use super::{Notes, Origins, spec};
use crate::manifest::{ConsistentHash, LoadBalancer, Manifest, TrafficPolicy};
use switchyard_filter::document::{PortHash, StickyBy};

/// A traffic policy with where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownPolicy {
    /// As it is written.
    pub written: TrafficPolicy,
    /// Its manifest, and the field below `spec`.
    pub origin: Origin,
}

impl Known {
    /// How an endpoint of a cluster is chosen. What is said of a port stands in place of all else that is said beside it,
    /// also where it says nothing of this; what a subset says, in place of what is said of the host.
    pub fn load_balancer<'a>(&'a self, subset: Option<&'a KnownSubset>, port: u16) -> Option<&'a LoadBalancer> {
        let (_, of_host) = self.policy.as_ref().map_or((false, None), |policy| of_port(policy, port));
        match subset.and_then(|subset| subset.policy.as_ref()).map(|policy| of_port(policy, port)) {
            None | Some((false, None)) => of_host,
            Some((_, of_subset)) => of_subset,
        }
    }
}

/// What a policy says of a port, and whether it names the port.
fn of_port(policy: &KnownPolicy, port: u16) -> (bool, Option<&LoadBalancer>) {
    match policy.written.of_port(port) {
        Some(setting) => (true, setting.load_balancer.as_ref()),
        None => (false, policy.written.load_balancer.as_ref()),
    }
}

/// What requests are hashed by under a policy, for all ports and for single ones: for the document's field `at`.
pub fn hashes(policy: Option<&KnownPolicy>, at: &str, origins: &mut Origins) -> (Option<StickyBy>, Vec<PortHash>) {
    let Some(KnownPolicy { written, origin }) = policy else {
        return (None, vec![]);
    };
    let field = |below: &str| spec(&format!("{}{below}.loadBalancer.consistentHash", origin.field));
    let by = |lb: &Option<LoadBalancer>| lb.as_ref()?.consistent_hash.as_ref()?.by();
    let hash = by(&written.load_balancer);
    if hash.is_some() {
        origins.copied(&format!("{at}.hash"), origin.manifest, field(""));
    }
    let mut ports: Vec<PortHash> = vec![];
    for (index, setting) in written.port_level_settings.iter().enumerate() {
        let port = setting.port.number;
        let earlier = written.port_level_settings.iter().take(index);
        // Of several for one port the first counts, also where it says nothing of this.
        let Some(hash) = by(&setting.load_balancer).filter(|_| !earlier.clone().any(|other| other.port.number == port))
        else {
            continue;
        };
        let own = format!("{at}.portHashes[{}]", ports.len());
        let below = format!(".portLevelSettings[{index}]");
        origins.made(&own, origin.manifest, spec(&format!("{}{below}.port", origin.field)));
        origins.copied(&format!("{own}.hash"), origin.manifest, field(&below));
        ports.push(PortHash { port, hash });
    }
    (hash, ports)
}

/// Notes what Istio's validation refuses (istio.md 2.4, 2.6); `at` is the field below `spec`.
pub fn check(manifest: &Manifest, at: &str, written: &TrafficPolicy, notes: &mut Notes) {
    if *written == TrafficPolicy::default() {
        let message = "a `trafficPolicy` needs a field";
        notes.push(manifest.error(&spec(at), message).help("write `loadBalancer` or `portLevelSettings`"));
    }
    let balancers = written.port_level_settings.iter().enumerate().map(|(index, setting)| {
        let at = format!("{at}.portLevelSettings[{index}]");
        if setting.port.number == 0 {
            let path = spec(&format!("{at}.port.number"));
            notes.push(manifest.error(&path, "`0` is out of range: 1 to 65535"));
        }
        if setting.load_balancer.is_none() {
            notes.push(manifest.error(&spec(&at), "settings of a port need more than the port"));
        }
        (at, setting.load_balancer.as_ref())
    });
    let balancers: Vec<_> = balancers.collect();
    for (at, balancer) in std::iter::once((at.to_owned(), written.load_balancer.as_ref())).chain(balancers) {
        if let Some(hash) = balancer.and_then(|balancer| balancer.consistent_hash.as_ref()) {
            check_hash(manifest, &format!("{at}.loadBalancer.consistentHash"), hash, notes);
        }
    }
}

/// Envoy's largest ring.
const LARGEST_RING: u32 = 8_388_608;
/// Envoy's largest table.
const LARGEST_TABLE: u32 = 5_000_011;

fn check_hash(manifest: &Manifest, at: &str, hash: &ConsistentHash, notes: &mut Notes) {
    let mut note = |field: &str, message: &str| notes.push(manifest.error(&spec(&format!("{at}{field}")), message));
    let ring = [
        (".minimumRingSize", hash.minimum_ring_size),
        (".ringHash.minimumRingSize", hash.ring_hash.as_ref().and_then(|ring| ring.minimum_ring_size)),
    ];
    for (field, size) in ring {
        if let Some(size) = size.filter(|size| *size > LARGEST_RING) {
            note(field, &format!("`{size}` is out of range: at most {LARGEST_RING}"));
        }
    }
    if hash.ring_hash.is_some() && hash.maglev.is_some() {
        note("", "`ringHash` and `maglev` exclude each other: leave one of them out");
    }
    let deprecated = hash.minimum_ring_size.unwrap_or(0) != 0;
    if deprecated && (hash.ring_hash.is_some() || hash.maglev.is_some()) {
        note(".minimumRingSize", "`minimumRingSize` does not go with `ringHash` or `maglev`: leave it out");
    }
    if let Some(maglev) = &hash.maglev {
        match maglev.table_size.unwrap_or(0) {
            0 => note(".maglev", "`tableSize` is missing: write a prime, 65537 for example"),
            size if size >= LARGEST_TABLE || !is_prime(size) => {
                let message = format!("`{size}` is no prime below {LARGEST_TABLE}: write 65537 for example");
                note(".maglev.tableSize", &message);
            }
            _ => {}
        }
    }
    if deprecated {
        let found = manifest.warning(&spec(&format!("{at}.minimumRingSize")), "`minimumRingSize` is deprecated here");
        notes.push(found.code("deprecated-field").help("write it under `ringHash`"));
    }
    if hash.by().is_none() {
        let message = "there is nothing to hash by: endpoints are chosen at random";
        let found = manifest.warning(&spec(at), message).code("ignored-field");
        let help = "write `httpHeaderName`, `httpCookie`, `httpQueryParameterName` or `useSourceIp: true`";
        notes.push(found.help(help));
    }
}

/// Whether a number below [`LARGEST_TABLE`] is a prime.
fn is_prime(number: u32) -> bool {
    // 2,237 squared is above it.
    let mut divisors = (2..2_237).take_while(|divisor| divisor * divisor <= number);
    number > 1 && divisors.all(|divisor| !number.is_multiple_of(divisor))
}

#[cfg(test)]
mod tests;
