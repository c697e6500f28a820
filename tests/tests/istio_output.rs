//! What `switchyard generate --target istio` writes and says: a folder of `istio-output/` for each case.
//!
//! `manifests.yaml` and `arguments` (a line each) go in; `istio.yaml`, where one is written, and `said` (the exit code and
//! stderr) come out. `UPDATE_ISTIO_OUTPUT=1` writes them anew: look at the difference before you commit it.

#![cfg(not(target_family = "wasm"))]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use switchyard_envoy::manifest::{Input, read_sources};
use switchyard_envoy::{istio, yaml};
use tempfile::TempDir;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/istio-output");
const SWITCHYARD: &str = env!("CARGO_BIN_EXE_switchyard-in-tests");

fn cases() -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// What a case writes, if anything, and what it says.
fn run(case: &Path) -> (Option<String>, String) {
    let out = TempDir::new().unwrap();
    let arguments = fs::read_to_string(case.join("arguments")).unwrap();
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let target: &[&str] = if arguments.contains(&"--target") { &[] } else { &["--target", "istio"] };
    let output = Command::new(SWITCHYARD)
        .current_dir(case)
        .args(["generate", "manifests.yaml", "--out"])
        .arg(out.path())
        .args(target)
        .args(&arguments)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "110")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let written = fs::read_to_string(out.path().join("istio.yaml")).ok();
    (written, format!("exit code {}\n{said}", output.status.code().unwrap()))
}

#[test]
fn every_case_comes_out_as_its_folder_says() {
    let update = std::env::var_os("UPDATE_ISTIO_OUTPUT").is_some();
    let mut failures = String::new();
    let cases = cases();
    assert!(cases.len() >= 30, "{} cases", cases.len());
    for case in cases {
        let (written, said) = run(&case);
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(written.is_none(), name.starts_with("refused-"), "{name}: {said}");
        for (file, result) in [("istio.yaml", written), ("said", Some(said))] {
            let path = case.join(file);
            if update {
                match &result {
                    Some(text) => fs::write(&path, text).unwrap(),
                    None => assert!(!path.exists() || fs::remove_file(&path).is_ok()),
                }
            }
            let expected = fs::read_to_string(&path).ok();
            if result != expected {
                let _ = write!(failures, "\n=== {name}/{file}\n--- expected\n{expected:?}\n--- came out\n{result:?}");
            }
        }
    }
    assert!(failures.is_empty(), "{failures}\n\nUPDATE_ISTIO_OUTPUT=1 writes what came out");
}

#[test]
fn what_is_written_compiles_and_applies_in_one_context() {
    let mut contexts = BTreeSet::new();
    for case in cases() {
        let Ok(text) = fs::read_to_string(case.join("istio.yaml")) else { continue };
        let (documents, problems) = yaml::load(&text);
        assert!(problems.is_empty(), "{}: {problems:?}", case.display());
        for document in documents.iter().map(yaml::Node::to_json).filter(|document| !document.is_null()) {
            let name = format!("{}: {}", case.display(), document["metadata"]["name"]);
            if document["kind"] == "WasmPlugin" {
                let config = document["spec"]["pluginConfig"].to_string();
                assert!(switchyard_filter::compile::compile_json(config.as_bytes()).is_ok(), "{name}: {config}");
                continue;
            }
            let patches = document["spec"]["configPatches"].as_array().unwrap();
            let all: BTreeSet<_> = patches.iter().map(|patch| patch["match"]["context"].as_str().unwrap()).collect();
            assert_eq!(all.len(), 1, "{name}");
            contexts.extend(all.into_iter().map(ToOwned::to_owned));
            assert!(patches.iter().all(|patch| patch["match"]["proxy"]["proxyVersion"].is_string()), "{name}");
        }
    }
    assert_eq!(contexts, BTreeSet::from(["GATEWAY".to_owned(), "SIDECAR_OUTBOUND".to_owned()]));
}

/// What `check --applied` says of the cluster in which a case is applied, after a change of the text.
fn applied(change: impl Fn(String) -> String) -> Vec<String> {
    let case = Path::new(FOLDER).join("sidecars-of-a-namespace");
    let read = |file: &str| fs::read_to_string(case.join(file)).unwrap();
    let text = change(format!("{}\n---\n{}", read("manifests.yaml"), read("istio.yaml")));
    let input = Input { name: "live.yaml".into(), bytes: text.into_bytes() };
    let live = read_sources(vec![input], None).unwrap();
    let found = istio::drifted(&live).unwrap_or_else(|found| found);
    found.iter().map(|one| format!("{} {}: {}", one.code, one.field, one.message)).collect()
}

#[test]
fn what_is_applied_is_what_was_generated() {
    assert_eq!(applied(|text| text), [""; 0]);
}

