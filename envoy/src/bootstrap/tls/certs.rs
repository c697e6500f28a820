//! The files of certificates: as they are written, or below `--certs`.

use super::{TlsCertificate, pair};
use crate::bootstrap::absolute;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::{ClientTls, ClientTlsMode, ServerTls};
use crate::translate::{Model, Origin};
use std::path::Path;

/// Debian's, and that of Envoy's images: what istio-agent looks for first where no authorities are named.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Names of files; empty: none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Certificates, each with its key.
    pub own: Vec<[String; 2]>,
    /// The authorities that are trusted.
    pub authorities: String,
    /// What they revoked.
    pub revoked: String,
}

impl Files {
    /// The certificates that are shown.
    pub fn certificates(&self) -> Vec<TlsCertificate> {
        self.own.iter().filter_map(|[certificate, key]| TlsCertificate::new(certificate, key)).collect()
    }
}

/// The files of a `tls` block of a DestinationRule.
///
/// # Errors
/// What is named by `credentialName`, or handed out by Istio, and is not below `--certs`.
pub fn of_client(model: &Model<'_>, tls: &ClientTls, origin: &Origin) -> Result<Files, Vec<Diagnostic>> {
    let is_mutual = tls.mode != ClientTlsMode::Simple;
    let (name, field) = match tls.mode {
        ClientTlsMode::IstioMutual => ("default", "mode"),
        _ if !tls.credential_name.is_empty() => (tls.credential_name.as_str(), "credentialName"),
        _ => {
            let own = [tls.client_certificate.clone(), tls.private_key.clone()];
            let authorities = Some(&tls.ca_certificates).filter(|file| !file.is_empty());
            return Ok(Files {
                own: if is_mutual { vec![own] } else { vec![] },
                authorities: authorities.map_or_else(|| SYSTEM.to_owned(), Clone::clone),
                revoked: tls.ca_crl.clone(),
            });
        }
    };
    let mut folder = Folder { model, origin, field: field.to_owned(), name, wrong: vec![] };
    let verifies = !tls.skips_verification() || tls.mode == ClientTlsMode::IstioMutual;
    let needed: &[_] = if is_mutual { &["tls.crt", "tls.key", "ca.crt"] } else { &["ca.crt"] };
    folder.check(needed);
    let found = Files {
        own: if is_mutual { vec![folder.pair()] } else { vec![] },
        authorities: if verifies { folder.file("ca.crt") } else { String::new() },
        revoked: String::new(),
    };
    if folder.wrong.is_empty() { Ok(found) } else { Err(folder.wrong) }
}

