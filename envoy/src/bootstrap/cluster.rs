//! Clusters: one for each known host, port and subset, routed to or not, as istiod makes them (istio.md 2.0 to 2.5).
//!
//! Types are Envoy's messages, in its field names and with what is used of them; each concern has a file.

pub mod any;
mod circuit_breakers;
mod discovery;
mod endpoints;
mod http_protocol_options;
mod load_balancing;
mod outlier_detection;
mod priority;
mod transport_socket;

use super::stats::STAT_NAME_END;
use crate::diagnostic::{Diagnostic, sort};
use crate::manifest::{Duration, SimpleLb};
use crate::translate::{Effective, Known, KnownPort, KnownSubset, Model, Resolve};
use any::Any;
use circuit_breakers::{CircuitBreakers, UpstreamConnectionOptions};
use discovery::{ClusterType, DiscoveryType};
use endpoints::ClusterLoadAssignment;
use http_protocol_options::HttpProtocolOptions;
use load_balancing::{CommonLb, LoadBalancing};
use outlier_detection::OutlierDetection;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use transport_socket::TransportSocket;

/// `envoy.config.cluster.v3.Cluster`.
#[expect(clippy::struct_field_names, reason = "Envoy's names")]
#[derive(Debug, Serialize)]
struct Cluster {
    name: String,
    /// The name with an end that [`stats`](super::stats) finds: names have dots, as those of statistics do.
    alt_stat_name: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    discovery_type: Option<DiscoveryType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_type: Option<ClusterType>,
    connect_timeout: Duration,
    #[serde(flatten)]
    load_balancing: LoadBalancing,
    #[serde(skip_serializing_if = "CommonLb::is_empty")]
    common_lb_config: CommonLb,
    circuit_breakers: CircuitBreakers,
    #[serde(skip_serializing_if = "Option::is_none")]
    outlier_detection: Option<OutlierDetection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_connection_options: Option<UpstreamConnectionOptions>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    typed_extension_protocol_options: BTreeMap<&'static str, Any<HttpProtocolOptions>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport_socket: Option<TransportSocket>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_assignment: Option<ClusterLoadAssignment>,
}

/// Every cluster, by host, port and subset.
///
/// # Errors
/// Certificates that are not there.
pub fn clusters(model: &Model<'_>) -> Result<Value, Vec<Diagnostic>> {
    let mut all: Vec<Cluster> = vec![];
    let mut wrong = vec![];
    for known in model.services().values() {
        for port in &known.ports {
            for subset in std::iter::once(None).chain(known.subsets.iter().map(Some)) {
                match cluster(model, known, *port, subset) {
                    Ok(cluster) => all.extend(cluster),
                    Err(found) => wrong.extend(found),
                }
            }
        }
    }
    if wrong.is_empty() {
        serde_json::to_value(all).map_err(|error| vec![Diagnostic::unplaced(error.to_string())])
    } else {
        sort(&mut wrong);
        Err(wrong)
    }
}

