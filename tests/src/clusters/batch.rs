//! Several sets, judged together.

use super::compare::{differences, normal_istio};
use super::dump::Dumped;
use super::proxy::Proxy;
use super::secrets::Secrets;
use super::set::Set;
use super::sides::{Clusters, ours};
use crate::istio::Istiod;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long clusters and endpoints may take to reach all proxies after the first of them has some. Only what differs takes
/// as long.
const PATIENCE: Duration = Duration::from_secs(40);

/// What became of a set.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// How many clusters were compared.
    pub clusters: usize,
    /// What of the clusters is explained, each with how often.
    pub explained: BTreeMap<&'static str, usize>,
    /// What differs.
    pub differences: Vec<String>,
}

/// Judges sets, whose hosts are their own. Errors: a side does not start.
pub async fn judge(sets: &[Set]) -> Result<Vec<Found>, String> {
    let manifests: Vec<Value> = sets.iter().flat_map(|set| set.manifests.clone()).collect();
    let mesh = sets.first().map_or(&Value::Null, |set| &set.mesh);
    let (istiod, ours) = tokio::join!(told(mesh, &manifests), ours(sets));
    let (istiod, ours) = (istiod?, ours?);
    let proxies: BTreeSet<&Proxy> = sets.iter().map(|set| &set.proxy).collect();
    let certs = &sets.first().ok_or("no set")?.certs;
    let secrets = Secrets::start(certs).await?;
    let mut started = vec![];
    for proxy in proxies {
        started.push((proxy, Dumped::start(&proxy.bootstrap(istiod.grpc(), secrets.address()))?));
    }
    let mut all: Vec<Found> = vec![Found::default(); sets.len()];
    let mut first: Option<Instant> = None;
    for (proxy, mut envoy) in started {
        loop {
            let istio = normal_istio(&envoy.dump().await?);
            let mut is_equal = true;
            for (set, found) in sets.iter().zip(&mut all).filter(|(set, _)| set.proxy == *proxy) {
                *found = compare(set, &ours, &istio);
                is_equal &= found.differences.is_empty();
            }
            if !istio.is_empty() {
                first.get_or_insert_with(Instant::now);
            }
            if is_equal || first.is_some_and(|first| first.elapsed() > PATIENCE) {
                let said = envoy.log();
                for found in all.iter_mut().filter(|found| !found.differences.is_empty() && !said.is_empty()) {
                    found.differences.push(said.clone());
                }
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    Ok(all)
}

/// An istiod that knows manifests. Those that ServiceEntries select come second: events of a kind that it reads before it
/// listens to that kind it never hears of, and of every second start all `WorkloadEntries` are missing for ever.
async fn told(mesh: &Value, manifests: &[Value]) -> Result<Istiod, String> {
    let (second, first): (Vec<Value>, Vec<Value>) =
        manifests.iter().cloned().partition(|manifest| manifest["kind"] == "WorkloadEntry");
    let istiod = Istiod::start_in(mesh, &first).await?;
    if !second.is_empty() {
        istiod.apply(manifests).await?;
    }
    Ok(istiod)
}

/// Compares the clusters of a set's hosts.
fn compare(set: &Set, ours: &Clusters, istio: &Clusters) -> Found {
    let hosts: BTreeSet<String> = set
        .manifests
        .iter()
        .flat_map(|manifest| manifest["spec"]["hosts"].as_array().into_iter().flatten())
        .filter_map(|host| host.as_str().map(str::to_owned))
        .collect();
    let own = |clusters: &Clusters| -> Clusters {
        let is_own = |name: &String| name.rsplit('|').next().is_some_and(|host| hosts.contains(host));
        clusters.iter().filter(|(name, _)| is_own(name)).map(|(name, one)| (name.clone(), one.clone())).collect()
    };
    let (ours, istio) = (own(ours), own(istio));
    let mut found = Found { clusters: ours.len(), ..Found::default() };
    differences(set, &ours, &istio, &mut found);
    found
}
