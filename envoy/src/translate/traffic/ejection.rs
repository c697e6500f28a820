//! Outlier detection that can leave nobody out (envoy.md 4.3): Envoy ejects a host while `100 * (ejected + 1) / hosts` is
//! at most `max_ejection_percent`. It has made no exception for the first since 1.28.

use super::super::known::{Known, Resolve};
use super::super::spec;
use crate::diagnostic::Diagnostic;
use crate::manifest::{LoadBalancer, Manifests, OutlierDetection, SimpleLb};
use std::collections::BTreeSet;

/// Envoy's, where nothing or 0 is written (istio.md 2.3).
const DEFAULT: usize = 10;

/// What was told before: manifests with the field.
pub type Told = BTreeSet<(usize, String)>;

/// Warns of each `outlierDetection` that ejects nobody of some cluster, once, with how many hosts that has. Where addresses
/// are found by name, or are the callers' own, nobody knows here how many there are.
pub fn check<'a>(
    manifests: &'a Manifests,
    known: &'a Known,
    told: &'a mut Told,
) -> impl Iterator<Item = Diagnostic> + 'a {
    let subsets =
        std::iter::once(None).chain(known.subsets.iter().map(Some)).filter(|_| known.resolve == Resolve::Static);
    let clusters = subsets.flat_map(|subset| known.ports.iter().map(move |port| (subset, port.number)));
    clusters.filter_map(move |(subset, port)| {
        let policy = known.policy_of(subset, port);
        let (written, origin) = policy.outlier_detection?;
        let hosts = known.endpoints_of(subset).filter(|endpoint| endpoint.ports.contains_key(&port)).count();
        let percent = usize::try_from(written.max_ejection_percent).ok().filter(|percent| *percent > 0);
        if hosts == 0
            || percent.unwrap_or(DEFAULT) * hosts >= 100
            || !ejects(written)
            || passes_on(policy.load_balancer)
        {
            return None;
        }
        if !told.insert((origin.manifest, origin.field.clone())) {
            return None;
        }
        let (field, share) = match percent {
            Some(percent) => (".maxEjectionPercent", format!("`{percent}` percent of")),
            None => ("", format!("without `maxEjectionPercent` it is {DEFAULT} percent, which of")),
        };
        let message = format!(
            "{share} {hosts} {} is no host: none of `{}`{} is ever ejected",
            if hosts == 1 { "host" } else { "hosts" },
            known.host,
            subset.map_or_else(String::new, |subset| format!(", subset `{}`,", subset.name))
        );
        let least = 100_usize.div_ceil(hosts);
        let found = manifests.all.get(origin.manifest)?.warning(&spec(&format!("{}{field}", origin.field)), &message);
        Some(found.code("ejects-no-host").help(format!("write `maxEjectionPercent: {least}` or more")))
    })
}

fn passes_on(balancer: Option<&LoadBalancer>) -> bool {
    balancer.is_some_and(|balancer| balancer.simple == SimpleLb::Passthrough)
}

/// Whether it is to eject anybody at all.
fn ejects(written: &OutlierDetection) -> bool {
    written.consecutive_5xx() != Some(0)
        || written.consecutive_gateway_errors.is_some_and(|count| count > 0)
        || written.split_external_local_origin_errors
}
