//! Whether an Envoy has all that istiod was told.

use super::exchange::{VERSION, at};
use super::proxy::Proxy;
use crate::harness::Admin;
use serde_json::Value;

/// What a proxy still lacks of the manifests of this version (see [`super::istiod::revealing`]): listeners, routes of that
/// version, endpoints. Errors: no answer of Envoy.
pub(crate) async fn missing(admin: Admin, proxy: &Proxy, version: &str) -> Result<Option<String>, String> {
    let listeners = admin.get("/listeners?format=json").await?.json()?;
    let has = |port: u16| {
        let known = listeners["listener_statuses"].as_array().into_iter().flatten();
        let mut ports = known.map(|one| &one["local_address"]["socket_address"]["port_value"]);
        ports.any(|known| known.as_u64() == Some(port.into()))
    };
    for port in proxy.ports() {
        if !has(proxy.address(port)?.port()) {
            return Ok(Some(format!("a listener for port {port}")));
        }
    }
    let tables = dump(admin, "dynamic_route_configs").await?;
    let tables = tables["configs"].as_array().map(Vec::as_slice).unwrap_or_default();
    if tables.is_empty() && proxy.ports().next().is_some() {
        return Ok(Some("routes".into()));
    }
    if let Some(table) = tables.iter().find(|table| revision(table) != Some(version)) {
        return Ok(Some(format!("version {version} of the routes `{}`", table["route_config"]["name"])));
    }
    let warming = dump(admin, "dynamic_warming_clusters").await?;
    let warming = warming["configs"].as_array().and_then(|clusters| clusters.first());
    Ok(warming.map(|cluster| format!("endpoints of {}", cluster["cluster"]["name"])))
}

/// A resource of `/config_dump`.
pub(crate) async fn dump(admin: Admin, resource: &str) -> Result<Value, String> {
    admin.get(&format!("/config_dump?resource={resource}")).await?.json()
}

/// Which manifests a route table is of.
pub(crate) fn revision(table: &Value) -> Option<&str> {
    let headers = table["route_config"]["response_headers_to_add"].as_array()?;
    let ours = headers.iter().find(|one| at(one, &["header", "key"]) == Some(VERSION))?;
    at(ours, &["header", "value"])
}
