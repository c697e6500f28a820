//! The way in: observe at one workload, read from the log how far the filter agrees with Istio, enforce there, then
//! everywhere; and back.

use super::catalog::{ALL, Catalog, PATIENCE, assert_none_failed, load, request, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use switchyard_tests::chain::{Running, eventually};
use switchyard_tests::demo::interval::expected_999999;
use switchyard_tests::harness::Request;
use switchyard_tests::istio::Proxy;

/// What README has as the format of the access log: the rule, what the filter decided, what Istio chose, and the path.
pub const FORMAT: &str = "switchyard %FILTER_STATE(wasm.switchyard_rule:PLAIN)% \
    %FILTER_STATE(wasm.switchyard_cluster:PLAIN)% %UPSTREAM_CLUSTER_RAW% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%\n";

const USERS: usize = 150;

/// One line of the log.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    rule: String,
    decided: String,
    chosen: String,
    path: String,
}

/// Lines of paths that begin like this.
fn lines(proxy: &Running, path: &str) -> Vec<Line> {
    let log = proxy.log();
    let read = |line: &str| {
        let line = line.replace('"', "");
        let mut words = line.strip_prefix("switchyard ")?.split(' ').map(str::to_owned);
        Some(Line { rule: words.next()?, decided: words.next()?, chosen: words.next()?, path: words.next()? })
    };
    log.lines().filter_map(read).filter(|line| line.path.starts_with(path)).collect()
}

/// A user's request for the rule of testers, or for the others'.
fn user(path: &str, number: usize, tests: bool) -> Request {
    let request = request(&format!("{path}{}{number}", if tests { "tester" } else { "user" }), number);
    if tests { request.header("x-beta", "1") } else { request }
}

/// The subsets that each user got.
async fn fates(catalog: &Catalog, proxy: &Running, path: &str) -> BTreeMap<usize, String> {
    let mut client = proxy.client(80).unwrap();
    let mut fates = BTreeMap::new();
    for number in 0..USERS {
        let seen = catalog.ask(&mut client, &user(path, number, false)).await;
        assert_eq!(seen.status, 200, "{seen:?}");
        fates.insert(number, seen.cluster);
    }
    fates
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn observed_then_enforced_at_one_workload_then_everywhere_and_back() {
    // The service's own namespace in requests.
    let catalog = Catalog::new("shop").await;
    let http = json!([
        {"name": "beta", "match": [{"headers": {"x-beta": {"exact": "1"}}}],
            "route": [{"destination": {"host": "catalog", "subset": "v2"}}]},
        {"name": "rest", "route": [
            {"destination": {"host": "catalog", "subset": "v1"}, "weight": 70},
            {"destination": {"host": "catalog", "subset": "v2"}, "weight": 30}]},
    ]);
    let manifests = catalog.manifests(&http);
    let by = json!([{"virtualService": "catalog", "rule": "rest", "by": {"httpCookie": {"name": "uid"}}}]);
    let policy = |mode: &str| catalog.policy(&json!({"sticky": by, "mode": mode}));
    let one = ["--workload", "shop/app=front"];
    let all = ["--namespace", "shop"];
    catalog.chain.apply_all(&[telemetry()]).await.unwrap();
    catalog.apply_for(&manifests, &policy("observe"), &one).await;

    let start = async |name: &str| {
        let plan = Proxy::sidecar(name, "shop", [80]).labelled([("app".into(), name.into())]);
        // The first Wasm comes to `back` while it runs (istio.md 5.6).
        catalog.chain.agent(&plan).envoy("1.40.0").start().await.unwrap()
    };
    let (front, back) = (start("front").await, start("back").await);
    catalog.in_force(&front).await;

    // Who observes changes nothing, and says what it would have done.
    let mut clients = [front.client(80).unwrap(), back.client(80).unwrap()];
    for number in 0..USERS {
        for tests in [true, false] {
            for client in &mut clients {
                let seen = catalog.ask(client, &user("/observed/", number, tests)).await;
                assert_eq!((seen.status, &*seen.route), (200, if tests { "beta" } else { "rest" }));
            }
        }
    }
    let logged = async |proxy: &Running| {
        eventually(PATIENCE, async || match lines(proxy, "/observed/") {
            found if found.len() == 2 * USERS => Ok(found),
            found => Err(format!("{} lines", found.len())),
        })
        .await
        .unwrap()
    };
    let told = logged(&front).await;
    let agreement = |rule: &str| {
        let of = told.iter().filter(|line| line.rule == format!("shop/catalog/{rule}"));
        (of.clone().filter(|line| line.decided == line.chosen).count(), of.count())
    };
    println!("agreement with Istio's choice: beta {:?}, rest {:?}", agreement("beta"), agreement("rest"));
    assert_eq!(agreement("beta"), (USERS, USERS));
    // Istio draws for itself: 0.7 × 0.7 + 0.3 × 0.3.
    let (low, high) = expected_999999(USERS, 0.58);
    assert_eq!(agreement("rest").1, USERS);
    assert!((low..=high).contains(&agreement("rest").0), "{:?}, not {low} to {high}", agreement("rest"));
    assert!(logged(&back).await.iter().all(|line| (&*line.rule, &*line.decided) == ("-", "-")));
    let decided: BTreeMap<usize, String> = told
        .iter()
        .filter_map(|line| Some((line.path.strip_prefix("/observed/user")?.parse().ok()?, line.decided.clone())))
        .collect();
    assert_eq!(decided.len(), USERS);

    // What it said is what it does.
    let load = load(&front, 80);
    catalog.apply_for(&manifests, &policy("enforce"), &one).await;
    catalog.in_force(&front).await;
    assert_eq!(fates(&catalog, &front, "/one/").await, decided);
    assert_ne!(fates(&catalog, &back, "/one/").await, decided, "nothing decides there but Istio");
    catalog.apply_for(&manifests, &policy("enforce"), &all).await;
    catalog.in_force(&back).await;
    settled().await;
    for proxy in [&front, &back] {
        assert_eq!(fates(&catalog, proxy, "/all/").await, decided);
    }
    load.round().await;

    // And back.
    catalog.apply_for(&manifests, &policy("enforce"), &one).await;
    until(&catalog, &back, &user("/left/", 1, false), |seen| seen.route == "rest").await;
    settled().await;
    assert_ne!(fates(&catalog, &back, "/back/").await, decided);
    assert_eq!(fates(&catalog, &front, "/back/").await, decided);
    catalog.apply_for(&manifests, &policy("observe"), &one).await;
    catalog.in_force(&front).await;
    settled().await;
    assert_ne!(fates(&catalog, &front, "/observed-again/").await, decided);
    load.round().await;
    let (seen, connections) = load.drained().await;
    assert_none_failed("observe, enforce, everywhere and back", &seen);
    println!("{connections} connections");
    assert!(seen.len() > 2 * ALL);
}

/// A change of listeners is in force a moment after it was taken.
async fn settled() {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}

/// What has proxies of the namespace write the log.
fn telemetry() -> Value {
    json!({"apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry",
        "metadata": {"name": "switchyard", "namespace": "shop"},
        "spec": {"accessLogging": [{"providers": [{"name": "switchyard"}]}]}})
}
