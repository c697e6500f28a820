//! The match vocabulary of VirtualServices and tag rules.

use crate::record;
use std::collections::BTreeMap;

record! {
    /// How a text is matched: at most one of the three; none of them means presence (istio.md 1.4).
    pub struct StringMatch {
        /// Equal.
        exact: Option<String> = "exact",
        /// Begins with.
        prefix: Option<String> = "prefix",
        /// Matches as a whole, in RE2's dialect.
        regex: Option<String> = "regex",
    }
}

record! {
    /// Conditions that must all hold (istio.md 1.3).
    pub struct HttpMatchRequest {
        /// A name for people.
        name: String = "name",
        /// The path without query and fragment.
        uri: Option<StringMatch> = "uri",
        /// `:scheme`.
        scheme: Option<StringMatch> = "scheme",
        /// `:method`, case-sensitive.
        method: Option<StringMatch> = "method",
        /// `:authority`, with its port where the client sent one.
        authority: Option<StringMatch> = "authority",
        /// Request headers; repeated ones are joined with `,`.
        headers: BTreeMap<String, StringMatch> = "headers",
        /// Headers that must not match; a missing one counts as empty, except for presence.
        without_headers: BTreeMap<String, Option<StringMatch>> = "withoutHeaders",
        /// Query parameters, the first of each name, not decoded.
        query_params: BTreeMap<String, StringMatch> = "queryParams",
        /// Whether `uri.exact` and `uri.prefix` ignore ASCII case. No effect on `uri.regex`.
        ignore_uri_case: bool = "ignoreUriCase",
        /// Only on listeners of this port.
        port: Option<u16> = "port",
        /// Only on workloads with these labels. Ignored where `gateways` is set, as in Istio.
        source_labels: BTreeMap<String, String> = "sourceLabels",
        /// Only on proxies of this namespace. Ignored where `gateways` is set, as in Istio.
        source_namespace: String = "sourceNamespace",
        /// Only on these gateways; overrides those of the VirtualService.
        gateways: Vec<String> = "gateways",
        /// CIDRs of the trusted downstream address. Only in tag rules.
        source_ip: Vec<String> = "sourceIp",
        /// The first URI SAN of the client's verified certificate: any of these. Only in tag rules.
        peer: Vec<StringMatch> = "peer",
        /// A name for Istio's statistics; nothing hangs on it here.
        stat_prefix: String = "statPrefix",
    }
}
