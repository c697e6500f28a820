//! How many connections and requests there may be (istio.md 2.2, envoy.md 4.2).

use super::any::Percent;
use crate::manifest::{ConnectionPool, Duration, RetryBudget, TcpKeepalive, TcpSettings};
use serde::Serialize;

/// Istio has no limit where a DestinationRule sets none.
const NO_LIMIT: u32 = u32::MAX;

/// `envoy.config.cluster.v3.CircuitBreakers`.
#[derive(Debug, Serialize)]
pub struct CircuitBreakers {
    thresholds: [Thresholds; 1],
}

#[derive(Debug, Serialize)]
struct Thresholds {
    max_connections: u32,
    max_pending_requests: u32,
    max_requests: u32,
    max_retries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_budget: Option<Budget>,
}

#[derive(Debug, Serialize)]
struct Budget {
    budget_percent: Percent,
    min_retry_concurrency: u32,
}

impl CircuitBreakers {
    /// What a pool and a budget say; without them no limit, not Envoy's.
    pub fn of(pool: Option<&ConnectionPool>, budget: Option<&RetryBudget>) -> Self {
        let tcp = pool.and_then(|pool| pool.tcp.as_ref());
        let http = pool.and_then(|pool| pool.http.as_ref());
        let http = |field: fn(&crate::manifest::HttpSettings) -> i32| limit(http.map(field));
        let thresholds = Thresholds {
            max_connections: limit(tcp.map(|tcp| tcp.max_connections)),
            max_pending_requests: http(|http| http.http1_max_pending_requests),
            max_requests: http(|http| http.http2_max_requests),
            max_retries: http(|http| http.max_retries),
            retry_budget: budget.map(|budget| Budget {
                // 20 percent: 1.29.1 writes 0.2 (istio.md 5.0).
                budget_percent: Percent { value: budget.percent.unwrap_or(20.0) },
                min_retry_concurrency: Some(budget.min_retry_concurrency).filter(|count| *count > 0).unwrap_or(3),
            }),
        };
        Self { thresholds: [thresholds] }
    }
}

/// Zero is as good as unset.
fn limit(written: Option<i32>) -> u32 {
    written.and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0).unwrap_or(NO_LIMIT)
}

/// `envoy.config.cluster.v3.UpstreamConnectionOptions`.
#[derive(Debug, Serialize)]
pub struct UpstreamConnectionOptions {
    tcp_keepalive: Keepalive,
}

#[derive(Debug, Serialize)]
struct Keepalive {
    #[serde(rename = "keepalive_probes", skip_serializing_if = "Option::is_none")]
    probes: Option<u32>,
    #[serde(rename = "keepalive_time", skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
    #[serde(rename = "keepalive_interval", skip_serializing_if = "Option::is_none")]
    interval: Option<u64>,
}

impl UpstreamConnectionOptions {
    /// `tcpKeepalive`, of which each field replaces the mesh's; one that says nothing means the system's own values
    /// (`applyTCPKeepalive` of istiod).
    pub fn of(tcp: Option<&TcpSettings>, mesh: Option<&TcpKeepalive>) -> Option<Self> {
        let own = tcp.and_then(|tcp| tcp.tcp_keepalive.as_ref());
        own.or(mesh)?;
        let probes = |keepalive: &TcpKeepalive| Some(keepalive.probes).filter(|probes| *probes > 0);
        let time = |keepalive: &TcpKeepalive| keepalive.time.map(Duration::seconds);
        let interval = |keepalive: &TcpKeepalive| keepalive.interval.map(Duration::seconds);
        let tcp_keepalive = Keepalive {
            probes: own.and_then(probes).or(mesh.and_then(probes)),
            time: own.and_then(time).or(mesh.and_then(time)),
            interval: own.and_then(interval).or(mesh.and_then(interval)),
        };
        Some(Self { tcp_keepalive })
    }
}
