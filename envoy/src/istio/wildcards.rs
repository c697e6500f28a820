//! Wildcards that are embedded. In Istio the most exact host wins, whoever has it; the filter knows the hosts of the manifests.

use super::Via;
use super::configured::{Configured, hosts_of_route};
use super::selection::{GATEWAY_API, Place, Target};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifests};
use crate::translate::{Options, covers};
use crate::yaml::Path;
use std::collections::BTreeMap;

/// VirtualServices that take requests for hosts of others, should there be any that the manifests do not tell.
pub fn taking(manifests: &Manifests, configured: &[Configured], via: Via) -> Vec<Diagnostic> {
    if via == Via::Tags {
        return vec![];
    }
    let services = configured.iter().flat_map(|one| &one.document.virtual_services);
    let mut wide: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for service in services {
        if let Some(host) = service.hosts.iter().find(|host| host.starts_with('*')) {
            wide.insert((&service.namespace, &service.name), host);
        }
    }
    let found = manifests.of(Kind::VirtualService).filter_map(|manifest| {
        let host = wide.get(&(manifest.namespace.as_str(), manifest.name.as_str()))?;
        let message = format!(
            "`{host}` is embedded: it takes requests for more exact hosts too, where VirtualServices have them that are not \
             among the manifests"
        );
        let help = "generate from all VirtualServices of these gateways; `switchyard check --applied` tells which are missing";
        Some(manifest.warning(&Path::root().field("spec").field("hosts"), &message).help(help))
    });
    found.collect()
}

/// Hosts of `HTTPRoute`s of a Gateway of Kubernetes that an embedded wildcard takes: the more exact one of both would win.
pub fn over_routes(
    manifests: &Manifests,
    configured: &[Configured],
    options: &Options,
    target: &Target,
    via: Via,
) -> Vec<Diagnostic> {
    if via == Via::Tags || target.place != Place::GatewayApi {
        return vec![];
    }
    let is_route = |kind: &str, version: &str| kind == "HTTPRoute" && version.starts_with(GATEWAY_API);
    let routes = manifests.unread.iter().filter(|one| is_route(&one.kind_name, &one.api_version));
    let found = routes.filter_map(|route| {
        let hosts = hosts_of_route(route, options, target);
        let services = || configured.iter().flat_map(|one| &one.document.virtual_services);
        let (host, wide, by) = hosts.iter().find_map(|host| {
            services().find_map(|service| {
                let wide = service.hosts.iter().find(|wide| *wide != host && covers(wide, host))?;
                Some((host, wide, service))
            })
        })?;
        let message = format!(
            "requests for `{host}` of `{route}` are taken by `{wide}` of `{}/{}`, which is embedded: in Istio the more exact \
             host wins",
            by.namespace, by.name
        );
        let help = format!(
            "write the hosts of `{}/{}` one by one, or leave it to Istio (annotate it with `switchyard.dev/embed: \"false\"`)",
            by.namespace, by.name
        );
        Some(route.warning(&Path::root().field("spec").field("hostnames"), &message).help(help))
    });
    found.collect()
}
