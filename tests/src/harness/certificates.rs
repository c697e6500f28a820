//! Certificates that are made in a test, valid for as long as tests run: authorities, and what they sign.
//!
//! Files have the names of Kubernetes' TLS secrets, which are those below `--certs DIR/<credentialName>/`.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

/// An authority.
#[derive(Debug)]
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// PEM.
    pub certificate: String,
    /// PEM, PKCS #8.
    pub key: String,
    /// The certificate, DER.
    pub der: Vec<u8>,
    serial: u64,
}

impl Ca {
    /// An authority of this common name that signs itself.
    ///
    /// # Panics
    /// When there are no keys to be made: that is no matter of its arguments.
    pub fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = key();
        let pem = params.self_signed(&key).expect("an authority signs itself").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its own certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server's certificate for these names: DNS names, also `*.suffix`, and addresses.
    pub fn server(&self, names: &[&str]) -> Certificate {
        self.sign(names, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's certificate for a URI (`spiffe://…`) or a DNS name.
    pub fn client(&self, name: &str) -> Certificate {
        self.sign(&[name], ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// The list of what it revoked, PEM.
    ///
    /// # Panics
    /// As [`Ca::new`].
    pub fn revoke(&self, revoked: &[&Certificate]) -> String {
        let one = |one: &&Certificate| RevokedCertParams {
            serial_number: SerialNumber::from(one.serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(4096, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(one).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).and_then(|list| list.pem()).expect("an authority signs its list")
    }

    /// Writes `ca.crt` to a folder, which is made. Errors: it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, String> {
        put(folder, "ca.crt", &self.pem)
    }

    fn sign(&self, names: &[&str], purpose: ExtendedKeyUsagePurpose) -> Certificate {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut params = named(names.first().copied().unwrap_or("nameless"));
        params.serial_number = Some(SerialNumber::from(serial));
        params.subject_alt_names = names.iter().map(|name| alternative(name)).collect();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let key = key();
        let signed = params.signed_by(&key, &self.issuer).expect("an authority signs what it is given");
        Certificate { certificate: signed.pem(), key: key.serialize_pem(), der: signed.der().to_vec(), serial }
    }
}

impl Certificate {
    /// Its SHA-256, in hexadecimal digits: what whoever pins it writes.
    ///
    /// # Panics
    /// When the library has no such suite: that is no matter of its arguments.
    pub fn sha256(&self) -> String {
        let suite = tokio_rustls::rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
        let hash = suite.tls13().expect("a suite of TLS 1.3").common.hash_provider;
        hash.hash(&self.der).as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// Writes `tls.crt` and `tls.key` to a folder, which is made; tells their paths in this order. Errors: they cannot
    /// be written.
    pub fn write(&self, folder: &Path) -> Result<[PathBuf; 2], String> {
        Ok([put(folder, "tls.crt", &self.certificate)?, put(folder, "tls.key", &self.key)?])
    }
}

fn put(folder: &Path, name: &str, text: &str) -> Result<PathBuf, String> {
    let path = folder.join(name);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
    written.map_err(|error| format!("`{}`: {error}", path.display()))?;
    Ok(path)
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn alternative(name: &str) -> SanType {
    let text = || name.try_into().expect("names are ASCII");
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) if name.contains("://") => SanType::URI(text()),
        Err(_) => SanType::DnsName(text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn openssl_takes_what_is_made_and_refuses_what_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let ca = Ca::new("ours");
        let [one, other] = [ca.server(&["a.test", "*.b.test", "127.0.0.1"]), ca.client("spiffe://test/admin")];
        ca.write(at).unwrap();
        one.write(at).unwrap();
        other.write(&at.join("other")).unwrap();
        std::fs::write(at.join("ca.crl"), ca.revoke(&[&other])).unwrap();
        let openssl = |arguments: &str| {
            let output = Command::new("openssl").args(arguments.split(' ')).current_dir(at).output();
            let output = output.unwrap_or_else(|error| panic!("openssl judges the certificates of this test: {error}"));
            (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let verify = "verify -CAfile ca.crt -CRLfile ca.crl -crl_check";
        assert!(openssl(&format!("{verify} -purpose sslserver -verify_hostname x.b.test tls.crt")).0);
        assert!(!openssl(&format!("{verify} -purpose sslserver -verify_hostname c.test tls.crt")).0);
        assert!(!openssl(&format!("{verify} other/tls.crt")).0, "revoked");
        let (_, names) = openssl("x509 -in other/tls.crt -noout -ext subjectAltName");
        assert!(names.contains("URI:spiffe://test/admin"), "{names}");
    }
}
