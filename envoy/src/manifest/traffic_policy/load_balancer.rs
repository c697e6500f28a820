//! `loadBalancer` (istio.md 2.4).

use super::LocalityLbSetting;
use crate::manifest::Duration;
use switchyard_filter::document::{HttpCookie, StickyBy};
use switchyard_filter::{choice, record};

record! {
    /// How one of several endpoints is chosen.
    pub struct LoadBalancer {
        /// By load or by turns.
        simple: SimpleLb = "simple",
        /// By a hash of something that requests have. Excludes `simple`.
        consistent_hash: Option<ConsistentHash> = "consistentHash",
        /// By where they are.
        locality_lb_setting: Option<LocalityLbSetting> = "localityLbSetting",
        /// How a new endpoint's share grows.
        warmup: Option<Warmup> = "warmup",
        /// Deprecated for `warmup.duration`.
        warmup_duration_secs: Option<Duration> = "warmupDurationSecs",
    }
    later { "zoneAwareLbSetting" }
}

choice! {
    /// How one of several endpoints is chosen, by load or by turns.
    pub enum SimpleLb {
        /// As if it was not written: `LEAST_REQUEST`.
        Unspecified = "UNSPECIFIED",
        /// Deprecated for `LEAST_REQUEST`.
        LeastConn = "LEAST_CONN",
        /// At random.
        Random = "RANDOM",
        /// Wherever the caller was going.
        Passthrough = "PASSTHROUGH",
        /// In turn.
        RoundRobin = "ROUND_ROBIN",
        /// Of two at random the one with fewer requests.
        LeastRequest = "LEAST_REQUEST",
    }
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

record! {
    /// How a new endpoint's share grows.
    pub struct Warmup {
        /// How long it grows.
        duration: Option<Duration> = "duration",
        /// With how many percent it begins. Default: 10.
        minimum_percent: Option<f64> = "minimumPercent",
        /// How it grows, from 1: evenly; above: late. Default: 1.
        aggression: Option<f64> = "aggression",
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
