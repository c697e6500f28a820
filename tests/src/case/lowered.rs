//! A case as hosts run it: no YAML, no manifests.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// Where cases run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Host {
    /// `decide` in this process.
    Native,
    /// The core on wasm32-unknown-unknown, in Node.
    Node,
    /// The released .wasm in wasmtime.
    Wasmtime,
    /// The released .wasm in a real Envoy, with an upstream that answers.
    Envoy,
    /// Istio without our filter: istiod and a stock Envoy. Only cases of plain Istio vocabulary run there.
    Istio,
    /// The released .wasm in Istio, as `generate --target istio` writes it.
    Plugin,
}

impl Host {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Native, Self::Node, Self::Wasmtime, Self::Envoy, Self::Istio, Self::Plugin];

    /// As `cannotRun` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Node => "node",
            Self::Wasmtime => "wasmtime",
            Self::Envoy => "envoy",
            Self::Istio => "istio",
            Self::Plugin => "plugin",
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lowered {
    /// `topic/rule`.
    pub name: String,
    /// The filter's configuration. Where the manifests are wrong: what a person would write by hand in place of them,
    /// for the filter to refuse as well; `None` where nothing can be written.
    pub document: Option<Value>,
    /// Whether the filter must refuse the configuration.
    pub refused: bool,
    /// What is sent.
    pub requests: Vec<LoweredRequest>,
    /// Hosts that cannot run it, with the reason.
    pub cannot_run: BTreeMap<Host, String>,
}

/// A request. Texts that are bytes have one character for each (Latin-1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoweredRequest {
    /// `GET`.
    pub method: String,
    /// `http`.
    pub scheme: String,
    /// `:authority`.
    pub authority: String,
    /// `:path` as the connection manager hands it over; `None` for a CONNECT.
    pub path: Option<String>,
    /// The request target as it is sent.
    pub target: String,
    /// Header lines in order; names as they are spelled.
    pub headers: Vec<(String, String)>,
    /// The trusted downstream address.
    pub source_address: IpAddr,
    /// Whether the case says so.
    pub has_source_address: bool,
    /// What must be decided.
    pub expect: Map<String, Value>,
    /// The status with which Envoy answers by itself.
    pub envoy_answers: Option<u16>,
}

impl LoweredRequest {
    /// All lines as a filter sees them: pseudo headers first, names in lower case.
    pub fn lines(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let pseudo = [
            (":authority", Some(&self.authority)),
            (":path", self.path.as_ref()),
            (":method", Some(&self.method)),
            (":scheme", Some(&self.scheme)),
        ];
        let pseudo = pseudo.into_iter().filter_map(|(name, value)| Some((name.into(), bytes(value?))));
        let lines = self.headers.iter().map(|(name, value)| (bytes(&name.to_ascii_lowercase()), bytes(value)));
        pseudo.chain(lines).collect()
    }
}

/// The bytes that a text of one character each stands for; a character above U+00FF has no place in one.
pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}
