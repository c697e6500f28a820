//! `manifests/`, as far as it can be judged without Kubernetes: nothing is missing or unused, each overlay is a valid
//! policy, requests fare as its files say, and what is generated is current.

#![cfg(not(target_family = "wasm"))]

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use switchyard_envoy::yaml;

const MANIFESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests");
const SWITCHYARD: &str = env!("CARGO_BIN_EXE_switchyard-in-tests");
const OVERLAYS: [&str; 4] = ["canary", "blue-green", "fault-test", "tags"];
const PROXIES: [&str; 2] = ["gateway", "sidecar"];

/// Every YAML file but those of the demo, by its path below `manifests/`, with its documents.
fn files() -> BTreeMap<PathBuf, Vec<Value>> {
    fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<Value>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                let (documents, problems) = yaml::load(&fs::read_to_string(&path).unwrap());
                assert!(problems.is_empty(), "{}: {problems:?}", path.display());
                let documents = documents.iter().map(yaml::Node::to_json).collect();
                found.insert(path.strip_prefix(MANIFESTS).unwrap().to_owned(), documents);
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(Path::new(MANIFESTS), &mut found);
    found.retain(|path, _| !path.starts_with("demo"));
    found
}

/// What a kustomization names: files and folders, by their paths below `manifests/`.
fn named(kustomization: &Path, document: &Value) -> Vec<PathBuf> {
    let folder = Path::new(MANIFESTS).join(kustomization.parent().unwrap());
    ["resources", "components"]
        .iter()
        .flat_map(|field| document[field].as_array().into_iter().flatten())
        .map(|name| folder.join(name.as_str().unwrap()))
        .map(|path| path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .map(|path| path.strip_prefix(Path::new(MANIFESTS).canonicalize().unwrap()).unwrap().to_owned())
        .collect()
}

/// Runs `switchyard` where `manifests/` is, without colours.
fn switchyard(arguments: &[&str]) -> Output {
    let mut command = Command::new(SWITCHYARD);
    command.args(arguments).current_dir(MANIFESTS).env("NO_COLOR", "1").stdin(Stdio::null());
    command.output().unwrap()
}

/// The inputs of an overlay's plugin, below `manifests/`.
fn inputs(overlay: &str, proxy: &str) -> [String; 3] {
    let file = |name: &str| format!("overlays/{overlay}/{name}");
    ["base".into(), file("virtual-service.yaml"), file(&format!("{proxy}/policy.yaml"))]
}

#[test]
fn nothing_is_missing_and_nothing_lies_around() {
    let files = files();
    let used: BTreeSet<PathBuf> = files
        .iter()
        .filter(|(path, _)| path.ends_with("kustomization.yaml"))
        .flat_map(|(path, documents)| named(path, &documents[0]))
        .collect();
    for (path, documents) in &files {
        let is_policy = documents.iter().all(|document| document["kind"] == "SwitchyardPolicy");
        let is_known = path.ends_with("kustomization.yaml") || used.contains(path) || is_policy;
        assert!(is_known, "no kustomization names `{}`", path.display());
        assert!(!(is_policy && used.contains(path)), "no cluster knows the kind of `{}`", path.display());
        for document in documents.iter().filter(|_| is_policy) {
            // So that kustomize leaves it out where somebody lists it as a resource of their own.
            assert_eq!(document["metadata"]["annotations"]["config.kubernetes.io/local-config"], "true");
        }
    }
}

#[test]
fn every_proxy_shows_the_counter_of_refused_configurations() {
    let all = files();
    let deployments: Vec<_> = all.values().flatten().filter(|document| document["kind"] == "Deployment").collect();
    assert_eq!(deployments.len(), 4);
    for deployment in deployments {
        let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
        assert_eq!(
            annotations["sidecar.istio.io/statsInclusionPrefixes"], "extension_config_discovery",
            "{}",
            deployment["metadata"]["name"]
        );
    }
}

#[test]
fn every_object_says_its_namespace() {
    let without = ["Namespace", "ClusterRole", "ClusterRoleBinding", "Kustomization", "Component"];
    for (path, documents) in files() {
        for document in documents {
            let kind = document["kind"].as_str().unwrap();
            let none = without.contains(&kind)
                || kind.starts_with("ValidatingAdmissionPolicy")
                // Never applied: it only carries a value.
                || document["metadata"]["name"] == "switchyard-image";
            assert_eq!(document["metadata"]["namespace"].is_string(), !none, "{}: {kind}", path.display());
        }
    }
}

#[test]
fn each_overlay_is_valid_and_what_check_warns_of_is_meant() {
    for overlay in OVERLAYS {
        for proxy in PROXIES {
            let [base, routes, policy] = inputs(overlay, proxy);
            let output = switchyard(&["check", &base, &routes, &policy, "--namespace", "workshop", "--format", "json"]);
            let name = format!("{overlay}/{proxy}: {}", String::from_utf8_lossy(&output.stdout));
            assert_eq!(output.status.code(), Some(0), "{name}");
            let said: Value = serde_json::from_slice(&output.stdout).unwrap();
            let mut told: Vec<_> = said["diagnostics"]
                .as_array()
                .unwrap()
                .iter()
                .map(|found| found["message"].as_str().unwrap())
                .collect();
            // A cluster knows its pods; these files do not.
            told.retain(|message| !message.starts_with("no endpoint of `catalogdetail"));
            // A sidecar believes its callers, who are of the mesh; the gateway does not.
            let meant: &[&str] = match (overlay, proxy) {
                ("blue-green", "sidecar") => {
                    &["any client can give itself `release: green`: this asks only for what it sends"]
                }
                ("fault-test", "sidecar") => &[
                    "any client can give itself `fault-group: slow`: this asks only for what it sends",
                    "any client can give itself `fault-group: failing`: this asks only for what it sends",
                ],
                _ => &[],
            };
            assert_eq!(told, meant, "{name}");
        }
    }
}

/// kustomize sorts the kinds between by their groups: `extensions.istio.io` before `networking.istio.io`.
#[test]
fn a_plugin_is_applied_after_its_routes_and_before_its_pods() {
    let all = files();
    for overlay in OVERLAYS {
        let kustomization = &all[&PathBuf::from(format!("overlays/{overlay}/kustomization.yaml"))][0];
        let order = &kustomization["sortOptions"];
        assert_eq!(order["order"], "legacy", "{overlay}");
        assert_eq!(order["legacySortOptions"]["orderFirst"], json!(["Namespace"]), "{overlay}");
        assert_eq!(order["legacySortOptions"]["orderLast"], json!(["WasmPlugin", "Deployment"]), "{overlay}");
    }
}

#[test]
fn only_sidecars_believe_a_tag() {
    for (path, documents) in files() {
        for document in documents.iter().filter(|document| document["kind"] == "SwitchyardPolicy") {
            let proxy = path.parent().unwrap().file_name().unwrap();
            for tag in document["spec"]["tags"].as_array().into_iter().flatten() {
                assert_eq!(tag["trustClient"], json!(proxy == "sidecar"), "{}", path.display());
            }
        }
    }
}

/// Overlay, proxy, request line, what else is typed, and the fields of the decision that are meant.
type Told<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], Value);

