//! How connections are encrypted (istio.md 2.5).
//!
//! A mesh hands certificates over by SDS; a bare Envoy reads files.

use super::super::tls::{CommonTlsContext, DataSource, TlsParameters, ValidationContext, any_type, certs};
use super::any::{Any, Empty};
use super::http_protocol_options::HttpProtocolOptions;
use crate::diagnostic::Diagnostic;
use crate::manifest::{ClientTls, ClientTlsMode, ProxyProtocol, ProxyProtocolVersion};
use crate::translate::{Model, Origin};
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
    Tls(Box<Any<UpstreamTlsContext>>),
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
    let files = certs::of_client(model, written, tls.origin)?;
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
            ..ValidationContext::default()
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
    let common_tls_context = CommonTlsContext {
        tls_params: TlsParameters {
            tls_minimum_protocol_version: "TLSv1_2",
            tls_maximum_protocol_version: Some("TLSv1_3"),
            cipher_suites: vec![],
        },
        tls_certificates: files.certificates(),
        validation_context: Some(validation_context),
        alpn_protocols,
    };
    let message = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
    Ok(TransportSocket {
        name: "envoy.transport_sockets.tls",
        typed_config: Config::Tls(Box::new(Any::new(message, UpstreamTlsContext { common_tls_context, sni }))),
    })
}
