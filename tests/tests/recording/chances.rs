//! Faults and mirrors at 50 %: what clients and upstreams saw is what the recording replays to.

use std::time::{Duration, Instant};

use super::*;
use switchyard_tests::harness::Request;

const REQUESTS: usize = 120;

const DELAY: Duration = Duration::from_millis(60);

const CHANCES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: workshop}
spec:
  hosts: [shop]
  http:
  - name: r
    fault:
      delay: {percentage: {value: 50}, fixedDelay: 60ms}
      abort: {percentage: {value: 50}, httpStatus: 418}
    mirrors:
    - {destination: {host: shop, subset: v1}, percentage: {value: 50}}
    - {destination: {host: shop, subset: v2}, percentage: {value: 50}}
    route: [{destination: {host: own}}]
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: shop, namespace: workshop}
spec: {seed: recorded, faults: CARRIER}
";

/// What was seen of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    delayed: bool,
    aborted: bool,
    /// Whether a copy came to v1, and to v2.
    copies: [bool; 2],
}

async fn replays(carrier: &str) {
    let own = Echo::named("own").start().await.unwrap();
    let v1 = Echo::named("v1").recording().start().await.unwrap();
    let v2 = Echo::named("v2").recording().start().await.unwrap();
    let services =
        [service("shop", &[("v1", v1.address()), ("v2", v2.address())]), service("own", &[("only", own.address())])];
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("recording.json");
    let policy = CHANCES.replace("CARRIER", carrier);
    let site = Site::new(&[policy, services.concat()].concat()).unwrap().record(&file, false);
    let envoy = site.bootstrap().unwrap().start().await.unwrap();
    let mut client = Client::new(envoy.listener("mesh").await.unwrap());
    let mut answered = Vec::new();
    for number in 0..REQUESTS {
        // One id for all: it decides nothing here.
        let request = Request::new("GET", "shop", format!("/{number}")).header("x-request-id", "shared");
        let sent = Instant::now();
        let response = client.send(&request).await.unwrap();
        // Envoy's own timer may be a little early; nothing else takes as long here, but a busy machine may.
        answered.push((response.status == 418, sent.elapsed() + Duration::from_millis(5) >= DELAY));
    }
    // Copies follow their request; the last one's have a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    envoy.stop().await.unwrap();
    let arrived = |echo: &Echo| echo.received().into_iter().map(|copy| copy.path).collect::<Vec<_>>();
    let copies = [arrived(&v1), arrived(&v2)];

    let replayed = site.replay(&file).unwrap();
    assert_eq!(replayed.decisions.len(), REQUESTS);
    assert_eq!((replayed.report.parity.compared, replayed.report.parity.equal), (120, 120));
    let mut all = Vec::new();
    for (number, ((aborted, is_late), decision)) in answered.into_iter().zip(&replayed.decisions).enumerate() {
        let path = format!("/{number}");
        assert_eq!(decision["path"], path, "one after another");
        let fault = &decision["fault"];
        let mirrors = decision["mirrors"].as_array().unwrap();
        let to =
            |subset: &str| mirrors.contains(&format!("outbound|3000|{subset}|shop.workshop.svc.cluster.local").into());
        let expected = Seen {
            delayed: fault["delayMs"] == 60,
            aborted: fault["abortStatus"] == 418,
            copies: ["v1", "v2"].map(to),
        };
        let seen = Seen {
            // Being late proves nothing on a busy machine; being early does.
            delayed: if is_late { expected.delayed } else { false },
            aborted,
            copies: copies.each_ref().map(|paths| paths.contains(&path)),
        };
        assert_eq!(seen, expected, "{carrier}: {path}: {decision}");
        all.push(expected);
    }
    // 120 coins each: what is said above is about something.
    for (what, count) in [
        ("delayed", all.iter().filter(|seen| seen.delayed).count()),
        ("aborted", all.iter().filter(|seen| seen.aborted).count()),
        ("copied to v1", all.iter().filter(|seen| seen.copies[0]).count()),
        ("copied to v2", all.iter().filter(|seen| seen.copies[1]).count()),
    ] {
        let least = if what.starts_with("copied") { 8 } else { 25 };
        assert!((least..95).contains(&count), "{carrier}: {count} {what}");
    }
    let chances: Vec<_> = replayed.report.chances.iter().map(|row| (row.what.as_str(), row.unknown)).collect();
    let mirror = |subset: &str| format!("mirror outbound|3000|{subset}|shop.workshop.svc.cluster.local");
    assert_eq!(chances, [("delay 60 ms", 0), ("abort 418", 0), (&mirror("v1"), 0), (&mirror("v2"), 0)]);
    for row in &replayed.report.chances {
        assert_eq!((row.share.n, row.share.expected), (120, Some(0.5)), "{row:?}");
    }
}

#[tokio::test]
async fn chances_that_the_filter_carries_out_replay_exactly() {
    replays("filter").await;
}

#[tokio::test]
async fn chances_that_envoy_carries_out_replay_exactly() {
    replays("envoy").await;
}
