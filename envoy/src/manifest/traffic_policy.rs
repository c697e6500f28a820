//! `trafficPolicy` of DestinationRules: how clusters are spoken to (istio.md 2.1 to 2.5).

use switchyard_filter::document::{HttpCookie, PortSelector, StickyBy};
use switchyard_filter::record;

record! {
    /// How a host or a subset is spoken to.
    pub struct TrafficPolicy {
        /// How one of its endpoints is chosen.
        load_balancer: Option<LoadBalancer> = "loadBalancer",
        /// The same for single ports, in place of all of this.
        port_level_settings: Vec<PortTrafficPolicy> = "portLevelSettings",
    }
    later { "connectionPool", "outlierDetection", "tls", "tunnel", "proxyProtocol", "retryBudget" }
}

record! {
    /// How a port is spoken to.
    pub struct PortTrafficPolicy {
        /// The port.
        port: PortSelector = "port" required,
        /// How one of the endpoints is chosen.
        load_balancer: Option<LoadBalancer> = "loadBalancer",
    }
    later { "connectionPool", "outlierDetection", "tls" }
}

record! {
    /// How one of several endpoints is chosen.
    pub struct LoadBalancer {
        /// By a hash of something that requests have.
        consistent_hash: Option<ConsistentHash> = "consistentHash",
    }
    later { "simple", "localityLbSetting", "zoneAwareLbSetting", "warmup", "warmupDurationSecs" }
}

record! {
    /// What is hashed, and how endpoints are found by it.
    pub struct ConsistentHash {
        /// A request header.
        http_header_name: String = "httpHeaderName",
        /// A cookie.
        http_cookie: Option<HttpCookie> = "httpCookie",
        /// The source address.
        use_source_ip: bool = "useSourceIp",
        /// A query parameter.
        http_query_parameter_name: String = "httpQueryParameterName",
        /// On a ring. The default.
        ring_hash: Option<RingHash> = "ringHash",
        /// By a table.
        maglev: Option<Maglev> = "maglev",
        /// Deprecated for `ringHash.minimumRingSize`.
        minimum_ring_size: Option<u32> = "minimumRingSize",
    }
}

record! {
    /// A ring of hashes.
    pub struct RingHash {
        /// How many places it has at least. Default: Envoy's 1024.
        minimum_ring_size: Option<u32> = "minimumRingSize",
    }
}

record! {
    /// A table of hashes.
    pub struct Maglev {
        /// How many places it has, a prime.
        table_size: Option<u32> = "tableSize",
    }
}

impl TrafficPolicy {
    /// What counts for a port in place of the whole, where something does: the first that names it.
    pub fn of_port(&self, port: u16) -> Option<&PortTrafficPolicy> {
        self.port_level_settings.iter().find(|setting| setting.port.number == port)
    }
}

impl ConsistentHash {
    /// What is hashed, as the filter's configuration has it; `None` where nothing is named.
    pub fn by(&self) -> Option<StickyBy> {
        let by = StickyBy {
            http_cookie: self.http_cookie.clone(),
            http_header_name: self.http_header_name.clone(),
            http_query_parameter_name: self.http_query_parameter_name.clone(),
            use_source_ip: self.use_source_ip,
        };
        (by != StickyBy::default()).then_some(by)
    }
}
