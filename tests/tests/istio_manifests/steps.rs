//! What each part of the working set promises.

use super::workshop::{DEPLOYER, LISTENS, Proxies, Seen, Workshop, assert_share, percent, send, send_all};
use serde_json::json;
use std::time::Duration;
use switchyard_tests::chain::Running;
use switchyard_tests::harness::Request;

const EDGE: &str = "detail.example.com";
const MESH: &str = "catalogdetail.workshop.svc.cluster.local:3000";
const PATH: &str = "/catalogDetail";

fn edge() -> Request {
    Request::new("GET", EDGE, PATH)
}

fn mesh() -> Request {
    Request::new("GET", MESH, PATH)
}

fn user(request: Request, uid: &str) -> Request {
    request.header("cookie", format!("uid={uid}"))
}

fn to(subset: &str) -> String {
    format!("outbound|3000|{subset}|catalogdetail.workshop.svc.cluster.local")
}

/// Tags and subsets of users by their number, as they come back.
fn fates<'a>(seen: &'a [Seen], tag: &'a str) -> Vec<(&'a str, &'a str)> {
    seen.iter().map(|seen| (seen.header(tag), seen.subset())).collect()
}

/// `kubectl --as` somebody who may do anything else.
pub async fn others_are_refused(workshop: &Workshop) {
    // The API server learns of a new policy a moment after it was applied.
    let refused = switchyard_tests::chain::eventually(Duration::from_secs(20), async || {
        // Only asked: what is there already would not be sent again.
        match workshop.apply_with("canary", "jane", &["--dry-run=server"]).await {
            Err(why) => Ok(why),
            Ok(()) => Err("everybody may apply".into()),
        }
    })
    .await
    .unwrap();
    let told = format!("`jane` may not write what Switchyard generated: only `{DEPLOYER}` may");
    for kind in ["wasmplugins", "envoyfilters"] {
        let object = format!("{kind}.{} \"switchyard\" is forbidden", group(kind));
        assert!(refused.contains(&object), "{object}: {refused}");
    }
    assert_eq!(refused.matches(&told).count(), 4, "{refused}");
}

fn group(kind: &str) -> &'static str {
    if kind == "wasmplugins" { "extensions.istio.io" } else { "networking.istio.io" }
}

/// Istio's own routes are in force there, and no control header is obeyed.
pub async fn an_old_pod_runs_on_without_the_plugin(workshop: &Workshop, old: &mut Running) {
    old.synced(workshop.chain).await.unwrap();
    let forged = edge().header("x-switchyard-cluster", to("v2"));
    let seen = send_all(old, LISTENS, vec![forged; 200]).await;
    assert!(seen.iter().all(|seen| seen.status == 200 && seen.by_istio && seen.header("user-type").is_empty()));
    assert_share("canary, by Istio", percent(&seen, |seen| seen.subset() == "v2"), 10.0, 9.5);
    let why = old.extension("workshop-ingress/switchyard").await.unwrap_err();
    assert!(why.contains("ecds_filters not found"), "no Wasm came to it: {why}");
    assert_eq!(old.ended(), None);
}

/// By the counter that Istio hides from pods without the annotation.
pub async fn a_refused_configuration_would_be_counted(proxies: &Proxies) {
    for proxy in [&proxies.gateway, &proxies.sidecar] {
        let namespace = &proxy.proxy().namespace;
        let counters = proxy.stats("extension_config_discovery").await.unwrap();
        let counter = format!("wasmplugin/{namespace}.switchyard.update_rejected");
        let found = counters.iter().find(|(name, _)| name.ends_with(&counter));
        assert_eq!(found.map(|(_, count)| *count), Some(0), "{counters:?}");
    }
}

