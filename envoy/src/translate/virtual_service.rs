//! VirtualServices: read by the filter's own types.

use super::gateway::MESH;
use super::{Mesh, Notes, Origins, numbered, spec};
use crate::manifest::{Kind, Manifest, Manifests};
use crate::yaml::Path;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::compile::resolve_gateway;
use switchyard_filter::document::{Document, HttpRetry, HttpRoute, VirtualService};

/// A VirtualService with where it comes from.
#[derive(Clone, Debug)]
pub struct Routed {
    /// Its manifest.
    pub manifest: usize,
    /// As it is written, with its name; rules are sticky where a policy says so.
    pub written: VirtualService,
    /// `mesh` and gateways as `namespace/name`; of a delegate, those of whoever delegates to it.
    pub gateways: BTreeSet<String>,
    /// Its `exportTo`, or what counts without one.
    pub exports: Vec<String>,
    /// The policy and the entry of its `sticky` that made a rule sticky, by rule.
    pub sticky: BTreeMap<usize, (usize, usize)>,
}

/// Fields of the filter's configuration that are none of a VirtualService's.
const OURS: &[&str] = &["name", "namespace", "creationTimestamp"];

/// Reads every VirtualService.
pub fn read(manifests: &Manifests, mesh: &Mesh, notes: &mut Notes) -> Vec<Routed> {
    let mut all = vec![];
    for (index, manifest) in numbered(manifests, Kind::VirtualService) {
        let Some(written) = one(manifest, notes) else { continue };
        let gateways = if written.gateways.is_empty() {
            BTreeSet::from([MESH.to_owned()])
        } else {
            written.gateways.iter().map(|gateway| resolve_gateway(gateway, &manifest.namespace)).collect()
        };
        let exports = if written.hosts.is_empty() {
            mesh.virtual_services.or_default_of_delegate(&written.export_to)
        } else {
            mesh.virtual_services.or_default(&written.export_to)
        };
        all.push(Routed { manifest: index, written, gateways, exports, sticky: BTreeMap::new() });
    }
    super::delegates::bind(&mut all);
    all
}

fn one(manifest: &Manifest, notes: &mut Notes) -> Option<VirtualService> {
    let mut value = manifest.spec();
    if let Value::Object(fields) = &mut value {
        for field in OURS {
            if fields.remove(*field).is_some() {
                let message = format!("unknown field `{field}`");
                notes.push(manifest.error(&spec(field), &message).help("write it under `metadata`"));
            }
        }
        if let Some(Value::Array(rules)) = fields.get_mut("http") {
            for (index, rule) in rules.iter_mut().enumerate() {
                if rule.as_object_mut().and_then(|rule| rule.remove("stickyBy")).is_some() {
                    let message = "unknown field `stickyBy`: a VirtualService has none";
                    let path = spec(&format!("http[{index}].stickyBy"));
                    let help = "write it under `sticky` of a SwitchyardPolicy";
                    notes.push(manifest.error(&path, message).help(help));
                }
            }
        }
        fields.insert("name".into(), Value::String(manifest.name.clone()));
    }
    if manifest.node.get("spec").is_none() {
        notes.push(manifest.error(&Path::root(), "`spec` is missing").field("spec"));
        return None;
    }
    // What is there in spite of errors is compiled too, so that everything that is wrong is told at once.
    let (read, errors) = switchyard_filter::read::read_on::<VirtualService>(&value);
    for error in &errors {
        let path = spec(&error.path);
        let found = manifest.error(&path, &error.message);
        let mut parent = path;
        parent.0.pop();
        // What is said of the parent is shown where the parent is.
        notes.unread.push((manifest.error(&parent, "").place, found.field.clone()));
        notes.push(found);
    }
    let mut read = read?;
    read.namespace.clone_from(&manifest.namespace);
    read.creation_timestamp.clone_from(&manifest.creation_timestamp);
    Some(read)
}

impl Routed {
    /// Adds it to a document. `retries` are those of rules that do not say.
    pub fn write(&self, document: &mut Document, retries: Option<&HttpRetry>, origins: &mut Origins) {
        let at = format!("virtualServices[{}]", document.virtual_services.len());
        let metadata = Path::root().field("metadata");
        origins.copied(&at, self.manifest, spec(""));
        for field in OURS {
            origins.made(&format!("{at}.{field}"), self.manifest, metadata.clone().field(field));
        }
        for (rule, (policy, entry)) in &self.sticky {
            origins.copied(&format!("{at}.http[{rule}].stickyBy"), *policy, spec(&format!("sticky[{entry}].by")));
        }
        let mut written = self.written.clone();
        // One that nobody sees is compiled, to tell what is wrong with it, and never served.
        if self.exports != ["~"] {
            written.export_to.clone_from(&self.exports);
        }
        // A rule that delegates hands its own down, as in Istio: a delegate's must not hide them.
        let sends = |rule: &HttpRoute| rule.delegate.is_some() || (!rule.route.is_empty() && !self.is_delegate());
        for rule in written.http.iter_mut().filter(|rule| rule.retries.is_none() && sends(rule)) {
            rule.retries = retries.cloned();
        }
        document.virtual_services.push(written);
    }
}
