//! Where the proxies of a gateway listen: Istio goes by the `targetPort` of the Service that has a server's port
//! (`resolvePorts` of pilot/pkg/model/gateway.go; istio.md 3).

use super::selection::{Place, Target, api_gateway};
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
    pub joined: BTreeMap<u16, u16>,
    /// Ports of which nobody says where they are.
    pub wrong: BTreeMap<u16, Diagnostic>,
    /// Ports that several Services send to different ones.
    pub unclear: BTreeMap<u16, Diagnostic>,
    /// Whether a Service tells.
    pub is_told: bool,
}

impl Listening {
    /// As Istio finds them (pilot/pkg/model/gateway.go, `resolvePorts`).
    pub fn new(manifests: &Manifests, target: &Target, servers: &[Server<'_>], workloads: &[Workload<'_>]) -> Self {
        let services = services(manifests, target, workloads);
        // Istio itself makes the Service of a Gateway of Kubernetes that names none.
        let is_told =
            !services.is_empty() || target.place == Place::GatewayApi && addresses(manifests, target).is_empty();
        let mut all = Self { is_told, ..Self::default() };
        for port in servers.iter().map(|server| server.port).collect::<BTreeSet<_>>() {
            let found = sent(&services, target, workloads, port);
            let behind: Result<Vec<_>, _> = found.iter().map(|sent| sent.behind(workloads)).collect();
            match behind {
                // Istio takes a port that none of them has as it is.
                Ok(behind) if behind.is_empty() => all.behind.insert(port, BTreeSet::from([port])),
                Ok(behind) => {
                    all.unclear.extend(unclear(&found, target, workloads).map(|unclear| (port, unclear)));
                    all.behind.insert(port, behind.concat().into_iter().collect())
                }
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

/// The Services in front of its pods, the one that Istio looks at first before others (`SetServiceTargets`).
fn services<'a>(manifests: &'a Manifests, target: &Target, workloads: &[Workload<'_>]) -> Vec<&'a Manifest> {
    let named = addresses(manifests, target);
    let is_own = |manifest: &&Manifest| {
        let selector = selector(manifest);
        if target.place == Place::GatewayApi {
            return named.contains(&host(manifest));
        }
        (target.everywhere || manifest.namespace == target.namespace)
            && !manifest.labels.contains_key(AS_IT_IS)
            && !selector.is_empty()
            && workload::meet(&selector, &target.labels, workloads)
    };
    let mut found: Vec<_> = manifests.of(Kind::Service).filter(is_own).collect();
    found.sort_by_key(|service| (service.creation_timestamp.clone(), host(service)));
    found
}

/// The Services that Gateways of Kubernetes name, as [`host`] does.
fn addresses(manifests: &Manifests, target: &Target) -> BTreeSet<String> {
    let gateways = target.gateways.iter().filter(|_| target.place == Place::GatewayApi);
    let of = |id: &String| {
        let spec = api_gateway(manifests, id)?.node.get("spec")?;
        let values = spec.get("addresses")?.items().iter().filter_map(|address| address.get("value")?.as_str());
        let own = id.split_once('/')?.0;
        let named = values.map(|value| {
            let mut labels = value.split('.');
            format!("{}.{}", labels.next().unwrap_or_default(), labels.next().unwrap_or(own))
        });
        Some(named.collect::<Vec<_>>())
    };
    gateways.filter_map(of).flatten().collect()
}

fn host(service: &Manifest) -> String {
    format!("{}.{}", service.name, service.namespace)
}

fn selector(service: &Manifest) -> workload::Labels {
    service.node.get("spec").and_then(|spec| spec.get("selector")).map(workload::pairs).unwrap_or_default()
}

/// A Service that has a port.
struct Sent<'a> {
    service: &'a Manifest,
    /// Its place in the Service.
    index: usize,
    port: u16,
    /// `targetPort`.
    to: Option<&'a Node>,
}

/// Those that Istio goes by for a port: of the same pods the first alone, as far as is told which one that is.
fn sent<'a>(services: &[&'a Manifest], target: &Target, workloads: &[Workload<'_>], port: u16) -> Vec<Sent<'a>> {
    let mut found: Vec<Sent<'a>> = vec![];
    for service in services {
        let ports = service.node.get("spec").and_then(|spec| spec.get("ports")).map(Node::items).unwrap_or_default();
        let numbered = |written: &&(usize, &Node)| written.1.get("port").and_then(number) == Some(port);
        // Of ports that it sends to the same one, Istio has the first (`GetProxyServiceTargetsByPod`).
        let is_first = |written: &&(usize, &'a Node)| !ports[..written.0].iter().any(|other| is_one(other, written.1));
        let all: Vec<_> = ports.iter().enumerate().collect();
        let Some((index, written)) = all.iter().filter(is_first).find(numbered) else { continue };
        let is_hidden = |other: &Sent<'_>| {
            is_older(other.service, service) && surely_has(other.service, service, target, workloads)
        };
        if target.place == Place::GatewayApi || !found.iter().any(is_hidden) {
            found.push(Sent { service, index: *index, port, to: written.get("targetPort") });
        }
    }
    found
}

/// Whether two ports of a Service are for the same one, and the same protocol.
fn is_one(a: &Node, b: &Node) -> bool {
    let to = |port: &Node| port.get("targetPort").or_else(|| port.get("port")).map(Node::to_json);
    let protocol = |port: &Node| {
        let text = |name: &str| port.get(name).and_then(Node::as_str).unwrap_or_default().to_ascii_lowercase();
        let told = Some(text("appProtocol")).filter(|told| !told.is_empty());
        (
            text("protocol") == "udp",
            told.unwrap_or_else(|| text("name").split('-').next().unwrap_or_default().to_owned()),
        )
    };
    to(a) == to(b) && protocol(a) == protocol(b)
}

/// Whether it is told that a Service comes before another one.
fn is_older(one: &Manifest, other: &Manifest) -> bool {
    let times = [&one.creation_timestamp, &other.creation_timestamp];
    !times.iter().any(|time| time.is_empty()) && (times[0], host(one)) < (times[1], host(other))
}

/// Whether every pod of the target that a Service has is another one's too.
fn surely_has(one: &Manifest, other: &Manifest, target: &Target, workloads: &[Workload<'_>]) -> bool {
    if one.namespace != other.namespace {
        return false;
    }
    let (wide, narrow) = (selector(one), selector(other));
    let is_pod = |pod: &&Workload<'_>| {
        pod.namespace == other.namespace && selects(&narrow, &pod.labels) && selects(&target.labels, &pod.labels)
    };
    let pods: Vec<_> = workloads.iter().filter(is_pod).collect();
    if pods.is_empty() {
        let labels = target.labels.iter().chain(&narrow).map(|(key, value)| (key.clone(), value.clone())).collect();
        return selects(&wide, &labels);
    }
    pods.iter().all(|pod| selects(&wide, &pod.labels))
}

/// Two of the same pods that send a port to different ones, where nothing tells which of them is older.
fn unclear(found: &[Sent<'_>], target: &Target, workloads: &[Workload<'_>]) -> Option<Diagnostic> {
    if target.place == Place::GatewayApi {
        return None;
    }
    let to = |sent: &Sent<'_>| sent.to.map_or_else(|| sent.port.to_string(), |to| to.to_json().to_string());
    let meets = |a: &Sent<'_>, b: &Sent<'_>| {
        to(a) != to(b)
            && (surely_has(a.service, b.service, target, workloads)
                || surely_has(b.service, a.service, target, workloads))
    };
    let pairs = found.iter().enumerate().flat_map(|(index, one)| found[..index].iter().map(move |other| (other, one)));
    let (one, other) = pairs.into_iter().find(|(one, other)| meets(one, other))?;
    let message = format!(
        "`{}` sends port {} to {} of the same pods, and `{}` to {}: Istio goes by the Service that was created first, which is \
         not told here, so that the plugin is for both",
        one.service,
        one.port,
        to(one),
        other.service,
        to(other)
    );
    let help = "give them as the cluster has them (`kubectl get service -o yaml`), or keep the port in one of them";
    Some(
        one.service.warning(&one.path(), &message).help(help).also(other.service.place(&other.path()), "the other one"),
    )
}

impl Sent<'_> {
    fn path(&self) -> Path {
        Path::root().field("spec").field("ports").index(self.index)
    }

    /// Where the pods listen.
    fn behind(&self, workloads: &[Workload<'_>]) -> Result<Vec<u16>, Box<Diagnostic>> {
        match self.to.map(|to| (number(to), to.as_str())) {
            None => Ok(vec![self.port]),
            Some((Some(number), _)) => Ok(vec![number]),
            Some((None, Some(name))) => self.named(name, workloads),
            Some((None, None)) => Ok(vec![]),
        }
    }

    /// The ports of this name of the containers behind it.
    fn named(&self, name: &str, workloads: &[Workload<'_>]) -> Result<Vec<u16>, Box<Diagnostic>> {
        let service = self.service;
        let selector = selector(service);
        let behind = |one: &&Workload<'_>| {
            one.namespace == service.namespace && selects(&selector, &one.labels) && !selector.is_empty()
        };
        let pods: Vec<_> = workloads.iter().filter(behind).collect();
        let found: Vec<u16> = pods.iter().filter_map(|pod| pod.port(name)).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let message = match pods.first() {
            None => format!("which port `{name}` is nobody says: there is no pod of `{service}` among the manifests"),
            Some(pod) => format!("which port `{name}` is nobody says: no container of `{}` names one so", pod.shown),
        };
        let help = format!(
            "write its number, or add what has a container with the port `{name}` (`kubectl get deployment -o yaml`)"
        );
        Err(Box::new(service.error(&self.path().field("targetPort"), &message).help(help)))
    }
}
