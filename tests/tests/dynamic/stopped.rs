//! Each way in which a change can end before its end, and what the next call makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use switchyard_tests::harness::Envoy;
use switchyard_tests::rollout::load::failures;
use switchyard_tests::rollout::manifests::Service;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{echo, live, to_the_last, users};

/// Clusters that Envoy has.
async fn clusters(envoy: &Envoy) -> Vec<String> {
    let stats = envoy.stats("^cluster\\..*\\.membership_total$").await.unwrap();
    let version = |name: &String| Some(name.strip_prefix("cluster.outbound|3000|")?.split('|').next()?.to_owned());
    let mut versions: Vec<_> = stats.keys().filter_map(version).collect();
    versions.sort();
    versions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_clusters_are_put_back_and_the_policy_is_not_touched() {
    let (v1, v2) = (echo("v1").await, echo("v2").await);
    let live = live();
    let old = to_the_last(&[("v1", &v1)]);
    live.generate(&old.yaml()).await.assert_well();
    let envoy = live.start().await;
    let load = users(&live);
    let before = ["clusters.yaml", "policy-mesh.yaml", "listeners.yaml"].map(|file| live.text(file));
    let wrong = "{tls: {mode: SIMPLE, caCertificates: /nowhere/ca.crt}}";
    let new = Service { policy: wrong, ..to_the_last(&[("v1", &v1), ("v2", &v2)]) };
    let refused = live.generate(&new.yaml()).await;
    assert_eq!(refused.code, Some(1), "{}", refused.said);
    for part in ["error: Envoy refuses `clusters.yaml`: ", "/nowhere/ca.crt", "; what was in force stays in force"] {
        assert!(refused.said.contains(part), "no `{part}` in {}", refused.said);
    }
    assert_eq!(["clusters.yaml", "policy-mesh.yaml", "listeners.yaml"].map(|file| live.text(file)), before);
    assert_eq!(clusters(&envoy).await, ["", "v1"]);
    let new = Service { policy: "", ..new };
    live.generate(&new.yaml()).await.assert_well();
    assert_eq!(clusters(&envoy).await, ["", "v1", "v2"]);
    load.round().await;
    assert_eq!(failures(&load.stop().await), BTreeMap::new());
    envoy.stop().await.unwrap();
}

/// Ctrl-C between the policy and the clusters that go; and a second call before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_killed_leaves_clusters_for_both_policies() {
    let (v1, v2) = (echo("v1").await, echo("v2").await);
    let live = live();
    // A rule that holds requests for long makes the call wait for long.
    let old = Service { delay: Some((0, "60s")), ..to_the_last(&[("v1", &v1)]) };
    live.generate(&old.yaml()).await.assert_well();
    let envoy = live.start().await;
    let load = users(&live);
    let new = to_the_last(&[("v2", &v2)]).yaml();
    let mut call = live.command(&new, None).spawn().unwrap();
    let mut lines = BufReader::new(call.stderr.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().expect("it waits").starts_with("clusters: 1 go, after 61.0 s") {}

    let second = live.generate(&new).await;
    assert_eq!(second.code, Some(4), "{}", second.said);
    assert!(second.said.contains("error: another `switchyard generate` is changing `"), "{}", second.said);

    call.kill().await.unwrap();
    assert_eq!(clusters(&envoy).await, ["", "v1", "v2"]);
    let ended = live.generate(&new).await.well();
    assert_eq!(ended.written, ["clusters.yaml"], "{}", ended.said);
    assert_eq!(clusters(&envoy).await, ["", "v2"]);
    load.round().await;
    assert_eq!(failures(&load.stop().await), BTreeMap::new());
    envoy.stop().await.unwrap();
}

/// As after a SIGKILL between the file and Envoy's answer: what was accepted last lies beside what was refused.
#[tokio::test]
async fn what_was_accepted_survives_a_call_that_was_killed_while_envoy_refused() {
    let v1 = echo("v1").await;
    let live = live();
    let manifests = to_the_last(&[("v1", &v1)]).yaml();
    live.generate(&manifests).await.assert_well();
    let envoy = live.start().await;
    let accepted = live.text("policy-mesh.yaml");
    fs::write(live.path(".switchyard/previous/policy-mesh.yaml"), &accepted).unwrap();
    let refused =
        accepted.replace("switchyard_filter.wasm", "nothing.wasm").replace("version_info: ", "version_info: x");
    live.overwrite("policy-mesh.yaml", &refused);
    let again = live.generate_with(&manifests, &live.foreign_module()).await;
    assert_eq!(again.code, Some(1), "{}", again.said);
    assert_eq!(live.text("policy-mesh.yaml"), accepted);
    assert_eq!(live.generate(&manifests).await.well().written, Vec::<String>::new());
    envoy.stop().await.unwrap();
}

/// A limit on the size of files stands in for a disk that is full: the same error of the same call.
#[tokio::test]
async fn a_file_that_cannot_be_written_changes_nothing() {
    let (v1, v2) = (echo("v1").await, echo("v2").await);
    let live = live();
    live.generate(&to_the_last(&[("v1", &v1)]).yaml()).await.assert_well();
    let envoy = live.start().await;
    let before = ["clusters.yaml", "policy-mesh.yaml"].map(|file| live.text(file));
    let new = to_the_last(&[("v2", &v2)]).yaml();
    let call = live.command(&new, None);
    // Endpoints are smaller than 1 KiB, clusters are not; without the trap the signal ends the process.
    let mut limited = Command::new("bash");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""]);
    limited.arg(call.as_std().get_program()).args(call.as_std().get_args());
    limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let failed = live.ended(limited.spawn().unwrap()).await;
    assert_eq!(failed.code, Some(4), "{}", failed.said);
    for part in ["error: cannot write `", "clusters.yaml`: file too large", "; what was in force stays in force"] {
        assert!(failed.said.contains(part), "no `{part}` in {}", failed.said);
    }
    assert_eq!(["clusters.yaml", "policy-mesh.yaml"].map(|file| live.text(file)), before);
    assert!(!live.path(".switchyard/new").exists());
    live.generate(&new).await.assert_well();
    assert_eq!(clusters(&envoy).await, ["", "v2"]);
    envoy.stop().await.unwrap();
}

#[tokio::test]
async fn an_envoy_of_another_folder_is_not_waited_for() {
    let v1 = echo("v1").await;
    let (mut ours, other) = (live(), live());
    let manifests = to_the_last(&[("v1", &v1)]).yaml();
    for live in [&ours, &other] {
        live.generate(&manifests).await.assert_well();
    }
    let envoy = other.start().await;
    let ended = ours.at(envoy.admin()).generate(&manifests).await;
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    assert!(
        ended.said.contains("` reads `") && ended.said.contains("name the admin address of the right one"),
        "{}",
        ended.said
    );
    envoy.stop().await.unwrap();
}

#[tokio::test]
async fn without_an_envoy_everything_is_written_at_once() {
    let (v1, v2) = (echo("v1").await, echo("v2").await);
    let live = live();
    live.generate(&to_the_last(&[("v1", &v1)]).yaml()).await.assert_well();
    let ended = live.generate(&to_the_last(&[("v2", &v2)]).yaml()).await.well();
    assert!(ended.said.contains("so all files were written at once"), "{}", ended.said);
    assert!(!live.text("clusters.yaml").contains("|v1|"));
    assert!(!live.path("endpoints/outbound_3000_v1_catalog.shop.svc.cluster.local.yaml").exists());
}
