//! Outlier detection (issue 5, item 2; `envoy.md` 4.3). How long a host is away is read from Envoy's own log.

use super::mesh::now;
use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Sweeps, which bring hosts back, are a second apart, and so are ejections of a host that stays ill.
const SHORT: &str = "outlierDetection: {consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 1s, \
                     maxEjectionPercent: 100}, loadBalancer: {simple: ROUND_ROBIN}";
const BASE: Duration = Duration::from_secs(1);
const SWEEP: Duration = Duration::from_secs(1);
/// What a loaded machine may add before Envoy's main thread or a worker gets to it.
pub const SLACK: Duration = Duration::from_millis(500);
/// Workers are told of a first change of a cluster's hosts at once, and of those within a second of it together after
/// that (`common_lb_config.update_merge_window`, 1 s; seen in 1.40.0).
pub const MERGE: Duration = Duration::from_secs(1);

/// An answer: when it was asked for, when it came, from whom.
#[derive(Clone, Debug)]
pub struct Seen {
    pub sent: Duration,
    pub came: Duration,
    pub status: u16,
    pub from: String,
}

/// Asks a service every few milliseconds until it is told to end.
pub struct Traffic {
    end: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Vec<Seen>>,
}

impl Traffic {
    pub fn start(mesh: &Mesh, service: &'static str) -> Self {
        let (mut client, end) = (mesh.client(), Arc::new(AtomicBool::new(false)));
        let ended = Arc::clone(&end);
        let task = tokio::spawn(async move {
            let mut all = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                let sent = now();
                let response = ask(&mut client, service).await;
                // Envoy's own answers are no JSON.
                let from = response.json().ok().and_then(|said| Some(said["upstream"].as_str()?.to_owned()));
                let from = from.unwrap_or_default();
                all.push(Seen { sent, came: now(), status: response.status, from });
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            all
        });
        Self { end, task }
    }

