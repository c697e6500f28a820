//! What is seen of a request on one side, made comparable.

use super::upstream::{AT, Arrival};
use crate::harness::{Response, latin1};
use std::time::Duration;

/// Request headers at the upstream that differ by right, or say nothing of the decision:
/// ids and names of proxies, what asks for something of the test's own.
///
/// `x-envoy-internal`, `x-envoy-external-address`: the generated Envoy takes nobody for internal (DESIGN.md, "Nobody
/// steers from outside"), and this test's client is on loopback. `x-switchyard-*`: the route reads them after the point
/// where they could be removed (DESIGN.md, "How the generated Envoy looks").
pub const REQUEST_NOISE: [&str; 11] = [
    super::probe::ID,
    "x-request-id",
    "x-envoy-decorator-operation",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
    "x-envoy-internal",
    "x-envoy-external-address",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
];
/// The same for response headers.
pub const RESPONSE_NOISE: [&str; 5] =
    ["date", "server", "x-envoy-upstream-service-time", "x-envoy-decorator-operation", "x-request-id"];
/// Response flags that say what became of a request; others say who answered it (`NR`: Envoy or our filter).
const FLAGS: [&str; 9] = ["DI", "FI", "UT", "UF", "URX", "UC", "UPE", "UR", "LR"];

/// What is known of a request on one side.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The status; 0 when there was no response.
    pub status: u16,
    /// Response headers, sorted by name, noise left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// Every request that came to the upstream, retries and mirrors too, sorted.
    pub arrivals: Vec<Arrival>,
    /// Envoy's response flags, those of them that are compared.
    pub flags: String,
    /// For people: route or rule, details, error.
    pub told: String,
    /// How long it took.
    pub took: Duration,
}

impl Seen {
    /// Puts it together.
    pub fn new(response: Result<Response, String>, took: Duration) -> Self {
        let response = match response {
            Ok(response) => response,
            Err(error) => return Self { told: without_address(&error), took, ..Self::default() },
        };
        let told = |name: &str| response.header(&format!("x-seen-{name}")).next().map(latin1).unwrap_or_default();
        let flags = told("flags");
        let flags: Vec<&str> = flags.split(',').filter(|flag| FLAGS.contains(flag)).collect();
        let mut headers: Vec<(String, String)> = response
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), latin1(value)))
            .filter(|(name, _)| !name.starts_with("x-seen-") && !RESPONSE_NOISE.contains(&name.as_str()))
            .collect();
        headers.sort_by(|(a, _), (b, _)| a.cmp(b));
        let parts: Vec<String> = ["route", "virtual-service", "rule", "cluster", "details", "flags"]
            .into_iter()
            .map(|name| (name, told(name)))
            .filter(|(_, value)| !value.is_empty() && value != "-")
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        Self {
            status: response.status,
            headers,
            body: latin1(&response.body),
            arrivals: Vec::new(),
            flags: flags.join(","),
            told: parts.join(", "),
            took,
        }
    }

    /// Adds what arrived at the upstream.
    pub fn arrived(&mut self, mut arrivals: Vec<Arrival>) {
        for arrival in &mut arrivals {
            let first = arrival.headers.iter().any(|(name, value)| name == "x-envoy-attempt-count" && value == "1");
            // What is left of the timeout hangs on how long the tries before took.
            // A later try of a gRPC call is told what is left in Istio, and the whole by us.
            let limits = ["x-envoy-expected-rq-timeout-ms", "grpc-timeout"];
            arrival.headers.retain(|(name, _)| first || !limits.contains(&name.as_str()));
            arrival
                .headers
                .retain(|(name, _)| !REQUEST_NOISE.contains(&name.as_str()) && !name.starts_with("x-switchyard-"));
        }
        arrivals.sort();
        self.arrivals = arrivals;
    }

    /// The values of a response header.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The endpoint that answered.
    pub fn endpoint(&self) -> Option<&str> {
        self.header(AT).next()
    }
}

/// Ports differ between the sides.
fn without_address(error: &str) -> String {
    error.split(' ').map(|word| if word.starts_with("127.0.0.1:") { "…" } else { word }).collect::<Vec<_>>().join(" ")
}
