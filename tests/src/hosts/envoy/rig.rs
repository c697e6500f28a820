//! The bootstrap of all cases: what the generator writes, put together.

use crate::case::CaseFile;
use crate::case::translate::bootstrap;
use crate::harness::Envoy;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use switchyard_filter::headers::{CLUSTER, ROUTER_HINTS};

/// What the names of the test's own headers begin with.
pub const SEEN: &str = "x-seen-";

/// Added behind the router: the cluster that a request, or a mirror's copy of it, arrives at.
pub const ARRIVED: &str = "x-arrived-at";

/// Headers that are copied before the router consumes or removes them.
pub const CONSUMED: [&str; 19] = {
    let mut all = [CLUSTER; 19];
    let mut at = 0;
    while at < ROUTER_HINTS.len() {
        all[at + 1] = ROUTER_HINTS[at];
        at += 1;
    }
    all[12] = "x-envoy-fault-abort-grpc-request";
    all[13] = "x-envoy-fault-abort-request";
    all[14] = "x-envoy-fault-abort-request-percentage";
    all[15] = "x-envoy-fault-delay-request";
    all[16] = "x-envoy-fault-delay-request-percentage";
    all[17] = "x-envoy-fault-throughput-response";
    all[18] = "x-envoy-fault-throughput-response-percentage";
    all
};

/// So many plugins share a VM; each VM costs Envoy some memory and a start.
const PLUGINS_PER_VM: usize = 25;

/// Listeners and clusters so far.
pub struct Rig {
    wasm: PathBuf,
    upstream: SocketAddr,
    listeners: Vec<Value>,
    clusters: BTreeMap<String, Value>,
}

impl Rig {
    /// None yet. `upstream` is behind every cluster.
    pub fn new(wasm: &Path, upstream: SocketAddr) -> Self {
        let mut rig = Self { wasm: wasm.into(), upstream, listeners: Vec::new(), clusters: BTreeMap::new() };
        rig.cluster("fallback");
        rig
    }

    /// Adds the listener of a case. Errors: the generator refuses it, or writes something else than is known here.
    pub fn add(&mut self, case: &CaseFile) -> Result<(), String> {
        let (mut listener, clusters) = bootstrap(&case.lowered.name, &case.manifests, &case.spec.proxy, &self.wasm)?;
        listener["name"] = json!(case.lowered.name);
        listener["address"]["socket_address"] = json!({"address": "127.0.0.1", "port_value": 0});
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        manager["access_log"] = json!([]);
        if case.lowered.requests.iter().any(|request| request.has_source_address) {
            manager["xff_num_trusted_hops"] = json!(1);
        }
        let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().ok_or("no routes")?;
        let unmatched = routes.iter_mut().find(|route| route["name"] == "unmatched").ok_or("no route `unmatched`")?;
        *unmatched = json!({"name": "unmatched", "match": {"prefix": ""}, "route": {"cluster": "fallback"}});
        let filters = manager["http_filters"].as_array_mut().ok_or("no http_filters")?;
        let ours = filters.iter().position(|filter| filter["name"] == "switchyard").ok_or("no filter `switchyard`")?;
        let config = &mut filters[ours]["typed_config"]["config"];
        config["name"] = json!(case.lowered.name);
        config["vm_config"]["vm_id"] = json!(format!("vm-{}", self.listeners.len() / PLUGINS_PER_VM));
        filters.insert(ours + 1, revealing());
        self.listeners.push(listener);
        for name in clusters {
            self.cluster(&name);
        }
        Ok(())
    }

    fn cluster(&mut self, name: &str) {
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": self.upstream.port()}});
        let assignment =
            json!({"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]});
        let cluster = json!({"name": name, "type": "STATIC", "load_assignment": assignment, "typed_extension_protocol_options": http_filters(name)});
        self.clusters.insert(name.into(), cluster);
    }

    /// All of it.
    pub fn bootstrap(&self) -> Value {
        json!({
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
            "static_resources": {"listeners": self.listeners, "clusters": self.clusters.values().collect::<Vec<_>>()},
        })
    }

    /// A bootstrap with this plugin configuration alone, as a person would write it around it.
    pub fn plain(&self, document: &Value) -> Value {
        let code = json!({"local": {"filename": self.wasm}});
        let wasm = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": code},
                "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": document.to_string()},
            },
        });
        let router = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"});
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "plain",
            "http_filters": [{"name": "switchyard", "typed_config": wasm}, {"name": "router", "typed_config": router}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes":
                [{"match": {"prefix": ""}, "direct_response": {"status": 404}}]}]},
        });
        json!({"static_resources": {"listeners": [{
            "name": "plain",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        }]}})
    }
}

/// A cluster's filters, which tell the upstream at which one a request arrives.
pub fn http_filters(cluster: &str) -> Value {
    let mutation = json!({"append": {"header": {"key": ARRIVED, "value": cluster}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}});
    let arrived = json!({"name": "arrived", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": [mutation]},
    }});
    let codec = json!({"name": "codec", "typed_config":
        {"@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"}});
    json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
        "http_filters": [arrived, codec],
    }})
}

/// Behind our filter: copies what the router will take away, and tells the client what the filter told the access log.
pub fn revealing() -> Value {
    let set = |name: String, value: String| json!({"append": {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}});
    let request: Vec<Value> =
        CONSUMED.iter().map(|name| set(format!("{SEEN}{name}"), format!("%REQ({name})%"))).collect();
    let state = |name: &str| format!("%FILTER_STATE(wasm.switchyard_{name}:PLAIN)%");
    let response: Vec<Value> = [
        ("rule", state("rule")),
        ("tags", state("tags")),
        ("cluster", state("cluster")),
        ("fault", state("fault")),
        ("upstream", "%UPSTREAM_CLUSTER_RAW%".to_owned()),
        ("details", "%RESPONSE_CODE_DETAILS%".to_owned()),
        // As the router leaves them.
        ("path", "%REQ(:PATH)%".to_owned()),
        ("authority", "%REQ(:AUTHORITY)%".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| set(format!("{SEEN}{name}"), value))
    .collect();
    json!({"name": "revealing", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": request, "response_mutations": response},
    }})
}

/// Where each listener listens.
pub async fn ports(envoy: &Envoy) -> Result<BTreeMap<String, SocketAddr>, String> {
    let said = envoy.admin_get("/listeners?format=json").await?.json()?;
    let listeners = said["listener_statuses"].as_array().ok_or("no listeners")?;
    let one = |listener: &Value| {
        let port = u16::try_from(listener["local_address"]["socket_address"]["port_value"].as_u64()?).ok()?;
        Some((listener["name"].as_str()?.to_owned(), SocketAddr::from(([127, 0, 0, 1], port))))
    };
    Ok(listeners.iter().filter_map(one).collect())
}
