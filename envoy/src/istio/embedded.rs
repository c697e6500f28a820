//! What a configuration embeds of the manifests, kept as digests beside it: `switchyard check --applied` compares them with
//! what is in force.
//!
//! Of a VirtualService every field counts; of a DestinationRule those that the filter needs: whom it is for, the names of
//! its subsets, and what requests are hashed by. The rest of it stays Istio's, which makes the clusters.

use crate::manifest::{DestinationRule, Kind, Manifest, Manifests};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use switchyard_filter::compile::resolve;
use switchyard_filter::document::{Document, VirtualService};
use switchyard_filter::draw::Seed;
use switchyard_filter::read::read_on;

/// The annotation that holds a line for each: `Kind namespace/name field=digest …`.
pub const EMBEDDED: &str = "switchyard.dev/embedded";

/// One line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `VirtualService` or `DestinationRule`.
    pub kind: String,
    /// `namespace/name`.
    pub name: String,
    /// The digest of each field.
    pub digests: BTreeMap<String, String>,
}

/// The lines of a document.
pub fn lines(manifests: &Manifests, document: &Document) -> Vec<String> {
    let services = manifests.of(Kind::VirtualService).filter(|manifest| {
        document.virtual_services.iter().any(|one| one.name == manifest.name && one.namespace == manifest.namespace)
    });
    let is_known = |manifest: &&Manifest| {
        let host = manifest.node.get("spec").and_then(|spec| spec.get("host")).and_then(crate::yaml::Node::as_str);
        let host = resolve(host.unwrap_or_default(), &manifest.namespace, &document.domain);
        let covers = |known: &str| known == host || host.strip_prefix('*').is_some_and(|end| known.ends_with(end));
        document.services.iter().any(|service| covers(&service.host))
    };
    let rules = manifests.of(Kind::DestinationRule).filter(is_known);
    let mut lines: Vec<_> = services.chain(rules).filter_map(line).collect();
    lines.sort();
    lines
}

fn line(manifest: &Manifest) -> Option<String> {
    let digests = digests(manifest)?;
    let fields: Vec<_> = digests.iter().map(|(field, digest)| format!("{field}={digest}")).collect();
    Some(format!("{manifest} {}", fields.join(" ")))
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

/// The digest of each field that counts; `None` for what cannot be read.
pub fn digests(manifest: &Manifest) -> Option<BTreeMap<String, String>> {
    let fields = match manifest.kind {
        Kind::VirtualService => virtual_service(manifest)?,
        Kind::DestinationRule => destination_rule(manifest)?,
        _ => return None,
    };
    let digest = |value: &Value| format!("{:016x}", Seed::new("").digest(value.to_string().as_bytes()).0);
    Some(fields.iter().map(|(field, value)| (field.clone(), digest(value))).collect())
}

/// A VirtualService's fields, without those that say what is so anyway.
pub fn virtual_service(manifest: &Manifest) -> Option<BTreeMap<String, Value>> {
    let mut spec = manifest.spec();
    spec.as_object_mut()?.insert("name".into(), json!(manifest.name));
    let (read, _) = read_on::<VirtualService>(&spec);
    Some(fields(&serde_json::to_value(read?).ok()?, &["hosts", "gateways", "exportTo", "http"]))
}

/// What the filter needs of a DestinationRule.
fn destination_rule(manifest: &Manifest) -> Option<BTreeMap<String, Value>> {
    let rule = read_on::<DestinationRule>(&manifest.spec()).0?;
    let mut value = serde_json::to_value(rule).ok()?;
    value["trafficPolicy"] = hashed(&value["trafficPolicy"]);
    let subset = |subset: &Value| json!({"name": subset["name"], "trafficPolicy": hashed(&subset["trafficPolicy"])});
    value["subsets"] = value["subsets"].as_array().into_iter().flatten().map(subset).collect();
    Some(fields(&value, &["host", "exportTo", "workloadSelector", "trafficPolicy", "subsets"]))
}

fn fields(value: &Value, names: &[&str]) -> BTreeMap<String, Value> {
    names.iter().map(|name| ((*name).to_owned(), value[name].clone())).collect()
}

/// By what a policy has requests hashed.
fn hashed(policy: &Value) -> Value {
    let hash = |policy: &Value| policy["loadBalancer"]["consistentHash"].clone();
    let ports = policy["portLevelSettings"].as_array().into_iter().flatten();
    json!({
        "consistentHash": hash(policy),
        "portLevelSettings": ports.map(|port| json!({"port": port["port"], "consistentHash": hash(port)})).collect::<Value>(),
    })
}
