//! Gateways: which listeners there are, merged as Istio merges servers of a port, and which hosts of a VirtualService are
//! served on one (istio.md 3).

mod bind;
mod check;
mod edge;
mod host;
mod merge;
mod order;
mod server;
mod split;
mod tls;

pub use bind::bind;
pub use edge::{Edge, EdgeTls, unexpected_tls};
pub use host::{ServedHost, covers, meet};
pub use split::split;
pub use tls::is_cipher;

use super::selector::selects;
use super::virtual_service::Routed;
use super::{Around, Notes, Options, numbered, spec};
use crate::diagnostic::did_you_mean;
use crate::manifest::{Gateway, Kind, Manifest, Manifests};
use std::collections::BTreeSet;
use switchyard_filter::compile::resolve_gateway;

/// The gateway that stands for the mesh.
pub const MESH: &str = "mesh";

/// A Gateway that is served.
struct Member<'a> {
    /// Its place in the list of all manifests.
    own: usize,
    manifest: &'a Manifest,
    written: Gateway,
}

/// Reads every Gateway, merges those of the proxy, and checks those that VirtualServices name.
pub fn edges(manifests: &Manifests, options: &Options, routed: &[Routed], notes: &mut Notes) -> Vec<Edge> {
    let mut names = BTreeSet::from([MESH.to_owned()]);
    let mut served = vec![];
    for (own, manifest) in numbered(manifests, Kind::Gateway) {
        names.insert(id(manifest));
        let Some(written) = notes.spec::<Gateway>(manifest) else { continue };
        // Those of other proxies of a mesh are known by their names alone (`istio`).
        if written.servers.is_empty() && options.around == Around::Mesh {
            continue;
        }
        check::gateway(manifest, &written, notes);
        if is_selected(&written, options) {
            served.push(Member { own, manifest, written });
        } else {
            let labels: Vec<_> = options.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let message = "this Gateway is not served: it selects other proxies";
            let found = manifest.warning(&spec("selector"), message);
            notes
                .push(found.code("unselected-gateway").help(format!("this proxy has `--labels {}`", labels.join(","))));
        }
    }
    // The order in which Istio merges (istio.md 1.1): what comes later follows, or is in conflict.
    served.sort_by(|a, b| age(a.manifest).cmp(&age(b.manifest)));
    let edges = merge::merge(manifests, options, &served, notes);
    for routed in routed {
        check_references(routed, manifests, &names, notes);
    }
    edges
}

fn id(manifest: &Manifest) -> String {
    format!("{}/{}", manifest.namespace, manifest.name)
}

fn age(manifest: &Manifest) -> (&str, &str, &str) {
    (&manifest.creation_timestamp, &manifest.name, &manifest.namespace)
}

/// Whether it is for this proxy. One that has no labels stands for whichever proxy each Gateway selects.
fn is_selected(written: &Gateway, options: &Options) -> bool {
    let labels = options.proxy_labels();
    options.labels.is_empty() || selects(&written.selector, &labels)
}

fn check_references(routed: &Routed, manifests: &Manifests, names: &BTreeSet<String>, notes: &mut Notes) {
    let Some(manifest) = manifests.all.get(routed.manifest) else { return };
    let of = |at: String, gateways: &[String]| -> Vec<(String, String)> {
        let one = |(index, gateway): (usize, &String)| {
            (format!("{at}gateways[{index}]"), resolve_gateway(gateway, &manifest.namespace))
        };
        gateways.iter().enumerate().map(one).collect()
    };
    let rules = routed.written.http.iter().enumerate();
    let blocks = rules.flat_map(|(rule, http)| {
        http.matches.iter().enumerate().map(move |(block, written)| (format!("http[{rule}].match[{block}]."), written))
    });
    let asked = blocks.flat_map(|(at, block)| of(at, &block.gateways));
    for (field, full) in of(String::new(), &routed.written.gateways).into_iter().chain(asked) {
        if !names.contains(&full) {
            let mut found = manifest.error(&spec(&field), &format!("there is no Gateway `{full}`"));
            found.help = did_you_mean(&full, names.iter().map(String::as_str));
            notes.missing(found);
        }
    }
}

#[cfg(test)]
mod tests;
