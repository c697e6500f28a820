//! Each way in which a change can end before its end, and what the next call makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

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
    for part in
        ["error: Envoy refuses `secret-nowhere-ca.crt-", "/nowhere/ca.crt", "; what was in force stays in force"]
    {
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

/// A second call while the first one waits until clusters can go; and Ctrl-C in that time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_clusters_go_another_call_takes_over_and_one_that_is_killed_leaves_them_to_the_next() {
    let (v1, v2, v3) = (echo("v1").await, echo("v2").await, echo("v3").await);
    let live = live();
    // A rule that holds requests for long makes the call wait for long.
    let old = Service { delay: Some((0, "20s")), ..to_the_last(&[("v1", &v1)]) };
    live.generate(&old.yaml()).await.assert_well();
    let envoy = live.start().await;
    let load = users(&live);
    let new = to_the_last(&[("v2", &v2)]).yaml();
    let start = Instant::now();
    let mut first = live.command(&new, None).spawn().unwrap();
    let mut first_said = BufReader::new(first.stderr.take().unwrap()).lines();
    while !first_said.next_line().await.unwrap().expect("it waits").starts_with("clusters: 1 go, after 2") {}

    // What the first one put in force was wrong, say.
    let back = to_the_last(&[("v3", &v3)]).yaml();
    let mut second = live.command(&back, None).spawn().unwrap();
    let mut second_said = BufReader::new(second.stderr.take().unwrap()).lines();
    while !second_said.next_line().await.unwrap().expect("it waits").starts_with("clusters: 2 go, after ") {}
    assert!(first.wait().await.unwrap().success());
    let last = first_said.next_line().await.unwrap().expect("its last word");
    assert_eq!(last, "note: another `switchyard generate` has come, and takes away what nobody needs");
    assert_eq!(clusters(&envoy).await, ["", "v1", "v2", "v3"]);
    load.round().await;

    second.kill().await.unwrap();
    assert_eq!(clusters(&envoy).await, ["", "v1", "v2", "v3"]);
    let ended = live.generate(&back).await.well();
    assert_eq!(ended.written, ["clusters.yaml"], "{}", ended.said);
    assert!(start.elapsed() > Duration::from_secs(20), "a request of the first policy may be held: {}", ended.said);
    assert_eq!(clusters(&envoy).await, ["", "v3"]);
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
    // A folder that nobody has written to yet, and somebody who is no Envoy.
    let mut fresh = live();
    for (admin, why) in [(envoy.admin(), "` reads `"), (v1.address(), " reads no file of clusters")] {
        let ended = fresh.at(admin).generate(&manifests).await;
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        assert!(ended.said.contains(why) && ended.said.contains("; nothing was written"), "{}", ended.said);
        assert!(!fresh.path("").exists());
    }
    envoy.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_clusters_that_is_gone_is_no_reason_to_write_all_at_once() {
    let (v1, v2) = (echo("v1").await, echo("v2").await);
    let live = live();
    live.generate(&to_the_last(&[("v1", &v1)]).yaml()).await.assert_well();
    let envoy = live.start().await;
    let load = users(&live);
    load.round().await;
    fs::remove_file(live.path("clusters.yaml")).unwrap();
    let ended = live.generate(&to_the_last(&[("v2", &v2)]).yaml()).await.well();
    assert!(ended.said.contains("clusters: 1 go, after 1.0 s"), "{}", ended.said);
    assert_eq!(clusters(&envoy).await, ["", "v2"]);
    load.round().await;
    assert_eq!(failures(&load.stop().await), BTreeMap::new());
    envoy.stop().await.unwrap();
}

#[tokio::test]
async fn files_of_others_are_left_alone() {
    let v1 = echo("v1").await;
    let live = live();
    let manifests = to_the_last(&[("v1", &v1)]).yaml();
    fs::create_dir_all(live.path("endpoints")).unwrap();
    for file in ["policy-mine.yaml", "routes-mine.txt", "endpoints/mine.yaml"] {
        fs::write(live.path(file), "mine").unwrap();
    }
    for _ in 0..2 {
        live.generate(&manifests).await.assert_well();
    }
    for file in ["policy-mine.yaml", "routes-mine.txt", "endpoints/mine.yaml"] {
        assert_eq!(live.text(file), "mine");
    }
    for file in ["policy-mesh.yaml", "envoy.yaml"] {
        let ours = live.text(file);
        fs::write(live.path(file), "mine").unwrap();
        let refused = live.generate(&manifests).await;
        assert_eq!(refused.code, Some(4), "{}", refused.said);
        assert!(refused.said.contains(&format!("{file}` is not overwritten: ")), "{}", refused.said);
        assert_eq!(live.text(file), "mine");
        fs::write(live.path(file), ours).unwrap();
    }
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
