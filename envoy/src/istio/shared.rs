//! What others serve with the same pods. A plugin is for a port, and not for what clients show or ask for in TLS: a
//! decision must not take requests that came by one server to where only another one's clients get.

use super::configured::Configured;
use super::listening::Listening;
use super::selection::Target;
use super::server::Server;
use crate::diagnostic::Diagnostic;
use crate::translate::covers;
use std::collections::BTreeSet;
use switchyard_filter::document::VirtualService;

/// Decisions that would hold where Istio has other routes: in Istio each HTTPS server has its own, and so has each address
/// (istio.md 3). Errors where somebody gets to what is kept from them, and warnings.
pub fn elsewhere(
    configured: &[Configured],
    servers: &[Server<'_>],
    target: &Target,
    listening: &Listening,
) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
    let (mut wrong, mut warnings) = (vec![], vec![]);
    let mut told = BTreeSet::new();
    for one in configured {
        for port in &one.ports {
            let on_port = |server: &&Server<'_>| listening.of(server.port) == *port && server.has_requests();
            let on_port: Vec<_> = servers.iter().filter(on_port).collect();
            for service in &one.document.virtual_services {
                let id = (port, &service.namespace, &service.name);
                let met = || service.hosts.iter().filter_map(|host| Met::new(service, host, &on_port, target));
                if let Some(found) = met().find_map(|met| met.refused())
                    && told.insert(id)
                {
                    wrong.push(found);
                } else if let Some(found) = met().find_map(|met| met.told())
                    && told.insert(id)
                {
                    warnings.push(found);
                }
            }
        }
    }
    (wrong, warnings)
}

/// A host of a VirtualService, and the servers of a listener.
struct Met<'a> {
    service: &'a VirtualService,
    host: &'a str,
    target: &'a Target,
    /// Those that have the VirtualService.
    own: Vec<&'a Server<'a>>,
    /// Those that have other routes.
    others: Vec<&'a Server<'a>>,
    /// Those of them where the filter runs.
    reached: Vec<&'a Server<'a>>,
}

impl<'a> Met<'a> {
    fn new(service: &'a VirtualService, host: &'a str, on_port: &[&'a Server<'a>], target: &'a Target) -> Option<Self> {
        let (own, others): (Vec<&Server<'_>>, Vec<&Server<'_>>) =
            on_port.iter().copied().partition(|server| server.serves(service, host));
        let others: Vec<_> =
            others.into_iter().filter(|other| !own.iter().any(|server| server.shares_routes(other))).collect();
        // Beside HTTPS servers of its own the filter does not run where others have theirs.
        let is_off = on_port.iter().any(|server| server.is_https && server.is_of(target));
        let reached = others.iter().copied().filter(|other| other.is_of(target) || !is_off).collect();
        (!own.is_empty() && !others.is_empty()).then_some(Self { service, host, target, own, others, reached })
    }

    fn refused(&self) -> Option<Diagnostic> {
        self.unguarded().or_else(|| self.at_another_address()).or_else(|| self.guarded_elsewhere())
    }

    /// A client must show here what it need not show at another server.
    fn unguarded(&self) -> Option<Diagnostic> {
        let guarded = self.own.first().filter(|_| self.own.iter().all(|server| server.client.is_some()))?;
        let open = self.others.iter().find(|other| self.own.iter().all(|server| server.client != other.client))?;
        let message = format!(
            "clients must show for `{}` here what those of {} need not: {}",
            self.host,
            named(open),
            self.consequence(guarded, open)
        );
        Some(self.found(guarded.manifest.error(&guarded.path.clone().field("tls"), &message), open, open))
    }

    /// It is served at one address, and others at another one.
    fn at_another_address(&self) -> Option<Diagnostic> {
        let own = self.own.first()?;
        let open = self.reached.iter().find(|other| self.own.iter().all(|server| server.bind != other.bind))?;
        let message = format!(
            "`{}` is served at {} here, and {} at {}: {}",
            self.host,
            address(own),
            named(open),
            address(open),
            self.consequence(own, open)
        );
        Some(self.found(own.manifest.error(&own.path.clone().field("hosts"), &message), open, own))
    }

