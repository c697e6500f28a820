//! SwitchyardPolicies: what Istio's CRDs have no field for.

use switchyard_filter::document::{FaultCarrier, MetricsDetail, Mode, OnUnmatched, StickyBy, Tag};
use switchyard_filter::record;

record! {
    /// Tags, stickiness and settings. Several are merged in order of namespace, then name.
    pub struct SwitchyardPolicy {
        /// Headers that the filter sets, in order.
        tags: Vec<Tag> = "tags",
        /// By what rules of VirtualServices are sticky.
        sticky: Vec<Sticky> = "sticky",
        /// Salts every draw.
        seed: Option<String> = "seed",
        /// Whether decisions are carried out.
        mode: Option<Mode> = "mode",
        /// What becomes of a request whose host no VirtualService names.
        on_unmatched: Option<OnUnmatched> = "onUnmatched",
        /// Which carrier faults have.
        faults: Option<FaultCarrier> = "faults",
        /// How many requests the filter delays at once, per worker.
        max_delayed: Option<u32> = "maxDelayed",
        /// What is counted of each request.
        metrics: Option<MetricsDetail> = "metrics",
    }
}

record! {
    /// By what a rule is sticky.
    pub struct Sticky {
        /// The VirtualService: its name in the policy's namespace, or `namespace/name`.
        virtual_service: String = "virtualService" required,
        /// The `name` of the rule.
        rule: String = "rule" required,
        /// The subject of its choice.
        by: StickyBy = "by" required,
    }
}
