//! Timeouts, retries and mirrors of a rule (issue 5, item 7; `istio.md` 1.11, 1.12, 1.14).

use super::*;
use std::time::Instant;
use switchyard_tests::harness::free_port;

const RANDOM: &str = "loadBalancer: {simple: RANDOM}";

#[tokio::test]
async fn an_answer_that_takes_longer_than_the_timeout_is_a_504() {
    let slow = upstream("slow").await;
    slow.set_latency(Duration::from_secs(5));
    let mesh = Mesh::start(&[
        Service::new("shop", &[slow.address()]).rule("timeout: 300ms, retries: {attempts: 0}"),
        Service::new("quick", &[slow.address()]).rule("timeout: 300ms, retries: {attempts: 0}"),
    ])
    .await;
    let mut client = mesh.client();
    let asked = Instant::now();
    let response = ask(&mut client, "shop").await;
    let took = asked.elapsed();
    assert_eq!((response.status, response.text().as_str()), (504, "upstream request timeout"));
    // Envoy's timers may fire 3 ms early (`envoy.md` 2).
    assert!(took >= Duration::from_millis(295) && took < Duration::from_secs(4), "{took:?}");
    assert_eq!(mesh.logged(1).await.into_keys().collect::<Vec<_>>(), [(504, "UT".to_owned())]);
    slow.set_latency(Duration::ZERO);
    assert_eq!(ask(&mut client, "quick").await.status, 200);
    mesh.stop().await;
}

#[tokio::test]
async fn a_try_that_takes_too_long_is_made_again_elsewhere() {
    let (slow, fast) = (upstream("slow").await, upstream("fast").await);
    slow.set_latency(Duration::from_secs(5));
    let shop = Service::new("shop", &[slow.address(), fast.address()]).policy("loadBalancer: {simple: ROUND_ROBIN}");
    let rule = "timeout: 4s, retries: {attempts: 1, perTryTimeout: 200ms, retryOn: gateway-error}";
    let mesh = Mesh::start(&[shop.rule(rule)]).await;
    let mut client = mesh.client();
    for _ in 0..6 {
        let response = ask(&mut client, "shop").await;
        assert_eq!((response.status, responder(&response).as_str()), (200, "fast"));
    }
    assert!(slow.count() > 0, "some were tried there first");
    assert_eq!(mesh.stat("shop", "upstream_rq_retry").await, slow.count());
    assert_eq!(mesh.stat("shop", "upstream_rq_per_try_timeout").await, slow.count());
    mesh.stop().await;
}

/// Two hosts at random, of which one fails: without a retry half the requests fail. A retry that went anywhere would meet
/// the same host again for half of those: a quarter. One that goes elsewhere draws six times until it meets another host
/// (`istio.md` 1.12): 1/128.
fn assert_elsewhere(failed: u32, requests: u32) {
    let bound = *band(requests, 1.0 / 128.0).end();
    assert!(bound < *band(requests, 0.25).start(), "the bound tells the two apart");
    assert!(f64::from(failed) <= bound, "{failed} of {requests} failed, more than {bound}");
}

#[tokio::test]
async fn a_503_is_tried_again_on_another_host() {
    let (ill, well) = (upstream("ill").await, upstream("well").await);
    ill.set_status(503);
    let both = [ill.address(), well.address()];
    let mesh = Mesh::start(&[
        Service::new("shop", &both).policy(RANDOM).rule("retries: {attempts: 1, retryOn: '503'}"),
        Service::new("once", &both).policy(RANDOM),
    ])
    .await;
    let mut client = mesh.client();
    let mut failed = 0;
    for _ in 0..400 {
        failed += u32::from(ask(&mut client, "shop").await.status != 200);
    }
    println!("{failed} of 400 failed, {} retries", mesh.stat("shop", "upstream_rq_retry").await);
    assert_elsewhere(failed, 400);
    assert_eq!(well.count(), u64::from(400 - failed), "each of the others once");
    let retries = mesh.stat("shop", "upstream_rq_retry").await;
    assert_eq!(ill.count() + well.count(), 400 + retries, "each retry is one request more");
    assert!(band(400, 0.5).contains(&(f64::from(u32::try_from(retries).unwrap()))), "half met the ill one: {retries}");

    let mut failed = 0;
    for _ in 0..100 {
        failed += u32::from(ask(&mut client, "once").await.status == 503);
    }
    assert!(band(100, 0.5).contains(&f64::from(failed)), "without retries {failed} of 100 fail");
    mesh.stop().await;
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_on_another_host() {
    let well = upstream("well").await;
    let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let both = [nobody, well.address()];
    let mesh = Mesh::start(&[
        // What a rule without retries has, and one that says it.
        Service::new("unsaid", &both).policy(RANDOM).rule(""),
        Service::new("said", &both).policy(RANDOM).rule("retries: {attempts: 1, retryOn: connect-failure}"),
        Service::new("once", &both).policy(RANDOM),
    ])
    .await;
    let mut client = mesh.client();
    for service in ["unsaid", "said"] {
        let before = well.count();
        let mut failed = 0;
        for _ in 0..200 {
            failed += u32::from(ask(&mut client, service).await.status != 200);
        }
        println!("{service}: {failed} of 200 failed");
        assert_elsewhere(failed, 200);
        assert_eq!(well.count() - before, u64::from(200 - failed));
        assert!(mesh.stat(service, "upstream_rq_retry").await > 50, "half of them met nobody first");
    }
    let mut failed = 0;
    for _ in 0..100 {
        failed += u32::from(ask(&mut client, "once").await.status == 503);
    }
    assert!(band(100, 0.5).contains(&f64::from(failed)), "without retries {failed} of 100 fail");
    mesh.stop().await;
}

#[tokio::test]
async fn the_mirror_counts_a_copy_of_each_request_and_not_of_each_retry() {
    let (ill, well, mirror, half) =
        (upstream("ill").await, upstream("well").await, upstream("mirror").await, upstream("half").await);
    ill.set_status(503);
    let rule = "retries: {attempts: 3, retryOn: '503'}, mirrors: [{destination: {host: mirror}}, \
                {destination: {host: half}, percentage: {value: 50}}]";
    let turn = "loadBalancer: {simple: ROUND_ROBIN}";
    let mesh = Mesh::start(&[
        Service::new("shop", &[ill.address(), well.address()]).policy(turn).rule(rule),
        Service::new("mirror", &[mirror.address()]),
        Service::new("half", &[half.address()]),
    ])
    .await;
    let mut client = mesh.client();
    for _ in 0..400 {
        let response = ask(&mut client, "shop").await;
        assert_eq!((response.status, responder(&response).as_str()), (200, "well"), "never the mirror's answer");
    }
    assert!(ill.count() >= 100, "there were retries");
    eventually("every copy", async || mirror.count() >= 400).await;
    // Copies that come too many would come now.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((well.count(), mirror.count()), (400, 400));
    let copies = f64::from(u32::try_from(half.count()).unwrap());
    assert!(band(400, 0.5).contains(&copies), "{copies} of 400 at fifty percent");
    mesh.stop().await;
}
