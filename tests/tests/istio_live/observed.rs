//! The way in: observe at one workload, read from the log how far the filter agrees with Istio, enforce there, then
//! everywhere; and back.

use super::catalog::{ALL, Catalog, PATIENCE, assert_none_failed, load, request, run, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use switchyard_envoy::yaml;
use switchyard_tests::chain::{Running, eventually};
use switchyard_tests::demo::interval::expected_999999;
use switchyard_tests::harness::Request;
use switchyard_tests::istio::Proxy;

/// What README has people add to the mesh configuration: the log's format, which has the rule, what the filter decided, what
/// Istio chose, and the path.
pub fn mesh() -> Value {
    let readme = readme();
    let block = readme.split("```yaml\n").find(|block| block.starts_with("extensionProviders:")).expect("a block");
    let (documents, wrong) = yaml::load(block.split("```").next().unwrap());
    assert!(wrong.is_empty(), "{wrong:?}");
    documents[0].to_json()
}

/// What README has people type to learn of each rule's agreement with Istio, with this log for the workload's.
async fn agreements(log: &str) -> BTreeMap<String, String> {
    let readme = readme();
    let typed = readme.lines().find_map(|line| Some(line.strip_prefix("kubectl logs ")?.split_once(" | ")?.1));
    let output = run("sh", &["-c", typed.expect("a command")], log).await.well();
    output.written.iter().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.into(), b.into())).collect()
}

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap()
}

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
    let everywhere = ["--namespace", "shop"];
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
    let agreements = agreements(&front.log()).await;
    println!("agreement with Istio's choice: {agreements:?}");
    let all = USERS.to_string();
    let agreement = |rule: &str| agreements.get(&format!("shop/catalog/{rule}")).and_then(|one| one.split_once('/'));
    assert_eq!(agreement("beta"), Some((&*all, &*all)));
    // Istio draws for itself: 0.7 × 0.7 + 0.3 × 0.3.
    let (low, high) = expected_999999(USERS, 0.58);
    let (same, of) = agreement("rest").unwrap();
    assert!(of == all && (low..=high).contains(&same.parse().unwrap()), "{same}/{of}, not {low} to {high}");
    assert!(logged(&back).await.iter().all(|line| (&*line.rule, &*line.decided) == ("-", "-")));
    let decided: BTreeMap<usize, String> = told
        .iter()
        .filter_map(|line| Some((line.path.strip_prefix("/observed/user")?.parse().ok()?, line.decided.clone())))
        .collect();
    assert_eq!(decided.len(), USERS);

    // What it said is what it does.
    let users = [load(&front, 80), load(&back, 80)];
    catalog.apply_for(&manifests, &policy("enforce"), &one).await;
    catalog.in_force(&front).await;
    assert_eq!(fates(&catalog, &front, "/one/").await, decided);
    assert_ne!(fates(&catalog, &back, "/one/").await, decided, "nothing decides there but Istio");
    catalog.apply_for(&manifests, &policy("enforce"), &everywhere).await;
    catalog.in_force(&back).await;
    settled().await;
    for proxy in [&front, &back] {
        assert_eq!(fates(&catalog, proxy, "/all/").await, decided);
    }

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
    for users in users {
        users.round().await;
        let (seen, _) = users.drained().await;
        assert_none_failed("observe, enforce, everywhere and back", &seen);
        assert!(seen.len() > 2 * ALL);
    }
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
