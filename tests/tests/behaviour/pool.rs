//! Limits of connections and requests (issue 5, item 1; `envoy.md` 4.2).

use super::*;
use std::time::Instant;

const SERVICE_TIME: Duration = Duration::from_millis(16);
const RUN: Duration = Duration::from_secs(10);
const CLIENTS: usize = 20;
const TIGHT: &str = "connectionPool: {tcp: {maxConnections: 1}, \
                     http: {http1MaxPendingRequests: 1, maxRequestsPerConnection: 1}}";

/// Asks until the run is over; when each answer came, and its status.
async fn hammer(mut client: Client, until: Instant) -> Vec<(Instant, u16)> {
    let mut seen = Vec::new();
    while Instant::now() < until {
        let response = ask(&mut client, "shop").await;
        seen.push((Instant::now(), response.status));
        // Refusals take no time: without a pause the clients would take the cores from Envoy and the upstream.
        if response.status != 200 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    seen
}

/// Twenty clients for ten seconds at an Envoy of so many workers.
async fn overflow(workers: u32) {
    let shop = upstream("shop").await;
    shop.set_latency(SERVICE_TIME);
    let mesh = Mesh::start_with(|_| (), workers, &[Service::new("shop", &[shop.address()]).policy(TIGHT)]).await;
    let until = Instant::now() + RUN;
    let seen = together((0..CLIENTS).map(|_| hammer(mesh.client(), until))).await.concat();

    // Limits hold for all workers together, but each worker has a pool, and a pool without a connection may always open
    // one. It opens no second one: its own is as many as there may be. So each worker serves one request at a time.
    let served = seen.iter().filter(|(at, status)| *status == 200 && *at <= until).count();
    let most = workers as usize * usize::try_from(RUN.as_millis() / SERVICE_TIME.as_millis()).unwrap();
    assert!(served <= most, "{workers} workers: {served} were served, more than {most}");
    assert!(served >= most / 10, "{workers} workers: only {served} were served");
    let load = shop.load();
    assert!(load.most_open <= workers as usize, "{workers} workers: {load:?}");
    assert!(load.most_under_way <= workers as usize, "{workers} workers: {load:?}");
    assert_eq!((load.most_requests, load.connections), (1, shop.count()), "{workers} workers: one each");

    let logged = mesh.logged(seen.len()).await;
    let all: usize = logged.values().sum();
    assert_eq!(all, seen.len(), "{logged:?}");
    let ok: usize = logged.iter().filter(|((status, _), _)| *status == 200).map(|(_, count)| count).sum();
    let overflowed = logged.get(&(503, "UO".into())).copied().unwrap_or(0);
    assert!(overflowed * 100 >= (all - ok) * 95 && overflowed > all / 2, "{workers} workers: {logged:?}");
    assert!(mesh.stat("shop", "upstream_rq_pending_overflow").await >= overflowed as u64, "Envoy says why");
    println!("{workers} workers: {ok} of {all} got through, {logged:?}, {load:?}");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_and_one_in_waiting_let_one_request_through_at_a_time() {
    tokio::join!(overflow(1), overflow(2));
}

#[tokio::test]
async fn without_limits_the_same_load_gets_through() {
    let shop = upstream("shop").await;
    shop.set_latency(SERVICE_TIME);
    let mesh = Mesh::start(&[Service::new("shop", &[shop.address()])]).await;
    let until = Instant::now() + Duration::from_secs(1);
    let seen = together((0..CLIENTS).map(|_| hammer(mesh.client(), until))).await.concat();
    assert!(seen.iter().all(|(_, status)| *status == 200), "{seen:?}");
    assert!(shop.load().most_under_way > 2, "{:?}", shop.load());
    mesh.stop().await;
}

#[tokio::test]
async fn no_connection_carries_an_eleventh_request() {
    let (tens, many) = (upstream("tens").await, upstream("many").await);
    let mesh = Mesh::start(&[
        Service::new("tens", &[tens.address()]).policy("connectionPool: {http: {maxRequestsPerConnection: 10}}"),
        Service::new("many", &[many.address()]),
    ])
    .await;
    for name in ["tens", "many"] {
        let clients = (0..4).map(|_| mesh.client()).map(|mut client| async move {
            for _ in 0..50 {
                assert_eq!(ask(&mut client, name).await.status, 200);
            }
        });
        together(clients).await;
    }
    let (tens, many) = (tens.load(), many.load());
    assert_eq!(tens.most_requests, 10, "{tens:?}");
    assert!(tens.connections >= 20, "{tens:?}");
    assert!(many.most_requests > 10, "nothing else limits it: {many:?}");
    mesh.stop().await;
}
