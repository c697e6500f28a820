//! The ports that a WasmPlugin names. A gateway's are those at which it really listens: Istio looks at the port behind the
//! Service that has the server's, its `targetPort` (istio.md 3; seen in 1.29.1, where `match.ports` of a plugin is compared
//! with it).

use super::configured::Configured;
use super::selection::Target;
use crate::manifest::{Kind, Manifest, Manifests};
use crate::yaml::{Data, Node};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Says at which ports each configuration counts; returns what to know of them.
pub fn settle(configured: &mut [Configured], manifests: &Manifests, target: &Target) -> Option<String> {
    if !target.is_gateway() {
        for one in configured {
            one.matched.clone_from(&one.ports);
        }
        return None;
    }
    // Where one is for all there is nothing to tell apart, but for a server that redirects: the filter would answer there.
    if configured.len() == 1 && !redirects(manifests, target) {
        return None;
    }
    let mut unknown = BTreeSet::new();
    for one in configured {
        for port in &one.ports {
            let behind = behind(manifests, target, *port);
            if behind.is_empty() {
                unknown.insert(*port);
                one.matched.insert(*port);
            }
            one.matched.extend(behind);
        }
    }
    let unknown: Vec<_> = unknown.iter().map(ToString::to_string).collect();
    (!unknown.is_empty()).then(|| {
        format!(
            "warning: no Service of these manifests says where the gateway listens for port {}: Istio goes by its \
             `targetPort`, so add the gateway's Service to the manifests if that is another one",
            unknown.join(", ")
        )
    })
}

/// Whether a server of its gateways sends everything to HTTPS.
fn redirects(manifests: &Manifests, target: &Target) -> bool {
    let own = |manifest: &&Manifest| target.gateways.contains(&format!("{}/{}", manifest.namespace, manifest.name));
    manifests.of(Kind::Gateway).filter(own).flat_map(servers).any(|server| {
        let tls = server.get("tls");
        tls.and_then(|tls| tls.get("httpsRedirect")).map(Node::to_json) == Some(Value::Bool(true))
    })
}

fn servers(manifest: &Manifest) -> &[Node] {
    let servers = manifest.node.get("spec").and_then(|spec| spec.get("servers"));
    if let Some(Node { data: Data::List(servers), .. }) = servers { servers } else { &[] }
}

/// Where the gateway listens for a port, as far as its Services tell.
fn behind(manifests: &Manifests, target: &Target, port: u16) -> BTreeSet<u16> {
    let mut found = BTreeSet::new();
    for manifest in manifests.of(Kind::Service) {
        let Some(spec) = manifest.node.get("spec") else { continue };
        let selector: BTreeMap<_, _> = spec
            .get("selector")
            .map(Node::entries)
            .unwrap_or_default()
            .iter()
            .filter_map(|entry| Some((entry.key.as_str(), entry.value.as_str()?)))
            .collect();
        let selects = |(key, value): (&&str, &&str)| target.labels.get(*key).is_some_and(|own| own == value);
        if selector.is_empty() || !selector.iter().all(selects) {
            continue;
        }
        let Some(Data::List(ports)) = spec.get("ports").map(|ports| &ports.data) else { continue };
        let number = |node: &Node| node.to_json().as_u64().and_then(|number| u16::try_from(number).ok());
        for written in ports.iter().filter(|written| written.get("port").and_then(number) == Some(port)) {
            match written.get("targetPort") {
                None => found.extend([port]),
                Some(target) => found.extend(number(target)),
            }
        }
    }
    found
}
