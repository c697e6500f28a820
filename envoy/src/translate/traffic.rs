//! Traffic policies: which one counts for a cluster, and what the filter must know of it (istio.md 1.17, 2.1).

mod check;
mod ejection;
mod port;

pub use check::{check, check_locality};
pub use ejection::{Told, check as ejection};
pub use port::unknown_ports;

use super::known::{Known, Origin};
use super::subset::KnownSubset;
use super::{Origins, spec};
use crate::manifest::{
    ClientTls, ConnectionPool, LoadBalancer, OutlierDetection, ProxyProtocol, RetryBudget, TrafficPolicy,
};
use switchyard_filter::document::{PortHash, StickyBy};

/// A traffic policy with where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownPolicy {
    /// As it is written.
    pub written: TrafficPolicy,
    /// Its manifest, and the field below `spec`.
    pub origin: Origin,
}

/// What of all policies counts for a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effective<'a> {
    /// How many connections and requests there may be.
    pub connection_pool: Option<&'a ConnectionPool>,
    /// When an endpoint is left out for a while, and where that is written.
    pub outlier_detection: Option<(&'a OutlierDetection, Origin)>,
    /// How one of the endpoints is chosen.
    pub load_balancer: Option<&'a LoadBalancer>,
    /// How connections are encrypted, and where that is written.
    pub tls: Option<(&'a ClientTls, Origin)>,
    /// What connections begin with.
    pub proxy_protocol: Option<&'a ProxyProtocol>,
    /// How many of the requests may be retries.
    pub retry_budget: Option<&'a RetryBudget>,
}

impl Known {
    /// What counts for a cluster (istio.md 2.1). What is said of a port stands in place of all else that is said beside
    /// it, also where it says nothing of a block; what a subset says, block by block in place of what is said of the host.
    pub fn policy_of<'a>(&'a self, subset: Option<&'a KnownSubset>, port: u16) -> Effective<'a> {
        let (_, mut counts) = self.policy.as_ref().map_or_else(Default::default, |policy| of_port(policy, port));
        let Some((names_port, own)) =
            subset.and_then(|subset| subset.policy.as_ref()).map(|policy| of_port(policy, port))
        else {
            return counts;
        };
        if names_port || own.connection_pool.is_some() {
            counts.connection_pool = own.connection_pool;
        }
        if names_port || own.outlier_detection.is_some() {
            counts.outlier_detection = own.outlier_detection;
        }
        if names_port || own.load_balancer.is_some() {
            counts.load_balancer = own.load_balancer;
        }
        if names_port || own.tls.is_some() {
            counts.tls = own.tls;
        }
        counts.proxy_protocol = own.proxy_protocol.or(counts.proxy_protocol);
        // As 1.29.6 does: 1.29.1 drops a subset's (istio.md 5.0).
        counts.retry_budget = own.retry_budget.or(counts.retry_budget);
        counts
    }
}

/// What a policy says of a port, and whether it names the port.
fn of_port(policy: &KnownPolicy, port: u16) -> (bool, Effective<'_>) {
    let KnownPolicy { written, origin } = policy;
    let at = |below: &str| Origin { manifest: origin.manifest, field: format!("{}{below}", origin.field) };
    let mut settings = written.port_level_settings.iter().enumerate();
    if let Some((index, setting)) = settings.find(|(_, setting)| setting.port.number == port) {
        let at = |block: &str| at(&format!(".portLevelSettings[{index}].{block}"));
        let effective = Effective {
            connection_pool: setting.connection_pool.as_ref(),
            outlier_detection: setting.outlier_detection.as_ref().map(|outlier| (outlier, at("outlierDetection"))),
            load_balancer: setting.load_balancer.as_ref(),
            tls: setting.tls.as_ref().map(|tls| (tls, at("tls"))),
            ..Effective::default()
        };
        return (true, effective);
    }
    let effective = Effective {
        connection_pool: written.connection_pool.as_ref(),
        outlier_detection: written.outlier_detection.as_ref().map(|outlier| (outlier, at(".outlierDetection"))),
        load_balancer: written.load_balancer.as_ref(),
        tls: written.tls.as_ref().map(|tls| (tls, at(".tls"))),
        proxy_protocol: written.proxy_protocol.as_ref(),
        retry_budget: written.retry_budget.as_ref(),
    };
    (false, effective)
}

/// What requests are hashed by under a policy, for all ports and for single ones: for the document's field `at`.
pub fn hashes(policy: Option<&KnownPolicy>, at: &str, origins: &mut Origins) -> (Option<StickyBy>, Vec<PortHash>) {
    let Some(KnownPolicy { written, origin }) = policy else {
        return (None, vec![]);
    };
    let field = |below: &str| spec(&format!("{}{below}.loadBalancer.consistentHash", origin.field));
    let by = |lb: &Option<LoadBalancer>| lb.as_ref()?.consistent_hash.as_ref()?.by();
    let hash = by(&written.load_balancer);
    if hash.is_some() {
        origins.copied(&format!("{at}.hash"), origin.manifest, field(""));
    }
    let mut ports: Vec<PortHash> = vec![];
    for (index, setting) in written.port_level_settings.iter().enumerate() {
        let port = setting.port.number;
        let earlier = written.port_level_settings.iter().take(index);
        // Of several for one port the first counts, also where it says nothing of this.
        let Some(hash) = by(&setting.load_balancer).filter(|_| !earlier.clone().any(|other| other.port.number == port))
        else {
            continue;
        };
        let own = format!("{at}.portHashes[{}]", ports.len());
        let below = format!(".portLevelSettings[{index}]");
        origins.made(&own, origin.manifest, spec(&format!("{}{below}.port", origin.field)));
        origins.copied(&format!("{own}.hash"), origin.manifest, field(&below));
        ports.push(PortHash { port, hash });
    }
    (hash, ports)
}

#[cfg(test)]
mod tests;
