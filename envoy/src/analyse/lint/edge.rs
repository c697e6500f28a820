//! VirtualServices of the mesh whose rules somebody might expect for what comes by a Gateway (istio.md 1.1, 3).

use super::at;
use crate::diagnostic::Diagnostic;
use crate::manifest::Manifest;
use crate::translate::Model;
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::compile::resolve;
use switchyard_filter::document::VirtualService;

/// Notes VirtualServices of the mesh alone: each whose hosts a Gateway serves or sends requests to, and the others of a
/// namespace once.
pub fn check(model: &Model<'_>, found: &mut Vec<Diagnostic>) {
    let domain = model.domain();
    let (mesh, edges): (Vec<_>, Vec<_>) = model.virtual_services().partition(|(_, written)| is_mesh_only(written));
    // Where requests that come by a Gateway go, and by which VirtualService.
    let mut sent_by: BTreeMap<String, &Manifest> = BTreeMap::new();
    let mut at_home: BTreeSet<&str> = BTreeSet::new();
    for (manifest, written) in edges {
        at_home.insert(&manifest.namespace);
        for host in destinations(manifest, written, domain) {
            sent_by.entry(host).or_insert(manifest);
        }
    }
    let mut others: BTreeMap<&str, Vec<&Manifest>> = BTreeMap::new();
    for (manifest, written) in mesh {
        let hosts: Vec<String> = written.hosts.iter().map(|host| resolve(host, &manifest.namespace, domain)).collect();
        let served =
            hosts.iter().enumerate().find_map(|(at, host)| Some((at, model.gateway_of(host, &manifest.namespace)?)));
        let sent = hosts.iter().enumerate().find_map(|(at, host)| Some((at, host, sent_by.get(host)?)));
        if let Some((at, gateway)) = served {
            let host = written.hosts.get(at).map(String::as_str).unwrap_or_default();
            let message = format!("requests for `{host}` that come by the Gateway `{gateway}` never reach these rules");
            let help = format!("bind it to both: `gateways: [mesh, {gateway}]`");
            found.push(warning(manifest, at, &message).help(help));
        } else if let Some((at, host, edge)) = sent {
            let name = format!("{}/{}", edge.namespace, edge.name);
            let message = format!(
                "requests that `{name}` sends to `{host}` from a Gateway never reach these rules: a request is routed once"
            );
            let help = format!("for those, write the same rules in `{name}`");
            let warning = warning(manifest, at, &message).help(help);
            found.push(warning.also(edge.name_place(), "this routes what comes by a Gateway"));
        } else if !hosts.is_empty() && at_home.contains(&*manifest.namespace) {
            others.entry(&manifest.namespace).or_default().push(manifest);
        }
    }
    for (_, all) in others {
        let Some((first, rest)) = all.split_first() else { continue };
        let message = "requests that come by a Gateway never reach these rules: they are for callers in the mesh";
        let mut warning = warning(first, 0, message).help("bind it to the Gateway too, if its requests are meant");
        for other in rest {
            warning = warning.also(other.name_place(), "these neither");
        }
        found.push(warning);
    }
}

fn warning(manifest: &Manifest, host: usize, message: &str) -> Diagnostic {
    manifest.warning(&at(&format!("hosts[{host}]")), message).code("unreached-by-gateway")
}

fn is_mesh_only(written: &VirtualService) -> bool {
    written.gateways.iter().all(|gateway| gateway == "mesh")
}

fn destinations(manifest: &Manifest, written: &VirtualService, domain: &str) -> BTreeSet<String> {
    let all = written.http.iter().flat_map(|rule| &rule.route);
    all.map(|route| resolve(&route.destination.host, &manifest.namespace, domain)).collect()
}
