//! What a WasmPlugin does not embed, and would if it were generated now.

use super::super::embedded::{Line, PASSED, covers, hashed, is_bound, is_for_known, passing};
use super::super::owned;
use super::super::workload::pairs;
use super::{Plugin, json_of, labels, name, text};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifest, Manifests};
use crate::translate::{Mesh, selects};
use serde_json::Value;
use switchyard_filter::compile::delegate::visibility;
use switchyard_filter::compile::resolve;
use switchyard_filter::document::{Delegate, Document, Service, VirtualService};

/// VirtualServices and DestinationRules that are missing in a plugin that embeds some.
pub fn missing(plugin: &Plugin<'_>, ours: &[Plugin<'_>], live: &Manifests, mesh: &Mesh) -> Vec<Diagnostic> {
    let Some(document) = plugin.document.as_ref().filter(|document| !document.virtual_services.is_empty()) else {
        return vec![];
    };
    // What was generated together is a plugin for each port.
    let filter = |plugin: &Plugin<'_>| plugin.generated.iter().find(|line| line.kind == "EnvoyFilter").cloned();
    let together: Vec<_> = ours.iter().filter(|other| filter(other) == filter(plugin)).collect();
    let is_known = |manifest: &Manifest| {
        let id = format!("{}/{}", manifest.namespace, manifest.name);
        let is_service = manifest.kind == Kind::VirtualService;
        // Where the annotation is gone, the configuration says.
        let mut embedded = document.virtual_services.iter();
        let is_in = |one: &VirtualService| one.name == manifest.name && one.namespace == manifest.namespace;
        if is_service && embedded.any(is_in) {
            return true;
        }
        let lines = together.iter().flat_map(|one| &one.embedded).chain(&plugin.embedded);
        let passes = |line: &Line| line.digests.is_empty() || line.digests == passing(manifest);
        let mut own = lines.filter(|line| line.name == id);
        own.any(|line| line.kind == manifest.kind_name || is_service && line.kind == PASSED && passes(line))
    };
    let found = live.all.iter().filter(|manifest| !is_known(manifest)).map(|manifest| match manifest.kind {
        Kind::VirtualService if json_of(manifest, "hosts").as_array().is_none_or(Vec::is_empty) => {
            delegate(plugin, document, manifest, mesh)
        }
        Kind::VirtualService if is_visible(manifest, document, mesh) => virtual_service(plugin, document, manifest),
        Kind::DestinationRule if is_used(manifest, plugin, document, mesh) => {
            destination_rule(plugin, document, manifest)
        }
        _ => None,
    });
    found.flatten().collect()
}

/// Whether a VirtualService is exported to the proxy's namespace.
fn is_visible(manifest: &Manifest, document: &Document, mesh: &Mesh) -> bool {
    let to = mesh.virtual_services.or_default(&exports(manifest));
    let namespace = namespace(document);
    to.is_empty() || to.iter().any(|to| to == "*" || *to == namespace || to == "." && manifest.namespace == namespace)
}

/// Whether a DestinationRule can count there: of the namespaces of the proxy and of the destination and of the root one
/// (istio.md 2.0), and one for some proxies for those of its own (`subset::select::effective`).
fn is_used(manifest: &Manifest, plugin: &Plugin<'_>, document: &Document, mesh: &Mesh) -> bool {
    let (own, to) = (namespace(document), exports(manifest));
    let is_to = |name: &str| to.iter().any(|to| to == name);
    let is_own = manifest.namespace == own;
    let selector = manifest.node.get("spec").and_then(|spec| spec.get("workloadSelector"));
    if let Some(selector) = selector.filter(|selector| !selector.is_null()) {
        let wanted = selector.get("matchLabels").map(pairs).unwrap_or_default();
        return is_own && selects(&wanted, &labels(plugin.manifest));
    }
    if is_own {
        return to.is_empty() || is_to("*") || is_to(".") || is_to(&own);
    }
    let host = resolve(text(manifest, &["spec", "host"]).unwrap_or_default(), &manifest.namespace, &document.domain);
    let end = format!(".svc.{}", document.domain);
    // Where a ServiceEntry lies, its host does not tell.
    let is_there = |service: &Service| {
        let name = service.host.strip_suffix(&end).and_then(|name| name.rsplit_once('.'));
        covers(&host, &service.host) && name.is_none_or(|(_, namespace)| namespace == manifest.namespace)
    };
    let is_near = manifest.namespace == mesh.root_namespace || document.services.iter().any(is_there);
    is_near && if to.is_empty() { !mesh.destination_rules.is_private() } else { is_to("*") || is_to(&own) }
}

fn exports(manifest: &Manifest) -> Vec<String> {
    let to = json_of(manifest, "exportTo");
    to.as_array().into_iter().flatten().filter_map(|to| Some(to.as_str()?.to_owned())).collect()
}

/// That of the proxies.
fn namespace(document: &Document) -> String {
    let proxy = &document.proxy.namespace;
    if proxy.is_empty() { document.namespace.clone() } else { proxy.clone() }
}

