//! The listeners of Gateways: a folder per case, `manifests.yaml` and what is made of them, `listeners.yaml`; and that
//! Envoys take them, the oldest and the newest that are supported, with deprecated fields refused.
//!
//! `proxy.yaml` beside them has the proxy's `labels`. `CERTS` in manifests is a folder with an authority's certificates,
//! made anew; `--certs` is the same folder.

use serde_json::Value;
use std::net::Ipv4Addr;
use std::path::Path;
use switchyard_tests::gateways::Gateways;
use switchyard_tests::goldens::{Folder, all_refused, compare, folders};
use switchyard_tests::harness::{Ca, released_wasm};
use tempfile::TempDir;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gateways");
/// The filter in goldens.
const WASM: &str = "/switchyard_filter.wasm";

/// Each case with its bootstrap.
fn cases(certs: &Path, wasm: &Path) -> Vec<(Folder, Value)> {
    let case = |folder: Folder| {
        let gateways = Gateways {
            namespace: Some("demo".into()),
            labels: folder.labels(),
            wasm: wasm.into(),
            edge: Ipv4Addr::UNSPECIFIED.into(),
            ..Gateways::new(folder.manifests(certs)).certs(certs)
        };
        let bootstrap = gateways.bootstrap().unwrap_or_else(|said| panic!("{}: {said}", folder.name()));
        (folder, bootstrap)
    };
    folders(Path::new(CASES)).into_iter().map(case).collect()
}

/// `tls.crt`, `tls.key`, `ca.crt` and `ca.crl` in the folder, and credentials below it.
fn certify(folder: &Path) {
    let ca = Ca::new("goldens");
    for credential in ["", "shop", "blog"] {
        let below = folder.join(credential);
        ca.write(&below).unwrap();
        ca.server(&["shop.test"]).write(&below).unwrap();
    }
    std::fs::write(folder.join("ca.crl"), ca.revoke(&[])).unwrap();
}

/// `UPDATE_GATEWAYS=1 cargo test -p switchyard-tests --test gateways` writes what is made today; look at the difference.
#[test]
fn manifests_become_the_listeners_that_are_written_beside_them() {
    let certs = TempDir::new().unwrap();
    certify(certs.path());
    let cases = cases(certs.path(), Path::new(WASM));
    assert!(cases.len() >= 8, "{} cases", cases.len());
    let made = cases.iter().map(|(folder, bootstrap)| (folder, &bootstrap["static_resources"]["listeners"]));
    compare("UPDATE_GATEWAYS", "listeners.yaml", certs.path(), made);
}

#[test]
fn both_supported_envoys_take_all_listeners_and_find_no_deprecated_field() {
    let folder = TempDir::new().unwrap();
    certify(folder.path());
    let cases = cases(folder.path(), &released_wasm());
    let bootstraps = cases.iter().map(|(folder, bootstrap)| (folder, bootstrap.clone()));
    let wrong = all_refused(bootstraps, &folder.path().join("envoy.yaml"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