    pub async fn stop(self) -> Vec<Seen> {
        self.end.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

#[tokio::test]
async fn the_ill_one_of_five_is_ejected_comes_back_and_stays_away_longer_the_next_time() {
    let hosts = upstreams(5).await;
    let ill = &hosts[2];
    ill.set_status(500);
    let mesh = Mesh::start(&[Service::new("shop", &addresses(&hosts)).policy(SHORT)]).await;
    let traffic = Traffic::start(&mesh, "shop");
    let events = || mesh.ejections(ill.address());
    // Ejected, back and still ill, so ejected again; then it gets well.
    eventually("a second ejection", async || events().len() >= 3).await;
    ill.set_status(200);
    eventually("its end", async || events().len() >= 4).await;
    let before = ill.count();
    eventually("traffic", async || ill.count() > before + 2).await;
    let seen = traffic.stop().await;

    let found = events();
    let [out, back, out_again, back_again] = found[..] else { panic!("{found:?}") };
    assert_eq!(found.iter().map(|event| event.ejects).collect::<Vec<_>>(), [true, false, true, false]);
    let (first, second) = (back.since(out), back_again.since(out_again));
    // Hosts come back at the first sweep after their time, which is counted times the base (`envoy.md` 4.3).
    println!("away for {first:?}, then for {second:?}; {} requests", seen.len());
    assert!((BASE..BASE + SWEEP + SLACK).contains(&first), "{first:?}");
    assert!((2 * BASE..2 * BASE + SWEEP + SLACK).contains(&second), "{second:?}");
    assert!(second > first, "{first:?}, then {second:?}");

    // Three errors in a row, and the few that come before the worker is told.
    // One that was on its way when the host came back belongs to what follows.
    let errors = |from: Duration, to: Duration| {
        seen.iter().filter(|one| one.status != 200 && one.came >= from && one.sent < to).count()
    };
    assert!((3..=7).contains(&errors(Duration::ZERO, back.at)), "{}", errors(Duration::ZERO, back.at));
    assert!(errors(back.at, out_again.at) >= 3, "{}", errors(back.at, out_again.at));
    assert_eq!(errors(back_again.at, Duration::MAX), 0, "it is well");
    // The second ejection follows the return within a second, so the worker is told later.
    for (out, back, told) in [(out, back, SLACK), (out_again, back_again, MERGE + SLACK)] {
        let away: Vec<_> = seen.iter().filter(|one| one.sent >= out.at + told && one.came < back.at).collect();
        assert!(away.len() >= 10, "{} requests while it was away", away.len());
        assert!(away.iter().all(|one| one.status == 200 && one.from != "c"), "{away:?}");
    }
    assert!(hosts.iter().filter(|host| host.address() != ill.address()).all(|host| events_of(&mesh, host) == 0));
    mesh.stop().await;
}

fn events_of(mesh: &Mesh, host: &Echo) -> usize {
    mesh.ejections(host.address()).len()
}

#[tokio::test]
async fn at_most_two_of_four_are_ejected_at_fifty_percent() {
    let hosts = upstreams(4).await;
    for ill in &hosts[..3] {
        ill.set_status(500);
    }
    let policy = "outlierDetection: {consecutive5xxErrors: 2, interval: 1s, baseEjectionTime: 60s, \
                  maxEjectionPercent: 50}, loadBalancer: {simple: ROUND_ROBIN}";
    let all = policy.replace("50}", "100}");
    let mesh = Mesh::start(&[
        Service::new("shop", &addresses(&hosts)).policy(policy),
        Service::new("free", &addresses(&hosts)).policy(&all),
    ])
    .await;
    let mut client = mesh.client();
    let mut most = 0;
    eventually("the third is refused its ejection", async || {
        for _ in 0..8 {
            ask(&mut client, "shop").await;
        }
        most = most.max(mesh.stat("shop", "outlier_detection.ejections_active").await);
        mesh.stat("shop", "outlier_detection.ejections_overflow").await >= 5
    })
    .await;
    assert_eq!(most, 2, "of three that are ill");
    assert_eq!(mesh.stat("shop", "outlier_detection.ejections_active").await, 2);
    let clusters = mesh.envoy.admin_get("/clusters").await.unwrap().text();
    let away = clusters.lines().filter(|line| line.contains("shop.") && line.contains("/failed_outlier_check"));
    assert_eq!(away.count(), 2);
    tokio::time::sleep(MERGE + SLACK).await;
    let before: Vec<u64> = hosts.iter().map(Echo::count).collect();
    for _ in 0..8 {
        ask(&mut client, "shop").await;
    }
    let asked: Vec<u64> = hosts.iter().zip(before).map(|(host, before)| host.count() - before).collect();
    assert_eq!(asked.iter().filter(|count| **count == 4).count(), 2, "one that is ill and the other: {asked:?}");
    assert_eq!(asked[3], 4, "{asked:?}");

    // With a hundred percent all three leave.
    for _ in 0..60 {
        ask(&mut client, "free").await;
    }
    assert_eq!(mesh.stat("free", "outlier_detection.ejections_active").await, 3);
    mesh.stop().await;
}

/// Answers these statuses one after the other; whether the only host is ejected then.
async fn ejects(mesh: &Mesh, host: &Echo, service: &str, statuses: &[u16]) -> bool {
    let mut client = mesh.client();
    for status in statuses {
        host.set_status(*status);
        assert_eq!(ask(&mut client, service).await.status, *status);
    }
    // Envoy's main thread ejects: one that does not come is given a moment.
    for _ in 0..30 {
        if mesh.stat(service, "outlier_detection.ejections_active").await > 0 {
            let response = ask(&mut client, service).await;
            assert_eq!((response.status, response.text().as_str()), (503, "no healthy upstream"));
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn only_what_is_told_to_count_counts_and_only_in_a_row() {
    let gateway = "outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 3, interval: 60s, \
                   baseEjectionTime: 60s, maxEjectionPercent: 100}";
    let any = "outlierDetection: {consecutive5xxErrors: 3, interval: 60s, baseEjectionTime: 60s, \
               maxEjectionPercent: 100}";
    let none = any.replace("Errors: 3", "Errors: 0");
    let table: [(&str, &[u16], bool); 8] = [
        (gateway, &[500, 500, 500, 501, 505, 599, 500, 500, 500, 500], false),
        (gateway, &[502, 503, 504], true),
        (gateway, &[502, 502, 500, 503, 503, 500, 504, 504], false),
        (gateway, &[502, 503, 200, 504, 503], false),
        (any, &[500, 503, 599], true),
        (any, &[500, 500, 200, 500, 500, 404, 500, 500], false),
        (any, &[404, 429, 499, 404, 404], false),
        (&none, &[500, 502, 503, 504, 500, 500], false),
    ];
    let mut hosts = Vec::new();
    let mut services = Vec::new();
    for (index, (policy, ..)) in table.iter().enumerate() {
        let host = upstream("only").await;
        services.push(Service::new(&format!("shop-{index}"), &[host.address()]).policy(policy));
        hosts.push(host);
    }
    let mesh = Mesh::start(&services).await;
    for (index, (policy, statuses, expected)) in table.iter().enumerate() {
        let found = ejects(&mesh, &hosts[index], &format!("shop-{index}"), statuses).await;
        assert_eq!(found, *expected, "{statuses:?} with {policy}");
    }
    mesh.stop().await;
}

#[tokio::test]
async fn every_second_answer_that_fails_is_none_in_a_row() {
    let host = upstream("only").await;
    let policy = "outlierDetection: {consecutive5xxErrors: 2, interval: 60s, baseEjectionTime: 60s, \
                  maxEjectionPercent: 100}";
    let mesh = Mesh::start(&[Service::new("shop", &[host.address()]).policy(policy)]).await;
    host.set_errors(50, 500);
    let mut client = mesh.client();
    let mut failed = 0;
    for _ in 0..100 {
        failed += u32::from(ask(&mut client, "shop").await.status == 500);
    }
    assert_eq!(failed, 50);
    assert_eq!(mesh.stat("shop", "outlier_detection.ejections_active").await, 0);
    host.set_errors(0, 500);
    assert!(ejects(&mesh, &host, "shop", &[200, 500, 500]).await, "two in a row");
    mesh.stop().await;
}
