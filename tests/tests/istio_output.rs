//! What `switchyard generate --target istio` writes and says: a folder of `istio-output/` for each case.
//!
//! `manifests.yaml` and `arguments` (a line each) go in; `istio.yaml`, where one is written, and `said` (the exit code and
//! stderr) come out. `UPDATE_ISTIO_OUTPUT=1` writes them anew: look at the difference before you commit it.

#![cfg(not(target_family = "wasm"))]

#[path = "istio_output/beside.rs"]
mod beside;
#[path = "istio_output/others.rs"]
mod others;
#[path = "istio_output/two.rs"]
mod two;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use switchyard_envoy::manifest::{Input, read_sources};
use switchyard_envoy::translate::Mesh;
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

/// What is written of these manifests.
fn generated(manifests: &str, arguments: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("manifests.yaml"), manifests).unwrap();
    let output = Command::new(SWITCHYARD)
        .current_dir(folder.path())
        .args(["generate", "manifests.yaml", "--target", "istio", "--out", "out"])
        .args(["--url", "oci://registry.example.com/switchyard:1"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(folder.path().join("out/istio.yaml")).unwrap()
}

/// What `check --applied` says of a cluster that has all of these.
fn checked(texts: &[&str]) -> Vec<String> {
    checked_in(&Mesh::default(), texts)
}

/// The same in this mesh.
fn checked_in(mesh: &Mesh, texts: &[&str]) -> Vec<String> {
    let input = Input { name: "live.yaml".into(), bytes: texts.join("\n---\n").into_bytes() };
    let live = read_sources(vec![input], None).unwrap();
    let found = istio::drifted(&live, mesh);
    let severity = |error: bool| if error { "error" } else { "warning" };
    found
        .iter()
        .map(|one| format!("{} {} {}: {}", severity(one.is_error()), one.code, one.field, one.message))
        .collect()
}

/// What `check --applied` says of the cluster in which a case is applied, after a change of the text.
fn applied(change: impl Fn(String) -> String) -> Vec<String> {
    applied_in(istio::ROOT_NAMESPACE, change)
}

/// The same with this root namespace.
fn applied_in(root: &str, change: impl Fn(String) -> String) -> Vec<String> {
    let case = Path::new(FOLDER).join("sidecars-of-a-namespace");
    let read = |file: &str| fs::read_to_string(case.join(file)).unwrap();
    let text = change(format!("{}\n---\n{}", read("manifests.yaml"), read("istio.yaml")));
    let input = Input { name: "live.yaml".into(), bytes: text.into_bytes() };
    let live = read_sources(vec![input], None).unwrap();
    let found = istio::drifted(&live, &Mesh { root_namespace: root.into(), ..Mesh::default() });
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
    let another =
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a, namespace: a}\nspec: {}\n";
    assert_eq!(
        applied(|text| format!("{}{another}", gone(text))),
        ["drifted metadata.name: the VirtualService `demo/shop`, which `WasmPlugin demo/switchyard` embeds, is gone"]
    );
    // Who asks for some kinds only learns which are missing.
    assert_eq!(
        applied(gone),
        [
            "drifted metadata.name: VirtualServices were not looked at, since there is none here: the VirtualService `demo/shop`, which `WasmPlugin demo/switchyard` embeds, was not asked for or is gone"
        ]
    );
}

#[test]
fn a_live_configuration_that_does_not_compile_and_a_second_plugin_are_told() {
    let broken = |text: String| text.replacen("    accessLog: decision", "    accessLog: loud", 1);
    assert_eq!(
        applied(broken),
        [
            "drifted pluginConfig.accessLog: `WasmPlugin demo/switchyard` has drifted: `pluginConfig.accessLog` is not what was generated",
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
            "two-switchyards metadata.name: `WasmPlugin demo/other` decides for workloads for which `WasmPlugin demo/switchyard` does too: requests are decided twice",
            UNSEALED,
        ]
    );
    let elsewhere =
        |text: String| second(text).replacen("{name: other, namespace: demo}", "{name: other, namespace: a}", 1);
    assert_eq!(applied(elsewhere), [UNSEALED.replace("demo/other", "a/other")]);
    let none = |text: String| text.split("kind: EnvoyFilter").next().unwrap().rsplit_once("---").unwrap().0.to_owned();
    assert_eq!(
        applied(none),
        ["invalid-field : nothing of ours is applied: no WasmPlugin of ours is among these resources"]
    );
}

/// What is said of a plugin without the annotation.
const UNSEALED: &str = "drifted metadata.name: `WasmPlugin demo/other` does not say what it was generated as: another version generated it, or the annotation was removed";

/// A change of text that is there.
fn edit(from: &'static str, to: &'static str) -> impl Fn(String) -> String {
    move |text| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    }
}

