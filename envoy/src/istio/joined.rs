//! Servers whose ports differ as they are written, and are one listener: a Service sends both to it, or one to the other. Istio
//! goes by where they listen (pilot/pkg/model/gateway.go, `mergeGateways`), so that here they get one port too.

use super::listening::Listening;
use super::mesh::{entry_mut, set};
use super::selection::Target;
use super::server::Server;
use super::workload::number;
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifests};
use crate::yaml::{Data, Node};

/// Gives servers of one listener one port.
pub fn renumber(prepared: &mut Manifests, listening: &Listening) {
    for manifest in prepared.all.iter_mut().filter(|manifest| manifest.kind == Kind::Gateway) {
        let servers = entry_mut(&mut manifest.node, "spec").and_then(|spec| entry_mut(spec, "servers"));
        let Some(Node { data: Data::List(servers), .. }) = servers else { continue };
        for port in servers.iter_mut().filter_map(|server| entry_mut(server, "port")) {
            let Some(node) = port.get("number") else { continue };
            let Some((written, span)) = number(node).map(|written| (written, node.span)) else { continue };
            let known = listening.of(written);
            if known != written {
                let data = Data::Scalar { raw: known.to_string(), value: known.into() };
                set(port, "number", Node { data, span });
            }
        }
    }
}

/// Such servers where a rule asks for the port: which of theirs a request came to is not known.
pub fn asked_for(servers: &[Server<'_>], target: &Target, listening: &Listening) -> Vec<Diagnostic> {
    let own = || servers.iter().filter(|server| server.is_of(target) && !server.redirects);
    let met = own().find_map(|one| {
        let meets = |other: &&Server<'_>| other.port < one.port && listening.of(other.port) == listening.of(one.port);
        Some((one, own().find(meets)?))
    });
    met.map(|(one, other)| {
        let message = format!(
            "a rule asks for the port, and ports {} and {} of these servers are one listener of the pods: the filter does not \
             know which one is asked for",
            other.port, one.port
        );
        one.manifest
            .error(&one.path.clone().field("port"), &message)
            .help("leave `port` out of the rules, or let the Service send them to ports of their own (`targetPort`)")
            .also(other.manifest.place(&other.path.clone().field("port")), "the other server")
    })
    .into_iter()
    .collect()
}
