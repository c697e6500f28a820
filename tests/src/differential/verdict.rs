//! Which policies each side takes: refusing is part of the meaning too.

use super::explained::REFUSED;
use super::outcome::Outcome;
use super::sides::refusals;
use super::unit::Unit;
use crate::istio::Istiod;
use serde_json::Value;

/// The policies that both sides take. Those that one side refuses are noted.
pub async fn judge(units: Vec<Unit>, shared: &[Value], outcome: &mut Outcome) -> Result<Vec<Unit>, String> {
    let mut ours: Vec<Vec<String>> = Vec::new();
    for unit in &units {
        let manifests: Vec<Value> = shared.iter().chain(&unit.manifests).cloned().collect();
        ours.push(refusals(&manifests));
    }
    let all: Vec<&Unit> = units.iter().collect();
    let mut theirs: Vec<(usize, String)> = Vec::new();
    // Most are fine together; those that are not are found by halves.
    let mut groups = vec![all];
    while let Some(group) = groups.pop() {
        let manifests: Vec<Value> = group.iter().flat_map(|unit| &unit.manifests).chain(shared).cloned().collect();
        match (Istiod::start(&manifests).await, group.as_slice()) {
            (Ok(_), _) => {}
            (Err(said), [one]) if said.starts_with("istiod refuses: ") => theirs.push((one.number, said)),
            (Err(said), [_, _, ..]) if said.starts_with("istiod refuses: ") => {
                let (first, second) = group.split_at(group.len() / 2);
                groups.push(first.to_vec());
                groups.push(second.to_vec());
            }
            (Err(error), _) => return Err(error),
        }
    }
    let mut both = Vec::new();
    for (unit, ours) in units.into_iter().zip(ours) {
        let theirs = theirs.iter().find(|(number, _)| *number == unit.number).map(|(_, said)| said.clone());
        match (ours.is_empty(), theirs) {
            (true, None) => both.push(unit),
            (false, Some(_)) => outcome.refused_by_both += 1,
            (true, Some(said)) => outcome.only_istio_refuses.push((said, unit)),
            (false, None) => {
                let meant = |said: &String| REFUSED.iter().find(|(part, _)| said.contains(part));
                match ours.iter().map(meant).collect::<Option<Vec<_>>>().and_then(|reasons| reasons.first().copied()) {
                    Some((part, _)) => *outcome.meant_refusals.entry(part).or_default() += 1,
                    None => outcome.only_we_refuse.push((ours.join("; "), unit)),
                }
            }
        }
    }
    Ok(both)
}
