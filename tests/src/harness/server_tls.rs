//! TLS of a server: who it is, and whose clients it takes.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::certificates::{Ca, Certificate};

/// How a server speaks TLS: 1.2 or 1.3.
#[derive(Clone, Debug)]
pub struct ServerTls(Arc<ServerConfig>);

impl ServerTls {
    /// A server with this certificate. With `clients` it takes only those who show a certificate of this authority.
    /// Errors: the certificate is none.
    pub fn new(own: &Certificate, clients: Option<&Ca>) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(der(ca.pem())?).map_err(|error| error.to_string())?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| error.to_string())?)
            }
        };
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).map_err(|error| error.to_string())?;
        let config = builder.with_single_cert(vec![der(&own.certificate)?], key).map_err(|error| error.to_string())?;
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}

/// What a client asked for and showed: `sni` and `certificate` (DER, base64), `null` where there is none.
pub fn peer<S>(stream: &TlsStream<S>) -> Value {
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(|chain| chain.first()).map(|shown| STANDARD.encode(shown));
    json!({"sni": session.server_name(), "certificate": shown})
}

fn der(pem: &str) -> Result<CertificateDer<'static>, String> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())
}
