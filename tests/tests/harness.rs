//! The harness against a real Envoy: what the other tests rest on.

#![cfg(not(target_family = "wasm"))]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use serde_json::json;
use switchyard_tests::harness::{
    Client, Echo, Envoy, Launch, Request, envoy_binary_of, free_port, from_latin1, latin1, validate, validate_with,
};
use tempfile::TempDir;

/// One listener on a free port that sends everything to one upstream.
fn config(upstream: SocketAddr) -> (TempDir, PathBuf) {
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "max_request_headers_kb": 96,
        "http_filters": [{"name": "router", "typed_config":
            {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes":
            [{"match": {"prefix": ""}, "route": {"cluster": "echo"}}]}]},
    });
    let localhost = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let config = json!({
        "admin": {"address": localhost(0)},
        "static_resources": {
            "listeners": [{"name": "front", "address": localhost(0), "filter_chains":
                [{"filters": [{"name": "http", "typed_config": manager}]}]}],
            "clusters": [{"name": "echo", "load_assignment": {"cluster_name": "echo", "endpoints":
                [{"lb_endpoints": [{"endpoint": {"address": localhost(upstream.port())}}]}]}}],
        },
    });
    write(&config.to_string())
}

fn write(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("envoy.json");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn runs(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

fn ends_within(process: u32, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while runs(process) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    !runs(process)
}

#[tokio::test]
async fn the_echo_answers_through_envoy_and_keeps_every_byte_of_a_header() {
    let echo = Echo::named("v1").recording().start().await.unwrap();
    let (_folder, path) = config(echo.address());
    let envoy = Envoy::start(&path).await.unwrap();
    let mut client = Client::new(envoy.listener("front").await.unwrap());

    let request = Request::new("POST", "shop.example", "/cart?x=1")
        .header("X-Name", b"caf\xe9".to_vec())
        .header("x_under", "1")
        .header("X-Twice", "a")
        .header("x-tWICE", "b")
        .body("hello");
    let response = client.send(&request).await.unwrap();
    assert_eq!(response.status, 200, "{}", response.text());
    let said = response.json().unwrap();
    assert_eq!(
        (&said["upstream"], &said["method"], &said["path"]),
        (&json!("v1"), &json!("POST"), &json!("/cart?x=1"))
    );
    let values = |name: &str| -> Vec<&str> {
        let pairs = said["headers"].as_array().unwrap().iter();
        pairs.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap()).collect()
    };
    assert_eq!(values("x-name"), ["caf\u{e9}"]);
    assert_eq!(from_latin1(values("x-name")[0]).unwrap(), b"caf\xe9");
    assert_eq!(values("x_under"), ["1"]);
    assert_eq!(values("x-twice"), ["a", "b"]);

    // The connection is used again, and 60 KB of path pass.
    assert!(client.is_connected());
    let long = format!("/{}", "p".repeat(60 * 1024));
    let response = client.get("shop.example", &long).await.unwrap();
    assert_eq!(response.json().unwrap()["path"], long);
    // Envoy refuses `*` for a GET, and lives on.
    assert_eq!(client.get("shop.example", "*").await.unwrap().status, 400);
    assert_eq!(client.get("shop.example", "/").await.unwrap().status, 200);

    let stats = envoy.stats(r"^http\.front\.(downstream_cx_total|downstream_rq_2xx)$").await.unwrap();
    assert_eq!(stats.get("http.front.downstream_rq_2xx"), Some(&3), "{stats:?}");
    assert_eq!(stats.get("http.front.downstream_cx_total"), Some(&2), "{stats:?}");
    assert_eq!(echo.count(), 3);
    let paths: Vec<String> = echo.received().into_iter().map(|received| received.path).collect();
    assert_eq!(paths, ["/cart?x=1", &long, "/"]);
    assert!(envoy.admin_get("/nothing").await.unwrap_err().contains("answers 404"));
}

#[tokio::test]
async fn an_upstream_answers_with_its_status_at_its_address_and_is_gone_after_stop_and_drop() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let echo = Echo::named("ill").at(address).status(503).start().await.unwrap();
    let mut client = Client::new(address);
    let response = client.get("x", "/").await.unwrap();
    assert_eq!((response.status, echo.address()), (503, address));
    let taken = Echo::named("late").at(address).start().await.unwrap_err();
    assert!(taken.starts_with(&format!("upstream `late` cannot listen on {address}")), "{taken}");
    // The client's connection is idle: it does not hold the stop up.
    echo.stop().await;
    // A process that another test starts has the socket too, until it is the program that it is to be.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let said = Client::new(address).get("x", "/").await.unwrap_err();
        if said.contains("no connection") {
            break;
        }
        assert!(Instant::now() < deadline, "{said}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    // The port is free at once.
    let echo = Echo::named("again").at(address).start().await.unwrap();
    drop(echo);
    let deadline = Instant::now() + Duration::from_secs(5);
    while Client::new(address).get("x", "/").await.is_ok() {
        assert!(Instant::now() < deadline, "the upstream answers after its drop");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn envoy_is_gone_after_a_drop_a_stop_and_a_panic() {
    let (_folder, path) = config(SocketAddr::from(([127, 0, 0, 1], free_port())));
    let dropped = Envoy::start(&path).await.unwrap();
    let process = dropped.id();
    assert!(runs(process));
    drop(dropped);
    assert!(!runs(process), "after a drop");

    let stopped = Launch::new(&path).concurrency(2).start().await.unwrap();
    let process = stopped.id();
    stopped.stop().await.unwrap();
    assert!(!runs(process), "after a stop");

    let (tell, told) = std::sync::mpsc::channel();
    let panicked = tokio::spawn(async move {
        let envoy = Envoy::start(&path).await.unwrap();
        tell.send(envoy.id()).unwrap();
        panic!("on purpose");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert!(!runs(told.recv().unwrap()), "after a panic");
}

/// Runs itself in a second process, which starts an Envoy and is killed.
#[tokio::test]
async fn envoy_dies_with_a_process_that_is_killed() {
    const REPORT: &str = "SWITCHYARD_TEST_REPORT";
    if let Some(report) = env::var_os(REPORT) {
        let (_folder, path) = config(SocketAddr::from(([127, 0, 0, 1], free_port())));
        let envoy = Envoy::start(&path).await.unwrap();
        let new = Path::new(&report).with_extension("new");
        fs::write(&new, envoy.id().to_string()).unwrap();
        fs::rename(&new, &report).unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
        panic!("nobody killed this process");
    }

    let folder = TempDir::new().unwrap();
    let report = folder.path().join("id");
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "envoy_dies_with_a_process_that_is_killed"])
        .env(REPORT, &report)
        // What it cannot remove any more goes with our folder.
        .env("TMPDIR", folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(40);
    while !report.exists() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    // SIGKILL: nothing is dropped in there.
    child.kill().unwrap();
    child.wait().unwrap();
    let process = fs::read_to_string(&report).expect("the second process did not start an envoy").parse().unwrap();
    assert!(ends_within(process, Duration::from_secs(5)), "envoy {process} outlives the process that started it");
}

#[tokio::test]
async fn a_configuration_that_envoy_refuses_is_an_error_with_what_it_says() {
    let (_folder, path) = write(r#"{"static_resources": {"listenerz": []}}"#);
    let refused = validate(&path).await.unwrap_err();
    assert!(refused.contains("envoy.json") && refused.contains("listenerz"), "{refused}");
    let refused = Envoy::start(&path).await.unwrap_err();
    assert!(refused.contains("instead of getting ready") && refused.contains("listenerz"), "{refused}");

    let (_folder, path) = config(SocketAddr::from(([127, 0, 0, 1], free_port())));
    validate(&path).await.unwrap();
    validate_with(&envoy_binary_of("1.36.2").unwrap(), &path).await.unwrap();
    assert!(envoy_binary_of("0.1").unwrap_err().contains("Envoy `0.1` is not pinned; write one of: 1.36.2 "));
}

#[test]
fn latin1_keeps_every_byte() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(from_latin1(&latin1(&all)).unwrap(), all);
    assert_eq!(from_latin1("\u{100}"), None);
}
