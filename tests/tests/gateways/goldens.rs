//! The listeners of Gateways: a folder per case, `manifests.yaml` and what is made of them, `listeners.yaml`; and that
//! Envoys take them, the oldest and the newest that are supported, with deprecated fields refused.
//!
//! `proxy.yaml` beside them has the proxy's `labels`. `CERTS` in manifests is a folder with an authority's certificates,
//! made anew; `--certs` is the same folder.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use switchyard_envoy::bootstrap::to_yaml;
use switchyard_envoy::yaml;
use switchyard_tests::gateways::Gateways;
use switchyard_tests::harness::{Ca, envoy_binary_of, released_wasm};
use tempfile::TempDir;

const SUPPORTED: [&str; 2] = ["1.36.2", "1.40.0"];
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gateways");
/// The filter in goldens.
const WASM: &str = "/switchyard_filter.wasm";

struct Case {
    name: String,
    folder: PathBuf,
    listeners: Value,
    /// With its clusters.
    bootstrap: Value,
}

fn cases(certs: &Path) -> Vec<Case> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.into_iter().map(|folder| case(folder, certs)).collect()
}

fn case(folder: PathBuf, certs: &Path) -> Case {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(folder.join("manifests.yaml")).unwrap();
    let proxy = read(&folder.join("proxy.yaml"));
    let labels = proxy["labels"].as_object().into_iter().flatten();
    let gateways = Gateways {
        namespace: Some("demo".into()),
        labels: labels.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect(),
        wasm: WASM.into(),
        edge: Ipv4Addr::UNSPECIFIED.into(),
        ..Gateways::new(text.replace("CERTS", &certs.display().to_string())).certs(certs)
    };
    let bootstrap = gateways.bootstrap().unwrap_or_else(|said| panic!("{name}: {said}"));
    Case { name, folder, listeners: bootstrap["static_resources"]["listeners"].clone(), bootstrap }
}

fn read(file: &Path) -> Value {
    let Ok(text) = std::fs::read_to_string(file) else { return json!({}) };
    let (documents, problems) = yaml::load(&text);
    assert_eq!(problems, [], "{}", file.display());
    documents[0].to_json()
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
    let update = std::env::var_os("UPDATE_GATEWAYS").is_some();
    let mut wrong = BTreeMap::new();
    let cases = cases(certs.path());
    assert!(cases.len() >= 8, "{} cases", cases.len());
    for case in cases {
        let made = to_yaml(&case.listeners).replace(&certs.path().display().to_string(), "CERTS");
        let file = case.folder.join("listeners.yaml");
        if update {
            std::fs::write(&file, &made).unwrap();
        } else if std::fs::read_to_string(&file).ok().as_deref() != Some(&made) {
            wrong.insert(case.name, made);
        }
    }
    let text: Vec<_> = wrong.iter().map(|(name, made)| format!("# {name}\n{made}")).collect();
    assert!(wrong.is_empty(), "{} cases differ (`UPDATE_GATEWAYS=1` writes them):\n{}", wrong.len(), text.join("\n"));
}

#[test]
fn both_supported_envoys_take_all_listeners_and_find_no_deprecated_field() {
    let folder = TempDir::new().unwrap();
    certify(folder.path());
    let fatal = json!({"envoy.features.fail_on_any_deprecated_feature": true});
    let mut wrong = vec![];
    for mut case in cases(folder.path()) {
        case.bootstrap["layered_runtime"] = json!({"layers": [{"name": "static", "static_layer": fatal}]});
        let file = folder.path().join("envoy.yaml");
        let text = to_yaml(&case.bootstrap).replace(WASM, &released_wasm().display().to_string());
        std::fs::write(&file, text).unwrap();
        for version in SUPPORTED {
            let output = Command::new(envoy_binary_of(version).unwrap())
                .args(["--mode", "validate", "--disable-hot-restart", "--log-level", "warning", "--config-path"])
                .arg(&file)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            if !output.status.success() || said.to_lowercase().contains("deprecated") {
                wrong.push(format!("{}: Envoy {version}: {said}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
