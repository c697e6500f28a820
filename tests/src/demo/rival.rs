//! The listener that does the same the usual way: what istiod writes for the VirtualService, and the tutorial's script
//! for the tags (istio.md 7.4).

use serde_json::{Value, json};

/// Tags 30 % of the requests `internal`, the others `external`, by a random number and with `add`, as the tutorial does.
const SCRIPT: &str = r#"
function envoy_on_request(handle)
  math.randomseed(os.clock() * 100000000000)
  if math.random(1, 100) <= 30 then
    handle:headers():add("USER-TYPE", "internal")
  else
    handle:headers():add("USER-TYPE", "external")
  end
end
"#;

/// A listener like this one of ours, with the script in place of our filter and native routes in place of ours. The rest
/// is the same, its access log too, so that the two can be compared. Errors: `ours` is not built as expected.
pub fn listener(ours: &Value, port: u16, weights: [u8; 2], record: &str) -> Result<Value, String> {
    let mut listener = ours.clone();
    listener["name"] = json!("usual");
    set(&mut listener, "/address/socket_address/port_value", json!(port))?;
    let filters = listener["filter_chains"][0]["filters"].as_array_mut().ok_or("no filters in our listener")?;
    let manager = filters.iter_mut().find_map(|filter| {
        let manager = filter.get_mut("typed_config")?;
        manager["@type"].as_str()?.ends_with("HttpConnectionManager").then_some(manager)
    });
    let manager = manager.ok_or("no connection manager in our listener")?;
    set(manager, "/stat_prefix", json!("usual"))?;
    set(manager, "/access_log/0/typed_config/path", json!(record))?;
    let fields = manager.as_object_mut().ok_or("a connection manager without fields")?;
    fields.remove("early_header_mutation_extensions");
    fields.insert("route_config".into(), routes(weights));
    fields.insert("http_filters".into(), filters_of_rival());
    Ok(listener)
}

fn set(value: &mut Value, pointer: &str, to: Value) -> Result<(), String> {
    let place = value.pointer_mut(pointer).ok_or_else(|| format!("no `{pointer}` in our listener"))?;
    *place = to;
    Ok(())
}

fn filters_of_rival() -> Value {
    json!([
        {"name": "envoy.filters.http.lua", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": SCRIPT}}},
        {"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
    ])
}

/// The rules of `manifests/demo/virtual-service.yaml`, with Istio's default retries (istio.md 1.12).
fn routes(weights: [u8; 2]) -> Value {
    let cluster = |version: &str| format!("outbound|3000|{version}|catalogdetail.workshop.svc.cluster.local");
    let action = |mut action: Value| {
        action["timeout"] = json!("0s");
        action["retry_policy"] = json!({
            "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
            "num_retries": 2, "host_selection_retry_max_attempts": "5",
            "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type":
                "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}],
        });
        action
    };
    let pinned = |version: &str| {
        json!({"name": format!("path-{version}"), "match": {"path": format!("/{version}/catalogDetail"), "case_sensitive": true},
            "route": action(json!({"cluster": cluster(version), "prefix_rewrite": "/catalogDetail"}))})
    };
    let share = |version: &str, weight: u8| json!({"name": cluster(version), "weight": weight});
    let is_internal = json!([{"name": "user-type", "string_match": {"exact": "internal"}}]);
    json!({"name": "usual", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
        pinned("v1"),
        pinned("v2"),
        {"name": "internal", "match": {"prefix": "/", "headers": is_internal},
            "route": action(json!({"cluster": cluster("v2")}))},
        {"name": "rest", "match": {"prefix": "/"}, "route": action(json!({"weighted_clusters":
            {"clusters": [share("v1", weights[0]), share("v2", weights[1])]}}))},
    ]}]})
}
