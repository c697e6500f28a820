//! What a real Envoy records replays to the decisions that it made, and tells nobody's secrets.

#![cfg(not(target_family = "wasm"))]

#[path = "recording/chances.rs"]
mod chances;
#[path = "recording/observe.rs"]
mod observe;
#[path = "recording/traffic.rs"]
mod traffic;

use std::path::PathBuf;

use serde_json::{Value, json};
use switchyard_host_sim::replay::line::{self, Kind};
use switchyard_tests::generated::{Replayed, Site, echoed, gateway, service};
use switchyard_tests::harness::{Client, Echo, Response, free_port, latin1};
use tempfile::TempDir;
use traffic::{Fate, SECRET, Sent, traffic};

/// Every way to choose; on the mesh nothing is sticky by query or address, so that both are recorded there.
const POLICY: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: workshop}
spec:
  hosts: [shop]
  http:
  - name: vip
    match: [{headers: {x-vip: {exact: 'yes'}}}]
    route: [{destination: {host: shop, subset: v2}}]
  - name: bytes
    match: [{headers: {x-plan: {prefix: caf}}}]
    route: [{destination: {host: shop, subset: v1}, weight: 1}, {destination: {host: shop, subset: v2}, weight: 1}]
  - name: beta
    match: [{queryParams: {beta: {exact: '1'}}}]
    route: [{destination: {host: shop, subset: v2}}]
  - name: old
    match: [{uri: {prefix: /old/}}]
    rewrite: {uri: /new/}
    route: [{destination: {host: shop, subset: v1}, weight: 1}, {destination: {host: shop, subset: v2}, weight: 1}]
  - name: page
    match: [{uri: {exact: /page}}]
    rewrite: {uri: /other}
    route: [{destination: {host: shop, subset: v2}}]
  - name: header
    match: [{uri: {prefix: /header}}]
    route: [{destination: {host: shop, subset: v1}, weight: 1}, {destination: {host: shop, subset: v2}, weight: 1}]
  - name: issued
    match: [{uri: {prefix: /issued}}]
    route: [{destination: {host: shop, subset: v1}, weight: 1}, {destination: {host: shop, subset: v2}, weight: 1}]
  - name: ids
    match: [{uri: {prefix: /ids}}]
    route: [{destination: {host: shop, subset: v1}, weight: 1}, {destination: {host: shop, subset: v2}, weight: 1}]
  - name: tagged
    match: [{uri: {prefix: /tagged}, headers: {user-type: {exact: internal}}}, {headers: {tier: {exact: b}}}]
    route: [{destination: {host: shop, subset: v2}}]
  - name: untagged
    match: [{uri: {prefix: /tagged}}]
    route: [{destination: {host: shop, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge, namespace: workshop}
spec:
  hosts: [www.example.com]
  gateways: [edge]
  http:
  - name: query
    match: [{uri: {prefix: /query}}]
    rewrite: {uri: /}
    route: [{destination: {host: shop, subset: v1}, weight: 1}, {destination: {host: shop, subset: v2}, weight: 1}]
  - name: address
    match: [{uri: {prefix: /address}}]
    route: [{destination: {host: shop, subset: v1}, weight: 1}, {destination: {host: shop, subset: v2}, weight: 1}]
  - name: post
    match: [{method: {exact: POST}}]
    route: [{destination: {host: shop, subset: v2}}]
  - name: drawn
    match: [{uri: {prefix: /ids}}]
    route: [{destination: {host: shop, subset: v1}, weight: 1}, {destination: {host: shop, subset: v2}, weight: 1}]
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: shop, namespace: workshop}
spec:
  seed: recorded
  tags:
  - header: user-type
    hosts: [shop]
    rules: [{match: [{headers: {x-plan: {regex: 'gold.*'}}, sourceIp: [127.0.0.0/8]}], value: internal}]
    split: [{value: internal, weight: 1}, {value: external, weight: 1}]
    stickyBy: {httpCookie: {name: uid}}
  - header: tier
    hosts: [shop]
    trustClient: true
    split: [{value: a, weight: 1}, {value: b, weight: 1}]
  sticky:
  - {virtualService: shop, rule: old, by: {httpCookie: {name: uid}}}
  - {virtualService: shop, rule: header, by: {httpHeaderName: x-user}}
  - {virtualService: shop, rule: issued, by: {httpCookie: {name: sid, ttl: 1h}}}
  - {virtualService: edge, rule: query, by: {httpQueryParameterName: user}}
  - {virtualService: edge, rule: address, by: {useSourceIp: true}}
";

/// What was sent, what was seen of it, and what Envoy wrote.
struct Recorded {
    site: Site,
    warnings: Vec<String>,
    file: PathBuf,
    bytes: Vec<u8>,
    /// In the order of sending, which is that of the recording: one at a time, one worker.
    exchanges: Vec<(Sent, Response)>,
    _folder: TempDir,
}

async fn record(all_headers: bool) -> Recorded {
    let v1 = Echo::named("v1").start().await.unwrap();
    let v2 = Echo::named("v2").start().await.unwrap();
    let services = service("shop", &[("v1", v1.address()), ("v2", v2.address())]);
    let port = free_port();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("recording.json");
    let site = Site::new(&[POLICY, &services, &gateway("edge", port)].concat()).unwrap();
    let site = site.record(&file, all_headers).trusted_hops(1);
    let bootstrap = site.bootstrap().unwrap();
    let envoy = bootstrap.start().await.unwrap();
    let mesh = envoy.listener("mesh").await.unwrap();
    let edge = envoy.listener(&format!("gateway-{port}")).await.unwrap();
    // Connections that are kept; requests take turns on them.
    let mut clients: Vec<_> = [mesh, mesh, mesh, edge, edge].map(Client::new).into();
    let mut exchanges = Vec::new();
    for (index, mut sent) in traffic().into_iter().enumerate() {
        let connection = if sent.on_gateway { 3 + index % 2 } else { index % 3 };
        if sent.returns_cookie {
            let issued = exchanges.iter().rev().find_map(|(_, response): &(Sent, Response)| issued(response));
            sent.request = sent.request.header("cookie", issued.expect("a cookie was issued before"));
        }
        let response =
            clients[connection].send(&sent.request).await.unwrap_or_else(|error| panic!("{sent:?}: {error}"));
        exchanges.push((sent, response));
    }
    envoy.stop().await.unwrap();
    let bytes = std::fs::read(&file).unwrap();
    Recorded { site, warnings: bootstrap.warnings, file, bytes, exchanges, _folder: folder }
}

/// `name=value` of the cookie that a response issues.
fn issued(response: &Response) -> Option<String> {
    let cookie = latin1(response.header("set-cookie").next()?);
    Some(cookie.split(';').next()?.to_owned())
}

/// Every request is decided again, as it was: cluster, path, tags, answer.
fn assert_replays(recorded: &Recorded) {
    let Replayed { report, decisions } = recorded.site.replay(&recorded.file).unwrap();
    let decided: Vec<_> = recorded.exchanges.iter().filter(|(sent, _)| sent.is_decided()).collect();
    assert_eq!((report.undecidable.as_slice(), report.input.unreadable), (&[][..], 0), "{:?}", report.input);
    assert_eq!((report.input.requests, report.input.unfinished), (decided.len() as u64, 0));
    assert_eq!(report.input.refused, (recorded.exchanges.len() - decided.len()) as u64);
    assert_eq!((report.parity.percent, report.parity.examples.as_slice()), (Some(100.0), &[][..]));
    assert_eq!(decisions.len(), decided.len());

    let mut forwarded = 0;
    for ((sent, response), decision) in decided.iter().zip(&decisions) {
        let context = || format!("{sent:?}\n{}\n{decision}", response.text());
        let Value::Object(tags) = &decision["tags"] else { panic!("{}", context()) };
        if response.status != 200 {
            assert_eq!(
                (&decision["action"], &decision["reply"]["status"]),
                (&json!("reply"), &json!(404)),
                "{}",
                context()
            );
            assert_eq!((response.status, sent.fate), (404, Fate::NotFound), "{}", context());
            continue;
        }
        forwarded += 1;
        let said = response.json().unwrap();
        let cluster = format!("outbound|3000|{}|shop.workshop.svc.cluster.local", said["upstream"].as_str().unwrap());
        assert_eq!((&decision["cluster"], &decision["parity"]), (&json!(cluster), &json!(true)), "{}", context());
        // Of the gateway the query is not recorded, unless everything is.
        let path = said["path"].as_str().unwrap();
        let decided = decision["path"].as_str().unwrap();
        let path = if sent.on_gateway && !decided.contains('?') { path.split('?').next().unwrap() } else { path };
        assert_eq!(decided, path, "{}", context());
        if !sent.on_gateway {
            for tag in ["user-type", "tier"] {
                assert_eq!(echoed(&said, tag), [tags[tag].as_str().unwrap()], "{tag}: {}", context());
            }
        }
        assert_eq!(sent.fate, Fate::Forwarded, "{}", context());
    }
    assert_eq!(report.parity.compared, forwarded);
    assert!(forwarded > 300, "{forwarded}");
    // All of it was there: nothing of this holds by accident.
    let rules: Vec<_> = report.rules.iter().map(|rule| rule.rule.as_str()).collect();
    for rule in traffic::RULES {
        assert!(rules.contains(&rule), "`{rule}` took nothing: {rules:?}");
    }
}

/// The recorded values of a header before the filter, in the order of the requests.
fn recorded_values(bytes: &[u8], name: &str) -> Vec<Option<Vec<u8>>> {
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| line::read(line).ok());
    lines
        .filter(|line| line.kind == Kind::Start)
        .map(|line| {
            let headers = line.headers.expect("a map of headers").lines;
            headers.into_iter().find(|(known, _)| known == name.as_bytes()).and_then(|(_, value)| value)
        })
        .collect()
}

