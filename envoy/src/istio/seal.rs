//! What a WasmPlugin was generated as, kept as digests beside it, with the EnvoyFilter that it needs: `switchyard check
//! --applied` compares them with what is in force.

use super::embedded::{EMBEDDED, digest, parse};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The annotation that holds a line for the WasmPlugin itself, and one for its EnvoyFilter, as [`EMBEDDED`] has them.
pub const GENERATED: &str = "switchyard.dev/generated";

/// The annotation that holds the `url`: as it is and no digest, so that kustomize can replace both at once.
pub const URL: &str = "switchyard.dev/url";

/// The digest among those of a WasmPlugin that is no field of its `spec`: what [`EMBEDDED`] says.
pub const ACCOUNT: &str = "embedded";

/// A WasmPlugin with its annotations.
pub fn sealed(mut plugin: Value, envoy_filter: Option<&Value>) -> Value {
    let mut digests = of_spec(&plugin["spec"]);
    if let Some(embedded) = plugin["metadata"]["annotations"][EMBEDDED].as_str() {
        digests.insert(ACCOUNT.into(), account(embedded));
    }
    let mut text = line(&plugin, &digests);
    if let Some(filter) = envoy_filter {
        text += &line(filter, &of_spec(&filter["spec"]));
    }
    let url = plugin["spec"]["url"].clone();
    let annotations = &mut plugin["metadata"]["annotations"];
    annotations[GENERATED] = json!(text);
    annotations[URL] = url;
    plugin
}

fn line(resource: &Value, digests: &BTreeMap<String, String>) -> String {
    let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &resource["metadata"];
    let digests: Vec<_> = digests.iter().map(|(field, digest)| format!("{field}={digest}")).collect();
    let (kind, namespace, name) = (field(&resource["kind"]), field(&metadata["namespace"]), field(&metadata["name"]));
    format!("{kind} {namespace}/{name} {}\n", digests.join(" "))
}

/// The digest of each field of a `spec` but the `url`; of a `pluginConfig`, of each of its fields.
pub fn of_spec(spec: &Value) -> BTreeMap<String, String> {
    let mut digests = BTreeMap::new();
    for (field, value) in
        spec.as_object().into_iter().flatten().filter(|(field, value)| *field != "url" && !value.is_null())
    {
        match value {
            Value::Object(fields) if field == "pluginConfig" => {
                let own = fields.iter().filter(|(_, value)| !value.is_null());
                digests.extend(own.map(|(own, value)| (format!("{field}.{own}"), digest(value))));
            }
            value => {
                digests.insert(field.clone(), digest(value));
            }
        }
    }
    digests
}

/// The digest of what [`EMBEDDED`] says.
pub fn account(embedded: &str) -> String {
    let lines = parse(embedded).into_iter().map(|line| json!([line.kind, line.name, line.digests]));
    digest(&lines.collect())
}
