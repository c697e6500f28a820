//! `consistentHash` (istio.md 2.4): Istio's `validateLoadBalancer`, and Envoy's bounds. What is hashed by is checked by the
//! filter's compiler.

use super::super::super::{Notes, spec};
use crate::manifest::{ConsistentHash, Manifest};
use switchyard_filter::document::{Document, Service, StickyBy};

/// Envoy's largest ring.
const LARGEST_RING: u32 = 8_388_608;
/// Envoy's largest table.
const LARGEST_TABLE: u32 = 5_000_011;

/// Notes what is wrong with it; `at` is the field below `spec`.
pub fn check(manifest: &Manifest, at: &str, hash: &ConsistentHash, notes: &mut Notes) {
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
    for (field, message) in hash.by().map(subject).unwrap_or_default() {
        note(&field, &message);
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

/// What the filter's compiler says of what is hashed: the field below, and the message. Of policies that count for a host
/// it says so again, which is told once; others it never sees.
fn subject(by: StickyBy) -> Vec<(String, String)> {
    let service = Service { host: "host.test".into(), ports: vec![80], hash: Some(by), ..Service::default() };
    let document = Document { services: vec![service], ..Document::default() };
    let errors = switchyard_filter::compile(&document).err().unwrap_or_default();
    let below = |path: &str| path.strip_prefix("services[0].hash").map(str::to_owned);
    errors.into_iter().filter_map(|error| Some((below(&error.path)?, error.message))).collect()
}

/// Whether a number above 0 and below [`LARGEST_TABLE`] is a prime to Istio's `isPrime` and Envoy: 1 is one there.
fn is_prime(number: u32) -> bool {
    // 2,237 squared is above it.
    let mut divisors = (2..2_237).take_while(|divisor| divisor * divisor <= number);
    divisors.all(|divisor| !number.is_multiple_of(divisor))
}
