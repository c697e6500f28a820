//! `LEAST_REQUEST` against `ROUND_ROBIN` with one slow host (issue 5, item 3; `envoy.md` 4.4).
//!
//! The arithmetic. Of n hosts one takes S for an answer and the others F, and C clients ask again when they are answered.
//!
//! In turn each host gets 1/n, so the clients wait at the slow one.
//!
//! By load two hosts are drawn, with replacement, and the one with fewer requests under way is taken. While the slow host
//! has more than any other, it gets a request only if both draws are it: 1/n². With that share and r requests a second it
//! has r·S/n² under way and each other r·F·(1−1/n²)/(n−1); all are C, so r = C/(S/n² + F·(1−1/n²)).
//!
//! n = 4, S = 1600 ms, F = 20 ms, C = 32: r = 269/s, 27 under way at the slow host and 1.7 at each other. n = 2, S = 800 ms,
//! F = 20 ms, C = 16: r = 74/s, 15 and 1.1. Each client is at a host independently of the others (multinomial), so how
//! often another has as many as the slow one, and the slow one is taken though drawn once, is known: the share grows by less
//! than 0.001 %. On a machine so loaded that F is 80 ms it grows by 0.03 % (n = 4) and 0.5 % (n = 2). So it is 1/n², and
//! since draws are independent, the count is binomial.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const FAST: Duration = Duration::from_millis(20);

/// How many of `requests` the slow host gets, after some that fill it; so many clients ask at once.
async fn slow_share(mesh: &Mesh, service: &'static str, clients: u32, [warm_up, requests]: [u32; 2]) -> u32 {
    let next = Arc::new(AtomicU32::new(0));
    let one = |mut client: Client, next: Arc<AtomicU32>| async move {
        let mut slow = 0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= warm_up + requests {
                return slow;
            }
            let from = responder(&ask(&mut client, service).await);
            slow += u32::from(from == "slow" && number >= warm_up);
        }
    };
    together((0..clients).map(|_| one(mesh.client(), Arc::clone(&next)))).await.iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_host_gets_one_of_n_in_turn_and_one_of_n_squared_by_load() {
    let (mut fast, mut slow) = (upstreams(3).await, Vec::new());
    for host in &mut fast {
        host.set_latency(FAST);
    }
    for latency in [1600, 800] {
        let host = upstream("slow").await;
        host.set_latency(Duration::from_millis(latency));
        slow.push(host);
    }
    let four = [&[slow[0].address()], &addresses(&fast)[..]].concat();
    let two = [slow[1].address(), fast[0].address()];
    let simple = |simple: &str| format!("loadBalancer: {{simple: {simple}}}");
    let mesh = Mesh::start(&[
        Service::new("turn-four", &four).policy(&simple("ROUND_ROBIN")),
        Service::new("load-four", &four).policy(&simple("LEAST_REQUEST")),
        Service::new("turn-two", &two).policy(&simple("ROUND_ROBIN")),
        // What nothing written means.
        Service::new("load-two", &two),
    ])
    .await;
    let (turn_four, load_four, turn_two, load_two) = tokio::join!(
        slow_share(&mesh, "turn-four", 32, [0, 160]),
        slow_share(&mesh, "load-four", 32, [150, 900]),
        slow_share(&mesh, "turn-two", 16, [0, 100]),
        slow_share(&mesh, "load-two", 16, [40, 300]),
    );
    println!("in turn {turn_four}/160, {turn_two}/100; by load {load_four}/900, {load_two}/300");
    assert_eq!(turn_four, 160 / 4, "one worker takes them in turn");
    assert_eq!(turn_two, 100 / 2, "one worker takes them in turn");
    for (count, of, hosts) in [(load_four, 900, 4.0_f64), (load_two, 300, 2.0)] {
        let band = band(of, 1.0 / (hosts * hosts));
        assert!(band.contains(&f64::from(count)), "{hosts} hosts: {count} of {of}, not within {band:?}");
        assert!(!band.contains(&(f64::from(of) / hosts)), "the band tells the two apart");
    }
    mesh.stop().await;
}
