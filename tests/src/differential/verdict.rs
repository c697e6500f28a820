//! Which policies each side takes: refusing is part of the meaning too.

use super::explained::REFUSED;
use super::outcome::Outcome;
use super::sides::refusals;
use super::unit::Unit;
use crate::istio::Istiod;
use serde_json::Value;

/// What istiod's word begins with when manifests are wrong.
const REFUSES: &str = "istiod refuses: ";

/// The policies that both sides take. Those that one side refuses are noted.
pub async fn judge(units: Vec<Unit>, shared: &[Value], outcome: &mut Outcome) -> Result<Vec<Unit>, String> {
    let mut ours: Vec<Vec<String>> = Vec::new();
    for unit in &units {
        let manifests: Vec<Value> = shared.iter().chain(&unit.manifests).cloned().collect();
        ours.push(refusals(&manifests));
    }
    let taken = |unit: &Unit| ours.get(unit.number).is_some_and(Vec::is_empty);
    let group = |wanted: bool| -> Vec<(usize, &[Value])> {
        let chosen = units.iter().filter(|unit| taken(unit) == wanted);
        chosen.map(|unit| (unit.number, unit.manifests.as_slice())).collect()
    };
    let mut theirs = accepted(&group(true), shared).await?;
    theirs.extend(accepted(&group(false), shared).await?);
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

/// Which of these policies Istio refuses, by number, and what it says. Most are fine together; those that are not are
/// found by halves. Errors: istiod does not start.
pub async fn accepted(policies: &[(usize, &[Value])], shared: &[Value]) -> Result<Vec<(usize, String)>, String> {
    let mut refused = Vec::new();
    let mut groups = vec![policies];
    while let Some(group) = groups.pop() {
        let own = group.iter().flat_map(|(_, manifests)| *manifests);
        let manifests: Vec<Value> = own.chain(shared).cloned().collect();
        match (Istiod::start(&manifests).await, group) {
            (Ok(_), _) => {}
            (Err(said), [(number, _)]) if said.starts_with(REFUSES) => refused.push((*number, said)),
            (Err(said), [_, _, ..]) if said.starts_with(REFUSES) => {
                let (first, second) = group.split_at(group.len() / 2);
                groups.extend([first, second]);
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok(refused)
}