/// What a request has of a header: its lines joined, as rules see them.
fn sent_value(sent: &Sent, name: &str) -> Option<Vec<u8>> {
    let lines = sent.request.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    let lines: Vec<&[u8]> = lines.map(|(_, value)| value.trim_ascii()).collect();
    (!lines.is_empty()).then(|| lines.join(&b","[..]))
}

fn assert_bytes(recorded: &Recorded, name: &str) {
    let decided = recorded.exchanges.iter().map(|(sent, _)| sent).filter(|sent| sent.is_decided());
    let sent: Vec<_> = decided.map(|sent| sent_value(sent, name)).collect();
    let found = recorded_values(&recorded.bytes, name);
    assert_eq!(found.len(), sent.len());
    for (found, sent) in found.iter().zip(&sent) {
        assert_eq!(found.as_deref().map(latin1), sent.as_deref().map(latin1), "`{name}`");
    }
    assert!(sent.iter().flatten().count() > 20, "`{name}`");
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_recording_of_what_the_policy_reads_replays_to_the_same_decisions_and_holds_no_secret() {
    let recorded = record(false).await;
    assert_replays(&recorded);
    assert_bytes(&recorded, "x-plan");

    assert!(!holds(&recorded.bytes, SECRET), "the recording holds a secret");
    assert!(!holds(&recorded.bytes, "203.0.113."), "the recording holds a source address that is a subject");
    let cookies: Vec<_> = recorded.exchanges.iter().filter_map(|(_, response)| issued(response)).collect();
    assert!(cookies.len() > 20, "{cookies:?}");
    for cookie in cookies {
        let (_, value) = cookie.split_once('=').unwrap();
        assert!(value.len() == 32 && !holds(&recorded.bytes, value), "the recording holds the issued cookie `{value}`");
    }
    // The tag that asks for the address has no host on the gateway, where the address is a subject.
    assert!(
        recorded.warnings.iter().all(|said| said.contains("does not hold source addresses")),
        "{:?}",
        recorded.warnings
    );

    // Another policy: what it asks for and the recording lacks is told by name.
    let services = "
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop, namespace: workshop}
spec: {hosts: [shop.workshop.svc.cluster.local], resolution: STATIC, ports: [{number: 3000, name: http, protocol: HTTP}]}
";
    let other = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: workshop}
