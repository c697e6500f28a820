//! DestinationRules: subsets, and how clusters are spoken to (istio.md 2.0).

use super::TrafficPolicy;
use std::collections::BTreeMap;
use switchyard_filter::record;

record! {
    /// What a host's clusters are.
    pub struct DestinationRule {
        /// The host; a short name resolves in the DestinationRule's own namespace.
        host: String = "host" required,
        /// Parts of the host's endpoints, each a cluster of its own.
        subsets: Vec<Subset> = "subsets",
        /// How the host is spoken to.
        traffic_policy: Option<TrafficPolicy> = "trafficPolicy",
    }
    later { "exportTo", "workloadSelector" }
}

record! {
    /// A part of a host's endpoints.
    pub struct Subset {
        /// Its name.
        name: String = "name" required,
        /// Labels that an endpoint must have; none: every endpoint.
        labels: BTreeMap<String, String> = "labels",
        /// How it is spoken to, where otherwise than the host.
        traffic_policy: Option<TrafficPolicy> = "trafficPolicy",
    }
}
