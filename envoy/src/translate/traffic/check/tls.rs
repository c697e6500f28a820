//! `tls` (istio.md 2.5): Istio's `ValidateTLS`.

use super::At;
use crate::manifest::{ClientTls, ClientTlsMode};

/// Notes what is wrong with it.
pub fn check(at: &mut At<'_>, written: &ClientTls) {
    let has_credential = !written.credential_name.is_empty();
    let is_simple = written.mode == ClientTlsMode::Simple;
    let is_mutual = written.mode == ClientTlsMode::Mutual;
    if written.skips_verification() && (is_simple || is_mutual) {
        let excluded = [
            (".caCertificates", !written.ca_certificates.is_empty()),
            (".credentialName", has_credential && is_simple),
            (".subjectAltNames", !written.subject_alt_names.is_empty()),
        ];
        for (field, _) in excluded.into_iter().filter(|(_, is_written)| *is_written) {
            let name = field.trim_start_matches('.');
            let message = format!(
                "`{name}` does not go with `insecureSkipVerify: true`, which checks nothing: leave one of them out"
            );
            at.error(field, &message);
        }
    }
    let files = [
        (".clientCertificate", &written.client_certificate),
        (".privateKey", &written.private_key),
        (".caCertificates", &written.ca_certificates),
        (".caCrl", &written.ca_crl),
    ];
    if has_credential && (is_simple || is_mutual) {
        for (field, _) in files.into_iter().filter(|(_, file)| !file.is_empty()) {
            let name = field.trim_start_matches('.');
            at.error(field, &format!("`{name}` does not go with `credentialName`: leave one of them out"));
        }
        return;
    }
    if is_mutual {
        for (field, _) in files.into_iter().take(2).filter(|(_, file)| file.is_empty()) {
            let name = field.trim_start_matches('.');
            at.error("", &format!("`mode: MUTUAL` needs `{name}`, or a `credentialName`"));
        }
    }
}
