//! README's chapter "In Istio" and its part "manifests/" followed word for word, top to bottom, by somebody who has a
//! cluster with Istio and nothing of ours: each command as it stands there, in a real API server, istiod, istio-agents and
//! registry (`reference/istio.md` 5.6). A command that README gains fails this test until it is followed here.

#![cfg(not(target_family = "wasm"))]

#[path = "istio_readme/chapter.rs"]
mod chapter;
#[path = "istio_readme/pods.rs"]
mod pods;
#[path = "istio_readme/terminal.rs"]
mod terminal;
#[path = "istio_readme/walk.rs"]
mod walk;

use pods::{EDGE, MESH, PATH, Seen, user};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use switchyard_tests::chain::{Chain, Setup, eventually};
use switchyard_tests::demo::interval::expected_999999;
use walk::Walk;

/// Users who are asked about, and requests of the rule with one destination.
const USERS: usize = 200;
const OF_V1: usize = 50;
/// How long a change may take from kubectl to Envoy: 2 s alone.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chapter_is_followed_word_for_word() {
    // istiod takes its mesh configuration from the ConfigMap that people edit, and roles count.
    let istiod = vec![("SHARED_MESH_CONFIG".to_owned(), "istio".to_owned())];
    let chain = Chain::start(&Setup { istiod, rbac: true, ..Setup::default() }).await.unwrap();
    let mut walk = Walk::begin(&chain);
    image(&mut walk).await;
    walk.next("switchyard generate").await;
    let decided = observe(&mut walk).await;
    enforce(&mut walk, &decided).await;
    everywhere(&mut walk, &decided).await;
    drift(&mut walk).await;
    back(&mut walk).await;
    working_set(&mut walk).await;
    other_form(&mut walk).await;
    walk.chapter.end();
}

async fn image(walk: &mut Walk<'_>) {
    let made = walk.next("make image").await;
    let push = made.last().unwrap();
    assert!(
        made.iter().any(|line| line.starts_with("sha256:")) && push.starts_with("push it: skopeo copy"),
        "{made:?}"
    );
    walk.next("skopeo copy oci:").await;
}

/// What the filter would decide about each user.
async fn observe(walk: &mut Walk<'_>) -> BTreeMap<usize, String> {
    walk.next("kubectl apply -k manifests/base").await;
    walk.pods.workloads().await;
    assert_eq!(walk.pods.roll().await, ["catalogdetail-v1", "productcatalog", "workshop-gateway"]);
    walk.next_rolls("kubectl apply -f manifests/overlays/canary/virtual-service.yaml", &[]).await;
    walk.mesh_configuration("extensionProviders").await;
    walk.next_rolls("kubectl apply -k manifests/observe", &[]).await;
    walk.next_rolls("kubectl apply -f target/readme/istio.yaml", &[]).await;
    walk.next_rolls("kubectl patch deployment productcatalog", &["productcatalog"]).await;
    walk.next("kubectl rollout status deployment productcatalog").await;
    walk.pods.synced("productcatalog").await;

    for number in 0..USERS {
        let seen = walk.pods.ask("productcatalog", &user(MESH, &format!("{PATH}?user={number}"), number)).await;
        assert_eq!((seen.status, &*seen.route, seen.tag), (200, "rest", None), "nothing is changed");
    }
    for number in 0..OF_V1 {
        let seen = walk.pods.ask("productcatalog", &user(MESH, "/v1/catalogDetail", number)).await;
        assert_eq!((seen.status, &*seen.route), (200, "path-v1"));
    }
    // What no rule decides is told too, and is no rule's agreement. What is called here, and others, tell nothing.
    walk.pods.ask("productcatalog", &user("elsewhere.example.com", PATH, 0)).await;
    let told = logging(walk, "productcatalog").await;
    assert!(told.iter().any(|name| name.ends_with("_3000")) && !told.contains(&"virtualInbound".into()), "{told:?}");
    assert_eq!(logging(walk, "catalogdetail-v1").await, Vec::<String>::new());
    let log = eventually(PATIENCE, async || {
        let log = walk.pods.proxy("productcatalog").log();
        match log.lines().filter(|line| line.starts_with("switchyard ")).count() {
            all if all == USERS + OF_V1 + 1 => Ok(log),
            some => Err(format!("{some} lines of the access log")),
        }
    });
    let log = log.await.unwrap();
    walk.terminal.logged(&log);
    let agreements = walk.next("kubectl logs deployment/productcatalog").await;
    println!("agreement with Istio's choice: {agreements:?}");
    agree(&agreements);
    let of_user = |line: &str| {
        let words: Vec<&str> =
            line.strip_prefix("switchyard ")?.split(' ').map(|word| word.trim_matches('"')).collect();
        Some((words.get(3)?.split_once("?user=")?.1.parse().ok()?, (*words.get(1)?).to_owned()))
    };
    let decided: BTreeMap<usize, String> = log.lines().filter_map(of_user).collect();
    assert_eq!(decided.len(), USERS);
    decided
}