#[test]
fn a_plugin_or_its_envoy_filter_that_was_edited_is_named_with_its_field() {
    let field = |field: &str| {
        format!("drifted {field}: `WasmPlugin demo/switchyard` has drifted: `{field}` is not what was generated")
    };
    let subset = edit(
        "host: shop\n                  subset: v2\n          - name: rest",
        "host: shop\n                  subset: v1\n          - name: rest",
    );
    assert_eq!(applied(subset), [field("pluginConfig.virtualServices")]);
    assert_eq!(applied(edit("FAIL_OPEN\n  pluginName", "FAIL_CLOSE\n  pluginName")), [field("failStrategy")]);
    assert_eq!(applied(edit("- mode: CLIENT", "- mode: SERVER")), [field("match")]);
    let trusts = edit(
        "      - header: user-type\n        split:",
        "      - header: user-type\n        trustClient: true\n        split:",
    );
    assert_eq!(applied(trusts), [field("pluginConfig.tags")]);
    assert_eq!(
        applied(edit("    accessLog: decision", "    mode: observe\n    accessLog: decision")),
        ["drifted pluginConfig.mode: `WasmPlugin demo/switchyard` has drifted: `pluginConfig.mode` was not generated"]
    );
    assert_eq!(
        applied(edit(
            "  failStrategy: FAIL_OPEN\n  pluginName",
            "  selector: {matchLabels: {app: a}}\n  failStrategy: FAIL_OPEN\n  pluginName"
        )),
        ["drifted selector: `WasmPlugin demo/switchyard` has drifted: `selector` was not generated"]
    );
    assert_eq!(
        applied(edit("  failStrategy: FAIL_OPEN\n", "")),
        ["drifted failStrategy: `WasmPlugin demo/switchyard` has drifted: `failStrategy` was generated, and is gone"]
    );
    assert_eq!(
        applied(edit("  url: \"oci://registry.example.com/switchyard:1\"", "  url: oci://elsewhere/switchyard:1")),
        [
            "drifted url: `WasmPlugin demo/switchyard` has drifted: `oci://elsewhere/switchyard:1` here, and `oci://registry.example.com/switchyard:1` was generated"
        ]
    );
    assert_eq!(
        applied(edit("regex: \"x[-_]switchyard[-_].*\"", "regex: x")),
        ["drifted configPatches: `EnvoyFilter demo/switchyard` has drifted: `configPatches` is not what was generated"]
    );
    let gone = edit("kind: EnvoyFilter\nmetadata:\n  name: switchyard", "kind: EnvoyFilter\nmetadata:\n  name: other");
    // Of another name, as kustomize may give it, it is the same one.
    assert_eq!(applied(&gone), [""; 0]);
    let gone = |text| gone(text).replacen("x[-_]switchyard", "x", 1);
    assert_eq!(
        applied(gone),
        ["drifted metadata.name: `EnvoyFilter demo/switchyard`, which `WasmPlugin demo/switchyard` needs, is gone"]
    );
    assert_eq!(
        applied(edit("kind: EnvoyFilter", "kind: Sidecar")),
        [
            "drifted metadata.name: EnvoyFilters were not looked at, since there is none here: `EnvoyFilter demo/switchyard`, which `WasmPlugin demo/switchyard` needs, was not asked for or is gone"
        ]
    );
}

#[test]
fn annotations_that_are_not_there_any_more_are_missed() {
    let without = "drifted metadata.name: `WasmPlugin demo/switchyard` does not say what it was generated as: another version generated it, or the annotation was removed";
    assert_eq!(applied(edit("switchyard.dev/generated:", "other/generated:")), [without]);
    assert_eq!(
        applied(edit("switchyard.dev/embedded:", "other/embedded:"))[0],
        "drifted metadata.annotations[\"switchyard.dev/embedded\"]: `WasmPlugin demo/switchyard` has drifted: `switchyard.dev/embedded` was generated, and is gone"
    );
    let neither =
        |text: String| text.replace("switchyard.dev/generated:", "a:").replace("switchyard.dev/embedded:", "b:");
    assert_eq!(applied(neither)[0], without);
}

