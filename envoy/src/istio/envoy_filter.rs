//! The EnvoyFilter of form (a): what a plugin cannot do by itself.

use super::routes::Routes;
use super::selection::Target;
use super::{Settings, TESTED};
use crate::bootstrap::{deciding_route, fault_by_header, nobody_is_internal, removing};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// What says that a request came through a connection manager that strips: dynamic metadata, which no client can send.
const STRIPPED: (&str, &str) = ("switchyard", "stripped");

/// It applies in one context only: under `ANY`, clients of inbound listeners could steer (istio.md 5.0).
pub fn envoy_filter(
    settings: &Settings,
    target: &Target,
    stripped: &BTreeSet<String>,
    routes: &Routes,
    makes_ids: bool,
) -> Value {
    let context = if target.is_gateway() { "GATEWAY" } else { "SIDECAR_OUTBOUND" };
    let version = format!("^{}\\..*", TESTED.replace('.', "\\."));
    let patch = |apply_to: &str, (field, at): (&str, Value), operation: &str, value: Value| {
        let mut matches = json!({"context": context, "proxy": {"proxyVersion": version}});
        matches[field] = at;
        json!({"applyTo": apply_to, "match": matches, "patch": {"operation": operation, "value": value}})
    };
    let manager = |filter: Value| ("listener", json!({"filterChain": {"filter": filter}}));
    let mut patches = vec![
        patch("HTTP_FILTER", manager(json!({"name": MANAGER})), "INSERT_FIRST", marking()),
        patch(
            "NETWORK_FILTER",
            manager(json!({"name": MANAGER})),
            "MERGE",
            json!({"name": MANAGER, "typed_config": connection_manager(stripped, makes_ids)}),
        ),
        patch(
            "HTTP_FILTER",
            manager(json!({"name": MANAGER, "subFilter": {"name": "envoy.filters.http.fault"}})),
            "MERGE",
            fault_by_header(),
        ),
    ];
    for mut configuration in routes.own.iter().cloned() {
        configuration["vhost"] = json!({});
        let at = ("routeConfiguration", configuration);
        patches.push(patch("HTTP_ROUTE", at, "INSERT_FIRST", route(routes.mirrors)));
    }
    for (configuration, filters, runs) in &routes.running {
        let at = ("routeConfiguration", configuration.clone());
        patches.push(patch("ROUTE_CONFIGURATION", at, "MERGE", running(filters, *runs)));
    }
    let mut spec = json!({"configPatches": patches});
    for (field, value) in target.of_envoy_filter() {
        spec[field] = value;
    }
    json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": super::plugin::metadata(&settings.name, target, settings),
        "spec": spec,
    })
}

/// The route for what the filter decided. A change of routes reaches connections at once, one of a connection manager only
/// those that are made after it: on one that is older nothing is stripped, so its requests must not get here.
fn route(mirrors: usize) -> Value {
    let (filter, key) = STRIPPED;
    let mut route = deciding_route(mirrors);
    route["match"]["dynamic_metadata"] =
        json!([{"filter": filter, "path": [{"key": key}], "value": {"bool_match": true}}]);
    route
}

/// Whether filters run on requests that have a route.
fn running(filters: &BTreeSet<String>, runs: bool) -> Value {
    let mut config = json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig"});
    if runs {
        // This takes the place of what says otherwise, and says nothing: the filter has no configuration of routes. Istio
        // takes no empty one, which would say so in Envoy's words.
        config["is_optional"] = json!(true);
        config["config"] = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"});
    } else {
        config["disabled"] = json!(true);
    }
    json!({"typed_per_filter_config": filters.iter().map(|name| (name.clone(), config.clone())).collect::<serde_json::Map<_, _>>()})
}

/// The filter that marks requests.
fn marking() -> Value {
    let (filter, key) = STRIPPED;
    json!({"name": "switchyard.stripped", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config",
        "metadata": [{"metadata_namespace": filter, "value": {key: true}}],
    }})
}

/// What is merged into Istio's connection manager.
fn connection_manager(stripped: &BTreeSet<String>, makes_ids: bool) -> Value {
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "early_header_mutation_extensions": removing(stripped.iter().map(String::as_str), makes_ids),
    });
    if makes_ids {
        manager["internal_address_config"] = nobody_is_internal();
    }
    manager
}
