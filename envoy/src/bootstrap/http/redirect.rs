//! `httpsRedirect`: 301 to HTTPS before anything is decided, as Istio answers it (istio.md 3).
//!
//! Envoy answers when it looks for the route, which is after the filters: a policy would decide, count and delay what is
//! then sent elsewhere. Our filter is therefore off where nothing else is said, and on in every virtual host: of a
//! request that is sent to HTTPS Envoy takes no virtual host's settings.

use super::super::typed;
use super::{decided_route, unmatched_route};
use crate::translate::Listener;
use serde_json::{Value, json};

/// The filter's name in the chain.
pub const FILTER: &str = "switchyard";

/// Our filter, off by itself where hosts are redirected.
pub fn filter(listener: &Listener<'_>, mut filter: Value) -> Value {
    if let Value::Object(fields) = &mut filter
        && !listener.redirected.is_empty()
    {
        fields.insert("disabled".into(), true.into());
    }
    filter
}

/// The routes of a listener: the same two for every host.
pub fn route_config(listener: &Listener<'_>) -> Value {
    let virtual_host = |name: &str, domains: Vec<&str>| {
        json!({
            "name": name,
            "domains": domains,
            "include_request_attempt_count": true,
            "routes": [decided_route(listener), unmatched_route()],
        })
    };
    let redirected = &listener.redirected;
    if redirected.is_empty() {
        return json!({"name": listener.name, "virtual_hosts": [virtual_host("all", vec!["*"])]});
    }
    let mut secure = virtual_host("https", redirected.iter().map(String::as_str).collect());
    secure["require_tls"] = "ALL".into();
    let mut virtual_hosts = vec![secure];
    let mut open: Vec<&str> = listener.opened.iter().map(String::as_str).collect();
    if !redirected.contains("*") {
        open.push("*");
    }
    if !open.is_empty() {
        virtual_hosts.push(virtual_host("all", open));
    }
    let on = typed("envoy.config.route.v3.FilterConfig", json!({"config": {}}));
    json!({
        "name": listener.name,
        "virtual_hosts": virtual_hosts.into_iter().map(|mut one| {
            one["typed_per_filter_config"] = json!({FILTER: on});
            one
        }).collect::<Value>(),
        // As everywhere: a port in the request's host is no part of its name.
        "ignore_port_in_host_matching": true,
    })
}
