//! Credentials below `--certs` (istio.md 2.5, 3), with the name of the folder that was probably meant.

use super::super::super::tests::manifests;
use super::super::super::{Model, Options};
use super::{HOST, check_each, line, policy, resource};
use crate::bootstrap::{Settings, generate};
use std::fs;
use std::path::Path;

/// Folders with these files.
fn folders(at: &Path) {
    for (name, files) in [
        ("shop-client", ["tls.crt", "tls.key", "ca.crt"].as_slice()),
        ("shop-server", &["tls.crt", "tls.key"]),
        ("trusted", &["ca.crt"]),
        ("empty", &[]),
    ] {
        fs::create_dir(at.join(name)).expect("a folder");
        let key = rcgen::KeyPair::generate().expect("a key");
        let made = rcgen::CertificateParams::new(["a.example".to_owned()]).expect("a name").self_signed(&key);
        let certificate = made.expect("a certificate").pem();
        for file in files {
            let text = if *file == "tls.key" { key.serialize_pem() } else { certificate.clone() };
            fs::write(at.join(name).join(file), text).expect("a file");
        }
    }
    fs::write(at.join("empty/ca.crt"), "").expect("a file");
}

/// All that is said when an Envoy is generated, with `certs` in place of the folder's name.
fn generated(text: &str, certs: Option<&Path>) -> Vec<String> {
    let manifests = manifests(&[text, HOST]);
    let options = Options { certs: certs.map(Path::to_owned), ..Options::default() };
    let model = Model::new(&manifests, &options).unwrap_or_else(|said| panic!("{said:?}"));
    let address = |port| ([127, 0, 0, 1], port).into();
    let settings = Settings {
        listen: address(10_000),
        edge: [127, 0, 0, 1].into(),
        admin: address(9901),
        wasm: "filter.wasm".into(),
        record: None,
        record_all_headers: false,
        trusted_hops: 0,
    };
    let said = generate(&model, &settings).err().unwrap_or_default();
    let name = certs.map(|certs| certs.display().to_string()).unwrap_or_default();
    let short = |line: String| if name.is_empty() { line } else { line.replace(&name, "DIR") };
    said.iter().map(line).map(short).collect()
}

/// A Gateway with an HTTPS server that has this `tls`, from line 8, column 11 on.
fn server(written: &str) -> String {
    let server = "\n  - port: {number: 443, name: a, protocol: HTTPS}\n    hosts: ['*']\n    tls:";
    resource("Gateway", &format!("\n  servers:{server} {{{written}}}"))
}

#[test]
fn credentials_that_are_not_there_are_told_with_the_nearest_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    folders(folder.path());
    check_each(
        "
mode: SIMPLE, credentialName: trusted
mode: SIMPLE, credentialName: empty
  error a.yaml:6:55: `DIR/empty/ca.crt` is empty; put the certificate, key or authorities there, as PEM
mode: SIMPLE, credentialName: tursted
  error a.yaml:6:55: there is no folder `DIR/tursted`; did you mean `trusted`?
mode: SIMPLE, credentialName: shop-server
  error a.yaml:6:55: there is no `DIR/shop-server/ca.crt`; put it there, or name another folder: `--certs DIR`
mode: MUTUAL, credentialName: shop-client
mode: MUTUAL, credentialName: shop-clinet
  error a.yaml:6:55: there is no folder `DIR/shop-clinet`; did you mean `shop-client`?
mode: MUTUAL, credentialName: trusted
  error a.yaml:6:55: there is no `DIR/trusted/tls.crt`; put it there, or name another folder: `--certs DIR`
mode: MUTUAL, credentialName: elsewhere
  error a.yaml:6:55: there is no folder `DIR/elsewhere`; make it, or name another one: `--certs DIR`
mode: MUTUAL, credentialName: ../shop-client
  error a.yaml:6:55: `../shop-client` is no name of a folder; write letters, digits, `-`, `.` and `_`
mode: MUTUAL, credentialName: 'configmap://shop-client'
  error a.yaml:6:55: `configmap://shop-client` is no name of a folder; write letters, digits, `-`, `.` and `_`
mode: ISTIO_MUTUAL
  error a.yaml:6:31: there is no folder `DIR/default`; make it, or name another one: `--certs DIR`
",
        |written| generated(&policy(&format!("tls: {{{written}}}")), Some(folder.path())),
    );
    check_each(
        "
mode: SIMPLE, credentialName: shop-server
mode: SIMPLE, credentialName: shop-sevrer
  error a.yaml:8:41: there is no folder `DIR/shop-sevrer`; did you mean `shop-server`?
credentialName: trusted, mode: SIMPLE
  error a.yaml:8:27: there is no `DIR/trusted/tls.crt`; put it there, or name another folder: `--certs DIR`
mode: SIMPLE, credentialNames: [shop-server, shop-clients]
  error a.yaml:8:56: there is no folder `DIR/shop-clients`; did you mean `shop-client`?
mode: MUTUAL, credentialName: shop-client
mode: MUTUAL, credentialName: shop-server
  error a.yaml:8:41: there is no `DIR/shop-server/ca.crt`; put it there, or name another folder: `--certs DIR`
mode: MUTUAL, credentialName: shop-server, caCertCredentialName: trusted
mode: MUTUAL, credentialName: shop-server, caCertCredentialName: trustde
  error a.yaml:8:76: there is no folder `DIR/trustde`; did you mean `trusted`?
mode: OPTIONAL_MUTUAL, credentialNames: [shop-server, shop-client]
  error a.yaml:8:52: there is no `DIR/shop-server/ca.crt`; put it there, or name another folder: `--certs DIR`
",
        |written| generated(&server(written), Some(folder.path())),
    );
}

#[test]
fn credentials_need_a_folder_since_a_bare_envoy_has_no_istio_agent() {
    check_each(
        "
mode: SIMPLE, credentialName: a
  error a.yaml:6:55: the certificates `a` are a secret in a mesh: a bare Envoy reads files; name a folder, `--certs DIR`, with ca.crt in `DIR/a/`
mode: MUTUAL, credentialName: a
  error a.yaml:6:55: the certificates `a` are a secret in a mesh: a bare Envoy reads files; name a folder, `--certs DIR`, with tls.crt, tls.key and ca.crt in `DIR/a/`
mode: ISTIO_MUTUAL
  error a.yaml:6:31: `ISTIO_MUTUAL` needs the certificates that istio-agent has in a mesh: a bare Envoy has no istio-agent; name a folder, `--certs DIR`, with tls.crt, tls.key and ca.crt in `DIR/default/`
",
        |written| generated(&policy(&format!("tls: {{{written}}}")), None),
    );
    check_each(
        "
mode: SIMPLE, credentialName: a
  error a.yaml:8:41: the certificates `a` are a secret in a mesh: a bare Envoy reads files; name a folder, `--certs DIR`, with tls.crt and tls.key in `DIR/a/`
mode: MUTUAL, credentialNames: [a, b], caCertCredentialName: c
  error a.yaml:8:43: the certificates `a` are a secret in a mesh: a bare Envoy reads files; name a folder, `--certs DIR`, with tls.crt and tls.key in `DIR/a/`
  error a.yaml:8:46: the certificates `b` are a secret in a mesh: a bare Envoy reads files; name a folder, `--certs DIR`, with tls.crt and tls.key in `DIR/b/`
  error a.yaml:8:72: the certificates `c` are a secret in a mesh: a bare Envoy reads files; name a folder, `--certs DIR`, with ca.crt in `DIR/c/`
",
        |written| generated(&server(written), None),
    );
}
