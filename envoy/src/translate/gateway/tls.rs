//! `tls` of a server: what Istio's validation refuses, and what it ignores (istio.md 3).

use super::super::{Notes, spec};
use crate::manifest::{Manifest, ServerTls, ServerTlsMode, TlsVersion};
use std::collections::BTreeSet;

/// The ciphers that Istio passes on, in OpenSSL's names.
const CIPHERS: [&str; 15] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];

/// How many certificates the resource's schema takes for a server, and Istio supports (`validateTLSOptions`).
const MOST_CERTIFICATES: usize = 2;

/// Whether Istio passes a cipher on.
pub fn is_cipher(name: &str) -> bool {
    // Expressions, `-ALL` say, are left to the library.
    let is_expression = !name.starts_with(char::is_alphanumeric);
    is_expression || name == "ALL" || CIPHERS.contains(&name)
}

/// Whether TLS ends at the server.
pub fn ends_here(written: &ServerTls) -> bool {
    matches!(written.mode, ServerTlsMode::Simple | ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual)
}

struct At<'a> {
    manifest: &'a Manifest,
    field: &'a str,
    notes: &'a mut Notes,
}

impl At<'_> {
    fn error(&mut self, below: &str, message: &str, help: &str) {
        let found = self.manifest.error(&spec(&format!("{}{below}", self.field)), message);
        self.notes.push(found.help(help));
    }

    fn ignored(&mut self, below: &str, message: &str, help: &str) {
        let found = self.manifest.warning(&spec(&format!("{}{below}", self.field)), message);
        self.notes.push(found.code("ignored-field").help(help));
    }
}

/// Notes what is wrong with `tls` of a server for plain HTTP: it can only send to HTTPS.
pub fn plain(manifest: &Manifest, field: &str, written: &ServerTls, notes: &mut Notes) {
    let mut at = At { manifest, field, notes };
    let has_certificates = [&written.server_certificate, &written.private_key, &written.ca_certificates];
    let has_mode = !matches!(written.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough);
    if has_mode || has_certificates.iter().any(|file| !file.is_empty()) {
        let message = "a server for plain HTTP has no certificates: its `tls` can only be `httpsRedirect`";
        at.error("", message, "write `protocol: HTTPS`, or `tls: {httpsRedirect: true}`");
    }
}

/// Notes what is wrong with `tls` of a server for HTTPS.
pub fn terminating(manifest: &Manifest, field: &str, written: &ServerTls, notes: &mut Notes) {
    let mut at = At { manifest, field, notes };
    if written.https_redirect {
        let help = "write it on the server for plain HTTP";
        at.ignored(".httpsRedirect", "`httpsRedirect` has no effect on HTTPS", help);
    }
    if !ends_here(written) {
        no_mode(&mut at, written.mode);
        return;
    }
    sources(&mut at, written);
    client(&mut at, written);
    parameters(&mut at, written);
}

fn no_mode(at: &mut At<'_>, mode: ServerTlsMode) {
    let (name, help) = match mode {
        ServerTlsMode::AutoPassthrough => ("AUTO_PASSTHROUGH", "it belongs to a gateway between meshes"),
        ServerTlsMode::IstioMutual => (
            "ISTIO_MUTUAL",
            "a bare Envoy has no istio-agent: write `MUTUAL` with a `credentialName` below `--certs DIR`",
        ),
        _ => ("PASSTHROUGH", "an HTTP filter sees nothing of what passes through: write `SIMPLE` or `MUTUAL`"),
    };
    let is_written = at.manifest.node.at(&spec(&format!("{}.mode", at.field))).is_some();
    if is_written {
        at.error(".mode", &format!("the mode `{name}` is not supported"), help);
    } else {
        at.error("", "`mode` is missing, which means `PASSTHROUGH`: that is not supported", help);
    }
}

/// Where the server's certificates are from.
fn sources(at: &mut At<'_>, written: &ServerTls) {
    let files = [(".serverCertificate", &written.server_certificate), (".privateKey", &written.private_key)];
    let mut from = vec![];
    if files.iter().all(|(_, file)| !file.is_empty()) {
        from.push((".serverCertificate", "serverCertificate"));
    }
    if !written.credential_name.is_empty() {
        from.push((".credentialName", "credentialName"));
    }
    if !written.credential_names.is_empty() {
        from.push((".credentialNames", "credentialNames"));
    }
    if !written.tls_certificates.is_empty() {
        from.push((".tlsCertificates", "tlsCertificates"));
    }
    if let [(_, first), second, ..] = from.as_slice() {
        let message = format!("`{}` does not go with `{first}`", second.1);
        at.error(second.0, &message, "leave one of them out: a server has its certificates from one place");
    }
    let in_place = "or a `credentialName`, below `--certs DIR`";
    if from.is_empty() {
        for (field, _) in files.iter().filter(|(_, file)| file.is_empty()) {
            let name = field.trim_start_matches('.');
            at.error("", &format!("`mode: {}` needs `{name}`", mode(written)), &format!("name the file, {in_place}"));
        }
    }
    let lists =
        [("tlsCertificates", written.tls_certificates.len()), ("credentialNames", written.credential_names.len())];
    for (name, count) in lists.into_iter().filter(|(_, count)| *count > MOST_CERTIFICATES) {
        let message = format!("`{name}` has {count} certificates: Istio's resource takes {MOST_CERTIFICATES}");
        at.ignored(
            &format!(".{name}[{MOST_CERTIFICATES}]"),
            &message,
            "leave the others out: one for each kind of key",
        );
    }
    for (index, one) in written.tls_certificates.iter().enumerate() {
        let files = [("serverCertificate", &one.server_certificate), ("privateKey", &one.private_key)];
        for (name, _) in files.iter().filter(|(_, file)| file.is_empty()) {
            let below = format!(".tlsCertificates[{index}]");
            at.error(&below, &format!("a certificate needs `{name}`"), "name the file");
        }
        if !one.ca_certificates.is_empty() {
            let below = format!(".tlsCertificates[{index}].caCertificates");
            at.ignored(&below, "`caCertificates` has no effect here", "write it beside `tlsCertificates`");
        }
    }
    for (index, name) in written.credential_names.iter().enumerate().filter(|(_, name)| name.is_empty()) {
        let below = format!(".credentialNames[{index}]");
        at.error(&below, &format!("`{name}` is no name of a credential"), "name a folder of `--certs DIR`");
    }
}

