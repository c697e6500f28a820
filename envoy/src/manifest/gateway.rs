//! Gateways: listeners (istio.md 3).

use std::collections::BTreeMap;
use switchyard_filter::{choice, record};

record! {
    /// Listeners at the edge.
    pub struct Gateway {
        /// Labels of the proxies that it is for; compared with those of the proxy, `--labels`, where it has some.
        selector: BTreeMap<String, String> = "selector",
        /// Its servers.
        servers: Vec<Server> = "servers" required,
    }
}

record! {
    /// A port with the hosts that it serves.
    pub struct Server {
        /// The port.
        port: ServerPort = "port" required,
        /// The address that it is served at. Default: all of the proxy's.
        bind: String = "bind",
        /// Hosts: names, `*.suffix` or `*`, after an optional `namespace/` of the VirtualServices that may bind.
        hosts: Vec<String> = "hosts" required,
        /// How TLS ends here; for plain HTTP whether requests are sent to HTTPS.
        tls: Option<ServerTls> = "tls",
        /// Without effect on a Gateway.
        default_endpoint: String = "defaultEndpoint",
        /// A name for people.
        name: String = "name",
    }
}

record! {
    /// The port of a server.
    pub struct ServerPort {
        /// Its number, 1 to 65535.
        number: u16 = "number" required,
        /// `HTTP`, `HTTP2`, `GRPC` or `HTTPS`, in any case.
        protocol: String = "protocol" required,
        /// Its name.
        name: String = "name" required,
        /// Refused, as Istio does.
        target_port: u16 = "targetPort",
    }
}

record! {
    /// How TLS ends at a server.
    pub struct ServerTls {
        /// Whether plain requests are answered with 301 to HTTPS.
        https_redirect: bool = "httpsRedirect",
        /// Who shows a certificate.
        mode: ServerTlsMode = "mode",
        /// The file of the server's certificate.
        server_certificate: String = "serverCertificate",
        /// The file of its key.
        private_key: String = "privateKey",
        /// The file of the authorities that clients are trusted by.
        ca_certificates: String = "caCertificates",
        /// The file of certificates that are revoked.
        ca_crl: String = "caCrl",
        /// In place of files: a folder of `--certs`.
        credential_name: String = "credentialName",
        /// Several of them, with keys of different kinds.
        credential_names: Vec<String> = "credentialNames",
        /// The folder of `--certs` whose `ca.crt` clients are trusted by. Default: that of the credential.
        ca_cert_credential_name: String = "caCertCredentialName",
        /// In place of one certificate: several, with keys of different kinds.
        tls_certificates: Vec<ServerCertificate> = "tlsCertificates",
        /// Names of which a client's certificate must have one.
        subject_alt_names: Vec<String> = "subjectAltNames",
        /// Digests of public keys of which a client's must be one: base64 of SHA-256.
        verify_certificate_spki: Vec<String> = "verifyCertificateSpki",
        /// Digests of certificates of which a client's must be one: SHA-256 in hexadecimal digits.
        verify_certificate_hash: Vec<String> = "verifyCertificateHash",
        /// The oldest version. Default: 1.2.
        min_protocol_version: TlsVersion = "minProtocolVersion",
        /// The newest version. Default: 1.3.
        max_protocol_version: TlsVersion = "maxProtocolVersion",
        /// The ciphers of versions before 1.3, in OpenSSL's names.
        cipher_suites: Vec<String> = "cipherSuites",
    }
}

record! {
    /// A server's certificate.
    pub struct ServerCertificate {
        /// Its file.
        server_certificate: String = "serverCertificate",
        /// The file of its key.
        private_key: String = "privateKey",
        /// Without effect: the authorities of clients are those of the server.
        ca_certificates: String = "caCertificates",
    }
}

choice! {
    /// Who shows a certificate.
    pub enum ServerTlsMode {
        /// TLS does not end here.
        Passthrough = "PASSTHROUGH",
        /// The server.
        Simple = "SIMPLE",
        /// The server and the client.
        Mutual = "MUTUAL",
        /// TLS does not end here, and the name says where it goes.
        AutoPassthrough = "AUTO_PASSTHROUGH",
        /// Both, those that Istio gave them.
        IstioMutual = "ISTIO_MUTUAL",
        /// The server, and the client where it has one.
        OptionalMutual = "OPTIONAL_MUTUAL",
    }
}

choice! {
    /// A version of TLS.
    pub enum TlsVersion {
        /// The default.
        Auto = "TLS_AUTO",
        /// 1.0.
        V1_0 = "TLSV1_0",
        /// 1.1.
        V1_1 = "TLSV1_1",
        /// 1.2.
        V1_2 = "TLSV1_2",
        /// 1.3.
        V1_3 = "TLSV1_3",
    }
}

impl ServerTls {
    /// Whether clients are asked for a certificate.
    pub fn asks_for_certificate(&self) -> bool {
        matches!(self.mode, ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual)
    }

    /// The names of its credentials.
    pub fn credentials(&self) -> Vec<&str> {
        // Where both are written, which is an error, the list counts, as in Istio.
        if self.credential_names.is_empty() {
            Some(self.credential_name.as_str()).filter(|name| !name.is_empty()).into_iter().collect()
        } else {
            self.credential_names.iter().map(String::as_str).collect()
        }
    }
}
