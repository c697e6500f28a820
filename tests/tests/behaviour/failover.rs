//! Localities as priorities (issue 5, item 5; `istio.md` 2.4, `envoy.md` 4.4).

use super::ejection::{MERGE, SLACK, Traffic};
use super::*;
use std::collections::BTreeMap;

const HERE: &str = "eu/a/1";

fn tally(seen: &[String]) -> BTreeMap<&str, u32> {
    let mut counts = BTreeMap::new();
    for from in seen {
        *counts.entry(from.as_str()).or_insert(0) += 1;
    }
    counts
}

#[tokio::test]
async fn traffic_leaves_a_place_that_fails_for_the_next_one_and_returns() {
    let hosts = upstreams(5).await;
    let at = addresses(&hosts);
    let policy = "outlierDetection: {consecutive5xxErrors: 1, interval: 500ms, baseEjectionTime: 3s, \
                  maxEjectionPercent: 100}";
    let shop = Service::new("shop", &[]).policy(policy);
    let shop = shop.also_in("us/x/1", &at[4..]).also_in(HERE, &at[..2]).also_in("eu/b/1", &at[2..4]);
    let mesh = Mesh::start_with(|site| site.options.locality = HERE.into(), 1, &[shop]).await;
    let mut client = mesh.client();
    let mut from = Vec::new();
    for _ in 0..60 {
        from.push(responder(&ask(&mut client, "shop").await));
    }
    assert_eq!(tally(&from).keys().copied().collect::<Vec<_>>(), ["a", "b"], "both here, and nobody else");

    let (here, next) = (&hosts[..2], &hosts[2..4]);
    for host in here {
        host.set_status(500);
    }
    let traffic = Traffic::start(&mesh, "shop");
    eventually("two ejections", async || mesh.stat("shop", "outlier_detection.ejections_active").await == 2).await;
    let away_from: u64 = next.iter().map(Echo::count).sum();
    eventually("the next place", async || next.iter().map(Echo::count).sum::<u64>() > away_from + 20).await;
    for host in here {
        host.set_status(200);
    }
    eventually("their return", async || {
        here.iter().all(|host| mesh.ejections(host.address()).last().is_some_and(|e| !e.ejects))
    })
    .await;
    let back = mesh::now();
    tokio::time::sleep(MERGE + SLACK).await;
    let served: u64 = here.iter().map(Echo::count).sum();
    eventually("traffic here", async || here.iter().map(Echo::count).sum::<u64>() > served + 20).await;
    let seen = traffic.stop().await;

    // While both were away at once, all went to the next place, without an error.
    let left = here.iter().map(|host| mesh.ejections(host.address()).iter().rfind(|e| e.ejects).unwrap().at).max();
    let returned = here.iter().map(|host| mesh.ejections(host.address()).last().unwrap().at).min();
    let (left, returned) = (left.unwrap() + MERGE + SLACK, returned.unwrap());
    let away: Vec<_> = seen.iter().filter(|one| one.sent >= left && one.came < returned).collect();
    assert!(away.len() >= 10, "{} requests while nobody was here", away.len());
    assert!(away.iter().all(|one| one.status == 200 && ["c", "d"].contains(&one.from.as_str())), "{away:?}");
    let after: Vec<_> = seen.iter().filter(|one| one.sent >= back + MERGE + SLACK).collect();
    assert!(after.len() >= 10, "{} requests afterwards", after.len());
    assert!(after.iter().all(|one| one.status == 200 && ["a", "b"].contains(&one.from.as_str())), "{after:?}");
    assert_eq!(hosts[4].count(), 0, "the far place is never needed");
    println!("{} of {} requests while nobody was here, {} after", away.len(), seen.len(), after.len());
    mesh.stop().await;
}

/// 140 % of a half: 70 % stay (`envoy.md` 4.4).
#[tokio::test]
async fn half_a_place_keeps_seventy_percent() {
    let hosts = upstreams(3).await;
    let at = addresses(&hosts);
    let policy = "outlierDetection: {consecutive5xxErrors: 1, interval: 60s, baseEjectionTime: 60s, \
                  maxEjectionPercent: 100}";
    let shop = Service::new("shop", &[]).policy(policy).also_in(HERE, &at[..2]).also_in("eu/b/1", &at[2..]);
    // Without outlier detection nothing fails over, so places are no priorities.
    let flat = Service::new("flat", &[]).also_in(HERE, &at[..2]).also_in("eu/b/1", &at[2..]);
    let mesh = Mesh::start_with(|site| site.options.locality = HERE.into(), 1, &[shop, flat]).await;
    let mut client = mesh.client();
    let mut from = Vec::new();
    for _ in 0..60 {
        from.push(responder(&ask(&mut client, "flat").await));
    }
    assert_eq!(tally(&from).len(), 3, "{from:?}");

    hosts[0].set_status(500);
    eventually("an ejection", async || {
        ask(&mut client, "shop").await;
        mesh.stat("shop", "outlier_detection.ejections_active").await == 1
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    from.clear();
    for _ in 0..600 {
        from.push(responder(&ask(&mut client, "shop").await));
    }
    let counts = tally(&from);
    println!("{counts:?}");
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), ["b", "c"]);
    let stay = f64::from(counts["b"]);
    assert!(band(600, 0.7).contains(&stay), "{counts:?}");
    mesh.stop().await;
}
