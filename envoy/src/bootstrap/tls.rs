//! TLS, on either side of a connection: messages of `envoy.extensions.transport_sockets.tls.v3`, with what is used of
//! them (istio.md 2.5, 3).

pub mod certs;
mod downstream;
mod pair;

pub use downstream::{DownstreamTransportSocket, downstream};

use serde::Serialize;

/// `CommonTlsContext`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommonTlsContext {
    /// Versions and ciphers.
    pub tls_params: TlsParameters,
    /// What is shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tls_certificates: Vec<TlsCertificate>,
    /// What the other side must show; `None`: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_context: Option<ValidationContext>,
    /// What is spoken, the best first.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub alpn_protocols: &'static [&'static str],
}

/// `TlsParameters`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TlsParameters {
    /// `TLSv1_2`, say.
    pub tls_minimum_protocol_version: &'static str,
    /// As above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_maximum_protocol_version: Option<&'static str>,
    /// In OpenSSL's names; empty: the default ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cipher_suites: Vec<String>,
}

/// `TlsCertificate`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TlsCertificate {
    certificate_chain: DataSource,
    private_key: DataSource,
}

impl TlsCertificate {
    /// Of these files; `None` where one of them has no name.
    pub fn new(certificate: &str, key: &str) -> Option<Self> {
        let (certificate_chain, private_key) = DataSource::new(certificate).zip(DataSource::new(key))?;
        Some(Self { certificate_chain, private_key })
    }
}

/// `CertificateValidationContext`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ValidationContext {
    /// The authorities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_ca: Option<DataSource>,
    /// What they revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crl: Option<DataSource>,
    /// Names of which it must have one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_typed_subject_alt_names: Vec<SubjectAltNameMatcher>,
    /// Digests of which that of its public key must be one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verify_certificate_spki: Vec<String>,
    /// Digests of which its own must be one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verify_certificate_hash: Vec<String>,
}

/// `SubjectAltNameMatcher`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubjectAltNameMatcher {
    san_type: &'static str,
    matcher: Exact,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Exact {
    exact: String,
}

/// A name of whatever type: what the deprecated `match_subject_alt_names` meant.
pub fn any_type(name: &str) -> impl Iterator<Item = SubjectAltNameMatcher> {
    let exact = name.to_owned();
    ["DNS", "URI", "EMAIL", "IP_ADDRESS"]
        .into_iter()
        .map(move |san_type| SubjectAltNameMatcher { san_type, matcher: Exact { exact: exact.clone() } })
}

/// `envoy.config.core.v3.DataSource`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataSource {
    filename: String,
}

impl DataSource {
    /// A file; `None` where it has no name.
    pub fn new(filename: &str) -> Option<Self> {
        (!filename.is_empty()).then(|| Self { filename: filename.to_owned() })
    }
}
