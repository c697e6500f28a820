//! TLS of a client: whom it trusts, what it asks for, who it is.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::certificates::{Ca, Certificate};

/// How a client speaks TLS: 1.2 or 1.3, with the server's name checked against its certificate.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// A client that asks for this name (SNI), trusts this authority, and shows a certificate when it has one. ALPN is
    /// `http/1.1`. Errors: the name is none.
    pub fn new(name: &str, ca: &Ca, client: Option<&Certificate>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add(der(ca.pem())?).map_err(|error| error.to_string())?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let mut config = match client {
            None => config.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).map_err(|error| error.to_string())?;
                config.with_client_auth_cert(vec![der(&own.certificate)?], key).map_err(|error| error.to_string())?
            }
        };
        // Each connection stands for itself: a resumed one would not show its certificate again.
        config.resumption = tokio_rustls::rustls::client::Resumption::disabled();
        let name = ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` is no server's name"))?;
        Ok(Self { config: Arc::new(config), name }.alpn(&["http/1.1"]))
    }

    /// The client with these protocols to choose from, the best first.
    #[must_use]
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        let config = Arc::make_mut(&mut self.config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// Connects. Errors: no connection, or a handshake that fails; a server that misses our certificate says so in TLS
    /// 1.3 only at the first read.
    pub async fn connect(&self, address: SocketAddr) -> Result<TlsStream<TcpStream>, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| format!("no connection: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(self.name.clone(), stream).await.map_err(|error| format!("no TLS: {error}"))
    }
}

fn der(pem: &str) -> Result<CertificateDer<'static>, String> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())
}
