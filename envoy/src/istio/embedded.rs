//! What a configuration embeds of the manifests, kept as digests beside it: `switchyard check --applied` compares them with
//! what is in force.
//!
//! Of a VirtualService every field counts but `tls` and `tcp`, which stay Istio's; of a DestinationRule those that the filter needs: whom it is for, the names of
//! its subsets, and what requests are hashed by. The rest of it stays Istio's, which makes the clusters.

use crate::manifest::{Kind, Manifest, Manifests};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use switchyard_filter::compile::{resolve, resolve_gateway};
use switchyard_filter::document::Document;
use switchyard_filter::draw::Seed;

/// The gateway that stands for sidecars.
const MESH: &str = "mesh";

/// The annotation that holds a line for each: `Kind namespace/name field=digest …`.
pub const EMBEDDED: &str = "switchyard.dev/embedded";

/// The kind of a line for a VirtualService that was there, and of which nothing is embedded, such as for a host that the
/// gateway does not serve; with digests of what decides that.
pub const PASSED: &str = "Passed";

/// One line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `VirtualService`, `DestinationRule`, or [`PASSED`].
    pub kind: String,
    /// `namespace/name`.
    pub name: String,
    /// The digest of each field.
    pub digests: BTreeMap<String, String>,
}

/// The lines of a document.
pub fn lines(manifests: &Manifests, document: &Document) -> Vec<String> {
    let is_embedded = |manifest: &Manifest| {
        document.virtual_services.iter().any(|one| one.name == manifest.name && one.namespace == manifest.namespace)
    };
    let services = manifests.of(Kind::VirtualService).filter(|manifest| is_embedded(manifest));
    let passed = manifests
        .of(Kind::VirtualService)
        .filter(|manifest| !is_embedded(manifest) && is_bound(manifest, &document.proxy.gateways))
        .map(|manifest| written(&format!("{PASSED} {}/{}", manifest.namespace, manifest.name), &passing(manifest)));
    let rules = manifests.of(Kind::DestinationRule).filter(|manifest| is_for_known(manifest, document));
    let mut lines: Vec<_> = services.chain(rules).filter_map(line).chain(passed).collect();
    lines.sort();
    lines
}

/// Whether a VirtualService is bound to one of these gateways.
pub fn is_bound(manifest: &Manifest, gateways: &[String]) -> bool {
    let written = manifest.spec()["gateways"].as_array().cloned().unwrap_or_default();
    let own = written.iter().filter_map(Value::as_str).map(|name| resolve_gateway(name, &manifest.namespace));
    let own: Vec<_> = if written.is_empty() { vec![MESH.to_owned()] } else { own.collect() };
    let is_of = |gateway: &String| own.contains(&resolve_gateway(gateway, &manifest.namespace));
    if gateways.is_empty() { own.iter().any(|one| one == MESH) } else { gateways.iter().any(is_of) }
}

/// Whether a DestinationRule is for a destination of a document.
pub fn is_for_known(manifest: &Manifest, document: &Document) -> bool {
    let spec = manifest.spec();
    let host = resolve(spec["host"].as_str().unwrap_or_default(), &manifest.namespace, &document.domain);
    document.services.iter().any(|service| covers(&host, &service.host))
}

/// Whether a host is another one, or a wildcard over it.
pub fn covers(wide: &str, host: &str) -> bool {
    wide == host || wide.strip_prefix('*').is_some_and(|end| host.ends_with(end))
}

fn line(manifest: &Manifest) -> Option<String> {
    Some(written(&manifest.to_string(), &digests(manifest)?))
}

fn written(what: &str, digests: &BTreeMap<String, String>) -> String {
    digests.iter().fold(what.to_owned(), |line, (field, digest)| format!("{line} {field}={digest}"))
}

/// Reads what [`lines`] wrote; what is no such line is left out.
pub fn parse(text: &str) -> Vec<Line> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (kind, name) = (words.next()?.to_owned(), words.next()?.to_owned());
        let digests =
            words.filter_map(|word| word.split_once('=')).map(|(f, d)| (f.to_owned(), d.to_owned())).collect();
        Some(Line { kind, name, digests })
    };
    text.lines().filter_map(line).collect()
}

/// The digest of each field that counts, as it is written: also of what the filter does not read. `None` for other kinds.
pub fn digests(manifest: &Manifest) -> Option<BTreeMap<String, String>> {
    let spec = manifest.spec();
    let fields = match manifest.kind {
        Kind::VirtualService => with(&spec, |field| !matches!(field, "tls" | "tcp")),
        Kind::DestinationRule => destination_rule(&spec),
        _ => return None,
    };
    Some(digests_of(&fields))
}

/// Those of what decides whether a VirtualService is in force at a proxy.
pub fn passing(manifest: &Manifest) -> BTreeMap<String, String> {
    digests_of(&with(&manifest.spec(), |field| matches!(field, "hosts" | "gateways" | "exportTo")))
}

fn digests_of(fields: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    fields.iter().map(|(field, value)| (field.clone(), digest(value))).collect()
}

/// The digest of a value, the same one for what the API server may make of it: it sorts fields, may leave out those
/// without a value, and keeps numbers as doubles.
pub fn digest(value: &Value) -> String {
    format!("{:016x}", Seed::new("").digest(normal(value).to_string().as_bytes()).0)
}

fn normal(value: &Value) -> Value {
    /// Above it not every whole number is a double.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().filter(|(_, value)| !is_nothing(value)).collect();
            fields.into_iter().map(|(key, value)| (key.clone(), normal(value))).collect()
        }
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "it is a whole number that is small enough")]
            Some(double) if double.fract() == 0.0 && double.abs() <= WHOLE => json!(double as i64),
            _ => value.clone(),
        },
        value => value.clone(),
    }
}

/// Whether a field without it means the same; an empty object can mean something (a header that is present).
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

fn with(spec: &Value, counts: impl Fn(&str) -> bool) -> BTreeMap<String, Value> {
    let fields = spec.as_object().into_iter().flatten();
    let counting = fields.filter(|(field, value)| counts(field) && !is_nothing(value));
    counting.map(|(field, value)| (field.clone(), value.clone())).collect()
}

/// What the filter needs of a DestinationRule.
fn destination_rule(spec: &Value) -> BTreeMap<String, Value> {
    let mut fields = with(spec, |field| matches!(field, "host" | "exportTo" | "workloadSelector"));
    let hash = hashed(&spec["trafficPolicy"]);
    let subset = |subset: &Value| json!({"name": subset["name"], "trafficPolicy": hashed(&subset["trafficPolicy"])});
    let subsets: Value = spec["subsets"].as_array().into_iter().flatten().map(subset).collect();
    for (field, value) in [("trafficPolicy", hash), ("subsets", subsets)] {
        if !is_nothing(&value) {
            fields.insert(field.into(), value);
        }
    }
    fields
}

/// By what a policy has requests hashed; nothing where by nothing.
pub fn hashed(policy: &Value) -> Value {
    let hash = |policy: &Value| policy["loadBalancer"]["consistentHash"].clone();
    let ports = policy["portLevelSettings"].as_array().into_iter().flatten().filter(|port| !hash(port).is_null());
    let ports: Vec<_> = ports.map(|port| json!({"port": port["port"], "consistentHash": hash(port)})).collect();
    if hash(policy).is_null() && ports.is_empty() {
        return Value::Null;
    }
    json!({"consistentHash": hash(policy), "portLevelSettings": ports})
}
