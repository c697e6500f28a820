//! Which sets each side takes: refusing is part of the meaning too.

use super::explained::REFUSED;
use super::outcome::Outcome;
use super::set::Set;
use super::sides::generated;
use crate::istio::Istiod;
use serde_json::Value;

/// What istiod's word begins with when manifests are wrong.
const REFUSES: &str = "istiod refuses: ";

/// Sets that istiod is asked about together.
const TOGETHER: usize = 50;

/// The sets that both sides take. Those that one side refuses are noted.
pub async fn judge(sets: Vec<Set>, outcome: &mut Outcome) -> Result<Vec<Set>, String> {
    let (mut taken, mut refused) = (vec![], vec![]);
    for set in sets {
        match generated(&set) {
            Ok(_) => taken.push(set),
            Err(said) => refused.push((set, said)),
        }
    }
    // One istiod for all: what it refuses changes nothing in it.
    let istiod = Istiod::start(&[]).await?;
    for (set, ours) in &refused {
        match refusal(&istiod, &set.manifests).await? {
            Some(_) => outcome.refused_by_both += 1,
            None => match ours.iter().find_map(|said| REFUSED.iter().find(|(part, _)| said.contains(part))) {
                Some((part, _)) => *outcome.meant_refusals.entry(part).or_default() += 1,
                None => outcome.only_we_refuse.push((ours.join("; "), set.clone())),
            },
        }
    }
    let mut both = vec![];
    let mut groups: Vec<Vec<Set>> = taken.chunks(TOGETHER).map(<[Set]>::to_vec).collect();
    while let Some(mut group) = groups.pop() {
        let manifests: Vec<Value> = group.iter().flat_map(|set| set.manifests.clone()).collect();
        match refusal(&istiod, &manifests).await? {
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

/// What istiod has against manifests. Errors: it does not read them.
async fn refusal(istiod: &Istiod, manifests: &[Value]) -> Result<Option<String>, String> {
    match istiod.apply(manifests).await {
        Ok(_) => Ok(None),
        Err(said) if said.starts_with(REFUSES) => Ok(Some(said)),
        Err(error) => Err(error),
    }
}
