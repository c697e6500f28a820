//! Clusters come before a policy that names them, and go after it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use switchyard_tests::harness::{Client, Response};
use switchyard_tests::rollout::Live;
use switchyard_tests::rollout::load::failures;
use switchyard_tests::rollout::manifests::{HOST, Service};

use super::{echo, live, to_the_last, users};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_cluster_is_there_before_the_policy_and_an_old_one_goes_after_it() {
    let (v1, v2) = (echo("v1").await, echo("v2").await);
    let live = live();
    let (old, new) = (to_the_last(&[("v1", &v1)]), to_the_last(&[("v2", &v2)]));
    live.generate(&old.yaml()).await.assert_well();
    let envoy = live.start().await;
    let load = users(&live);
    load.round().await;
    // There and back, four times: each call brings a cluster and takes one.
    for _ in 0..2 {
        for manifests in [&new, &old] {
            let ended = live.generate(&manifests.yaml()).await.well();
            let steps = ended.said.lines().filter_map(|line| line.split_once(": "));
            let steps: Vec<_> = steps.filter(|(what, _)| ["clusters", "policy"].contains(what)).collect();
            let order: Vec<_> = steps.iter().map(|(what, _)| *what).collect();
            assert_eq!(order, ["clusters", "policy", "clusters", "clusters"], "{}", ended.said);
            assert!(steps[2].1.starts_with("1 go, after 1.0 s"), "{}", ended.said);
        }
    }
    load.round().await;
    let seen = load.stop().await;
    assert_eq!(failures(&seen), BTreeMap::new(), "of {} requests", seen.len());
    let answered = |version: &str| seen.iter().filter(|one| one.answer.as_deref() == Ok(version)).count();
    assert!(answered("v1") > 0 && answered("v2") > 0);
    envoy.stop().await.unwrap();
}

/// A request that the fault filter holds has its cluster chosen already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_stays_until_requests_that_are_held_for_it_have_gone() {
    let (v1, v2) = (echo("v1").await, echo("v2").await);
    let live = live();
    let held = Service { delay: Some((100, "1500ms")), ..to_the_last(&[("v1", &v1)]) };
    live.generate(&held.yaml()).await.assert_well();
    let envoy = live.start().await;
    let load = users(&live);
    // Each of them has a request that is held.
    tokio::time::sleep(Duration::from_millis(500)).await;
    live.generate(&to_the_last(&[("v2", &v2)]).yaml()).await.assert_well();
    let gone = Instant::now();
    load.round().await;
    let seen = load.stop().await;
    assert_eq!(failures(&seen), BTreeMap::new(), "of {} requests", seen.len());
    let old = seen.iter().filter(|one| one.answer.as_deref() == Ok("v1"));
    assert!(old.clone().count() >= 8 && old.clone().all(|one| one.sent < gone), "{}", old.count());
    envoy.stop().await.unwrap();
}

/// What the order is for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_order_loses_requests() {
    let (v1, v2) = (echo("v1").await, echo("v2").await);
    let live = live();
    let (old, new) = (to_the_last(&[("v1", &v1)]).yaml(), to_the_last(&[("v2", &v2)]).yaml());
    live.generate(&new).await.assert_well();
    let [new_policy, new_clusters] = ["policy-mesh.yaml", "clusters.yaml"].map(|file| live.text(file));
    live.generate(&old).await.assert_well();
    let old_clusters = live.text("clusters.yaml");
    let envoy = live.start().await;
    assert_eq!(get(&live).await.status, 200);

    // The policy before its cluster.
    live.overwrite("policy-mesh.yaml", &new_policy);
    lost(&live).await;
    live.generate(&old).await.assert_well();
    assert_eq!(get(&live).await.status, 200);

    // The cluster away before the policy; its endpoints are those of the folder.
    assert_ne!(new_clusters, old_clusters);
    live.overwrite("clusters.yaml", &new_clusters.replace("|v2|", "|v9|").replace("_v2_", "_v1_"));
    lost(&live).await;
    live.generate(&old).await.assert_well();
    assert_eq!(get(&live).await.status, 200);
    envoy.stop().await.unwrap();
}

async fn get(live: &Live) -> Response {
    Client::new(live.listen()).get(HOST, "/").await.unwrap()
}

/// Waits until a request is lost for want of a cluster.
async fn lost(live: &Live) {
    let end = Instant::now() + Duration::from_secs(20);
    while get(live).await.status != 503 {
        assert!(Instant::now() < end, "requests are answered still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
