//! What may happen while requests wait in the filter.

use super::*;
use std::fs;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

fn delayed(milliseconds: u32) -> String {
    format!(
        "
  - name: slow
    match: [{{uri: {{prefix: /slow}}}}]
    fault: {{delay: {{percentage: {{value: 100}}, fixedDelay: {milliseconds}ms}}}}
    rewrite: {{uri: /fast}}
    route: [{{destination: {{host: shop, subset: v1}}}}]
  - name: rest
    route: [{{destination: {{host: shop, subset: v1}}}}]"
    )
}

async fn running(echo: &Echo, milliseconds: u32, settings: &str, launch: impl FnOnce(Launch) -> Launch) -> Running {
    let policy = policy(&delayed(milliseconds), settings);
    Running::start(generate(&policy, echo.address(), echo.address()), launch).await
}

/// A counter of the filter, once it is handed over.
async fn counted(envoy: &Envoy, name: &str, at_least: u64) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let stats = envoy.stats(&format!("wasmcustom.{name}$")).await.unwrap();
        let value = stats.values().sum();
        if value >= at_least || Instant::now() > deadline {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn clients_that_leave_take_their_requests_along() {
    let echo = Echo::named("v1").start().await.unwrap();
    let running = running(&echo, 400, "{faults: filter}", |launch| launch.concurrency(2)).await;
    for round in 0..20 {
        let mut stream = TcpStream::connect(running.mesh).await.unwrap();
        stream.write_all(b"GET /slow HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        // Some leave before Envoy has read what they want, some after.
        tokio::time::sleep(Duration::from_millis(round * 10)).await;
    }
    let (response, took) = timed(&mut running.client(), &get("/slow")).await;
    assert_eq!(response.status, 200);
    assert!(took >= Duration::from_millis(400), "{took:?}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(echo.count(), 1, "nobody waits for the others' answers");
    assert_eq!(counted(&running.envoy, "switchyard_host_errors", 0).await, 0);
    assert_eq!(timed(&mut running.client(), &get("/")).await.0.status, 200);
    running.stop().await;
}

#[tokio::test]
async fn no_more_wait_at_once_than_may() {
    let echo = Echo::named("v1").start().await.unwrap();
    let running = running(&echo, 600, "{faults: filter, maxDelayed: 3}", |launch| launch).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let mut client = running.client();
        tasks.spawn(async move { timed(&mut client, &get("/slow")).await });
    }
    let all = tasks.join_all().await;
    assert!(all.iter().all(|(response, _)| response.status == 200));
    let waited = all.iter().filter(|(_, took)| *took >= Duration::from_millis(600)).count();
    assert_eq!(waited, 3, "{all:?}");
    assert_eq!(counted(&running.envoy, "switchyard_delays_overflow", 7).await, 7);
    assert_eq!(counted(&running.envoy, "switchyard_delays", 3).await, 3);
    // Those have left, so others may.
    assert!(timed(&mut running.client(), &get("/slow")).await.1 >= Duration::from_millis(600));
    running.stop().await;
}

#[tokio::test]
async fn bodies_wait_too_and_arrive_whole() {
    let echo = Echo::named("v1").start().await.unwrap();
    let running = running(&echo, 200, "{faults: filter}", |launch| launch).await;
    let body = vec![b'x'; 5_000_000];
    let (response, took) = timed(&mut running.client(), &Request::new("POST", "shop", "/slow/body").body(body)).await;
    assert_eq!((response.status, &response.json().unwrap()["path"]), (200, &json!("/fast/body")));
    assert!(took >= Duration::from_millis(200), "{took:?}");
    running.stop().await;
}

/// Envoy says on this level what it calls.
const TICK: &str = "proxy_on_tick(";

#[tokio::test]
async fn an_idle_filter_has_no_tick() {
    let echo = Echo::named("v1").start().await.unwrap();
    let trace = |launch: Launch| launch.argument("--component-log-level").argument("wasm:trace");
    let running = running(&echo, 50, "{faults: filter}", trace).await;
    let ticks = || running.envoy.log().matches(TICK).count();
    assert_eq!(ticks(), 0, "before the first request");
    assert!(timed(&mut running.client(), &get("/slow")).await.1 >= Duration::from_millis(50));
    // Counts are handed over once, a second later.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let after = ticks();
    assert!((1..=10).contains(&after), "{after} ticks for one delay and one hand-over of counts");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ticks(), after, "nothing waits");
    running.stop().await;
}

#[tokio::test]
async fn requests_end_as_they_were_decided_when_the_configuration_changes() {
    let echo = Echo::named("v1").start().await.unwrap();
    let folder = TempDir::new().unwrap();
    let listeners = folder.path().join("listeners.json");
    let generated = |rewrite: &str| {
        let policy = policy(&delayed(1500), "{faults: filter}").replace("/fast", rewrite);
        generate(&policy, echo.address(), echo.address()).value
    };
    let publish = |mut bootstrap: Value| {
        let mut listener = bootstrap["static_resources"]["listeners"][0].take();
        listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
        let text = json!({"version_info": listener.to_string().len().to_string(), "resources": [listener]}).to_string();
        let new = folder.path().join("new");
        fs::write(&new, text).unwrap();
        // Envoy watches for files that are moved there.
        fs::rename(new, &listeners).unwrap();
    };
    let first = generated("/first");
    publish(first.clone());
    let bootstrap = json!({
        "admin": first["admin"],
        "node": {"id": "test", "cluster": "test"},
        "static_resources": {"clusters": first["static_resources"]["clusters"]},
        "dynamic_resources": {"lds_config": {"path_config_source": {"path": listeners}, "resource_api_version": "V3"}},
    });
    let file = folder.path().join("envoy.json");
    fs::write(&file, bootstrap.to_string()).unwrap();
    let envoy = Launch::new(file).start().await.unwrap();
    let mesh = envoy.listener("mesh").await.unwrap();

    let mut client = Client::new(mesh);
    let waiting = tokio::spawn(async move { timed(&mut client, &get("/slow/x")).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    publish(generated("/the-second"));
    let path = |response: &Response| response.json().unwrap()["path"].as_str().unwrap().to_owned();
    // The new one is in force while the request still waits under the old one.
    let deadline = Instant::now() + Duration::from_secs(10);
    while envoy.stats("listener_manager.lds.update_success$").await.unwrap().values().sum::<u64>() < 2 {
        assert!(Instant::now() < deadline, "{}", envoy.log_tail());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!waiting.is_finished());
    let mesh = envoy.listener("mesh").await.unwrap();
    let mut other = Client::new(mesh);
    let second = tokio::spawn(async move { timed(&mut other, &get("/slow/y")).await });
    let (response, took) = waiting.await.unwrap();
    assert_eq!((response.status, path(&response)), (200, "/first/x".into()));
    assert!(took >= Duration::from_millis(1500), "{took:?}");
    let (response, _) = second.await.unwrap();
    assert_eq!((response.status, path(&response)), (200, "/the-second/y".into()));
    envoy.stop().await.unwrap();
}