#[test]
fn what_is_to_be_left_to_istio_by_now_is_told() {
    let expected = [
        "drifted metadata.name: `VirtualService demo/shop` is to be left to Istio by now, and `WasmPlugin demo/switchyard` still embeds it",
    ];
    let own = "kind: VirtualService\nmetadata: {name: shop, namespace: demo";
    assert_eq!(
        applied(edit(
            own,
            "kind: VirtualService\nmetadata: {annotations: {switchyard.dev/embed: \"false\"}, name: shop, namespace: demo"
        )),
        expected
    );
    let owner = "kind: VirtualService\nmetadata: {ownerReferences: [{apiVersion: flagger.app/v1beta1, kind: Canary, name: shop}], name: shop, namespace: demo";
    assert_eq!(applied(edit(own, owner)), expected);
    // What `generate` refuses.
    let neither =
        "kind: VirtualService\nmetadata: {annotations: {switchyard.dev/embed: \"False\"}, name: shop, namespace: demo";
    assert_eq!(
        applied(edit(own, neither)),
        ["invalid-field metadata.annotations[\"switchyard.dev/embed\"]: `False` is neither `true` nor `false`"]
    );
}

/// The same with one more resource.
fn with(resource: &str) -> Vec<String> {
    applied(|text| format!("{text}---\n{resource}"))
}

#[test]
fn what_would_be_embedded_by_now_and_is_not_is_told() {
    let service = |namespace: &str, hosts: &str| {
        with(&format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: new, namespace: {namespace}}}\n\
             spec: {{{hosts}, http: [{{route: [{{destination: {{host: shop.demo.svc.cluster.local}}}}]}}]}}\n"
        ))
    };
    let told = |namespace: &str| {
        [format!(
            "drifted metadata.name: `VirtualService {namespace}/new` would be embedded in `WasmPlugin demo/switchyard` and is not"
        )]
    };
    assert_eq!(service("demo", "hosts: [shop]"), told("demo"));
    assert_eq!(service("other", "hosts: [shop.demo.svc.cluster.local]"), told("other"));
    // Hosts that are not ours, other gateways, namespaces that do not export it.
    assert_eq!(service("other", "hosts: [shop]"), [""; 0]);
    assert_eq!(service("demo", "hosts: [shop], gateways: [a]"), [""; 0]);
    assert_eq!(service("other", "exportTo: [\".\"], hosts: [shop.demo.svc.cluster.local]"), [""; 0]);
    let rule = |policy: &str| {
        with(&format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: new, namespace: demo}}\n\
             spec: {{host: shop, trafficPolicy: {{loadBalancer: {policy}}}}}\n"
        ))
    };
    assert_eq!(
        rule("{consistentHash: {httpHeaderName: x-user}}"),
        [
            "drifted metadata.name: what `DestinationRule demo/new` has requests hashed by would be embedded in `WasmPlugin demo/switchyard` and is not"
        ]
    );
    assert_eq!(rule("{simple: RANDOM}"), [""; 0]);
}

#[test]
fn what_a_wildcard_takes_from_others_is_told() {
    let wide = |text: String| {
        text.replace("hosts: [shop]", "hosts: [\"*.example.com\"]")
            .replace("          - shop\n        http", "          - \"*.example.com\"\n        http")
    };
    let with = |annotations: &str, host: &str| {
        let found = applied(|text| {
            format!(
                "{}---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: a, namespace: other, annotations: {{{annotations}}}}}\n\
                 spec: {{hosts: [{host}], http: [{{route: [{{destination: {{host: b}}}}]}}]}}\n",
                wide(text)
            )
        });
        found.into_iter().filter(|one| one.contains("other/a")).collect::<Vec<_>>()
    };
    let (other, left) = (|host| with("", host), |host| with("switchyard.dev/embed: \"false\"", host));
    assert_eq!(
        other("shop.example.com"),
        [
            "drifted metadata.name: requests for `shop.example.com` of `VirtualService other/a` are taken by `*.example.com` of `demo/shop`, which `WasmPlugin demo/switchyard` embeds: in Istio the more exact host wins"
        ]
    );
    // Though it is left to Istio, it does not get there.
    assert_eq!(left("shop.example.com").len(), 1);
    assert_eq!(other("shop.example.org"), [""; 0]);
    assert_eq!(other("\"*.com\""), [""; 0]);
}

