//! How TLS ends at a Gateway's server (istio.md 3).

use super::{CommonTlsContext, DataSource, TlsParameters, ValidationContext, any_type, certs};
use crate::bootstrap::cluster::any::Any;
use crate::diagnostic::Diagnostic;
use crate::manifest::{ServerTls, ServerTlsMode, TlsVersion};
use crate::translate::{EdgeTls, Model};
use serde::Serialize;
use std::collections::BTreeSet;

/// `envoy.config.core.v3.TransportSocket`.
#[derive(Debug, Serialize)]
pub struct DownstreamTransportSocket {
    name: &'static str,
    typed_config: Any<DownstreamTlsContext>,
}

#[derive(Debug, Serialize)]
struct DownstreamTlsContext {
    common_tls_context: CommonTlsContext,
    require_client_certificate: bool,
}

/// The socket of an HTTPS server.
///
/// # Errors
/// Credentials that are not below `--certs`.
pub fn downstream(model: &Model<'_>, tls: &EdgeTls) -> Result<DownstreamTransportSocket, Vec<Diagnostic>> {
    let EdgeTls { written, origin, .. } = tls;
    let files = certs::of_server(model, written, origin)?;
    let validation_context = written.asks_for_certificate().then(|| ValidationContext {
        trusted_ca: DataSource::new(&files.authorities),
        crl: DataSource::new(&files.revoked),
        match_typed_subject_alt_names: written.subject_alt_names.iter().flat_map(|name| any_type(name)).collect(),
        verify_certificate_spki: written.verify_certificate_spki.clone(),
        verify_certificate_hash: written.verify_certificate_hash.clone(),
    });
    let context = DownstreamTlsContext {
        common_tls_context: CommonTlsContext {
            tls_params: parameters(written),
            tls_certificates: files.certificates(),
            validation_context,
            alpn_protocols: &["h2", "http/1.1"],
        },
        require_client_certificate: written.mode == ServerTlsMode::Mutual,
    };
    let message = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
    Ok(DownstreamTransportSocket { name: "envoy.transport_sockets.tls", typed_config: Any::new(message, context) })
}

fn parameters(written: &ServerTls) -> TlsParameters {
    let mut seen = BTreeSet::new();
    let suites = written.cipher_suites.iter();
    let suites = suites.filter(|suite| crate::translate::is_cipher(suite) && seen.insert(suite.as_str()));
    TlsParameters {
        // Envoy's own default, said where anybody looks for it.
        tls_minimum_protocol_version: version(written.min_protocol_version).unwrap_or("TLSv1_2"),
        tls_maximum_protocol_version: version(written.max_protocol_version),
        cipher_suites: suites.cloned().collect(),
    }
}

fn version(written: TlsVersion) -> Option<&'static str> {
    match written {
        TlsVersion::Auto => None,
        TlsVersion::V1_0 => Some("TLSv1_0"),
        TlsVersion::V1_1 => Some("TLSv1_1"),
        TlsVersion::V1_2 => Some("TLSv1_2"),
        TlsVersion::V1_3 => Some("TLSv1_3"),
    }
}
