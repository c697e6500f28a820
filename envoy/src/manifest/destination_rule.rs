//! DestinationRules: subsets (istio.md 2.0).

use std::collections::BTreeMap;
use switchyard_filter::record;

record! {
    /// What a host's clusters are.
    pub struct DestinationRule {
        /// The host; a short name resolves in the DestinationRule's own namespace.
        host: String = "host" required,
        /// Parts of the host's endpoints, each a cluster of its own.
        subsets: Vec<Subset> = "subsets",
    }
    later { "trafficPolicy", "exportTo", "workloadSelector" }
}

record! {
    /// A part of a host's endpoints.
    pub struct Subset {
        /// Its name.
        name: String = "name" required,
        /// Labels that an endpoint must have; none: every endpoint.
        labels: BTreeMap<String, String> = "labels",
    }
    later { "trafficPolicy" }
}
