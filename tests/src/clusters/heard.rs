//! When istiod, and then a proxy, has heard all: nobody has to wait in case there is more to come.
//!
//! istiod hears of each kind by itself, in the order of the file. What it has before it listens to a kind it never hears of
//! (`RegisterBatch` without what is there already), nor of every `WorkloadEntry` that comes while its ServiceEntry is read
//! (`workloadEntryHandler` lists ServiceEntries before it takes the lock). So an istiod that serves is told first what
//! selects, in the order in which it was created, then what is selected, and last of each kind one of ours: they make a
//! service, and a proxy that has its endpoints has all that came before.

use crate::istio::Istiod;
use serde_json::{Value, json};

/// The host of our service.
const HOST: &str = "heard.switchyard.internal";
/// The cluster that comes last, with its endpoint: of a ServiceEntry, a DestinationRule and a `WorkloadEntry`.
const CLUSTER: &str = "outbound|80|heard|heard.switchyard.internal";

/// An istiod that knows manifests, or will before its proxies know our service. Errors: it does not start, or refuses them.
pub async fn told(mesh: &Value, manifests: &[Value]) -> Result<Istiod, String> {
    let istiod = Istiod::start_in(mesh, &[]).await?;
    let [service, workload, rule] = marker();
    let (selected, mut all): (Vec<Value>, Vec<Value>) =
        manifests.iter().cloned().partition(|manifest| manifest["kind"] == "WorkloadEntry");
    // What of DNS_ROUND_ROBIN counts hangs on what was there before (`addInstances`).
    let created = |manifest: &Value| manifest["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
    all.sort_by_cached_key(created);
    all.push(service);
    istiod.apply(&all).await?;
    all.extend(selected);
    all.extend([workload, rule]);
    istiod.apply(&all).await?;
    Ok(istiod)
}

/// Our service.
pub fn marker() -> [Value; 3] {
    let manifest = |kind: &str, spec: Value| {
        json!({"apiVersion": "networking.istio.io/v1", "kind": kind,
            "metadata": {"name": "heard", "namespace": "switchyard-heard"}, "spec": spec})
    };
    let labels = json!({"heard": "all"});
    [
        manifest(
            "ServiceEntry",
            json!({"hosts": [HOST], "exportTo": ["*"], "resolution": "STATIC", "workloadSelector": {"labels": labels},
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}),
        ),
        manifest("WorkloadEntry", json!({"address": "10.255.255.254", "labels": labels})),
        manifest(
            "DestinationRule",
            // Everybody's, wherever it is, whatever the mesh says.
            json!({"host": HOST, "exportTo": ["*"], "subsets": [{"name": "heard", "labels": labels,
                "trafficPolicy": {"loadBalancer": {"localityLbSetting": {"enabled": false}}}}]}),
        ),
    ]
}

/// What a proxy has not heard, by its dump with endpoints.
pub fn missing(dump: &Value) -> Option<String> {
    let of = |kind: &str, part: &str| -> Vec<&Value> {
        let configs = dump["configs"].as_array().into_iter().flatten();
        configs.flat_map(|config| config[kind].as_array().into_iter().flatten()).map(|one| &one[part]).collect()
    };
    let endpoints = of("dynamic_endpoint_configs", "endpoint_config");
    let ours = endpoints.iter().find(|one| one["cluster_name"] == CLUSTER);
    if ours.is_none_or(|ours| ours.pointer("/endpoints/0/lb_endpoints/0").is_none()) {
        return Some("the service that istiod was told last".into());
    }
    let warming = of("dynamic_warming_clusters", "cluster");
    warming.first().map(|cluster| format!("endpoints or secrets of {}", cluster["name"]))
}
