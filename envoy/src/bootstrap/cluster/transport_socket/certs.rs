//! The files of certificates: as they are written, or below `--certs`.

use crate::bootstrap::absolute;
use crate::diagnostic::Diagnostic;
use crate::manifest::{ClientTls, ClientTlsMode};
use crate::translate::{Model, Origin};
use std::path::Path;

/// Debian's, and that of Envoy's images: what istio-agent looks for first where no authorities are named.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Names of files; empty: none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The client's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// The authorities that are trusted.
    pub authorities: String,
    /// What they revoked.
    pub revoked: String,
}

/// The files of a `tls` block.
///
/// # Errors
/// What is named by `credentialName`, or handed out by Istio, and is not below `--certs`.
pub fn files(model: &Model<'_>, tls: &ClientTls, origin: &Origin) -> Result<Files, Vec<Diagnostic>> {
    let is_mutual = tls.mode != ClientTlsMode::Simple;
    let (name, field) = match tls.mode {
        ClientTlsMode::IstioMutual => ("default", "mode"),
        _ if !tls.credential_name.is_empty() => (tls.credential_name.as_str(), "credentialName"),
        _ => {
            let own = |file: &String| if is_mutual { file.clone() } else { String::new() };
            let authorities = Some(&tls.ca_certificates).filter(|file| !file.is_empty());
            return Ok(Files {
                certificate: own(&tls.client_certificate),
                key: own(&tls.private_key),
                authorities: authorities.map_or_else(|| SYSTEM.to_owned(), Clone::clone),
                revoked: tls.ca_crl.clone(),
            });
        }
    };
    let error = |message: &str, help: &str| {
        let field = format!("{}.{field}", origin.field);
        model.error(&Origin { manifest: origin.manifest, field }, message).help(help)
    };
    if !is_one_name(name) {
        return Err(vec![error(
            &format!("`{}` is no name of a folder", name.escape_debug()),
            "write letters, digits, `-`, `.` and `_`",
        )]);
    }
    let Some(certs) = model.certs() else {
        let what = if field == "mode" {
            "`ISTIO_MUTUAL` needs the certificates that istio-agent has in a mesh: a bare Envoy has no istio-agent"
                .into()
        } else {
            format!("the certificates `{name}` are a secret in a mesh: a bare Envoy reads files")
        };
        let files = if is_mutual { "tls.crt, tls.key and ca.crt" } else { "ca.crt" };
        return Err(vec![error(&what, &format!("name a folder, `--certs DIR`, with {files} in `DIR/{name}/`"))]);
    };
    let mut wrong = vec![];
    let mut file = |file: &str, is_needed: bool| {
        let path = certs.join(name).join(file);
        if !is_needed {
            return String::new();
        }
        if !path.is_file() {
            let message = format!("there is no `{}`", path.display());
            wrong.push(error(&message, "put it there, or name another folder: `--certs DIR`"));
        }
        absolute(Path::new(&path))
    };
    let found = Files {
        certificate: file("tls.crt", is_mutual),
        key: file("tls.key", is_mutual),
        authorities: file("ca.crt", !tls.skips_verification() || tls.mode == ClientTlsMode::IstioMutual),
        revoked: String::new(),
    };
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

/// Whether it names something in a folder and nothing elsewhere.
fn is_one_name(name: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.starts_with('.') && !name.is_empty() && name.chars().all(is_fine)
}
