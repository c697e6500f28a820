//! Wildcards that are embedded. In Istio the most exact host wins, whoever has it; the filter knows the hosts of the manifests.

use super::Via;
use super::configured::Configured;
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifests};
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
