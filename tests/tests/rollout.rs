//! A rollout without downtime: `switchyard generate --dynamic`, step by step, under load (README, "Changing it live").

#![cfg(not(target_family = "wasm"))]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use switchyard_tests::harness::Echo;
use switchyard_tests::rollout::Live;
use switchyard_tests::rollout::load::{Load, failures};
use switchyard_tests::rollout::manifests::Service;
use switchyard_tests::rollout::steps::{Step, assert_forward};

const COMMAND: &str = env!("CARGO_BIN_EXE_switchyard-in-tests");
/// Clients with a connection each, users of each of them, and clients whose answers take long.
const CLIENTS: usize = 12;
const USERS: usize = 30;
const SLOW: usize = 3;
const LONG: Duration = Duration::from_millis(2500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_fails_no_request_and_moves_no_user_back() {
    let v1 = Echo::named("v1").obeying().start().await.unwrap();
    let v2 = Echo::named("v2").obeying().start().await.unwrap();
    let live = Live::new(COMMAND);
    let service = |share| Service {
        versions: vec![("v1", v1.address()), ("v2", v2.address())],
        shares: vec![("v1", 100 - share), ("v2", share)],
        delay: Some((5, "300ms")),
        policy: "",
    };
    live.generate(&service(0).yaml()).await.assert_well();
    let envoy = live.start().await;
    let load = Load::start(live.listen(), CLIENTS, USERS, SLOW, LONG);

    let mut steps = vec![];
    for share in [0, 10, 50, 100] {
        let ended = live.generate(&service(share).yaml()).await.well();
        let changed: &[&str] = if share == 0 { &[] } else { &["policy-mesh.yaml"] };
        assert_eq!(ended.written, changed, "{}", ended.said);
        steps.push(Step::settled(share, &load).await);
    }

    // The old version goes from the manifests: its cluster after the policy, its endpoints with it.
    let only = Service { versions: vec![("v2", v2.address())], shares: vec![("v2", 100)], ..service(100) };
    let ended = live.generate(&only.yaml()).await.well();
    assert!(ended.written.contains(&"clusters.yaml".to_owned()), "{ended:?}");
    assert!(envoy.stats("^cluster\\..*v1.*\\.upstream_rq_total$").await.unwrap().is_empty());
    assert!(!live.path("endpoints/outbound_3000_v1_catalog.shop.svc.cluster.local.yaml").exists());
    steps.push(Step::settled(100, &load).await);

    // What Envoy refuses changes nothing.
    let before = live.text("policy-mesh.yaml");
    let refused = live.generate_with(&only.yaml(), &live.foreign_module()).await;
    assert_eq!(refused.code, Some(1), "{}", refused.said);
    let reason = "error: Envoy refuses `policy-mesh.yaml`: Unable to create Wasm plugin mesh";
    assert!(refused.said.contains(reason) && refused.said.contains("stays in force"), "{}", refused.said);
    assert_eq!(live.text("policy-mesh.yaml"), before);
    assert_eq!(live.generate(&only.yaml()).await.well().written, Vec::<String>::new());
    load.round().await;
    steps.last_mut().unwrap().to = Instant::now();

    let seen = load.stop().await;
    assert_eq!(failures(&seen), BTreeMap::new(), "of {} requests", seen.len());
    let delayed = seen.iter().filter(|one| !one.is_long && one.took >= Duration::from_millis(290)).count();
    let long = seen.iter().filter(|one| one.is_long && one.took >= LONG).count();
    assert!(delayed > 50 && long > SLOW, "{delayed} delayed requests, {long} long ones");

    assert_forward(&seen, &steps, CLIENTS * USERS);
    println!("{} requests, {delayed} delayed, {long} long", seen.len());
    envoy.stop().await.unwrap();
}
