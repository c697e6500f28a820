//! Sets with Services, Pods and Nodes of Kubernetes, judged by an istiod on an API server.

use super::batch::{Found, compare, settled};
use super::compare::normal_istio;
use super::dump::Dumped;
use super::heard::marker;
use super::secrets::Secrets;
use super::set::Set;
use super::sides::ours;
use crate::chain::Chain;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long istiod may take until it has read everything: each kind by itself, 1 s alone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Judges a set, whose manifests are gone from the API server afterwards. What differs is looked at again for a while: what
/// istiod has of one kind says nothing of another. Errors: a side does not start, the API server refuses a manifest.
pub async fn judge_on(chain: &Chain, set: &Set) -> Result<Found, String> {
    let all = applied(chain, set).await?;
    let found = judged(chain, set).await;
    let text: Vec<String> = all.iter().map(Value::to_string).collect();
    let gone = chain.delete(&text.join("\n---\n")).await;
    let found = found?;
    gone?;
    Ok(found)
}

/// Applies a set and what tells that istiod has heard of it; all but the namespaces.
async fn applied(chain: &Chain, set: &Set) -> Result<Vec<Value>, String> {
    let mut all: Vec<Value> = set.manifests.iter().chain(&marker()).cloned().collect();
    for manifest in &mut all {
        if let Some(metadata) = manifest["metadata"].as_object_mut() {
            // The API server's.
            for field in ["uid", "resourceVersion", "generation", "ownerReferences"] {
                metadata.remove(field);
            }
        }
    }
    // A slice that comes before its pods is read again only when these get addresses, from a kubelet.
    all.sort_by_key(|manifest| !matches!(manifest["kind"].as_str(), Some("Node" | "Pod")));
    let namespaces: BTreeSet<&str> = all
        .iter()
        .filter_map(|manifest| manifest["metadata"]["namespace"].as_str())
        .chain([set.proxy.namespace.as_str()])
        .filter(|name| *name != crate::istio::ROOT)
        .collect();
    let namespaces: Vec<Value> = namespaces
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .collect();
    chain.apply_all(&namespaces).await?;
    chain.apply_all(&all).await?;
    Ok(all)
}

async fn judged(chain: &Chain, set: &Set) -> Result<Found, String> {
    let names = set.hosts();
    let secrets = Secrets::start(&set.certs).await?;
    let ours = ours(std::slice::from_ref(set)).await?;
    let mut envoy = Dumped::start(&set.proxy.bootstrap(chain.istiod().grpc(), secrets.address()), &names)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let istio = normal_istio(&settled(&mut envoy).await?);
        let found = compare(set, &ours, &istio);
        if found.differences.is_empty() || Instant::now() > deadline {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