#[test]
fn what_has_drifted_is_named_with_its_field() {
    let weights = |text: String| {
        text.replacen("subset: v1}, weight: 9}", "subset: v1}, weight: 8}", 1).replacen(
            "subset: v2}, weight: 1}",
            "subset: v2}, weight: 2}",
            1,
        )
    };
    assert_eq!(
        applied(weights),
        [
            "drifted http[1].route[0].weight: `VirtualService demo/shop` has drifted: `8` here, and `WasmPlugin demo/switchyard` embeds `9`",
            "drifted http[1].route[1].weight: `VirtualService demo/shop` has drifted: `2` here, and `WasmPlugin demo/switchyard` embeds `1`",
        ]
    );
    let hosts = |text: String| text.replacen("hosts: [shop]", "hosts: [shop, cart]", 1);
    assert_eq!(
        applied(hosts),
        [
            "drifted hosts: `VirtualService demo/shop` has drifted: `hosts` is no longer what `WasmPlugin demo/switchyard` embeds"
        ]
    );
    let subset =
        |text: String| text.replacen("{name: v2, labels: {version: v2}}", "{name: v3, labels: {version: v2}}", 1);
    assert_eq!(
        applied(subset),
        [
            "drifted subsets: `DestinationRule demo/shop` has drifted: `subsets` is no longer what `WasmPlugin demo/switchyard` embeds"
        ]
    );
    // Istio makes the clusters: what they are is not embedded.
    let labels = |text: String| text.replacen("labels: {version: v2}", "labels: {version: two}", 1);
    assert_eq!(applied(labels), [""; 0]);
    let gone = |text: String| {
        text.replacen("kind: VirtualService", "kind: ServiceEntry", 1).replacen(
            "hosts: [shop]\n  gateways: [mesh]\n  http:",
            "hosts: [shop.example.com]\n  x:",
            1,
        )
    };
    assert_eq!(
        applied(gone),
        ["drifted metadata.name: the VirtualService `demo/shop`, which `WasmPlugin demo/switchyard` embeds, is gone"]
    );
}

#[test]
fn a_live_configuration_that_does_not_compile_and_a_second_plugin_are_told() {
    let broken = |text: String| text.replacen("    accessLog: decision", "    accessLog: loud", 1);
    assert_eq!(
        applied(broken),
        [
            "invalid-field pluginConfig.accessLog: expected one of `off`, `decision`, `draws`, found the string `loud`, in the live `WasmPlugin demo/switchyard`"
        ]
    );
    let second = |text: String| {
        format!(
            "{text}---\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: other, namespace: demo}}\n\
             spec:\n  pluginName: switchyard\n  selector: {{matchLabels: {{app: front}}}}\n  pluginConfig: {{}}\n"
        )
    };
    assert_eq!(
        applied(second),
        [
            "two-switchyards metadata.name: `WasmPlugin demo/other` decides for workloads for which `WasmPlugin demo/switchyard` does too: requests are decided twice"
        ]
    );
    let elsewhere =
        |text: String| second(text).replacen("{name: other, namespace: demo}", "{name: other, namespace: a}", 1);
    assert_eq!(applied(elsewhere), [""; 0]);
    let none = |text: String| text.split("kind: EnvoyFilter").next().unwrap().rsplit_once("---").unwrap().0.to_owned();
    assert_eq!(applied(none), ["invalid-field : no WasmPlugin of ours is among these resources"]);
}

#[test]
fn what_is_large_is_told_and_what_is_too_large_refused() {
    let folder = TempDir::new().unwrap();
    let generate = |rules: usize| {
        let mut text = fs::read_to_string(Path::new(FOLDER).join("sidecars-of-a-namespace/manifests.yaml")).unwrap();
        let mut more = String::new();
        for rule in 0..rules {
            let _ = writeln!(
                more,
                "  - {{name: r{rule}, match: [{{uri: {{exact: /r/{rule}}}}}], route: [{{destination: {{host: shop}}}}]}}"
            );
        }
        text = text.replacen("  http:\n", &format!("  http:\n{more}"), 1);
        fs::write(folder.path().join("manifests.yaml"), text).unwrap();
        let output = Command::new(SWITCHYARD)
            .current_dir(folder.path())
            .args(["generate", "manifests.yaml", "--target", "istio", "--out", "."])
            .args(["--url", "oci://registry.example.com/switchyard:1"])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = generate(100);
    assert!(code == Some(0) && !said.contains("--server-side"), "{said}");
    let (code, said) = generate(4_000);
    assert!(code == Some(0) && said.contains("apply with `kubectl apply --server-side`"), "{said}");
    let (code, said) = generate(20_000);
    assert!(code == Some(3) && said.contains("at most 1 MiB arrives") && said.contains("split the policy"), "{said}");
}
