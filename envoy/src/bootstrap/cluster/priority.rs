//! Which places come first, and with which shares (istio.md 2.4), as istiod's `loadbalancer.go` has it.

use super::endpoints::Group;
use crate::manifest::{Distribute, Failover, LocalityLbSetting};
use crate::translate::{Effective, Known, Locality, Mesh};
use std::collections::{BTreeMap, BTreeSet};

/// What counts of where endpoints are.
#[derive(Clone, Copy, Debug)]
pub struct ByPlace<'a> {
    /// What is written.
    pub setting: &'a LocalityLbSetting,
    /// Whether places fail over also where no outlier detection leaves endpoints out.
    pub is_forced: bool,
}

/// What a DestinationRule says, else the service itself, else the mesh; `None` where it is off (`GetLocalityLbSetting` of
/// istiod).
pub fn setting<'a>(policy: &Effective<'a>, known: &'a Known, mesh: &'a Mesh) -> Option<ByPlace<'a>> {
    let own = policy.load_balancer.and_then(|balancer| balancer.locality_lb_setting.as_ref());
    let (setting, is_forced) = match (own, &known.distribution) {
        (Some(own), _) => (own, false),
        (None, Some(distribution)) => (distribution, true),
        (None, None) => (&mesh.locality_lb_setting, false),
    };
    setting.is_enabled().then_some(ByPlace { setting, is_forced })
}

/// Gives places their priorities and shares. `is_resolved`: endpoints are names, for which istiod does not look at
/// labels.
pub fn apply(
    groups: &mut Vec<Group<'_>>,
    policy: &Effective<'_>,
    by_place: Option<ByPlace<'_>>,
    here: &Locality,
    labels: &BTreeMap<String, String>,
    is_resolved: bool,
) {
    let Some(ByPlace { setting, is_forced }) = by_place else { return };
    if !setting.distribute.is_empty() {
        distribute(groups, here, &setting.distribute);
        return;
    }
    // Without it nothing is ever left out, so that requests would never go elsewhere.
    if policy.outlier_detection.is_none() && !is_forced {
        return;
    }
    let by_label = !setting.failover_priority.is_empty();
    if by_label && !is_resolved && !labels.is_empty() {
        by_labels(groups, labels, &setting.failover_priority);
    }
    if !by_label || !setting.failover.is_empty() {
        by_distance(groups, here, &setting.failover);
    }
}

/// The first rule for where the proxy is gives the shares; places that it does not name get nothing.
fn distribute(groups: &mut [Group<'_>], here: &Locality, rules: &[Distribute]) {
    let Some(rule) = rules.iter().find(|rule| here.is_in(&rule.from)) else { return };
    let mut left: BTreeSet<usize> = (0..groups.len()).collect();
    for (place, share) in &rule.to {
        let named: Vec<usize> = left
            .iter()
            .copied()
            .filter(|index| groups.get(*index).is_some_and(|group| group.locality.is_in(place)))
            .collect();
        let weight = |index: &usize| groups.get(*index).map_or(0, |group| u64::from(group.weight));
        // A share is divided among the places that it names, by their weights.
        let total: u64 = named.iter().map(weight).sum();
        for index in &named {
            left.remove(index);
        }
        for index in named {
            if let Some(group) = groups.get_mut(index) {
                let part = (u64::from(group.weight) * u64::from(*share)).div_ceil(total.max(1));
                group.weight = u32::try_from(part).unwrap_or(u32::MAX);
            }
        }
    }
    for index in left {
        if let Some(group) = groups.get_mut(index) {
            group.endpoints.clear();
        }
    }
}

/// By distance: here, the zone, the region, elsewhere; of elsewhere the region first that is named.
fn by_distance(groups: &mut [Group<'_>], here: &Locality, rules: &[Failover]) {
    let next = rules.iter().find(|rule| rule.from == here.region);
    for group in &mut *groups {
        let mut distance = here.distance(&group.locality);
        if distance == 3 && next.is_some_and(|rule| rule.to != group.locality.region) {
            distance = 4;
        }
        // Within a priority that labels gave.
        group.priority = group.priority * 5 + distance;
    }
    compact(groups);
}

/// By the first label, in order of importance, at which an endpoint is not as the proxy.
fn by_labels(groups: &mut Vec<Group<'_>>, labels: &BTreeMap<String, String>, important: &[String]) {
    let lowest = u32::try_from(important.len()).unwrap_or(u32::MAX);
    // `label=value` names the value; of a label with several `=` istiod takes the proxy's.
    let wanted: Vec<(&str, &str)> = important
        .iter()
        .map(|written| {
            let parts: Vec<&str> = written.split('=').collect();
            let label = parts.first().copied().unwrap_or_default();
            let own = labels.get(label).map_or("", String::as_str);
            (label, if let [_, value] = parts.as_slice() { value } else { own })
        })
        .collect();
    let priority = |of: &BTreeMap<String, String>| {
        let differs = wanted.iter().position(|(label, value)| of.get(*label).map_or("", String::as_str) != *value);
        differs.map_or(0, |index| lowest.saturating_sub(u32::try_from(index).unwrap_or(u32::MAX)))
    };
    let mut split = vec![];
    for group in groups.drain(..) {
        let mut by_priority: BTreeMap<u32, Group<'_>> = BTreeMap::new();
        for (endpoint, port) in group.endpoints {
            let mut of = endpoint.labels.clone();
            group.locality.label(&mut of);
            let priority = priority(&of);
            let part = by_priority.entry(priority).or_insert_with(|| Group {
                locality: group.locality.clone(),
                endpoints: vec![],
                weight: 0,
                priority,
            });
            part.weight = part.weight.saturating_add(endpoint.weight);
            part.endpoints.push((endpoint, port));
        }
        split.extend(by_priority.into_values());
    }
    *groups = split;
    compact(groups);
}

/// Priorities without gaps, from 0: Envoy asks for that.
fn compact(groups: &mut [Group<'_>]) {
    let all: BTreeSet<u32> = groups.iter().map(|group| group.priority).collect();
    for group in groups {
        group.priority = u32::try_from(all.range(..group.priority).count()).unwrap_or(u32::MAX);
    }
}
