//! `tls` (istio.md 2.5): Istio's `ValidateTLS`.

use super::At;
use crate::manifest::{ClientTls, ClientTlsMode};

/// Bytes of a name that is asked for, in Envoy (`UpstreamTlsContext.sni`).
const LONGEST_SNI: usize = 255;

/// Notes what is wrong with it.
pub fn check(at: &mut At<'_>, written: &ClientTls) {
    without_effect(at, written);
    if written.mode != ClientTlsMode::Disable {
        refused_by_envoy(at, written);
    }
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

/// Istio passes these on to Envoy, which refuses the cluster.
fn refused_by_envoy(at: &mut At<'_>, written: &ClientTls) {
    if written.sni.len() > LONGEST_SNI {
        let length = written.sni.len();
        at.error(
            ".sni",
            &format!("a server's name has at most {LONGEST_SNI} bytes, this one {length}: write the name"),
        );
    }
    for index in (0..written.subject_alt_names.len()).filter(|index| written.subject_alt_names[*index].is_empty()) {
        at.error(&format!(".subjectAltNames[{index}]"), "no certificate has an empty name: write one, or leave it out");
    }
}

/// Istio takes what a mode does not use, and says nothing: who wrote it expects that it counts.
fn without_effect(at: &mut At<'_>, written: &ClientTls) {
    let (mode, help) = match written.mode {
        ClientTlsMode::Disable => {
            ("`DISABLE`, which is meant where none is written", "write `mode: SIMPLE` to encrypt")
        }
        ClientTlsMode::IstioMutual => ("`ISTIO_MUTUAL`, whose certificates are the mesh's", "write `mode: MUTUAL`"),
        ClientTlsMode::Simple | ClientTlsMode::Mutual => return,
    };
    let is_plain = written.mode == ClientTlsMode::Disable;
    let fields = [
        (".clientCertificate", !written.client_certificate.is_empty()),
        (".privateKey", !written.private_key.is_empty()),
        (".caCertificates", !written.ca_certificates.is_empty()),
        (".caCrl", !written.ca_crl.is_empty()),
        (".credentialName", !written.credential_name.is_empty()),
        (".insecureSkipVerify", written.skips_verification()),
        (".sni", is_plain && !written.sni.is_empty()),
        (".subjectAltNames", is_plain && !written.subject_alt_names.is_empty()),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, is_written)| *is_written) {
        let name = field.trim_start_matches('.');
        at.warning(field, &format!("`{name}` has no effect with the mode {mode}"), "ignored-field", help);
    }
}
