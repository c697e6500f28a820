//! Which sets each side takes: refusing is part of the meaning too.

use super::explained::REFUSED;
use super::outcome::Outcome;
use super::set::Set;
use super::sides::generated;
use crate::istio::Istiod;
use serde_json::Value;

/// What istiod's word begins with when manifests are wrong.
const REFUSES: &str = "istiod refuses: ";
/// Starts of istiod at a time.
const STARTS: usize = 3;

/// The sets that both sides take. Those that one side refuses are noted.
pub async fn judge(sets: Vec<Set>, outcome: &mut Outcome) -> Result<Vec<Set>, String> {
    let (mut taken, mut refused) = (vec![], vec![]);
    for set in sets {
        match generated(&set) {
            Ok(_) => taken.push(set),
            Err(said) => refused.push((set, said)),
        }
    }
    for some in refused.chunks(STARTS) {
        let starts: Vec<_> = some
            .iter()
            .map(|(set, _)| {
                let manifests = set.manifests.clone();
                tokio::spawn(async move { refusal(&manifests).await })
            })
            .collect();
        for ((set, ours), start) in some.iter().zip(starts) {
            match start.await.map_err(|error| error.to_string())?? {
                Some(_) => outcome.refused_by_both += 1,
                None => match ours.iter().find_map(|said| REFUSED.iter().find(|(part, _)| said.contains(part))) {
                    Some((part, _)) => *outcome.meant_refusals.entry(part).or_default() += 1,
                    None => outcome.only_we_refuse.push((ours.join("; "), set.clone())),
                },
            }
        }
    }
    let mut both = vec![];
    let mut groups: Vec<Vec<Set>> = taken.chunks(super::BATCH).map(<[Set]>::to_vec).collect();
    while let Some(mut group) = groups.pop() {
        let manifests: Vec<Value> = group.iter().flat_map(|set| set.manifests.clone()).collect();
        match refusal(&manifests).await? {
            None => both.extend(group),
            Some(said) if group.len() == 1 => outcome.only_istio_refuses.extend(group.pop().map(|set| (said, set))),
            Some(_) => {
                let second = group.split_off(group.len() / 2);
                groups.extend([second, group]);
            }
        }
    }
    both.sort_by(|a, b| a.proxy.cmp(&b.proxy));
    Ok(both)
}

/// What istiod has against manifests. Errors: it does not start.
async fn refusal(manifests: &[Value]) -> Result<Option<String>, String> {
    match Istiod::start(manifests).await {
        Ok(_) => Ok(None),
        Err(said) if said.starts_with(REFUSES) => Ok(Some(said)),
        Err(error) => Err(error),
    }
}