/// As a controller moves them; the next `kubectl apply` has the old ones again.
pub async fn what_is_applied_has_not_drifted_until_somebody_moves_weights(workshop: &Workshop) {
    let (code, said) = workshop.drift().await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    let patch = r#"[{"op": "replace", "path": "/spec/http/3/route/1/weight", "value": 50}]"#;
    let moved = ["patch", "virtualservice", "-n", "workshop", "catalogdetail", "--type=json", "-p", patch];
    workshop.chain.kubectl(&moved).await.unwrap();
    let (code, said) = workshop.drift().await.unwrap();
    assert_eq!(code, Some(1), "{said}");
    for plugin in ["workshop/switchyard", "workshop-ingress/switchyard"] {
        assert!(said.contains(plugin) && said.contains("workshop/catalogdetail"), "{said}");
    }
}

pub async fn canary_at_the_gateway(workshop: &Workshop, proxies: &Proxies) {
    let gateway = &proxies.gateway;
    let mut client = gateway.client(LISTENS).unwrap();

    // 30 % of users, by a cookie that they are given, and 10 % of the others.
    let first = send_all(gateway, LISTENS, vec![edge(); 500]).await;
    assert!(first.iter().all(|seen| seen.status == 200), "{:?}", first.iter().find(|seen| seen.status != 200));
    assert_share("internal", percent(&first, |seen| seen.header("user-type") == "internal"), 30.0, 9.0);
    assert!(first.iter().all(|seen| seen.header("user-type") != "internal" || seen.subset() == "v2"));
    let external: Vec<&Seen> = first.iter().filter(|seen| seen.header("user-type") == "external").collect();
    assert_share("canary", percent(external.iter().copied(), |seen| seen.subset() == "v2"), 10.0, 7.0);
    // By our route, to the cluster that the header names, and to the pods of that cluster.
    for seen in &first {
        assert_eq!(seen.cluster, Some(to(seen.subset())));
        assert!(!seen.by_istio, "Istio's own route took it");
        assert!(seen.upstream.as_deref().unwrap().starts_with(seen.subset()), "{seen:?}");
    }

    // Who has a cookie keeps tag and version; who says what it is is not heard, whatever the spelling.
    let uids: Vec<String> = first.iter().map(|seen| seen.uid.clone().expect("a cookie")).collect();
    let returning = |request: Request| uids.iter().take(200).map(|uid| user(request.clone(), uid)).collect();
    let again = send_all(gateway, LISTENS, returning(edge())).await;
    assert_eq!(fates(&again, "user-type"), fates(&first[..200], "user-type"));
    assert!(again.iter().all(|seen| seen.uid.is_none()), "a cookie is given once");
    let forged = edge()
        .header("user-type", "internal")
        .header("User_Type", "internal")
        .header("x-switchyard-cluster", to("v2"))
        .header("x-envoy-fault-abort-request", "418");
    let forged = send_all(gateway, LISTENS, returning(forged)).await;
    assert_eq!(fates(&forged, "user-type"), fates(&again, "user-type"));
    assert!(forged.iter().all(|seen| seen.header("user_type").is_empty()));

    // Paths.
    let alice = |request: Request| user(request, "alice");
    for version in ["v1", "v2"] {
        let request = alice(Request::new("GET", EDGE, format!("/{version}/catalogDetail?id=1")));
        let seen = send(&mut client, &request).await;
        assert_eq!((seen.subset(), seen.path.as_deref()), (version, Some("/catalogDetail?id=1")));
    }

    // A user's requests stay on one pod of a subset, and other users' are on the other.
    let pods = (0..90).map(|user| {
        let request = Request::new("GET", EDGE, "/v2/catalogDetail");
        request.header("x-user-id", format!("user-{}", user % 30))
    });
    let seen = send_all(gateway, LISTENS, pods.collect()).await;
    for user in 0..30 {
        assert_eq!(seen[user].upstream, seen[user + 30].upstream);
        assert_eq!(seen[user].upstream, seen[user + 60].upstream);
    }
    assert!(seen.iter().any(|one| one.upstream != seen[0].upstream), "all users are on one of two pods");

    // The canary's rule: two retries of half a second each, two seconds in all.
    let at = first.iter().position(|seen| seen.header("user-type") == "external" && seen.subset() == "v1").unwrap();
    let before = workshop.v1.count();
    let failing = user(edge(), &uids[at]).header("x-answer-status", "503");
    assert_eq!(send(&mut client, &failing).await.status, 503);
    assert_eq!(workshop.v1.count() - before, 3);
    let before = workshop.v1.count();
    let slow = send(&mut client, &user(edge(), &uids[at]).header("x-answer-after-ms", "4000")).await;
    assert_eq!((slow.status, &*slow.flags), (504, "URX,UT"), "{slow:?}");
    assert_eq!(workshop.v1.count() - before, 3);
    assert!(slow.took > Duration::from_millis(1400) && slow.took < Duration::from_millis(3500), "{:?}", slow.took);

    // Another service's rule is decided too. What no rule takes is left to Istio, which has no route for it.
    let products = send(&mut client, &alice(Request::new("GET", "catalog.example.com", "/products/1"))).await;
    assert_eq!((products.status, products.upstream.as_deref()), (200, Some("productcatalog")));
    assert!(!products.by_istio, "{products:?}");
    for (host, path) in [("catalog.example.com", "/orders"), ("shop.example.com", "/"), ("catalogdetail", PATH)] {
        let seen = send(&mut client, &Request::new("GET", host, path)).await;
        assert_eq!((seen.status, seen.upstream), (404, None), "{host}{path}");
    }
}