fn virtual_service(plugin: &Plugin<'_>, document: &Document, manifest: &Manifest) -> Option<Diagnostic> {
    let spec = manifest.spec();
    let is_ours =
        spec["http"].as_array().is_some_and(|rules| !rules.is_empty()) && is_bound(manifest, &document.proxy.gateways);
    if !is_ours {
        return None;
    }
    let full = |host: &str, namespace: &str| resolve(host, namespace, &document.domain);
    let written = spec["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let hosts: Vec<_> = written.map(|host| full(host, &manifest.namespace)).collect();
    let embedded = || {
        let services = document.virtual_services.iter();
        services.flat_map(|one| one.hosts.iter().map(move |host| (full(host, &one.namespace), one)))
    };
    let own = plugin.manifest;
    let more_exact = |host: &String| {
        let (wide, taker) = embedded().find(|(wide, _)| wide != host && covers(wide, host))?;
        Some(format!(
            "requests for `{host}` of `{manifest}` are taken by `{wide}` of `{}/{}`, which `{own}` embeds: in Istio the more \
             exact host wins",
            taker.namespace, taker.name
        ))
    };
    let same = |host: &String| {
        embedded().any(|(other, _)| other == *host) || document.services.iter().any(|service| service.host == *host)
    };
    // In the mesh only hosts that it knows of are its own: the others pass.
    let at_gateway = !document.proxy.gateways.is_empty() && !document.proxy.gateways.iter().any(|one| one == "mesh");
    if let Some(message) = hosts.iter().find_map(more_exact) {
        let help = "generate again with it, and apply; or leave both to Istio: `switchyard.dev/embed: \"false\"`";
        return Some(manifest.error(&name(), &message).code("drifted").help(help));
    }
    let shared = hosts.iter().find_map(|host| embedded().find(|(other, _)| other == host));
    if owned::is_left(manifest) {
        let (host, taker) = shared?;
        let taker = format!("{}/{}", taker.namespace, taker.name);
        let message =
            format!("`{manifest}` is not embedded and has the host `{host}`, which `{taker}` takes and is, in `{own}`");
        let help = "annotate both with `switchyard.dev/embed: \"false\"`, or none of them; generate and apply again";
        return Some(manifest.error(&name(), &message).code("drifted").help(help));
    }
    let would_be = !hosts.is_empty() && (at_gateway || hosts.iter().any(same));
    would_be.then(|| {
        let message = format!("`{manifest}` would be embedded in `{own}` and is not");
        let other = shared.map(|(_, one)| format!("both `{}/{}` and it", one.namespace, one.name));
        let help = format!(
            "generate again with it, and apply; or leave {0} to Istio: annotate {1} with `switchyard.dev/embed: \"false\"`",
            other.as_deref().unwrap_or("it"),
            if other.is_some() { "both" } else { "it" }
        );
        manifest.error(&name(), &message).code("drifted").help(help)
    })
}

/// A delegate, which one that is embedded names and which was not there (`--allow-missing`).
fn delegate(plugin: &Plugin<'_>, document: &Document, manifest: &Manifest, mesh: &Mesh) -> Option<Diagnostic> {
    let to = mesh.virtual_services.or_default_of_delegate(&exports(manifest));
    let names = |one: &VirtualService| {
        let named = |delegate: &Delegate| {
            let namespace = Some(&delegate.namespace).filter(|own| !own.is_empty()).unwrap_or(&one.namespace);
            delegate.name == manifest.name && *namespace == manifest.namespace
        };
        one.http.iter().filter_map(|rule| rule.delegate.as_ref()).any(named)
    };
    let is_seen = |one: &&VirtualService| visibility(&to, &manifest.namespace, &one.namespace).is_some();
    let one = document.virtual_services.iter().filter(is_seen).find(|one| names(one))?;
    let (own, root) = (plugin.manifest, format!("{}/{}", one.namespace, one.name));
    let message = format!("the delegate `{manifest}` of `{root}`, which `{own}` embeds, is not embedded");
    let help = "generate again with it, and apply; or leave both to Istio: `switchyard.dev/embed: \"false\"`";
    Some(manifest.error(&name(), &message).code("drifted").help(help))
}

fn destination_rule(plugin: &Plugin<'_>, document: &Document, manifest: &Manifest) -> Option<Diagnostic> {
    let spec = manifest.spec();
    let subsets = spec["subsets"].as_array().into_iter().flatten().map(|subset| &subset["trafficPolicy"]);
    let hashes = subsets.chain([&spec["trafficPolicy"]]).any(|policy| !hashed(policy).is_null());
    (hashes && is_for_known(manifest, document)).then(|| {
        let message =
            format!("what `{manifest}` has requests hashed by would be embedded in `{}` and is not", plugin.manifest);
        manifest.error(&name(), &message).code("drifted").help("generate again with it, and apply")
    })
}