/// The files of a `tls` block of a Gateway.
///
/// # Errors
/// Credentials that are not below `--certs`.
pub fn of_server(model: &Model<'_>, tls: &ServerTls, origin: &Origin) -> Result<Files, Vec<Diagnostic>> {
    let asks = tls.asks_for_certificate();
    let names = tls.credentials();
    let Some(first) = names.first() else {
        let pair = |certificate: &String, key: &String| [certificate.clone(), key.clone()];
        let own = if tls.tls_certificates.is_empty() {
            vec![pair(&tls.server_certificate, &tls.private_key)]
        } else {
            tls.tls_certificates.iter().map(|one| pair(&one.server_certificate, &one.private_key)).collect()
        };
        let of_clients = |file: &String| if asks { file.clone() } else { String::new() };
        return Ok(Files { own, authorities: of_clients(&tls.ca_certificates), revoked: of_clients(&tls.ca_crl) });
    };
    let folder = |name, field: String| Folder { model, origin, field, name, wrong: vec![] };
    let (mut found, mut wrong) = (Files::default(), vec![]);
    for (index, name) in names.iter().enumerate() {
        let is_list = !tls.credential_names.is_empty();
        let field = if is_list { format!("credentialNames[{index}]") } else { "credentialName".to_owned() };
        let mut folder = folder(*name, field);
        folder.check(&["tls.crt", "tls.key"]);
        found.own.push(folder.pair());
        wrong.extend(folder.wrong);
    }
    if asks {
        let (name, field) = match tls.ca_cert_credential_name.as_str() {
            // Of several credentials, the first one's, as in Istio.
            "" if tls.credential_names.is_empty() => (*first, "credentialName"),
            "" => (*first, "credentialNames[0]"),
            name => (name, "caCertCredentialName"),
        };
        let mut folder = folder(name, field.to_owned());
        folder.check(&["ca.crt"]);
        found.authorities = folder.file("ca.crt");
        found.revoked = folder.optional("ca.crl");
        // What is said of the same field already.
        let new: Vec<_> = folder.wrong.into_iter().filter(|found| !wrong.contains(found)).collect();
        wrong.extend(new);
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

/// The folder of a credential.
struct Folder<'a> {
    model: &'a Model<'a>,
    origin: &'a Origin,
    /// The field that names it, below that of the block.
    field: String,
    name: &'a str,
    wrong: Vec<Diagnostic>,
}

impl Folder<'_> {
    /// The certificate and its key, which must belong together: a running Envoy that is told of others serves nobody.
    fn pair(&mut self) -> [String; 2] {
        let files = [self.file("tls.crt"), self.file("tls.key")];
        if let (true, Some(certs)) = (self.wrong.is_empty(), self.model.certs()) {
            let [certificate, key] = ["tls.crt", "tls.key"].map(|file| certs.join(self.name).join(file));
            if let Err(message) = pair::check(&certificate, &key) {
                self.error(&message, "wait until both are renewed, or put the right ones there");
            }
        }
        files
    }

    fn error(&mut self, message: &str, help: &str) {
        let field = format!("{}.{}", self.origin.field, self.field);
        self.wrong.push(self.model.error(&Origin { manifest: self.origin.manifest, field }, message).help(help));
    }

    /// Notes a name that is none, and `--certs` or the folder where they are missing.
    fn check(&mut self, needed: &[&str]) {
        let name = self.name;
        if !is_one_name(name) {
            let message = format!("`{}` is no name of a folder", name.escape_debug());
            self.error(&message, "write letters, digits, `-`, `.` and `_`");
            return;
        }
        let Some(certs) = self.model.certs() else {
            let message = if self.field == "mode" {
                "`ISTIO_MUTUAL` needs the certificates that istio-agent has in a mesh: a bare Envoy has no istio-agent"
                    .into()
            } else {
                format!("the certificates `{name}` are a secret in a mesh: a bare Envoy reads files")
            };
            let files = match needed {
                [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
                all => all.join(", "),
            };
            self.error(&message, &format!("name a folder, `--certs DIR`, with {files} in `DIR/{name}/`"));
            return;
        };
        if !certs.join(name).is_dir() {
            let message = format!("there is no folder `{}`", certs.join(name).display());
            let help = did_you_mean(name, folders(certs).iter().map(String::as_str));
            self.error(&message, &help.unwrap_or_else(|| "make it, or name another one: `--certs DIR`".into()));
        }
    }

    /// A file of it, which must be there.
    fn file(&mut self, file: &str) -> String {
        let Some(certs) = self.model.certs().filter(|_| self.wrong.is_empty()) else { return String::new() };
        let path = certs.join(self.name).join(file);
        if !path.is_file() {
            let message = format!("there is no `{}`", path.display());
            self.error(&message, "put it there, or name another folder: `--certs DIR`");
        } else if std::fs::metadata(&path).is_ok_and(|meta| meta.len() == 0) {
            // Envoy refuses it.
            let message = format!("`{}` is empty", path.display());
            self.error(&message, "put the certificate, key or authorities there, as PEM");
        }
        absolute(&path)
    }

    /// A file of it that may be there.
    fn optional(&mut self, file: &str) -> String {
        let Some(certs) = self.model.certs().filter(|_| self.wrong.is_empty()) else { return String::new() };
        let path = certs.join(self.name).join(file);
        if path.is_file() { absolute(&path) } else { String::new() }
    }
}

/// The folders of a folder, sorted.
fn folders(of: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Whether it names something in a folder and nothing elsewhere.
fn is_one_name(name: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.starts_with('.') && !name.is_empty() && name.chars().all(is_fine)
}