spec:
  hosts: [shop]
  http:
  - match: [{uri: {prefix: /ids}, headers: {x-country: {exact: se}}}]
    route: [{destination: {host: shop}}]
  - match: [{headers: {x-plan: {exact: none}}}]
    route: [{destination: {host: shop}}]
";
    let Replayed { report, .. } = Site::new(&[other, services].concat()).unwrap().replay(&recorded.file).unwrap();
    let on_ids = recorded.exchanges.iter().filter(|(sent, _)| {
        let (host, target) = (latin1(&sent.request.headers[0].1).to_lowercase(), latin1(&sent.request.target));
        let is_known = host.starts_with("shop") && host != "shop.example";
        is_known && sent.is_decided() && (target.starts_with("/ids") || target.starts_with("/x/../ids"))
    });
    let missing: Vec<_> = report.undecidable.iter().map(|one| (one.missing.as_str(), one.requests)).collect();
    assert_eq!(missing, [("header `x-country`", on_ids.count() as u64)]);
}

#[tokio::test]
async fn a_recording_of_all_headers_warns_and_replays_too() {
    let recorded = record(true).await;
    assert_replays(&recorded);
    for name in ["x-plan", "x-user", "authorization", "x-noise"] {
        assert_bytes(&recorded, name);
    }
    assert!(holds(&recorded.bytes, SECRET));
    assert_eq!(recorded.warnings.len(), 2, "{:?}", recorded.warnings);
    for (warning, listener) in recorded.warnings.iter().zip(["mesh", "gateway-"]) {
        let start = format!("the recording of `{listener}");
        assert!(
            warning.starts_with(&start) && warning.contains("holds every header, cookies and credentials too"),
            "{warning}"
        );
    }
}
