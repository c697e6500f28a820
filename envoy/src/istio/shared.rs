//! What others serve with the same pods. A plugin is for a port, and not for what clients show or ask for in TLS: a
//! decision must not take requests that came by one server to where only another one's clients get.

use super::configured::Configured;
use super::selection::Target;
use super::server::Server;
use crate::diagnostic::Diagnostic;
use std::collections::BTreeSet;
use switchyard_filter::document::VirtualService;

/// Hosts for which a client must show what it need not show at another server of the port (istio.md 3: in Istio each HTTPS
/// server has its own routes).
pub fn unguarded(configured: &[Configured], servers: &[Server<'_>]) -> Vec<Diagnostic> {
    let mut found = vec![];
    let mut told = BTreeSet::new();
    for one in configured {
        for port in &one.ports {
            let on_port: Vec<_> = servers.iter().filter(|server| server.port == *port && server.is_https).collect();
            for service in &one.document.virtual_services {
                let (namespace, name) = (&service.namespace, &service.name);
                if let Some(wrong) = service.hosts.iter().find_map(|host| bypass(service, host, &on_port))
                    && told.insert((port, namespace, name))
                {
                    found.push(wrong);
                }
            }
        }
    }
    found
}

fn bypass(service: &VirtualService, host: &str, on_port: &[&Server<'_>]) -> Option<Diagnostic> {
    let (own, others): (Vec<&Server<'_>>, Vec<&Server<'_>>) =
        on_port.iter().copied().partition(|server| server.serves(service, host));
    let guarded = own.first().filter(|_| own.iter().all(|server| server.client.is_some()))?;
    let open = others.iter().find(|other| own.iter().all(|server| server.client != other.client))?;
    let VirtualService { namespace, name, .. } = service;
    let hosts: Vec<_> = open.hosts.iter().map(|host| host.host.as_str()).collect();
    let message = format!(
        "clients must show for `{host}` here what those of `{}` for `{}` need not: the filter decides for the whole port {} \
         by the host that is asked for, so that `{namespace}/{name}` would be reached from there too",
        open.gateway,
        hosts.join(", "),
        guarded.port,
    );
    let help = format!(
        "leave `{namespace}/{name}` to Istio (annotate it with `switchyard.dev/embed: \"false\"`), give one of the servers a port \
         of its own, or write `--via tags`"
    );
    let found = guarded.manifest.error(&guarded.path.clone().field("tls"), &message).help(help);
    Some(found.also(open.manifest.place(&open.path.clone().field("hosts")), "the other server"))
}

/// Plain servers of other Gateways on ports of the target's: one plugin decides on a port.
pub fn beside(configured: &[Configured], servers: &[Server<'_>], target: &Target) -> Vec<Diagnostic> {
    let mut found = vec![];
    let mut told = BTreeSet::new();
    for port in configured.iter().flat_map(|one| &one.ports) {
        let on_port = |server: &&Server<'_>| server.port == *port && !server.is_https && !server.redirects;
        let Some(own) = servers.iter().filter(on_port).find(|server| server.is_of(target)) else { continue };
        let others = servers.iter().filter(on_port).filter(|server| !server.is_of(target));
        for other in others.filter(|other| told.insert((*port, other.gateway.as_str()))) {
            let message = format!(
                "`{}` serves port {port} of the same pods as `{}`: what is generated decides only what VirtualServices of the \
                 latter say, and leaves others to Istio",
                other.gateway, own.gateway
            );
            found.push(other.manifest.warning(&other.path.clone().field("port"), &message).help(
                "do not apply a second plugin for this port; generate one for both with `--workload NS/KEY=VALUE` and the \
                 labels of their pods",
            ));
        }
    }
    found
}
