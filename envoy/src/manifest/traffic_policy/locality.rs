//! `loadBalancer.localityLbSetting` (istio.md 2.4).

use std::collections::BTreeMap;
use switchyard_filter::record;

record! {
    /// How endpoints are chosen by where they are. One of `distribute` and `failover`.
    pub struct LocalityLbSetting {
        /// Whether it counts. Default: yes.
        enabled: Option<bool> = "enabled",
        /// Shares, by where the caller is; the first that fits counts.
        distribute: Vec<Distribute> = "distribute",
        /// Which region comes next, by the caller's.
        failover: Vec<Failover> = "failover",
        /// Labels, the most important first: endpoints with the proxy's values come first. `label=value` names the value.
        failover_priority: Vec<String> = "failoverPriority",
    }
}

record! {
    /// Shares of localities for callers in one.
    pub struct Distribute {
        /// Where the caller is: `region/zone/subzone`, or the beginning of it, `*` at the end for any.
        from: String = "from" required,
        /// Percent by locality; 100 in all.
        to: BTreeMap<String, u32> = "to" required,
    }
}

record! {
    /// Where callers of a region go next.
    pub struct Failover {
        /// The region of the caller.
        from: String = "from" required,
        /// The region that comes next.
        to: String = "to" required,
    }
}

impl LocalityLbSetting {
    /// Whether it counts.
    pub fn is_enabled(&self) -> bool {
        self.enabled != Some(false)
    }
}
