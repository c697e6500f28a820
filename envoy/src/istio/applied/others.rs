//! What a WasmPlugin takes from VirtualServices of other Gateways of its pods.

use super::super::embedded::is_bound;
use super::super::selection::{Place, Selector, Target};
use super::super::taken::Served;
use super::super::workload;
use super::meeting::matched_ports;
use super::{Plugin, labels, name};
use crate::diagnostic::Diagnostic;
use crate::manifest::Manifests;
use std::collections::BTreeSet;

/// Those that share a plain port with it, where the Gateways and their Services are among the resources.
pub fn taken(plugin: &Plugin<'_>, live: &Manifests) -> Vec<Diagnostic> {
    let Some(document) = plugin.document.as_ref().filter(|document| !document.virtual_services.is_empty()) else {
        return vec![];
    };
    let labels = labels(plugin.manifest);
    let gateways = &document.proxy.gateways;
    if labels.is_empty() || gateways.is_empty() || gateways.iter().any(|one| one == "mesh") {
        return vec![];
    }
    let target = Target {
        place: Place::Gateway,
        namespace: plugin.manifest.namespace.clone(),
        everywhere: true,
        selector: Selector::Labels(labels.clone()),
        gateways: gateways.iter().cloned().collect(),
        labels,
    };
    let served = Served::new(live, &target, &workload::all(live));
    let own = served.servers.iter().filter(|server| server.is_of(&target));
    let ports: BTreeSet<u16> = own.map(|server| served.listening.of(server.port)).collect();
    let matched = matched_ports(plugin.manifest);
    let ports = ports.into_iter().filter(|port| {
        matched.is_empty() || served.listening.behind(*port).iter().any(|port| matched.contains(&u64::from(*port)))
    });
    let mut told = BTreeSet::new();
    let found = ports.flat_map(|port| served.taken(port, live, document, &target)).filter_map(|taken| {
        let manifest = taken.manifest;
        let is_new = !is_bound(manifest, gateways) && told.insert((&manifest.namespace, &manifest.name));
        is_new.then(|| {
            let message = format!("{} (`{}` embeds it)", taken.message(), plugin.manifest);
            let help = "generate for all Gateways of these pods at once, with `--workload NS/KEY=VALUE` and the pods' labels, and apply";
            manifest.error(&name(), &message).code("drifted").help(help)
        })
    });
    found.collect()
}