    /// Clients that show something at another server come to what this one has.
    fn guarded_elsewhere(&self) -> Option<Diagnostic> {
        let own = self.own.first()?;
        let guarded = self.covering().find(|other| self.own.iter().all(|server| server.client != other.client))?;
        let message = format!(
            "clients of {} come with what they must show there, and find `{}` of this server: {}",
            named(guarded),
            self.host,
            self.consequence(own, guarded)
        );
        Some(self.found(own.manifest.error(&own.path.clone().field("hosts"), &message), guarded, own))
    }

    /// Another server has the host, where Istio answers for it by other routes.
    fn told(&self) -> Option<Diagnostic> {
        let (own, other) = (self.own.first()?, self.covering().next()?);
        let message = format!(
            "a client that asks in TLS for a server of {} can ask for `{}` in the request: Istio goes by the former, and {}",
            named(other),
            self.host,
            self.consequence(own, other)
        );
        let found = own.manifest.warning(&own.path.clone().field("hosts"), &message);
        let found = found.also(other.manifest.place(&other.path.clone().field("hosts")), "the other server");
        Some(if own.gateway == other.gateway {
            found.help("give one of the servers a Gateway of its own, and generate for each with `--gateway`")
        } else {
            found.help(format!("generate for each alone: `--gateway {}`, `--gateway {}`", own.gateway, other.gateway))
        })
    }

    /// Servers with other routes for the host itself.
    fn covering(&self) -> impl Iterator<Item = &&'a Server<'a>> {
        self.reached.iter().filter(|other| self.is_covered_by(other))
    }

    fn consequence(&self, own: &Server<'_>, other: &Server<'_>) -> String {
        let VirtualService { namespace, name, .. } = self.service;
        let at = if own.port == other.port {
            format!("the filter decides for the whole port {}", own.port)
        } else {
            format!("ports {} and {} are one listener of the pods, where the filter decides", own.port, other.port)
        };
        format!("{at} by the host that is asked for, so that `{namespace}/{name}` would be reached from there too")
    }

    /// With what helps; `alone` is the Gateway that could have a plugin of its own.
    fn found(&self, found: Diagnostic, other: &Server<'_>, alone: &Server<'_>) -> Diagnostic {
        let id = format!("{}/{}", self.service.namespace, self.service.name);
        let annotate = "with `switchyard.dev/embed: \"false\"`";
        let is_embedded = other.is_of(self.target) && self.is_covered_by(other);
        let is_split = other.is_https && self.own.iter().all(|own| own.is_https && own.gateway != other.gateway);
        let first = if is_embedded && is_split {
            // There the filter does not run where the other one has its routes.
            format!("generate for `--gateway {}` alone, which leaves what others have to Istio", alone.gateway)
        } else if is_embedded {
            format!("leave `{id}` and what `{}` has to Istio (annotate them {annotate})", other.gateway)
        } else {
            format!("leave `{id}` to Istio (annotate it {annotate})")
        };
        let help = format!("{first}, give one of the servers a port of its own, or write `--via tags`");
        found.help(help).also(other.manifest.place(&other.path.clone().field("hosts")), "the other server")
    }

    fn is_covered_by(&self, other: &Server<'_>) -> bool {
        other.hosts.iter().any(|own| covers(&own.host, self.host))
    }
}

/// A server by its Gateway and hosts.
fn named(server: &Server<'_>) -> String {
    let hosts: Vec<_> = server.hosts.iter().map(|host| host.host.as_str()).collect();
    format!("`{}` for `{}`", server.gateway, hosts.join(", "))
}

fn address(server: &Server<'_>) -> String {
    if server.bind.is_empty() { "every address".into() } else { format!("`{}`", server.bind) }
}

/// Plain servers of other Gateways on ports of the target's: one plugin decides on a port.
pub fn beside(
    configured: &[Configured],
    servers: &[Server<'_>],
    target: &Target,
    listening: &Listening,
) -> Vec<Diagnostic> {
    let mut found = vec![];
    let mut told = BTreeSet::new();
    for port in configured.iter().flat_map(|one| &one.ports) {
        let on_port =
            |server: &&Server<'_>| listening.of(server.port) == *port && !server.is_https && server.has_requests();
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
