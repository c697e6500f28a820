//! Tags: headers that the filter sets by what it knows of a request.

use super::{HttpMatchRequest, StickyBy};
use crate::record;

record! {
    /// A request header that the filter sets, and nobody else.
    pub struct Tag {
        /// The header's name.
        header: String = "header" required,
        /// Hosts of requests that are tagged. Default: the hosts of `virtualServices`.
        hosts: Vec<String> = "hosts",
        /// Keep a client's own value, when it is one that this tag can produce.
        trust_client: bool = "trustClient",
        /// Tried in order; the first that matches gives the value.
        rules: Vec<TagRule> = "rules",
        /// Values by share, where no rule matches.
        split: Vec<TagShare> = "split",
        /// The subject of `split`. Default: the request's id.
        sticky_by: Option<StickyBy> = "stickyBy",
    }
}

record! {
    /// A value for requests that match.
    pub struct TagRule {
        /// Conditions: any of them. None: every request.
        matches: Vec<HttpMatchRequest> = "match",
        /// The value.
        value: String = "value" required,
    }
}

record! {
    /// A value's share of the rest.
    pub struct TagShare {
        /// The value.
        value: String = "value" required,
        /// Its weight, of the sum of all.
        weight: i32 = "weight",
    }
}
