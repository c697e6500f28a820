//! Servers that send everything to HTTPS: no rule may answer there before Istio redirects. Istio takes the word of a balancer
//! that ended TLS (`x-forwarded-proto`) where it trusts it, and serves such a request.

use super::Via;
use super::configured::Configured;
use super::ports::Settled;
use super::selection::Target;
use super::server::Server;
use std::collections::BTreeSet;

/// On which ports of the target's own nothing is decided.
pub fn note(
    configured: &[Configured],
    servers: &[Server<'_>],
    target: &Target,
    settled: &Settled,
    via: Via,
) -> Option<String> {
    let own = || servers.iter().filter(|server| server.is_of(target));
    let services = || configured.iter().flat_map(|one| &one.document.virtual_services);
    let is_asked =
        |server: &Server<'_>| services().any(|service| service.hosts.iter().any(|host| server.serves(service, host)));
    let is_met = |port: u16| own().any(|other| settled.of(other.port) == settled.of(port) && !other.redirects);
    let redirecting = own().filter(|server| server.redirects && !is_met(server.port) && is_asked(server));
    let ports: BTreeSet<_> = redirecting.map(|server| server.port).collect();
    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
    (via == Via::ClusterHeader && !ports.is_empty()).then(|| {
        format!(
            "note: nothing is decided on port {}, where everything is sent to HTTPS: a request that came over TLS to a balancer \
             which Istio trusts (`numTrustedProxies`) is served there by Istio alone",
            ports.join(", ")
        )
    })
}