#[test]
fn requests_fare_as_the_files_say() {
    let edge = "GET http://detail.example.com/catalogDetail";
    let mesh = "GET http://catalogdetail:3000/catalogDetail";
    let to = |subset: &str| format!("outbound|3000|{subset}|catalogdetail.workshop.svc.cluster.local");
    let al = ["--header", "cookie: uid=al"];
    let requests: &[Told<'_>] = &[
        // Of the users 30 %, and whoever sends the header is none for it.
        ("canary", "gateway", edge, &al, json!({"tags": {"user-type": "external"}, "rule": "rest", "timeoutMs": 2000})),
        (
            "canary",
            "gateway",
            edge,
            &[al[0], al[1], "--header", "user-type: internal"],
            json!({"tags": {"user-type": "external"}, "rule": "rest"}),
        ),
        (
            "canary",
            "gateway",
            "GET http://detail.example.com/v2/catalogDetail",
            &al,
            json!({"path": "/catalogDetail", "cluster": to("v2")}),
        ),
        (
            "canary",
            "gateway",
            "GET http://catalog.example.com/products/",
            &al,
            json!({"cluster": "outbound|5000||productcatalog.workshop.svc.cluster.local", "tags": {"user-type": "external"}}),
        ),
        // A caller of the mesh is believed, and one that says nothing is tagged as the gateway would.
        (
            "canary",
            "sidecar",
            mesh,
            &["--header", "user-type: internal"],
            json!({"tags": {"user-type": "internal"}, "cluster": to("v2")}),
        ),
        ("canary", "sidecar", mesh, &al, json!({"tags": {"user-type": "external"}, "rule": "rest"})),
        (
            "blue-green",
            "gateway",
            edge,
            &["--source-address", "10.20.7.1"],
            json!({"tags": {"release": "green"}, "cluster": to("v2")}),
        ),
        (
            "blue-green",
            "gateway",
            edge,
            &["--source-address", "10.21.7.1", "--header", "release: green"],
            json!({"tags": {"release": "blue"}, "cluster": to("v1")}),
        ),
        (
            "blue-green",
            "sidecar",
            mesh,
            &["--header", "release: green"],
            json!({"tags": {"release": "green"}, "cluster": to("v2")}),
        ),
        ("blue-green", "sidecar", mesh, &[], json!({"tags": {"release": "blue"}, "cluster": to("v1")})),
        (
            "fault-test",
            "sidecar",
            mesh,
            &["--header", "fault-group: slow"],
            json!({"fault": {"delayMs": 1000, "abortStatus": null, "grpcStatus": null}, "cluster": to("v1")}),
        ),
        (
            "fault-test",
            "sidecar",
            mesh,
            &["--header", "fault-group: failing"],
            json!({"fault": {"delayMs": null, "abortStatus": 503, "grpcStatus": null}}),
        ),
        ("fault-test", "sidecar", mesh, &al, json!({"tags": {"fault-group": "none"}, "fault": null})),
        (
            "fault-test",
            "gateway",
            edge,
            &[al[0], al[1], "--header", "fault-group: failing"],
            json!({"tags": {"fault-group": "none"}, "fault": null}),
        ),
        ("tags", "gateway", edge, &[al[0], al[1], "--header", "user-type: internal"], json!({"rule": "rest"})),
        (
            "tags",
            "sidecar",
            mesh,
            &["--header", "user-type: internal"],
            json!({"rule": "internal", "cluster": to("v2")}),
        ),
    ];
    for (overlay, proxy, request, more, expected) in requests {
        let [base, routes, policy] = inputs(overlay, proxy);
        let mut arguments = vec!["explain", &base, &routes, &policy, "--namespace", "workshop", "--format", "json"];
        arguments.extend(["--request", request]);
        arguments.extend(*more);
        let output = switchyard(&arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        let came_out: Value = serde_json::from_slice(&output.stdout).unwrap();
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&came_out[field], value, "`{field}` of `{}`", arguments.join(" "));
        }
    }
}

/// `make manifests` writes what is committed.
#[test]
fn what_is_generated_is_current() {
    let out = tempfile::tempdir().unwrap();
    let output = Command::new(Path::new(MANIFESTS).join("generate.sh"))
        .args([Path::new(SWITCHYARD), out.path()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for overlay in OVERLAYS {
        for proxy in PROXIES {
            let file = format!("{overlay}/{proxy}/istio.yaml");
            let committed = fs::read_to_string(Path::new(MANIFESTS).join("overlays").join(&file)).unwrap();
            let generated = fs::read_to_string(out.path().join(&file)).unwrap();
            assert!(committed == generated, "overlays/{file} is old: `make manifests` writes\n{generated}");
        }
    }
}
