//! How connections are encrypted (istio.md 2.5).
//!
//! A mesh hands certificates over by SDS; a bare Envoy reads files.

mod certs;

use super::any::{Any, Empty};
use super::http_protocol_options::HttpProtocolOptions;
use crate::diagnostic::Diagnostic;
use crate::manifest::{ClientTls, ClientTlsMode, ProxyProtocol, ProxyProtocolVersion};
use crate::translate::{Model, Origin};
use certs::{Files, files};
use serde::Serialize;

/// `envoy.config.core.v3.TransportSocket`.
#[derive(Debug, Serialize)]
pub struct TransportSocket {
    name: &'static str,
    typed_config: Config,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Config {
    Tls(Any<UpstreamTlsContext>),
    ProxyProtocol(Box<Any<Wrapped>>),
    Raw(Any<Empty>),
}

#[derive(Debug, Serialize)]
struct Wrapped {
    config: ProxyProtocolConfig,
    transport_socket: TransportSocket,
}

#[derive(Debug, Serialize)]
struct ProxyProtocolConfig {
    version: ProxyProtocolVersion,
}

#[derive(Debug, Serialize)]
struct UpstreamTlsContext {
    common_tls_context: CommonTlsContext,
    #[serde(skip_serializing_if = "String::is_empty")]
    sni: String,
}

#[derive(Debug, Serialize)]
struct CommonTlsContext {
    tls_params: TlsParameters,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tls_certificates: Vec<TlsCertificate>,
    validation_context: ValidationContext,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    alpn_protocols: &'static [&'static str],
}

#[derive(Debug, Serialize)]
struct TlsParameters {
    tls_minimum_protocol_version: &'static str,
    tls_maximum_protocol_version: &'static str,
}

#[derive(Debug, Serialize)]
struct TlsCertificate {
    certificate_chain: DataSource,
    private_key: DataSource,
}

#[derive(Debug, Default, Serialize)]
struct ValidationContext {
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted_ca: Option<DataSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crl: Option<DataSource>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    match_typed_subject_alt_names: Vec<SubjectAltNameMatcher>,
}

#[derive(Debug, Serialize)]
struct SubjectAltNameMatcher {
    san_type: &'static str,
    matcher: Exact,
}

#[derive(Debug, Serialize)]
struct Exact {
    exact: String,
}

#[derive(Debug, Serialize)]
struct DataSource {
    filename: String,
}

impl DataSource {
    fn new(filename: &str) -> Option<Self> {
        (!filename.is_empty()).then(|| Self { filename: filename.to_owned() })
    }
}

/// What is written of TLS, and what a cluster adds.
#[derive(Debug)]
pub struct Tls<'a> {
    /// As it is written.
    pub written: &'a ClientTls,
    /// Where.
    pub origin: &'a Origin,
    /// The name that is asked for in a mesh.
    pub default_sni: String,
    /// Those of the ServiceEntry, where a DestinationRule names none.
    pub subject_alt_names: &'a [String],
}

/// The socket of a cluster; without TLS and PROXY protocol none.
pub fn of(
    model: &Model<'_>,
    tls: Option<Tls<'_>>,
    proxy_protocol: Option<&ProxyProtocol>,
    options: &mut HttpProtocolOptions,
) -> Result<Option<TransportSocket>, Vec<Diagnostic>> {
    let socket = match tls.filter(|tls| tls.written.mode != ClientTlsMode::Disable) {
        Some(tls) => Some(upstream(model, tls, options)?),
        None => None,
    };
    let Some(proxy_protocol) = proxy_protocol else { return Ok(socket) };
    let raw = || {
        let message = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";
        TransportSocket { name: "raw_buffer", typed_config: Config::Raw(Any::new(message, Empty {})) }
    };
    let wrapped = Wrapped {
        config: ProxyProtocolConfig { version: proxy_protocol.version },
        transport_socket: socket.unwrap_or_else(raw),
    };
    let message = "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";
    Ok(Some(TransportSocket {
        name: "envoy.transport_sockets.upstream_proxy_protocol",
        typed_config: Config::ProxyProtocol(Box::new(Any::new(message, wrapped))),
    }))
}

fn upstream(
    model: &Model<'_>,
    tls: Tls<'_>,
    options: &mut HttpProtocolOptions,
) -> Result<TransportSocket, Vec<Diagnostic>> {
    let written = tls.written;
    let files = files(model, written, tls.origin)?;
    let in_mesh = written.mode == ClientTlsMode::IstioMutual;
    let skips = written.skips_verification();
    if !in_mesh {
        let auto_sni = written.sni.is_empty();
        options.take_host(auto_sni, auto_sni && written.subject_alt_names.is_empty() && !skips);
    }
    let names = if written.subject_alt_names.is_empty() { tls.subject_alt_names } else { &written.subject_alt_names };
    let validation_context = if skips && !in_mesh {
        ValidationContext::default()
    } else {
        ValidationContext {
            trusted_ca: DataSource::new(&files.authorities),
            crl: DataSource::new(&files.revoked),
            match_typed_subject_alt_names: names.iter().flat_map(|name| any_type(name)).collect(),
        }
    };
    // Without `istio-peer-exchange`: that is for an Istio proxy, which exchanges metadata.
    let alpn_protocols: &[_] = match (in_mesh, options.is_http2()) {
        (true, true) => &["istio", "h2"],
        (true, false) => &["istio"],
        (false, true) => &["h2"],
        (false, false) => &[],
    };
    let sni = if written.sni.is_empty() && in_mesh { tls.default_sni } else { written.sni.clone() };
    let tls_params = TlsParameters { tls_minimum_protocol_version: "TLSv1_2", tls_maximum_protocol_version: "TLSv1_3" };
    let common_tls_context =
        CommonTlsContext { tls_params, tls_certificates: certificates(&files), validation_context, alpn_protocols };
    let message = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
    Ok(TransportSocket {
        name: "envoy.transport_sockets.tls",
        typed_config: Config::Tls(Any::new(message, UpstreamTlsContext { common_tls_context, sni })),
    })
}

fn certificates(files: &Files) -> Vec<TlsCertificate> {
    let pair = DataSource::new(&files.certificate).zip(DataSource::new(&files.key));
    pair.into_iter().map(|(certificate_chain, private_key)| TlsCertificate { certificate_chain, private_key }).collect()
}

/// A name of whatever type: what the deprecated `match_subject_alt_names` meant.
fn any_type(name: &str) -> impl Iterator<Item = SubjectAltNameMatcher> {
    let exact = name.to_owned();
    ["DNS", "URI", "EMAIL", "IP_ADDRESS"]
        .into_iter()
        .map(move |san_type| SubjectAltNameMatcher { san_type, matcher: Exact { exact: exact.clone() } })
}
