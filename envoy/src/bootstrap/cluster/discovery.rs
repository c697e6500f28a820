//! How endpoints are found (istio.md 2.0).

use super::any::Any;
use crate::manifest::Duration;
use crate::translate::Resolve;
use serde::Serialize;

/// `type` of a cluster.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DiscoveryType {
    /// Addresses as written: Istio hands them over by EDS.
    Static,
    /// Where a captured connection was going.
    OriginalDst,
}

/// `cluster_type`: an extension that finds endpoints.
#[derive(Debug, Serialize)]
pub struct ClusterType {
    name: &'static str,
    typed_config: Any<DnsCluster>,
}

/// `envoy.extensions.clusters.dns.v3.DnsCluster`: what was `STRICT_DNS` and `LOGICAL_DNS`, whose own settings are
/// deprecated.
#[derive(Debug, Serialize)]
struct DnsCluster {
    dns_lookup_family: &'static str,
    dns_refresh_rate: Duration,
    dns_jitter: Duration,
    respect_dns_ttl: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    all_addresses_in_single_endpoint: bool,
}

/// How the endpoints of a cluster are found. Names that were not found are asked for again at `refresh_rate`.
pub fn of(
    resolve: Resolve,
    is_passthrough: bool,
    refresh_rate: Duration,
) -> (Option<DiscoveryType>, Option<ClusterType>) {
    if is_passthrough {
        return (Some(DiscoveryType::OriginalDst), None);
    }
    let single = match resolve {
        // Only a gateway gets here with it, and knows no way to pass anything on: Istio has it ask for endpoints.
        Resolve::Static | Resolve::Forward => return (Some(DiscoveryType::Static), None),
        Resolve::Dns => false,
        Resolve::DnsRoundRobin => true,
    };
    let settings = DnsCluster {
        // Istio goes by the proxy's own addresses, which are not known here.
        dns_lookup_family: "V4_PREFERRED",
        dns_refresh_rate: refresh_rate,
        dns_jitter: Duration { ms: 100 },
        respect_dns_ttl: true,
        all_addresses_in_single_endpoint: single,
    };
    let typed_config = Any::new("envoy.extensions.clusters.dns.v3.DnsCluster", settings);
    (None, Some(ClusterType { name: "envoy.cluster.dns", typed_config }))
}
