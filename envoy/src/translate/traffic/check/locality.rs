//! `localityLbSetting` (istio.md 2.4): Istio's `ValidateLocalityLbSetting` and `validateLocalities`.

use super::At;
use crate::manifest::{Distribute, Failover, LocalityLbSetting};

/// The labels that `failover` is about too.
const PLACES: [&str; 3] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

/// Notes what is wrong with it; `ejects`: there is an `outlierDetection` beside the load balancer.
pub fn check(at: &mut At<'_>, written: &LocalityLbSetting, ejects: bool) {
    if !written.distribute.is_empty() && !written.failover.is_empty() {
        at.error("", "`distribute` and `failover` exclude each other: leave one of them out");
    }
    if !written.failover.is_empty() {
        for (index, label) in written.failover_priority.iter().enumerate() {
            if PLACES.contains(&label.as_str()) {
                at.error(
                    &format!(".failoverPriority[{index}]"),
                    &format!("`{label}` does not go with `failover`: leave one of them out"),
                );
            }
        }
    }
    let mut before: Vec<&str> = vec![];
    for (index, one) in written.distribute.iter().enumerate() {
        distribute(&mut at.below(&format!(".distribute[{index}]")), one);
        place(at, &format!(".distribute[{index}].from"), &one.from, &before);
        before.push(&one.from);
    }
    for (index, one) in written.failover.iter().enumerate() {
        failover(&mut at.below(&format!(".failover[{index}]")), one);
    }
    if (!written.failover.is_empty() || !written.failover_priority.is_empty()) && !ejects {
        let field = if written.failover.is_empty() { ".failoverPriority" } else { ".failover" };
        let message = "without `outlierDetection` beside it, requests never go elsewhere";
        at.warning(field, message, "ignored-field", "write `outlierDetection` in the same traffic policy");
    }
}

fn distribute(at: &mut At<'_>, written: &Distribute) {
    let total: u64 = written.to.values().map(|weight| u64::from(*weight)).sum();
    let wrong = written.to.iter().find(|(_, weight)| !(1..=100).contains(*weight));
    if let Some((locality, weight)) = wrong {
        at.error(".to", &format!("`{weight}` of `{locality}` is out of range: 1 to 100"));
    } else if total != 100 {
        at.error(".to", &format!("the weights sum to {total}, not to 100"));
    }
    let mut before: Vec<&str> = vec![];
    for locality in written.to.keys() {
        place(at, ".to", locality, &before);
        before.push(locality);
    }
}

/// A locality: up to three names, `*` at the end for any, none that is part of one before. Istio takes what follows the
/// third `/` as a part of the subzone's name, which none has.
fn place(at: &mut At<'_>, field: &str, written: &str, before: &[&str]) {
    let parts: Vec<&str> = written.splitn(3, '/').collect();
    let stars = written.matches('*').count();
    if stars > 1 || (stars == 1 && !written.ends_with('*')) {
        at.error(field, &format!("`{written}`: a `*` can only stand at the end"));
    } else if parts.iter().any(|part| part.is_empty()) {
        at.error(field, &format!("`{written}` is no locality: write `region`, `region/zone` or `region/zone/subzone`"));
    } else if let Some(other) = before.iter().find(|other| overlap(other, written)) {
        at.error(field, &format!("`{written}` overlaps with `{other}`: leave one of them out"));
    } else if parts.last().is_some_and(|last| last.contains('/')) {
        let message = format!("`{written}` is nowhere: a locality has at most a region, a zone and a subzone");
        at.warning(field, &message, "ignored-field", "write `region/zone/subzone`");
    }
}

/// Whether a locality is in both. What is left of a region or zone may follow, `*` at the end.
fn overlap(first: &str, second: &str) -> bool {
    let (first, second): (Vec<_>, Vec<_>) = (first.splitn(3, '/').collect(), second.splitn(3, '/').collect());
    let is_rest = second.last() == Some(&"*") && first.get(second.len() - 1).is_some_and(|part| *part != "*");
    !is_rest && first.iter().zip(&second).all(|(one, two)| *one == "*" || *two == "*" || one == two)
}

fn failover(at: &mut At<'_>, written: &Failover) {
    for (field, region) in [(".from", &written.from), (".to", &written.to)] {
        if region.contains(['/', '*']) {
            at.error(field, &format!("`{region}` is no region: write its name alone"));
        }
    }
    if written.from == written.to {
        at.error(".to", &format!("`{}` is the region that requests come from: name another one", written.to));
    }
}

#[cfg(test)]
mod tests {
    use super::overlap;

    #[test]
    fn a_locality_overlaps_with_what_is_in_it_unless_it_is_the_rest() {
        for (first, second, expected) in [
            ("eu", "eu/a", true),
            ("eu/a", "eu", true),
            ("eu/*", "eu/a/1", true),
            ("eu", "eu/*", true),
            ("*", "us", true),
            ("*", "*", true),
            ("us", "*", false),
            ("eu/a/1", "eu/*", false),
            ("eu/a/1", "eu/a/*", false),
            ("eu/a", "eu/b", false),
            ("eu/a/1", "eu/a/2", false),
            ("eu", "us", false),
        ] {
            assert_eq!(overlap(first, second), expected, "{first} {second}");
        }
    }
}
