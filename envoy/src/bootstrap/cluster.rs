//! Clusters: one for each known host, port and subset, routed to or not, as istiod makes them (istio.md 2.0).

use super::typed;
use crate::manifest::LoadBalancer;
use crate::translate::{Endpoint, Known, KnownPort, KnownSubset, Model, Resolve};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Istio has no limit where a DestinationRule sets none (istio.md 2.2).
const NO_LIMIT: u32 = u32::MAX;

/// Every cluster, by host, port and subset.
pub fn clusters(model: &Model<'_>) -> Value {
    let mut all = vec![];
    for known in model.services().values() {
        for port in &known.ports {
            let subsets = std::iter::once(None).chain(known.subsets.iter().map(Some));
            all.extend(subsets.filter_map(|subset| cluster(known, *port, subset)));
        }
    }
    all.into()
}

fn cluster(known: &Known, port: KnownPort, subset: Option<&KnownSubset>) -> Option<Value> {
    let endpoints: Vec<_> = known.endpoints_of(subset).collect();
    // istio.md 2.0: no cluster where there is no name to resolve; with fixed addresses there is one, without hosts.
    if endpoints.is_empty() && known.resolve != Resolve::Static {
        return None;
    }
    let subset_of = subset;
    let subset = subset.map_or("", |subset| subset.name.as_str());
    let name = format!("outbound|{}|{subset}|{}", port.number, known.host);
    let mut cluster = json!({
        "name": name,
        "connect_timeout": "10s",
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [{
            "max_connections": NO_LIMIT,
            "max_pending_requests": NO_LIMIT,
            "max_requests": NO_LIMIT,
            "max_retries": NO_LIMIT,
        }]},
        "load_assignment": {"cluster_name": name, "endpoints": localities(&endpoints, port.number)},
    });
    if let Value::Object(fields) = &mut cluster {
        match known.resolve {
            Resolve::Static => fields.insert("type".into(), "STATIC".into()),
            Resolve::Dns => fields.insert("cluster_type".into(), dns(false)),
            Resolve::DnsRoundRobin => fields.insert("cluster_type".into(), dns(true)),
        };
        hashing(known.load_balancer(subset_of, port.number), fields);
        if port.http2 {
            let options = json!({"explicit_http_config": {"http2_protocol_options": {}}});
            let message = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
            fields.insert("typed_extension_protocol_options".into(), json!({message: typed(message, options)}));
        }
    }
    Some(cluster)
}

/// How an endpoint is chosen by a hash: on a ring of 1024 places, if nothing else is written (istio.md 2.4).
fn hashing(load_balancer: Option<&LoadBalancer>, cluster: &mut Map<String, Value>) {
    let Some(hash) = load_balancer.and_then(|load_balancer| load_balancer.consistent_hash.as_ref()) else { return };
    let (policy, field, config) = match (&hash.maglev, &hash.ring_hash) {
        (Some(maglev), _) => {
            let size = maglev.table_size.filter(|size| *size != 0);
            ("MAGLEV", "maglev_lb_config", size.map(|size| json!({"table_size": size})))
        }
        (None, ring) => {
            let size = match ring {
                Some(ring) => ring.minimum_ring_size.filter(|size| *size != 0),
                None => Some(hash.minimum_ring_size.filter(|size| *size != 0).unwrap_or(1024)),
            };
            ("RING_HASH", "ring_hash_lb_config", size.map(|size| json!({"minimum_ring_size": size})))
        }
    };
    cluster.insert("lb_policy".into(), policy.into());
    if let Some(config) = config {
        cluster.insert(field.into(), config);
    }
}

/// Names, resolved as Istio has them resolved (istio.md 2.0). What was `STRICT_DNS` and `LOGICAL_DNS`: those types' own
/// settings are deprecated. `single`: all addresses are one endpoint.
fn dns(single: bool) -> Value {
    let mut settings = json!({
        "dns_lookup_family": "V4_PREFERRED",
        "dns_refresh_rate": "60s",
        "respect_dns_ttl": true,
    });
    if let Value::Object(fields) = &mut settings
        && single
    {
        fields.insert("all_addresses_in_single_endpoint".into(), true.into());
    }
    json!({"name": "envoy.cluster.dns", "typed_config": typed("envoy.extensions.clusters.dns.v3.DnsCluster", settings)})
}

/// Endpoints by where they are, in order of the name.
fn localities(endpoints: &[&Endpoint], port: u16) -> Value {
    let mut by_locality: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for endpoint in endpoints {
        by_locality.entry(&endpoint.locality).or_default().push(host(endpoint, port));
    }
    by_locality
        .into_iter()
        .map(|(name, hosts)| {
            let mut locality = json!({"lb_endpoints": hosts});
            let parts =
                ["region", "zone", "sub_zone"].into_iter().zip(name.split('/')).filter(|(_, part)| !part.is_empty());
            let parts: Map<_, _> = parts.map(|(key, part)| (key.to_owned(), part.into())).collect();
            if let Value::Object(fields) = &mut locality
                && !parts.is_empty()
            {
                fields.insert("locality".into(), parts.into());
            }
            locality
        })
        .collect()
}

fn host(endpoint: &Endpoint, port: u16) -> Value {
    let port = endpoint.ports.get(&port).copied().unwrap_or(port);
    let address = json!({"socket_address": {"address": endpoint.address, "port_value": port}});
    let mut host = json!({"endpoint": {"address": address}});
    if let Value::Object(fields) = &mut host
        && endpoint.weight != 1
    {
        fields.insert("load_balancing_weight".into(), endpoint.weight.into());
    }
    host
}
