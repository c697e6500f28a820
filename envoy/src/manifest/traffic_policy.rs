//! `trafficPolicy` of DestinationRules: how clusters are spoken to (istio.md 2.1 to 2.6).

mod connection_pool;
mod load_balancer;
mod locality;
mod outlier_detection;
mod tls;

pub use connection_pool::{ConnectionPool, H2UpgradePolicy, HttpSettings, TcpKeepalive, TcpSettings};
pub use load_balancer::{ConsistentHash, LoadBalancer, Maglev, RingHash, SimpleLb, Warmup};
pub use locality::{Distribute, Failover, LocalityLbSetting};
pub use outlier_detection::OutlierDetection;
pub use tls::{ClientTls, ClientTlsMode};

use switchyard_filter::document::PortSelector;
use switchyard_filter::{choice, record};

record! {
    /// How a host or a subset is spoken to.
    pub struct TrafficPolicy {
        /// How one of its endpoints is chosen.
        load_balancer: Option<LoadBalancer> = "loadBalancer",
        /// How many connections and requests there may be.
        connection_pool: Option<ConnectionPool> = "connectionPool",
        /// When an endpoint is left out for a while.
        outlier_detection: Option<OutlierDetection> = "outlierDetection",
        /// How connections are encrypted.
        tls: Option<ClientTls> = "tls",
        /// The same for single ports, in place of all of this.
        port_level_settings: Vec<PortTrafficPolicy> = "portLevelSettings",
        /// What connections begin with, to say who the client is.
        proxy_protocol: Option<ProxyProtocol> = "proxyProtocol",
        /// How many of the requests may be retries.
        retry_budget: Option<RetryBudget> = "retryBudget",
    }
    refused {
        "tunnel" = "`tunnel` is not supported: Istio does it for TCP alone, and here is HTTP; leave it out",
    }
}

record! {
    /// How a port is spoken to.
    pub struct PortTrafficPolicy {
        /// The port.
        port: PortSelector = "port" required,
        /// How one of the endpoints is chosen.
        load_balancer: Option<LoadBalancer> = "loadBalancer",
        /// How many connections and requests there may be.
        connection_pool: Option<ConnectionPool> = "connectionPool",
        /// When an endpoint is left out for a while.
        outlier_detection: Option<OutlierDetection> = "outlierDetection",
        /// How connections are encrypted.
        tls: Option<ClientTls> = "tls",
    }
}

record! {
    /// The PROXY protocol.
    pub struct ProxyProtocol {
        /// Which version of it. Default: the first.
        version: ProxyProtocolVersion = "version",
    }
}

choice! {
    /// A version of the PROXY protocol.
    pub enum ProxyProtocolVersion {
        /// In words.
        V1 = "V1",
        /// In bytes.
        V2 = "V2",
    }
}

record! {
    /// How many of the requests may be retries.
    pub struct RetryBudget {
        /// Percent of the active requests, 0 to 100. Default: 20.
        percent: Option<f64> = "percent",
        /// How many at least. Default: 3.
        min_retry_concurrency: u32 = "minRetryConcurrency",
    }
    later { "budgetInterval" }
}

impl TrafficPolicy {
    /// What counts for a port in place of the whole, where something does: the first that names it.
    pub fn of_port(&self, port: u16) -> Option<&PortTrafficPolicy> {
        self.port_level_settings.iter().find(|setting| setting.port.number == port)
    }
}
