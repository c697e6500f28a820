//! What the random policies are made of, each with a switch.

use std::collections::BTreeSet;

/// A part of the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the table below says what each is")]
pub enum Feature {
    Uri,
    UriRegex,
    IgnoreUriCase,
    Headers,
    PseudoHeaders,
    WithoutHeaders,
    QueryParams,
    Method,
    Scheme,
    Authority,
    Port,
    MatchGateways,
    SourceLabels,
    SourceNamespace,
    Wildcards,
    SeveralForOneHost,
    UpperCaseHosts,
    ExportTo,
    Delegate,
    ZeroWeights,
    MissingDestinations,
    Rewrite,
    RewriteAuthority,
    RegexRewrite,
    Timeout,
    Retries,
    RequestHeaders,
    ResponseHeaders,
    FormatOperators,
    Redirect,
    DirectResponse,
    Cors,
    Delay,
    Abort,
    GrpcAbort,
    Mirror,
    ConsistentHash,
    Shares,
}

/// Every feature, what it is, and why it is off (`None`: it is on).
pub const TABLE: [(Feature, &str, Option<&str>); 38] = [
    (Feature::Uri, "uri: exact, prefix", None),
    (Feature::UriRegex, "uri: regex", None),
    (Feature::IgnoreUriCase, "ignoreUriCase", None),
    (Feature::Headers, "headers: exact, prefix, regex, presence", None),
    (Feature::PseudoHeaders, "headers: pseudo headers and host", None),
    (Feature::WithoutHeaders, "withoutHeaders", None),
    (Feature::QueryParams, "queryParams", None),
    (Feature::Method, "method", None),
    (Feature::Scheme, "scheme", None),
    (Feature::Authority, "authority", None),
    (Feature::Port, "match.port", None),
    (Feature::MatchGateways, "match.gateways", None),
    (Feature::SourceLabels, "sourceLabels", None),
    (Feature::SourceNamespace, "sourceNamespace", None),
    (Feature::Wildcards, "hosts with a wildcard", None),
    (Feature::SeveralForOneHost, "several VirtualServices for one host", None),
    (Feature::UpperCaseHosts, "hosts with upper-case letters", None),
    (Feature::ExportTo, "exportTo", None),
    (Feature::Delegate, "delegate", None),
    (Feature::ZeroWeights, "several destinations of which one has all the weight", None),
    (Feature::MissingDestinations, "destinations that do not exist", None),
    (Feature::Rewrite, "rewrite.uri", None),
    (Feature::RewriteAuthority, "rewrite.authority", None),
    (Feature::RegexRewrite, "rewrite.uriRegexRewrite", None),
    (Feature::Timeout, "timeout", None),
    (Feature::Retries, "retries", None),
    (Feature::RequestHeaders, "headers.request, of rules and destinations", None),
    (Feature::ResponseHeaders, "headers.response, of rules and destinations", None),
    (Feature::FormatOperators, "format operators in header values", None),
    (Feature::Redirect, "redirect", None),
    (Feature::DirectResponse, "directResponse", None),
    (Feature::Cors, "corsPolicy", None),
    (Feature::Delay, "fault.delay of 0 % and 100 %", None),
    (Feature::Abort, "fault.abort of 0 % and 100 %", None),
    (Feature::GrpcAbort, "fault.abort.grpcStatus", None),
    (Feature::Mirror, "mirror and mirrors of 0 % and 100 %", None),
    (Feature::ConsistentHash, "single destinations with a consistentHash", None),
    (Feature::Shares, "other weights and percentages, by interval", None),
];

/// The features of a run.
#[derive(Clone, Debug)]
pub struct Features(BTreeSet<Feature>);

impl Features {
    /// Those that the table has on; `SWITCHYARD_FEATURES` in the environment names others (`Uri,Headers`), or `all`, or
    /// some to leave out (`-Cors`).
    ///
    /// # Errors
    /// A name that is none.
    pub fn of_environment() -> Result<Self, String> {
        let on = TABLE.iter().filter(|(_, _, off)| off.is_none()).map(|(feature, _, _)| *feature);
        let mut features: BTreeSet<Feature> = on.collect();
        let Ok(written) = std::env::var("SWITCHYARD_FEATURES") else { return Ok(Self(features)) };
        let names: Vec<&str> = written.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if names == ["all"] {
            return Ok(Self(TABLE.iter().map(|(feature, _, _)| *feature).collect()));
        }
        let find = |name: &str| {
            let found = TABLE.iter().find(|(feature, _, _)| format!("{feature:?}") == name);
            found
                .map(|(feature, _, _)| *feature)
                .ok_or_else(|| format!("`{name}` is no feature of SWITCHYARD_FEATURES"))
        };
        if !names.iter().all(|name| name.starts_with('-')) {
            features.clear();
        }
        for name in names {
            match name.strip_prefix('-') {
                Some(name) => features.remove(&find(name)?),
                None => features.insert(find(name)?),
            };
        }
        Ok(Self(features))
    }

    /// Whether it is on.
    pub fn has(&self, feature: Feature) -> bool {
        self.0.contains(&feature)
    }

    /// What is on.
    pub fn on(&self) -> &BTreeSet<Feature> {
        &self.0
    }

    /// What is off, and why.
    pub fn off(&self) -> Vec<String> {
        let off = TABLE.iter().filter(|(feature, _, _)| !self.has(*feature));
        off.map(|(_, what, why)| format!("{what} ({})", why.unwrap_or("left out"))).collect()
    }
}