/// What is asked of clients.
fn client(at: &mut At<'_>, written: &ServerTls) {
    let has_credential = !written.credentials().is_empty();
    let asks = written.asks_for_certificate();
    if asks && !has_credential && written.ca_certificates.is_empty() {
        let message = format!("`mode: {}` needs `caCertificates`: the authorities of clients", mode(written));
        at.error("", &message, "name the file");
    }
    if !written.ca_crl.is_empty() && has_credential {
        let message = "`caCrl` does not go with a credential, which has its own";
        at.error(".caCrl", message, "put it in the credential's folder, as `ca.crl`");
    } else if !written.ca_crl.is_empty() && !asks {
        let message = "`caCrl` does not go with `mode: SIMPLE`: clients show no certificate";
        at.error(".caCrl", message, "leave it out, or write `mode: MUTUAL`");
    }
    for index in (0..written.subject_alt_names.len()).filter(|index| written.subject_alt_names[*index].is_empty()) {
        at.error(
            &format!(".subjectAltNames[{index}]"),
            "no certificate has an empty name",
            "write one, or leave it out",
        );
    }
    let of_clients = [
        (".subjectAltNames", !written.subject_alt_names.is_empty()),
        (".verifyCertificateSpki", !written.verify_certificate_spki.is_empty()),
        (".verifyCertificateHash", !written.verify_certificate_hash.is_empty()),
    ];
    for (field, _) in of_clients.into_iter().filter(|(_, is_written)| *is_written && !asks) {
        let name = field.trim_start_matches('.');
        let message = format!("`{name}` has no effect with `mode: SIMPLE`: clients show no certificate");
        at.ignored(field, &message, "leave it out, or write `mode: MUTUAL`");
    }
    if !written.ca_cert_credential_name.is_empty() && !has_credential {
        let help = "write `caCertificates`, or `credentialName`";
        at.ignored(".caCertCredentialName", "`caCertCredentialName` has no effect without a credential", help);
    }
}

fn parameters(at: &mut At<'_>, written: &ServerTls) {
    let (oldest, newest) = (written.min_protocol_version, written.max_protocol_version);
    let is_old = matches!(oldest, TlsVersion::V1_0 | TlsVersion::V1_1);
    if is_old && written.cipher_suites.is_empty() {
        let message = "versions before 1.2 need `cipherSuites`: none of the default ones goes with them";
        at.ignored(".minProtocolVersion", message, "name ciphers, `ECDHE-RSA-AES128-SHA` say");
    }
    let (low, high) = (rank(oldest).unwrap_or(2), rank(newest).unwrap_or(3));
    if low > high {
        let at_field = if rank(newest).is_some() { ".maxProtocolVersion" } else { ".minProtocolVersion" };
        let message = "no version is left: the oldest is above the newest";
        at.error(at_field, message, "the oldest is `TLSV1_2` where none is written");
    }
    let mut seen = BTreeSet::new();
    for (index, cipher) in written.cipher_suites.iter().enumerate() {
        let below = format!(".cipherSuites[{index}]");
        if !is_cipher(cipher) {
            let message = format!("`{}` is no cipher that Istio knows: it is left out", cipher.escape_debug());
            let near = crate::diagnostic::did_you_mean(cipher, CIPHERS);
            at.ignored(&below, &message, &near.unwrap_or_else(|| "write `ECDHE-RSA-AES128-GCM-SHA256`, say".into()));
        } else if !seen.insert(cipher) {
            at.ignored(&below, &format!("`{cipher}` is there twice"), "leave one of them out");
        }
    }
}

fn rank(version: TlsVersion) -> Option<u8> {
    match version {
        TlsVersion::Auto => None,
        TlsVersion::V1_0 => Some(0),
        TlsVersion::V1_1 => Some(1),
        TlsVersion::V1_2 => Some(2),
        TlsVersion::V1_3 => Some(3),
    }
}

fn mode(written: &ServerTls) -> &'static str {
    match written.mode {
        ServerTlsMode::Mutual => "MUTUAL",
        ServerTlsMode::OptionalMutual => "OPTIONAL_MUTUAL",
        _ => "SIMPLE",
    }
}
