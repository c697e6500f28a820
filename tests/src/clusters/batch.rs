//! Several sets, judged together.

use super::compare::{differences, normal_istio};
use super::dump::Dumped;
use super::heard::{self, told};
use super::proxy::Proxy;
use super::secrets::Secrets;
use super::set::Set;
use super::sides::{Clusters, ours};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long it may take until a proxy has heard all, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

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

/// Judges sets, whose hosts are their own. Errors: a side does not start, a proxy does not hear all.
pub async fn judge(sets: &[Set]) -> Result<Vec<Found>, String> {
    let manifests: Vec<Value> = sets.iter().flat_map(|set| set.manifests.clone()).collect();
    let mesh = sets.first().map_or(&Value::Null, |set| &set.mesh);
    let (istiod, ours) = tokio::join!(told(mesh, &manifests), ours(sets));
    let (istiod, ours) = (istiod?, ours?);
    let proxies: BTreeSet<&Proxy> = sets.iter().map(|set| &set.proxy).collect();
    let certs = &sets.first().ok_or("no set")?.certs;
    let secrets = Secrets::start(certs).await?;
    let names: BTreeSet<String> = sets.iter().flat_map(Set::hosts).collect();
    let mut started = vec![];
    for proxy in proxies {
        started.push((proxy, Dumped::start(&proxy.bootstrap(istiod.grpc(), secrets.address()), &names)?));
    }
    let mut all: Vec<Found> = vec![Found::default(); sets.len()];
    for (proxy, mut envoy) in started {
        let istio = normal_istio(&settled(&mut envoy).await?);
        for (set, found) in sets.iter().zip(&mut all).filter(|(set, _)| set.proxy == *proxy) {
            *found = compare(set, &ours, &istio);
            let said = envoy.log();
            if !found.differences.is_empty() && !said.is_empty() {
                found.differences.push(said);
            }
        }
    }
    Ok(all)
}

/// What a proxy has when it has heard all that istiod was told: nothing changes it any more.
pub(super) async fn settled(envoy: &mut Dumped) -> Result<Value, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let dump = envoy.dump().await?;
        match heard::missing(&dump) {
            None => return Ok(dump),
            Some(missing) if Instant::now() > deadline => {
                return Err(format!("a proxy of istiod lacks {missing} after {PATIENCE:?}\n{}", envoy.log()));
            }
            Some(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Compares the clusters of a set's hosts.
pub(super) fn compare(set: &Set, ours: &Clusters, istio: &Clusters) -> Found {
    let hosts = set.hosts();
    let own = |clusters: &Clusters| -> Clusters {
        let is_own = |name: &String| name.rsplit('|').next().is_some_and(|host| hosts.contains(host));
        clusters.iter().filter(|(name, _)| is_own(name)).map(|(name, one)| (name.clone(), one.clone())).collect()
    };
    let (ours, istio) = (own(ours), own(istio));
    let mut found = Found { clusters: ours.len(), ..Found::default() };
    differences(set, &ours, &istio, &mut found);
    found
}