/// The listeners of a proxy that write README's access log.
async fn logging(walk: &Walk<'_>, deployment: &str) -> Vec<String> {
    let all = walk.pods.proxy(deployment).dump("dynamic_listeners").await.unwrap();
    let all = all["configs"].as_array().unwrap();
    let telling = all.iter().filter(|one| one.to_string().contains("switchyard %FILTER_STATE("));
    telling.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

/// What README says about each rule's agreement with Istio's choice.
fn agree(lines: &[String]) {
    let read = |line: &String| {
        let (rule, counts) = line.split_once(' ')?;
        let (same, all) = counts.split_once('/')?;
        Some((rule.strip_prefix("workshop/catalogdetail/")?.to_owned(), (same.parse().ok()?, all.parse().ok()?)))
    };
    let rules: BTreeMap<String, (usize, usize)> = lines.iter().map(|line| read(line).expect(line)).collect();
    assert_eq!(rules.len(), 3, "{rules:?}");
    assert_eq!(rules["path-v1"], (OF_V1, OF_V1), "a rule with one destination agrees wholly");
    let within = |rule: &str, share: f64| {
        let (same, all) = rules[rule];
        let (low, high) = expected_999999(all, share);
        assert!((low..=high).contains(&same), "{rule}: {same} of {all}, not {low} to {high}");
    };
    // 0.9 × 0.9 + 0.1 × 0.1. Without the tag, Istio sends internal users where everybody goes.
    within("rest", 0.82);
    within("internal", 0.1);
    assert_eq!(rules["rest"].1 + rules["internal"].1, USERS);
}

/// Where each user goes.
async fn fates(walk: &Walk<'_>, deployment: &str) -> BTreeMap<usize, String> {
    let mut fates = BTreeMap::new();
    for number in 0..USERS {
        let seen = walk.pods.ask(deployment, &user(MESH, PATH, number)).await;
        assert_eq!(seen.status, 200, "{seen:?}");
        fates.insert(number, seen.cluster);
    }
    fates
}

async fn enforce(walk: &mut Walk<'_>, decided: &BTreeMap<usize, String>) {
    walk.next("switchyard generate").await;
    walk.next_rolls("kubectl apply -f target/readme/istio.yaml", &[]).await;
    walk.next_rolls("kubectl delete -k manifests/observe", &[]).await;
    walk.pods.synced("productcatalog").await;
    assert_eq!(logging(walk, "productcatalog").await, Vec::<String>::new());
    assert_eq!(fates(walk, "productcatalog").await, *decided, "what it said is what it does");
    let elsewhere = walk.pods.ask("catalogdetail-v1", &user(MESH, PATH, 1)).await;
    assert_eq!((&*elsewhere.route, elsewhere.tag), ("rest", None), "nobody decides there but Istio");
}

async fn everywhere(walk: &mut Walk<'_>, decided: &BTreeMap<usize, String>) {
    walk.next("switchyard generate").await;
    walk.next_rolls("kubectl apply -f target/readme/istio.yaml", &[]).await;
    walk.next_rolls("kubectl get deployment -n workshop -o name | xargs", &["catalogdetail-v1"]).await;
    let rolled = walk.next("kubectl get deployment -n workshop -o name | xargs").await;
    assert_eq!(rolled.iter().filter(|line| line.ends_with("successfully rolled out")).count(), 3, "{rolled:?}");
    for deployment in ["productcatalog", "catalogdetail-v1"] {
        walk.pods.synced(deployment).await;
        assert_eq!(fates(walk, deployment).await, *decided, "{deployment}");
    }
}

async fn drift(walk: &mut Walk<'_>) {
    walk.next("kubectl get wasmplugin,envoyfilter,virtualservice,destinationrule -A -o yaml | switchyard check").await;
    let patch = r#"[{"op": "replace", "path": "/spec/http/3/route/1/weight", "value": 50}]"#;
    let moved = ["patch", "virtualservice", "-n", "workshop", "catalogdetail", "--type=json", "-p", patch];
    walk.chain.kubectl(&moved).await.unwrap();
    let drifted = walk.again().await;
    assert_eq!(drifted.code, Some(1), "{}", drifted.said);
    for named in
        ["`VirtualService workshop/catalogdetail`", "http[3].route[1].weight", "WasmPlugin workshop/switchyard"]
    {
        assert!(drifted.said.contains(named), "{named}: {}", drifted.said);
    }
    let file = "manifests/overlays/canary/virtual-service.yaml";
    walk.chain.kubectl(&["apply", "-f", file]).await.unwrap();
    assert_eq!(walk.again().await.code, Some(0));
}

async fn back(walk: &mut Walk<'_>) {
    let users = walk.users();
    walk.next("switchyard generate").await;
    walk.next_rolls("kubectl apply -f target/readme/istio.yaml", &[]).await;
    for deployment in ["productcatalog", "catalogdetail-v1"] {
        walk.pods.synced(deployment).await;
    }
    walk.next_rolls("kubectl delete -f target/readme/istio.yaml", &[]).await;
    for deployment in ["productcatalog", "catalogdetail-v1"] {
        until(walk, deployment, MESH, |seen| seen.route == "rest" && seen.tag.is_none()).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (all, failed) = users.leave().await;
    println!("the way back: {all} requests, {} failed", failed.len());
    assert!(all > 100 && failed.is_empty(), "of {all} requests {failed:?}");
    let live = walk.chain.kubectl(&["get", "wasmplugin,envoyfilter", "-A", "-l", OURS, "-o", "name"]).await.unwrap();
    assert_eq!(live, "", "all of ours is gone");
}

const OURS: &str = "app.kubernetes.io/managed-by=switchyard";
const DEPLOYER: &str = "system:serviceaccount:switchyard-system:switchyard-deployer";

/// Waits until a user's request has such an answer.
async fn until(walk: &Walk<'_>, deployment: &str, host: &str, good: impl Fn(&Seen) -> bool) {
    let asked = async || match walk.pods.ask(deployment, &user(host, PATH, 1)).await {
        seen if good(&seen) => Ok(()),
        seen => Err(format!("{deployment}: {seen:?}")),
    };
    eventually(PATIENCE, asked).await.unwrap();
}

/// The part "manifests/".
async fn working_set(walk: &mut Walk<'_>) {
    walk.next_rolls("kubectl apply -k manifests/base", &[]).await;
    walk.next("kubectl apply -k manifests/admission").await;
    // Another account and image than here: followed in `istio_admission`.
    walk.chapter.yaml("resources");
    // The API server learns of a policy a moment after it was applied. `admin` may do everything else.
    let denied = "`admin` may not write what Switchyard generated";
    let asked = format!("kubectl apply -k manifests/overlays/canary -l {OURS} --dry-run=server");
    let refused = async || match walk.terminal.run(&asked).await {
        ended if ended.code == Some(1) && ended.said.contains(denied) => Ok(()),
        ended => Err(format!("{:?}: {:?} {}", ended.code, ended.written, ended.said)),
    };
    eventually(PATIENCE, refused).await.unwrap();

    let differs = walk.try_next("kubectl diff -k manifests/overlays/canary").await;
    assert_eq!(differs.code, Some(1), "{}", differs.said);
    let mut kinds: Vec<_> = differs.written.iter().filter_map(|line| line.strip_prefix("+kind: ")).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["EnvoyFilter", "EnvoyFilter", "WasmPlugin", "WasmPlugin"]);
    walk.next_rolls("kubectl apply -k manifests/overlays/canary", &[]).await;
    walk.next_rolls("kubectl apply -k manifests/overlays/canary", &["workshop-gateway"]).await;
    walk.next("kubectl rollout status deployment workshop-gateway").await;
    walk.next("kubectl rollout status deployment productcatalog").await;
    for deployment in ["workshop-gateway", "productcatalog"] {
        walk.pods.synced(deployment).await;
    }
    tagged(walk, true).await;
}

/// The gateway tags users and hears nobody, productcatalog's sidecar believes the gateway, and internal users get v2;
/// `decided`: by the filter, else by Istio's routes.
async fn tagged(walk: &Walk<'_>, decided: bool) {
    let v2 = "outbound|3000|v2|catalogdetail.workshop.svc.cluster.local";
    let mut internal = 0;
    for number in 0..USERS {
        let request = user(EDGE, PATH, number);
        let seen = walk.pods.ask("workshop-gateway", &request).await;
        let forged = walk.pods.ask("workshop-gateway", &request.header("user-type", "internal")).await;
        assert_eq!(
            (seen.status, seen.route == "decided", &forged.tag),
            (200, decided, &seen.tag),
            "{seen:?} {forged:?}"
        );
        let tag = seen.tag.expect("a tag");
        let inner = walk.pods.ask("productcatalog", &user(MESH, PATH, number).header("user-type", &*tag)).await;
        assert_eq!((inner.status, inner.route == "decided", inner.tag.as_deref()), (200, decided, Some(&*tag)));
        if tag == "internal" {
            internal += 1;
            assert_eq!((&*seen.cluster, &*inner.cluster), (v2, v2));
        }
    }
    let (low, high) = expected_999999(USERS, 0.3);
    assert!((low..=high).contains(&internal), "{internal} of {USERS} are internal");
}

async fn other_form(walk: &mut Walk<'_>) {
    walk.next_rolls("kubectl apply -k manifests/overlays/tags", &[]).await;
    walk.next_rolls("kubectl apply -k manifests/overlays/tags", &[]).await;
    for deployment in ["workshop-gateway", "productcatalog"] {
        walk.pods.synced(deployment).await;
    }
    // Other teams of the cluster have theirs.
    for (api, kind, spec) in [
        ("networking.istio.io/v1alpha3", "EnvoyFilter", json!({"priority": 1})),
        ("extensions.istio.io/v1alpha1", "WasmPlugin", json!({"url": "file:///theirs.wasm"})),
    ] {
        let theirs = json!({"apiVersion": api, "kind": kind, "spec": spec,
            "metadata": {"name": "theirs", "namespace": "default", "labels": {"app.kubernetes.io/managed-by": "switchyard"}}});
        let made = walk.terminal.run(&format!("kubectl create --as {DEPLOYER} -f - <<< '{theirs}'")).await;
        assert_eq!(made.code, Some(0), "{}", made.said);
    }
    let deleted = walk.next("for namespace in workshop workshop-ingress; do kubectl delete envoyfilter").await;
    assert_eq!(deleted.len(), 2, "{deleted:?}");
    for (deployment, host) in [("workshop-gateway", EDGE), ("productcatalog", MESH)] {
        walk.pods.synced(deployment).await;
        until(walk, deployment, host, |seen| seen.status == 200 && seen.tag.is_some()).await;
    }
    tagged(walk, false).await;
    let deleted = walk.next("for namespace in workshop workshop-ingress; do kubectl delete wasmplugin").await;
    assert_eq!(deleted.len(), 2, "{deleted:?}");
    for (deployment, host) in [("workshop-gateway", EDGE), ("productcatalog", MESH)] {
        until(walk, deployment, host, |seen| seen.status == 200 && seen.tag.is_none()).await;
    }
    let left = walk.chain.kubectl(&["get", "wasmplugin,envoyfilter", "-A", "-l", OURS, "-o", "name"]).await.unwrap();
    assert_eq!(left.lines().filter(|name| name.ends_with("/theirs")).count(), 2, "{left}");
    assert_eq!(left.lines().count(), 2, "{left}");
}