/// The cluster of a host's port; `None` where Istio makes none.
fn cluster(
    model: &Model<'_>,
    known: &Known,
    port: KnownPort,
    subset: Option<&KnownSubset>,
) -> Result<Option<Cluster>, Vec<Diagnostic>> {
    let policy = known.policy_of(subset, port.number);
    let mesh = model.mesh_defaults();
    let by_place = priority::setting(&policy, known, mesh);
    let is_gateway = model.is_gateway();
    let endpoints: Vec<_> =
        known.endpoints_of(subset).filter(|endpoint| endpoint.ports.contains_key(&port.number)).collect();
    let is_resolved = matches!(known.resolve, Resolve::Dns | Resolve::DnsRoundRobin);
    // istio.md 2.0: no cluster where there is no name to resolve; with fixed addresses there is one, without hosts.
    // Nor is there one of a subset where there is none of the host.
    let has_port = known.endpoints.iter().any(|endpoint| endpoint.ports.contains_key(&port.number));
    // What the host's cluster is, its subsets are too, whatever they say; and a subset that says so itself, whatever is
    // said of the port.
    let is_passed_on =
        subset.is_some() && (is_passthrough(&known.policy_of(None, port.number)) || is_passthrough_subset(subset));
    if is_resolved && (!has_port || (endpoints.is_empty() && !is_passed_on)) {
        return Ok(None);
    }
    let subset_name = subset.map_or("", |subset| subset.name.as_str());
    let name = format!("outbound|{}|{subset_name}|{}", port.number, known.host);
    let mut options = HttpProtocolOptions::of(port, is_gateway, policy.connection_pool, mesh.upgrades_to_http2);
    let tls = policy.tls.as_ref().map(|(tls, origin)| transport_socket::Tls {
        written: tls,
        origin,
        default_sni: format!("outbound_.{}_.{subset_name}_.{}", port.number, known.host),
        subject_alt_names: &known.subject_alt_names,
    });
    let transport_socket = transport_socket::of(model, tls, policy.proxy_protocol, &mut options)?;
    let common_lb_config = CommonLb::of(&policy, by_place, known.distribution.is_some());
    let is_forwarding = known.resolve == Resolve::Forward && !is_gateway;
    let is_passthrough = is_forwarding || is_passthrough(&policy) || is_passed_on;
    let groups = (!is_passthrough).then(|| {
        let mut groups = endpoints::by_locality(&endpoints, port.number);
        priority::apply(&mut groups, &policy, by_place, &model.locality(), &model.proxy_labels(), is_resolved);
        groups
    });
    let is_left_out = |groups: &Vec<endpoints::Group<'_>>| groups.iter().all(|group| group.endpoints.is_empty());
    if known.resolve == Resolve::DnsRoundRobin && groups.as_ref().is_some_and(is_left_out) {
        // `distribute` gives the one endpoint nothing. Envoy takes no such cluster, and Istio's proxies go without it.
        return Ok(None);
    }
    let load_assignment = groups.map(|groups| ClusterLoadAssignment::new(&name, groups));
    let (discovery_type, cluster_type) = discovery::of(known.resolve, is_passthrough, mesh.dns_refresh_rate);
    let mut load_balancing = LoadBalancing::of(policy.load_balancer);
    if is_passthrough {
        // A gateway forwards nothing by itself: only subsets of what is passed on keep the target port there.
        let is_target = known.resolve == Resolve::Forward && (!is_gateway || is_passed_on);
        load_balancing.forward(known.forwarded_ports.get(&port.number).copied().filter(|_| is_target));
    }
    let tcp = policy.connection_pool.and_then(|pool| pool.tcp.as_ref());
    Ok(Some(Cluster {
        discovery_type,
        cluster_type,
        connect_timeout: tcp.and_then(|tcp| tcp.connect_timeout).unwrap_or(mesh.connect_timeout),
        load_balancing,
        common_lb_config,
        circuit_breakers: CircuitBreakers::of(policy.connection_pool, policy.retry_budget),
        outlier_detection: policy.outlier_detection.as_ref().map(|(written, _)| OutlierDetection::of(written)),
        upstream_connection_options: UpstreamConnectionOptions::of(tcp, mesh.tcp_keepalive.as_ref()),
        typed_extension_protocol_options: options.into_extension(),
        transport_socket,
        load_assignment,
        alt_stat_name: format!("{name}{STAT_NAME_END}"),
        name,
    }))
}

fn is_passthrough(policy: &Effective<'_>) -> bool {
    policy.load_balancer.is_some_and(|balancer| balancer.simple == SimpleLb::Passthrough)
}

/// A subset that says so itself needs no endpoints.
fn is_passthrough_subset(subset: Option<&KnownSubset>) -> bool {
    let policy = subset.and_then(|subset| subset.policy.as_ref());
    let balancer = policy.and_then(|policy| policy.written.load_balancer.as_ref());
    balancer.is_some_and(|balancer| balancer.simple == SimpleLb::Passthrough)
}