pub async fn canary_in_the_mesh(proxies: &Proxies) {
    let sidecar = &proxies.sidecar;
    // The gateway's word counts.
    let mut client = sidecar.client(3000).unwrap();
    for (said, subset) in [("internal", "v2"), ("external", "")] {
        let seen = send(&mut client, &mesh().header("user-type", said)).await;
        assert_eq!((seen.status, seen.header("user-type")), (200, said));
        assert!(subset.is_empty() || seen.subset() == subset, "{seen:?}");
        assert_eq!((seen.cluster.clone(), seen.by_istio), (Some(to(seen.subset())), false));
    }
    // Where it said nothing, the same user is the same here, and a word that is none counts as nothing.
    let users = |request: Request| (0..100).map(|uid| user(request.clone(), &uid.to_string())).collect();
    let here = send_all(sidecar, 3000, users(mesh())).await;
    let there = send_all(&proxies.gateway, LISTENS, users(edge())).await;
    assert_eq!(fates(&here, "user-type"), fates(&there, "user-type"));
    let other = send_all(sidecar, 3000, users(mesh().header("user-type", "admin"))).await;
    assert_eq!(fates(&other, "user-type"), fates(&here, "user-type"));

    // A host that no VirtualService of the mesh names: neither routed nor tagged here.
    let mut client = sidecar.client(5000).unwrap();
    let request = Request::new("GET", "productcatalog.workshop.svc.cluster.local:5000", "/products/");
    let seen = send(&mut client, &request).await;
    assert_eq!((seen.upstream.as_deref(), seen.header("user-type")), (Some("productcatalog"), ""));
}

fn products(uid: usize) -> Request {
    user(Request::new("GET", "catalog.example.com", "/products/1"), &uid.to_string())
}

/// From the gateway to productcatalog and from there to catalogdetail: one user, one tag, one version.
pub async fn two_hops(proxies: &Proxies) {
    let direct =
        send_all(&proxies.gateway, LISTENS, (0..100).map(|uid| user(edge(), &uid.to_string())).collect()).await;
    let seen = send_all(&proxies.gateway, LISTENS, (0..100).map(products).collect()).await;
    for (seen, direct) in seen.iter().zip(&direct) {
        let headers = seen.called["headers"].as_array().unwrap();
        let tags: Vec<_> = headers.iter().filter(|header| header[0] == "user-type").map(|header| &header[1]).collect();
        assert_eq!(seen.header("user-type"), direct.header("user-type"));
        assert_eq!(tags, [seen.header("user-type")], "{seen:?}");
        assert_eq!(seen.called["cluster"], to(direct.subset()), "{seen:?}");
    }
    assert!(direct.iter().any(|seen| seen.header("user-type") == "internal"));
}

