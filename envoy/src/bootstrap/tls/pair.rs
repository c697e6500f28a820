//! Whether a certificate and a key belong together.

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use std::path::Path;

/// Reads both files, PEM.
///
/// # Errors
/// What is wrong with them. A kind of key that is not known here is not judged: Envoy may know it.
pub fn check(certificate: &Path, key: &Path) -> Result<(), String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| format!("`{}` holds no certificate as PEM", certificate.display()))?;
    let private = PrivateKeyDer::from_pem_file(key);
    let private = private.map_err(|_| format!("`{}` holds no private key as PEM", key.display()))?;
    let Ok(signing) = ring::default_provider().key_provider.load_private_key(private) else { return Ok(()) };
    match CertifiedKey::new(chain, signing).keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(format!("`{}` is not the key of `{}`", key.display(), certificate.display()))
        }
        Err(Error::InvalidCertificate(_)) => Err(format!("`{}` holds no certificate", certificate.display())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use rcgen::{CertificateParams, KeyPair};
    use std::fs;

    #[test]
    fn a_key_belongs_to_its_certificate() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("a file");
            path
        };
        let (one, two) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let made = CertificateParams::new(["a.example".to_owned()]).expect("a name").self_signed(&one);
        let certificate = write("crt", &made.expect("a certificate").pem());
        let (own, other) = (write("own", &one.serialize_pem()), write("other", &two.serialize_pem()));
        let garbage = write("garbage", "-----BEGIN");
        let said = |certificate, key| {
            check(certificate, key).err().unwrap_or_default().replace(&*folder.path().to_string_lossy(), "")
        };
        assert_eq!(said(&certificate, &own), "");
        assert_eq!(said(&certificate, &other), "`/other` is not the key of `/crt`");
        assert_eq!(said(&garbage, &own), "`/garbage` holds no certificate as PEM");
        assert_eq!(said(&certificate, &garbage), "`/garbage` holds no private key as PEM");
        assert_eq!(said(&certificate, &certificate), "`/crt` holds no private key as PEM");
    }
}
