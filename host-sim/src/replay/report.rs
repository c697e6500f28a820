//! What a replay found: the object that `replay --format json` prints.

use super::share::Share;
use super::verdict::Difference;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a replay found.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayReport {
    /// What was read.
    pub input: InputReport,
    /// Requests by what is done with them: `forward`, `reply`, `pass`, `undecidable`.
    pub actions: BTreeMap<&'static str, u64>,
    /// Requests whose decision hangs on something that the recording does not hold, by what that is; most first.
    pub undecidable: Vec<MissingReport>,
    /// Values of each tag, of the decided requests for its hosts; the share within the tag.
    pub tags: Vec<TagReport>,
    /// Rules in the policy's order, then what no rule took, of the decided requests; the share of all of them.
    pub rules: Vec<RuleReport>,
    /// Destinations of each rule; the share within the rule.
    pub destinations: Vec<DestinationReport>,
    /// Clusters; the share of all forwarded requests.
    pub clusters: Vec<ClusterReport>,
    /// Faults and mirrors: how many of the requests of their rule they happened to.
    pub chances: Vec<ChanceRow>,
    /// Decisions against what Envoy did.
    pub parity: ParityReport,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputReport {
    /// Files as given.
    pub files: Vec<String>,
    /// Lines of all files.
    pub lines: u64,
    /// Requests, each of two lines or one.
    pub requests: u64,
    /// Of these, requests without an end: still under way when the recording ended.
    pub unfinished: u64,
    /// Lines of requests that Envoy refused before any filter saw them; not counted as requests.
    pub refused: u64,
    /// Lines that are not read as a request.
    pub unreadable: u64,
    /// Lines of requests with an id that came before, byte for byte: a file given twice, a log shipped twice. They are
    /// not counted.
    pub repeated: u64,
    /// Files that could not be read to their end: the last line that was read, and why. What was read is counted.
    pub truncated: Vec<UnreadableLine>,
    /// The first unreadable lines.
    pub examples: Vec<UnreadableLine>,
}

/// A line that is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnreadableLine {
    /// The file as given.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MissingReport {
    /// What is missing.
    pub missing: String,
    /// Requests that hang on it.
    pub requests: u64,
    /// What to log.
    pub log: String,
}

/// A value of a tag.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TagReport {
    /// The tag's header.
    pub header: String,
    /// The value; `null`: none.
    pub value: Option<String>,
    /// Its share.
    #[serde(flatten)]
    pub share: Share,
}

/// What took requests.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleReport {
    /// `namespace/name`; `null` where no VirtualService did.
    pub virtual_service: Option<String>,
    /// The rule; else `noRule` (404: none of the host's rules), `noVirtualHost` (404: no such host), `pass` (left to
    /// Envoy's own routes).
    pub rule: String,
    /// Its share.
    #[serde(flatten)]
    pub share: Share,
}

/// A destination of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DestinationReport {
    /// `namespace/name`.
    pub virtual_service: String,
    /// The rule.
    pub rule: String,
    /// The destination's cluster.
    pub cluster: String,
    /// Its share of the rule.
    #[serde(flatten)]
    pub share: Share,
}

/// A delay, an abort or a mirror of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChanceRow {
    /// What its draw is called.
    pub name: String,
    /// What happens: `delay 5000 ms`, `abort 503`, `abort grpc-14`, `mirror` and the cluster.
    pub what: String,
    /// Requests of which the recording does not hold the draw; they are in no share.
    pub unknown: u64,
    /// To how many it happened.
    #[serde(flatten)]
    pub share: Share,
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReport {
    /// Its name.
    pub cluster: String,
    /// Its share.
    #[serde(flatten)]
    pub share: Share,
}

/// Decisions against what Envoy did.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParityReport {
    /// Requests that are decidable and whose recording holds the cluster that Envoy chose.
    pub compared: u64,
    /// Of these, requests that re-derive exactly.
    pub equal: u64,
    /// The latter in percent; `null` where nothing is compared.
    pub percent: Option<f64>,
    /// How many differ, by what is expected and what is recorded; most first.
    pub kinds: Vec<DifferenceKind>,
    /// The first requests that differ.
    pub examples: Vec<Difference>,
}

/// Requests that differ alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DifferenceKind {
    /// The rule that takes them under this policy.
    pub rule: Option<String>,
    /// The cluster under this policy; `null`: none.
    pub expected: Option<String>,
    /// The cluster in the recording.
    pub recorded: String,
    /// How many.
    pub requests: u64,
}
