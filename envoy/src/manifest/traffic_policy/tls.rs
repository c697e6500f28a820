//! `tls` (istio.md 2.5).

use switchyard_filter::{choice, record};

record! {
    /// How connections are encrypted.
    pub struct ClientTls {
        /// Whether, and who shows a certificate.
        mode: ClientTlsMode = "mode",
        /// The file of the client's certificate.
        client_certificate: String = "clientCertificate",
        /// The file of its key.
        private_key: String = "privateKey",
        /// The file of the authorities that are trusted. Default: those of the system.
        ca_certificates: String = "caCertificates",
        /// The file of certificates that are revoked.
        ca_crl: String = "caCrl",
        /// In place of files: a folder of `--certs`.
        credential_name: String = "credentialName",
        /// Names of which the server's certificate must have one.
        subject_alt_names: Vec<String> = "subjectAltNames",
        /// The name that is asked for. Default: the request's host.
        sni: String = "sni",
        /// Whether any certificate will do.
        insecure_skip_verify: Option<bool> = "insecureSkipVerify",
    }
}

choice! {
    /// Whether connections are encrypted, and who shows a certificate.
    pub enum ClientTlsMode {
        /// They are not.
        Disable = "DISABLE",
        /// The server shows one.
        Simple = "SIMPLE",
        /// Both show one.
        Mutual = "MUTUAL",
        /// Both show the one that Istio gave them.
        IstioMutual = "ISTIO_MUTUAL",
    }
}

impl ClientTls {
    /// Whether any certificate will do.
    pub fn skips_verification(&self) -> bool {
        self.insecure_skip_verify == Some(true)
    }
}
