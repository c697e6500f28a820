//! Services of type `ExternalName`: another name for a host, and no destination themselves.

use super::super::gateway::MESH;
use super::super::virtual_service::Routed;
use super::super::{numbered, spec};
use super::service::host_of;
use crate::manifest::{EXTERNAL_NAME, Kind, Manifests, Service};
use crate::yaml::Node;
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::compile::resolve;
use switchyard_filter::document::{Destination, PortSelector};

/// What an alias stands for.
struct Concrete {
    host: String,
    /// The only port of the alias.
    port: Option<u16>,
}

/// Sends what routes to an alias to the host that it stands for, as istiod does (`GetDestinationCluster`): the only port
/// of the alias is meant where a destination names none. In the mesh, what routes that host routes its aliases too
/// (`generateVirtualHostDomains`). Tells the aliases.
pub fn follow(manifests: &Manifests, domain: &str, routed: &mut [Routed]) -> BTreeSet<String> {
    let aliases = aliases(manifests, domain);
    if aliases.is_empty() {
        return BTreeSet::new();
    }
    let full = |one: &Routed| -> Vec<String> {
        one.written.hosts.iter().map(|host| resolve(host, &one.written.namespace, domain)).collect()
    };
    let named: BTreeSet<String> = routed.iter().flat_map(full).collect();
    for one in routed.iter_mut() {
        // A gateway serves the names that are written.
        let is_of_mesh = one.gateways.iter().all(|gateway| gateway == MESH);
        let hosts = full(one);
        let more = aliases.iter().filter(|(alias, concrete)| !named.contains(*alias) && hosts.contains(&concrete.host));
        one.written.hosts.extend(more.map(|(alias, _)| alias.clone()).filter(|_| is_of_mesh));
    }
    for one in routed {
        let namespace = one.written.namespace.clone();
        let follow = |destination: &mut Destination| {
            let Some(concrete) = aliases.get(&resolve(&destination.host, &namespace, domain)) else { return };
            destination.host.clone_from(&concrete.host);
            if destination.port.is_none() {
                destination.port = concrete.port.map(|number| PortSelector { number });
            }
        };
        for rule in &mut one.written.http {
            rule.route.iter_mut().map(|route| &mut route.destination).for_each(follow);
            rule.mirror.iter_mut().for_each(follow);
            rule.mirrors.iter_mut().filter_map(|mirror| mirror.destination.as_mut()).for_each(follow);
        }
    }
    aliases.into_keys().collect()
}

fn aliases(manifests: &Manifests, domain: &str) -> BTreeMap<String, Concrete> {
    let one = |manifest: &crate::manifest::Manifest| {
        manifest.node.at(&spec("type")).and_then(Node::as_str).filter(|kind| *kind == EXTERNAL_NAME)?;
        // What is wrong with it is told where Services are read.
        let service = manifest.read_spec::<Service>().ok().filter(Service::is_alias)?;
        let host = host_of(manifest, domain);
        let port = if let [port] = service.ports.as_slice() { Some(port.port) } else { None };
        Some((host, Concrete { host: service.external_name.trim_end_matches('.').to_ascii_lowercase(), port }))
    };
    numbered(manifests, Kind::Service).filter_map(|(_, manifest)| one(manifest)).collect()
}
