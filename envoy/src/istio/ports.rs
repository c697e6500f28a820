//! The ports that a WasmPlugin names. A gateway's are those at which it really listens (seen in 1.29.1, where `match.ports` of
//! a plugin is compared with the `targetPort`). Without ports a plugin would decide on whatever others serve with the same
//! pods.

use super::configured::Configured;
use super::listening::Listening;
use super::selection::{Place, Target};
use super::server::Server;
use crate::diagnostic::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};

/// Where the ports of a gateway's servers are.
#[derive(Debug, Default)]
pub struct Settled {
    /// The ports at which it listens for each of its servers' ports.
    pub behind: BTreeMap<u16, BTreeSet<u16>>,
    /// Of ports that are one listener, the one that stands for all of them.
    joined: BTreeMap<u16, u16>,
    /// What to know.
    pub note: Option<String>,
    /// What to look at.
    pub warnings: Vec<Diagnostic>,
}

impl Settled {
    /// The port by which the listener of a server's port is known here.
    pub fn of(&self, port: u16) -> u16 {
        self.joined.get(&port).copied().unwrap_or(port)
    }
}

/// Says at which ports each configuration counts.
///
/// # Errors
/// A Service sends to a port that has only a name, which no container here tells.
pub fn settle(
    configured: &mut [Configured],
    target: &Target,
    servers: &[Server<'_>],
    listening: &Listening,
) -> Result<Settled, Vec<Diagnostic>> {
    if !target.is_gateway() {
        for one in configured {
            one.matched.clone_from(&one.ports);
        }
        return Ok(Settled::default());
    }
    // Pods of a Gateway of Kubernetes are its own: where one is for all there is nothing to tell apart, but for a server
    // that redirects: the filter would answer there.
    let redirects = servers.iter().any(|server| server.is_of(target) && server.redirects);
    if target.place == Place::GatewayApi && configured.len() == 1 && !redirects {
        return Ok(Settled::default());
    }
    let ports: BTreeSet<u16> = configured.iter().flat_map(|one| one.ports.iter().copied()).collect();
    let is_written = |port: &&u16| ports.contains(&listening.of(**port));
    let mut wrong: Vec<_> =
        listening.wrong.iter().filter(|(port, _)| is_written(port)).map(|(_, found)| found.clone()).collect();
    if !wrong.is_empty() {
        wrong.dedup();
        return Err(wrong);
    }
    let mut settled = Settled { joined: listening.joined.clone(), ..Settled::default() };
    for port in &ports {
        settled.behind.insert(*port, listening.behind(*port));
    }
    settled.warnings =
        listening.unclear.iter().filter(|(port, _)| is_written(port)).map(|(_, found)| found.clone()).collect();
    for one in configured {
        one.matched = one.ports.iter().filter_map(|port| settled.behind.get(port)).flatten().copied().collect();
    }
    if !listening.is_told && !ports.is_empty() {
        let unknown: Vec<_> = ports.iter().map(ToString::to_string).collect();
        settled.note = Some(format!(
            "warning: no Service of these manifests is the gateway's, so nothing says where it listens for port {}: Istio goes \
             by the Service's `targetPort`, so add it to the manifests if that is another one",
            unknown.join(", ")
        ));
    }
    Ok(settled)
}