/// The delay of a user's group is the sidecar's, where the rule is, and not the gateway's too.
pub async fn one_delay_on_two_hops(proxies: &Proxies) {
    let seen = send_all(&proxies.gateway, LISTENS, (0..100).map(products).collect()).await;
    for seen in &seen {
        let (status, flags) = match seen.header("fault-group") {
            "slow" => (200, "DI"),
            "failing" => (503, "FI"),
            _ => (200, "-"),
        };
        let (inner, inner_flags) = (&seen.called["status"], &seen.called["flags"]);
        assert_eq!(
            (seen.status, &*seen.flags, inner, inner_flags),
            (200, "", &json!(status), &json!(flags)),
            "{seen:?}"
        );
    }
    for group in ["slow", "failing", "none"] {
        assert!(seen.iter().any(|seen| seen.header("fault-group") == group), "nobody is of `{group}`");
    }
}

pub async fn blue_green(workshop: &Workshop, proxies: &Proxies) {
    // Nobody outside gets green by saying so, or by saying that they are of the office; half of blue's is copied.
    let before = workshop.counts();
    let forged = edge().header("release", "green").header("x-forwarded-for", "10.20.0.9");
    let seen = send_all(&proxies.gateway, LISTENS, vec![forged; 300]).await;
    assert!(seen.iter().all(|seen| seen.header("release") == "blue" && seen.subset() == "v1"), "{:?}", seen[0]);
    assert!(seen.iter().all(|seen| seen.upstream.as_deref() == Some("v1") && !seen.by_istio));
    // Copies arrive when they do.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = workshop.counts();
    assert_eq!(after.0 - before.0, 300);
    let copies = u32::try_from(after.1 - before.1).unwrap();
    assert_share("copies", f64::from(copies) / 3.0, 50.0, 18.0);

    // In the mesh the gateway's word counts.
    let mut client = proxies.sidecar.client(3000).unwrap();
    for (said, subset) in [("green", "v2"), ("blue", "v1"), ("purple", "v1")] {
        let seen = send(&mut client, &mesh().header("release", said)).await;
        assert_eq!((seen.subset(), seen.header("release") == said), (subset, said != "purple"), "{seen:?}");
    }
}

pub async fn fault_test(workshop: &Workshop, proxies: &Proxies) {
    // A tenth of users is slow and a tenth fails, always the same ones, and nobody by asking for it.
    let users = |request: Request| (0..200).map(|uid| user(request.clone(), &uid.to_string())).collect();
    let before = workshop.counts();
    let seen = send_all(&proxies.gateway, LISTENS, users(edge())).await;
    let group = |seen: &Seen| match (seen.status, &*seen.flags) {
        (503, "FI") => "failing",
        (200, "DI") => "slow",
        (200, "") => "none",
        other => panic!("{other:?}: {seen:?}"),
    };
    for wanted in ["failing", "slow"] {
        assert_share(wanted, percent(&seen, |seen| group(seen) == wanted), 10.0, 9.5);
    }
    let slow = || seen.iter().filter(|seen| group(seen) == "slow");
    // Envoy's timers may be 3 ms early.
    assert!(slow().all(|seen| seen.took >= Duration::from_millis(990) && seen.header("fault-group") == "slow"));
    let failing = seen.iter().filter(|seen| group(seen) == "failing").count();
    assert_eq!(workshop.counts().0 - before.0, 200 - u64::try_from(failing).unwrap(), "the others came to v1, once");
    let forged = send_all(&proxies.gateway, LISTENS, users(edge().header("fault-group", "failing"))).await;
    assert_eq!(forged.iter().map(group).collect::<Vec<_>>(), seen.iter().map(group).collect::<Vec<_>>());

    // Behind the gateway its groups count, and who is of none has no fault.
    let mut client = proxies.sidecar.client(3000).unwrap();
    for said in ["slow", "failing", "none"] {
        let seen = send(&mut client, &mesh().header("fault-group", said)).await;
        assert_eq!(group(&seen), said);
    }
    assert_eq!(group(&send(&mut client, &user(mesh(), "1")).await), "none");
}

