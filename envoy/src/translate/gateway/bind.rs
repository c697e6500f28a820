//! The VirtualServices of an edge, as its document has them.

use super::super::virtual_service::Routed;
use super::super::{Model, Origins, spec};
use super::edge::Edge;
use super::host::covers;
use super::order::{Ordered, order};
use crate::diagnostic::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::document::Document;

/// Leaves to each VirtualService the hosts and the gateways that are served here, and orders them as Istio does.
///
/// # Errors
/// An order that the filter cannot have.
pub fn bind(
    model: &Model<'_>,
    edge: &Edge,
    routed: &[&Routed],
    document: &mut Document,
    origins: &mut Origins,
) -> Result<(), Vec<Diagnostic>> {
    let domain = &model.options.domain;
    let is_shared = edge.servers.gateways().len() > 1;
    for (index, (written, routed)) in document.virtual_services.iter_mut().zip(routed).enumerate() {
        written.hosts = edge.hosts(routed, domain).into_iter().map(|(host, _)| host).collect();
        origins.made(&format!("virtualServices[{index}].hosts"), routed.manifest, spec("hosts"));
        if is_shared && !routed.is_delegate() {
            // A block for a gateway that serves none of these hosts here never holds.
            written.gateways = edge.serving(routed, domain).into_iter().map(str::to_owned).collect();
            origins.made(&format!("virtualServices[{index}].gateways"), routed.manifest, spec("gateways"));
        }
    }
    narrow(model, edge, routed, document)?;
    match order(edge, routed, &document.proxy.namespace, domain) {
        Ordered::ByAge => {}
        Ordered::Listed(order) => {
            for (rank, at) in order.into_iter().enumerate() {
                let Some(written) = document.virtual_services.get_mut(at) else { continue };
                // They are seen here, which has been looked at; how near they are says nothing about this order.
                written.export_to = vec![];
                let (hour, minute, second) = (rank / 3600 % 24, rank / 60 % 60, rank % 60);
                written.creation_timestamp = format!("2000-01-01T{hour:02}:{minute:02}:{second:02}Z");
            }
        }
        Ordered::Contradiction(first, second) => return Err(contradiction(model, edge, routed, first, second)),
    }
    Ok(())
}

/// Leaves out a host that another one of the same VirtualService stands for, as servers with both make them: the filter
/// takes no overlapping hosts. Nothing changes where the same VirtualServices have both.
fn narrow(model: &Model<'_>, edge: &Edge, routed: &[&Routed], document: &mut Document) -> Result<(), Vec<Diagnostic>> {
    let mut claims: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (index, written) in document.virtual_services.iter().enumerate() {
        for host in &written.hosts {
            claims.entry(host.clone()).or_default().insert(index);
        }
    }
    for (written, routed) in document.virtual_services.iter_mut().zip(routed) {
        let all = written.hosts.clone();
        let wide: Vec<&String> = all.iter().filter(|host| host.starts_with('*')).collect();
        let wider = |host: &String| wide.iter().find(|wide| **wide != host && covers(wide, host));
        for (host, wide) in all.iter().filter_map(|host| Some((host, *wider(host)?))) {
            if claims.get(host) != claims.get(wide) {
                return Err(model.manifests.all.get(routed.manifest).map_or_else(Vec::new, |manifest| {
                    let message = format!(
                        "port {} serves `{host}` beside `{wide}`, and other VirtualServices have one of them only: that is not supported",
                        edge.port
                    );
                    let help = format!("write a VirtualService of its own for `{host}`");
                    vec![manifest.error(&spec("hosts"), &message).help(help)]
                }));
            }
            written.hosts.retain(|kept| kept != host);
        }
    }
    Ok(())
}

fn contradiction(model: &Model<'_>, edge: &Edge, routed: &[&Routed], first: usize, second: usize) -> Vec<Diagnostic> {
    let manifest = |at: usize| model.manifests.all.get(routed.get(at)?.manifest);
    let Some((first, second)) = manifest(first).zip(manifest(second)) else { return vec![] };
    let message = format!(
        "on port {} the VirtualServices `{}/{}` and `{}/{}` come in one order for some hosts and in another for others",
        edge.port, first.namespace, first.name, second.namespace, second.name
    );
    let found = second.error(&spec("gateways"), &message);
    let help = "several servers share the port: give them ports of their own, or bind both to one Gateway";
    vec![found.help(help).also(first.name_place(), "the other one")]
}