#[test]
fn fields_that_are_not_read_count_and_lists_are_told_once() {
    let drifted = |what: &str| format!("drifted {what}");
    assert_eq!(
        applied(edit(
            "  - name: new\n    match:",
            "  - name: new\n    retries: {attempts: 2, backoff: 10s}\n    match:"
        ))
        .len(),
        2
    );
    assert_eq!(
        applied(edit("  - name: new\n    match:", "  - name: new\n    future: {a: 1}\n    match:")),
        [drifted(
            "http[0].future: `VirtualService demo/shop` has drifted: unknown field `future`, and `WasmPlugin demo/switchyard` embeds it without"
        )]
    );
    assert_eq!(
        applied(edit(
            "  - name: new\n    match:",
            "  - {name: first, route: [{destination: {host: shop}}]}\n  - name: new\n    match:"
        )),
        [drifted(
            "http: `VirtualService demo/shop` has drifted: a list of 3 with `first` here, and `WasmPlugin demo/switchyard` embeds a list of 2"
        )]
    );
    assert_eq!(
        applied(edit("  - name: new\n    match:", "  - name: newer\n    match:")),
        [drifted(
            "http: `VirtualService demo/shop` has drifted: a list of 2 with `newer` here, and `WasmPlugin demo/switchyard` embeds a list of 2 with `new`"
        )]
    );
    assert_eq!(
        applied(edit(
            "[{destination: {host: shop, subset: v1}, weight: 9}, {destination: {host: shop, subset: v2}, weight: 1}]",
            "[{destination: {host: shop, subset: v2}, weight: 1}, {destination: {host: shop, subset: v1}, weight: 9}]"
        )),
        [drifted(
            "http[1].route: `VirtualService demo/shop` has drifted: the same list in another order here, and `WasmPlugin demo/switchyard` embeds a list of 2"
        )]
    );
}

#[test]
fn plugins_that_may_meet_are_told() {
    let case = Path::new(FOLDER).join("sidecars-of-a-namespace");
    let plugin = fs::read_to_string(case.join("istio.yaml")).unwrap().rsplit_once("---\n").unwrap().1.to_owned();
    let selecting = |text: &str, label: &str| {
        text.replacen("  failStrategy", &format!("  selector: {{matchLabels: {{{label}}}}}\n  failStrategy"), 1)
    };
    let found_in = |root: &str, own: &str, other: &str, change: &dyn Fn(String) -> String| {
        let own = selecting(&plugin, own);
        let other = change(selecting(&plugin, other).replacen("  name: switchyard", "  name: two", 1));
        let all = applied_in(root, |text| format!("{}---\n{own}---\n{other}", text.rsplit_once("---\n").unwrap().0));
        all.into_iter().filter(|one| one.starts_with("two-switchyards")).collect::<Vec<_>>()
    };
    let found =
        |own: &str, other: &str, change: &dyn Fn(String) -> String| found_in("istio-system", own, other, change);
    let same = |text: String| text;
    let may = "two-switchyards metadata.name: `WasmPlugin demo/two` decides for workloads for which `WasmPlugin demo/switchyard` may do too: where one has the labels of both, requests are decided twice";
    let surely = "two-switchyards metadata.name: `WasmPlugin demo/two` decides for workloads for which `WasmPlugin demo/switchyard` does too: requests are decided twice";
    assert_eq!(found("app: front", "version: v1", &same), [may]);
    assert_eq!(found("app: front", "app: back", &same), [""; 0]);
    assert_eq!(found("app: front", "app: front, version: v1", &same), [surely]);
    // Under another name and without labels it is ours by its annotations, or by the code that it runs.
    let hidden =
        |text: String| text.replace("pluginName: switchyard", "pluginName: a").replace("switchyard.dev/via", "a");
    assert_eq!(found("app: front", "app: front", &hidden), [surely]);
    let bare =
        |text: String| hidden(text).replace("switchyard.dev/generated", "b").replace("switchyard.dev/embedded", "c");
    assert_eq!(found("app: front", "app: front", &bare), [surely]);
    // The root namespace is the mesh's.
    let root = |text: String| text.replacen("namespace: demo", "namespace: mesh-root", 1);
    assert_eq!(found("app: front", "app: front", &root), [""; 0]);
    assert_eq!(found_in("mesh-root", "app: front", "app: front", &root), [surely.replace("demo/two", "mesh-root/two")]);
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
    // The account of what is embedded, and the configuration, and kubectl's copy of both: far below 256 KiB by themselves.
    let plain = |rules| !generate(rules).1.contains("--server-side");
    let (mut low, mut high) = (100, 4_000);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if plain(middle) { low = middle } else { high = middle }
    }
    generate(low);
    let text = fs::read_to_string(folder.path().join("istio.yaml")).unwrap();
    let plugin = yaml::load(text.rsplit_once("---\n").unwrap().1).0[0].to_json();
    let annotations = plugin["metadata"]["annotations"].as_object().unwrap();
    let own: usize = annotations.iter().map(|(key, value)| key.len() + value.as_str().unwrap().len()).sum();
    let copy = plugin.to_string().len() + 1 + "kubectl.kubernetes.io/last-applied-configuration".len();
    assert!((262_000..=262_144).contains(&(own + copy)), "{own} {copy}");
    let (code, said) = generate(4_000);
    assert!(code == Some(0) && said.contains("apply with `kubectl apply --server-side`"), "{said}");
    let (code, said) = generate(20_000);
    assert!(code == Some(3) && said.contains("at most 1 MiB arrives") && said.contains("split the policy"), "{said}");
}