/// The other form: the tag is ours, everything else is Istio's.
pub async fn tags(workshop: &Workshop, proxies: &Proxies) {
    let gateway = &proxies.gateway;
    let before = workshop.counts();
    let first = send_all(gateway, LISTENS, vec![edge(); 500]).await;
    assert_share("internal", percent(&first, |seen| seen.header("user-type") == "internal"), 30.0, 9.0);
    assert!(first.iter().all(|seen| seen.by_istio), "{:?}", first[0]);
    assert!(first.iter().all(|seen| seen.header("user-type") != "internal" || seen.subset() == "v2"));
    let external: Vec<&Seen> = first.iter().filter(|seen| seen.header("user-type") == "external").collect();
    assert_share("v2 by weight", percent(external.iter().copied(), |seen| seen.subset() == "v2"), 10.0, 7.0);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = workshop.counts();
    let copies = u32::try_from(after.0 + after.1 - before.0 - before.1).unwrap() - 500;
    let of = u32::try_from(external.len()).unwrap();
    assert_share("copies", 100.0 * f64::from(copies) / f64::from(of), 50.0, 15.0);

    let uids: Vec<String> = first.iter().map(|seen| seen.uid.clone().expect("a cookie")).collect();
    let forged = edge().header("user-type", "internal");
    let again = send_all(gateway, LISTENS, uids.iter().take(200).map(|uid| user(forged.clone(), uid)).collect()).await;
    for (seen, first) in again.iter().zip(&first) {
        assert_eq!(seen.header("user-type"), first.header("user-type"));
    }

    let mut client = proxies.sidecar.client(3000).unwrap();
    let seen = send(&mut client, &mesh().header("user-type", "internal")).await;
    assert_eq!((seen.subset(), seen.by_istio), ("v2", true));
    let seen = send(&mut client, &Request::new("GET", MESH, "/v1/catalogDetail")).await;
    assert_eq!((seen.subset(), seen.path.as_deref()), ("v1", Some(PATH)));
}

/// Neither the label nor the object goes by anybody else's hand, except where a namespace goes.
pub async fn what_was_generated_stays_the_deployers(workshop: &Workshop) {
    let plugin = ["wasmplugin", "-n", "workshop-ingress", "switchyard"];
    let kubectl =
        async |before: &[&str], after: &[&str]| workshop.chain.kubectl(&[before, &plugin, after].concat()).await;
    for (verb, more) in [("label", "app.kubernetes.io/managed-by-"), ("label", "team=shop"), ("delete", "--wait=false")]
    {
        let refused = kubectl(&[verb], &[more, "--as", "jane"]).await.unwrap_err();
        assert!(refused.contains("`jane` may not write what Switchyard generated"), "{refused}");
    }
    // Nor does anybody's become ours, or say what ours says.
    let mut other = workshop.get("wasmplugin", "workshop", "switchyard").await.unwrap();
    other["metadata"] = json!({"name": "other", "namespace": "workshop"});
    let refused = workshop.chain.apply_all(&[other.clone()]).await.unwrap_err();
    assert!(refused.contains("`admin` may not write what Switchyard generated"), "{refused}");
    other["spec"] = json!({"url": "oci://registry.example.com/team/own:1"});
    workshop.chain.apply_all(&[other]).await.unwrap();
    let label = ["label", "wasmplugin", "-n", "workshop", "other", "app.kubernetes.io/managed-by=switchyard"];
    assert!(workshop.chain.kubectl(&label).await.is_err());
    workshop.chain.kubectl(&["delete", "wasmplugin", "-n", "workshop", "other"]).await.unwrap();

    kubectl(&["label"], &["team=shop", "--as", DEPLOYER]).await.unwrap();
    let cleaner = "system:serviceaccount:kube-system:namespace-controller";
    assert!(kubectl(&["label"], &["team-", "--as", cleaner]).await.is_err());
    kubectl(&["delete"], &["--as", cleaner]).await.unwrap();
}
