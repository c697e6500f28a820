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
        /// The namespaces of proxies that it is for: names, `.` for its own, `*` for all. Default: all.
        export_to: Vec<String> = "exportTo",
        /// The proxies of its own namespace that it is for, alone and before others.
        workload_selector: Option<WorkloadSelector> = "workloadSelector",
    }
}

record! {
    /// Which proxies something is for.
    pub struct WorkloadSelector {
        /// Labels that a proxy must have.
        match_labels: BTreeMap<String, String> = "matchLabels",
    }
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
