//! The ports that a WasmPlugin names. A gateway's are those at which it really listens: Istio looks at the port behind the
//! Service that has the server's, its `targetPort` (istio.md 3; seen in 1.29.1, where `match.ports` of a plugin is compared
//! with it). Without ports a plugin would decide on whatever others serve with the same pods.

use super::configured::Configured;
use super::selection::{Place, Target};
use super::server::Server;
use super::workload::{self, Workload, number};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifest, Manifests};
use crate::translate::selects;
use crate::yaml::{Node, Path};
use std::collections::{BTreeMap, BTreeSet};

/// The label of a Service that Istio does not look behind.
const AS_IT_IS: &str = "experimental.istio.io/disable-gateway-port-translation";

/// Where the proxies of a target listen for each port that servers write, theirs and those of others on the same pods.
#[derive(Debug, Default)]
pub struct Listening {
    /// The listening ports.
    behind: BTreeMap<u16, BTreeSet<u16>>,
    /// Of ports that are one listener, the one that stands for all of them; others are not here.
    joined: BTreeMap<u16, u16>,
    /// Ports of which nobody says where they are.
    wrong: BTreeMap<u16, Diagnostic>,
    /// Whether a Service tells.
    is_told: bool,
}

impl Listening {
    /// As Istio finds them (pilot/pkg/model/gateway.go, `resolvePorts`).
    pub fn new(manifests: &Manifests, target: &Target, servers: &[Server<'_>], workloads: &[Workload<'_>]) -> Self {
        let services = services(manifests, target, workloads);
        let mut all = Self { is_told: !services.is_empty(), ..Self::default() };
        for port in servers.iter().map(|server| server.port).collect::<BTreeSet<_>>() {
            match behind(&services, workloads, port) {
                // Istio takes a port that none of them has as it is.
                Ok(found) if found.is_empty() => all.behind.insert(port, BTreeSet::from([port])),
                Ok(found) => all.behind.insert(port, found),
                Err(found) => {
                    all.wrong.insert(port, *found);
                    None
                }
            };
        }
        // One of the target's own stands for the others.
        let is_own = |port: u16| servers.iter().any(|server| server.port == port && server.is_of(target));
        let mut ports: Vec<u16> = all.behind.keys().copied().collect();
        ports.sort_by_key(|port| (!is_own(*port), *port));
        for (index, port) in ports.iter().enumerate() {
            let meets = |other: &&u16| !all.behind[*other].is_disjoint(&all.behind[port]);
            if let Some(first) = ports[..index].iter().find(meets) {
                let first = all.of(*first);
                let found = all.behind[port].clone();
                all.joined.insert(*port, first);
                all.behind.entry(first).or_default().extend(found);
            }
        }
        all
    }

    /// The port by which the listener of a server's port is known here.
    pub fn of(&self, port: u16) -> u16 {
        self.joined.get(&port).copied().unwrap_or(port)
    }

    /// The listening ports for such a port.
    pub fn behind(&self, port: u16) -> BTreeSet<u16> {
        self.behind.get(&port).cloned().unwrap_or_else(|| BTreeSet::from([port]))
    }
}

/// Where the ports of a gateway's servers are.
#[derive(Debug, Default)]
pub struct Settled {
    /// The ports at which it listens for each of its servers' ports.
    pub behind: BTreeMap<u16, BTreeSet<u16>>,
    /// Of ports that are one listener, the one that stands for all of them.
    joined: BTreeMap<u16, u16>,
    /// What to know.
    pub note: Option<String>,
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

/// The Services in front of its pods.
fn services<'a>(manifests: &'a Manifests, target: &Target, workloads: &[Workload<'_>]) -> Vec<&'a Manifest> {
    let is_own = |manifest: &&Manifest| {
        let selector = selector(manifest);
        (target.everywhere || manifest.namespace == target.namespace)
            && !manifest.labels.contains_key(AS_IT_IS)
            && !selector.is_empty()
            && workload::meet(&selector, &target.labels, workloads)
    };
    manifests.of(Kind::Service).filter(is_own).collect()
}

fn selector(service: &Manifest) -> workload::Labels {
    service.node.get("spec").and_then(|spec| spec.get("selector")).map(workload::pairs).unwrap_or_default()
}

/// Where the gateway listens for a port, as its Services tell.
fn behind(services: &[&Manifest], workloads: &[Workload<'_>], port: u16) -> Result<BTreeSet<u16>, Box<Diagnostic>> {
    let mut found = BTreeSet::new();
    for service in services {
        let ports = service.node.get("spec").and_then(|spec| spec.get("ports")).map(Node::items).unwrap_or_default();
        for (index, written) in ports.iter().enumerate() {
            if written.get("port").and_then(number) != Some(port) {
                continue;
            }
            let Some(target) = written.get("targetPort") else {
                found.insert(port);
                continue;
            };
            match (number(target), target.as_str()) {
                (Some(number), _) => found.extend([number]),
                (None, Some(name)) => found.extend(named(service, index, name, workloads)?),
                (None, None) => {}
            }
        }
    }
    Ok(found)
}

/// The ports of this name of the containers behind a Service.
fn named(
    service: &Manifest,
    index: usize,
    name: &str,
    workloads: &[Workload<'_>],
) -> Result<BTreeSet<u16>, Box<Diagnostic>> {
    let selector = selector(service);
    let behind = |one: &&Workload<'_>| {
        one.namespace == service.namespace && selects(&selector, &one.labels) && !selector.is_empty()
    };
    let pods: Vec<_> = workloads.iter().filter(behind).collect();
    let found: BTreeSet<u16> = pods.iter().filter_map(|pod| pod.port(name)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let path = Path::root().field("spec").field("ports").index(index).field("targetPort");
    let message = match pods.first() {
        None => format!("which port `{name}` is nobody says: there is no pod of `{service}` among the manifests"),
        Some(pod) => format!("which port `{name}` is nobody says: no container of `{}` names one so", pod.shown),
    };
    let help = format!(
        "write its number, or add what has a container with the port `{name}` (`kubectl get deployment -o yaml`)"
    );
    Err(Box::new(service.error(&path, &message).help(help)))
}
