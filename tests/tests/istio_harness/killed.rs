//! A process that is killed leaves nothing: neither who runs for it, nor a folder.

use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};
use switchyard_tests::chain::{Chain, Setup};
use switchyard_tests::istio::{Istiod, Proxy};
use tempfile::TempDir;

const REPORT: &str = "SWITCHYARD_TEST_REPORT";
/// How long a chain may take to be there, and all of it to be gone.
const PATIENCE: [Duration; 2] = [Duration::from_mins(3), Duration::from_secs(10)];

#[tokio::test]
async fn nothing_is_left_of_what_is_killed() {
    leaves_nothing("KILL", "killed::nothing_is_left_of_what_is_killed").await;
}

/// As Ctrl-C does.
#[tokio::test]
async fn nothing_is_left_of_what_is_interrupted() {
    leaves_nothing("INT", "killed::nothing_is_left_of_what_is_interrupted").await;
}

/// Runs the test itself in a second process, which starts all that there is and gets this signal.
async fn leaves_nothing(signal: &str, test: &str) {
    if let Some(report) = env::var_os(REPORT) {
        return run(Path::new(&report)).await;
    }
    let folder = TempDir::new().unwrap();
    let (report, temporary) = (folder.path().join("report"), folder.path().join("temporary"));
    fs::create_dir(&temporary).unwrap();
    // Whoever runs the tests in the background may have it ignore Ctrl-C.
    let mut child = Command::new("env")
        .arg("--default-signal=INT")
        .arg(env::current_exe().unwrap())
        .args(["--exact", test])
        .env(REPORT, &report)
        .env("TMPDIR", &temporary)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until(PATIENCE[0], || report.exists() || child.try_wait().unwrap().is_some());
    let running = with_temporary(&temporary);
    let killed = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    child.wait().unwrap();
    assert!(killed.success() && report.exists(), "the second process did not start everything");
    let names: Vec<&str> = running.values().map(String::as_str).collect();
    for part in ["etcd", "kube-apiserver", "docker-registry", "pilot-discovery", "pilot-agent", "envoy"] {
        assert!(names.contains(&part), "no {part} among {names:?}");
    }

    let left = || -> Vec<_> { fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().file_name()).collect() };
    until(PATIENCE[1], || with_temporary(&temporary).is_empty() && left().is_empty());
    assert_eq!(with_temporary(&temporary), BTreeMap::new(), "run on");
    assert!(left().is_empty(), "{:?} are left", left());
}

/// A chain with an agent, and an istiod without Kubernetes with its Envoy.
async fn run(report: &Path) {
    let chain = Chain::start(&Setup::default()).await.unwrap();
    let namespace = chain.namespace("killed").await.unwrap();
    let gateway = Proxy::gateway("gw", &namespace, [80]);
    let agent = chain.agent(&gateway).unready().start().await.unwrap();
    let proxy = Proxy::sidecar("front", "demo", [80]);
    let service = json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": "shop", "namespace": "demo"}, "spec": {"hosts": ["shop.demo.svc.cluster.local"],
            "resolution": "NONE", "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}});
    let istiod = Istiod::start(&[vec![service], proxy.manifests()].concat()).await.unwrap();
    let envoy = istiod.run(&proxy).await.unwrap();
    fs::write(report, "").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    drop((agent, envoy));
    panic!("nobody killed this process");
}

/// The processes that were given this temporary folder, with their names.
fn with_temporary(folder: &Path) -> BTreeMap<u32, String> {
    let given = format!("TMPDIR={}", folder.display());
    let own = |process: &Path| {
        let environment = fs::read(process.join("environ")).ok()?;
        environment.split(|byte| *byte == 0).find(|one| *one == given.as_bytes())?;
        let name = fs::read_to_string(process.join("comm")).ok()?;
        Some((process.file_name()?.to_str()?.parse().ok()?, name.trim_end().to_owned()))
    };
    // Others come and go meanwhile.
    fs::read_dir("/proc").unwrap().filter_map(|entry| own(&entry.ok()?.path())).collect()
}

fn until(patience: Duration, condition: impl FnMut() -> bool) {
    let (deadline, mut condition) = (Instant::now() + patience, condition);
    while !condition() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
}
