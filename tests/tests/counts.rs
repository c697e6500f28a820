//! What the filter counts, as Prometheus reads it from a real Envoy: names that a bootstrap's `stats_tags` take labels of.

#![cfg(not(target_family = "wasm"))]

use serde_json::json;
use std::time::Duration;
use switchyard_tests::generated::{Bootstrap, Site, service};
use switchyard_tests::harness::{Client, Echo, Envoy, Request};

const MANIFESTS: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: workshop}
spec:
  hosts: [shop]
  http:
  - name: closed
    match: [{uri: {prefix: /closed}}]
    fault: {abort: {percentage: {value: 100}, httpStatus: 503}}
    route: [{destination: {host: shop, subset: v1}}]
  - name: moved
    match: [{uri: {prefix: /moved}}]
    redirect: {uri: /new}
  - name: open
    match: [{uri: {prefix: /open}}]
    route: [{destination: {host: shop, subset: v2}}]
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: shop, namespace: workshop}
spec:
  metrics: METRICS
  tags: [{header: user-type, hosts: [shop], rules: [{match: [{headers: {x-staff: {}}}], value: internal}]}]
---
";

/// Six requests; what the counters say a second later, `labels value` each, in order.
async fn counted(bootstrap: &Bootstrap) -> Vec<String> {
    let envoy = bootstrap.start().await.unwrap();
    let mut client = Client::new(envoy.listener("mesh").await.unwrap());
    for (path, staff, status) in [
        ("/open", true, 200),
        ("/open", false, 200),
        ("/open", false, 200),
        ("/closed", false, 503),
        ("/moved", false, 301),
        ("/none", false, 404),
    ] {
        let mut request = Request::new("GET", "shop", path);
        if staff {
            request = request.header("x-staff", "1");
        }
        assert_eq!(client.send(&request).await.unwrap().status, status, "{path}");
    }
    let counted = prometheus(&envoy).await;
    envoy.stop().await.unwrap();
    counted
}

async fn prometheus(envoy: &Envoy) -> Vec<String> {
    // The filter hands over what it counted once a second.
    for _ in 0..100 {
        let text = envoy.admin_get("/stats/prometheus?usedonly").await.unwrap().text();
        let lines = text.lines().filter(|line| line.starts_with("switchyard_requests"));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        if !lines.is_empty() {
            lines.sort();
            return lines;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing is counted");
}

async fn site(metrics: &str) -> (Bootstrap, Echo) {
    let echo = Echo::named("shop").start().await.unwrap();
    let services = service("shop", &[("v1", echo.address()), ("v2", echo.address())]);
    let site = Site::new(&[&MANIFESTS.replace("METRICS", metrics), services.as_str()].concat()).unwrap();
    (site.bootstrap().unwrap(), echo)
}

fn line(destination: &str, outcome: &str, tag: &str, service: &str, rule: Option<&str>, value: u32) -> String {
    let mut labels = vec![
        format!("destination=\"{destination}\""),
        format!("outcome=\"{outcome}\""),
        format!("tag_user_type=\"{tag}\""),
        format!("virtual_service=\"{service}\""),
    ];
    labels.extend(rule.map(|rule| format!("rule=\"{rule}\"")));
    labels.sort();
    format!("switchyard_requests{{{}}} {value}", labels.join(","))
}

fn expected(port: u16, by_rule: bool) -> Vec<String> {
    let cluster = |subset: &str| format!("outbound|{port}|{subset}|shop.workshop.svc.cluster.local");
    let rule = |name: &'static str| by_rule.then_some(name);
    let mut lines = vec![
        line(&cluster("v2"), "forward", "internal", "workshop/shop", rule("open"), 1),
        line(&cluster("v2"), "forward", "-", "workshop/shop", rule("open"), 2),
        line("-", "redirect", "-", "workshop/shop", rule("moved"), 1),
        line("-", "no_route", "-", "-", rule("-"), 1),
        // Envoy's fault filter answers behind ours.
        line(&cluster("v1"), "forward", "-", "workshop/shop", rule("closed"), 1),
    ];
    lines.sort();
    lines
}

fn port_of(lines: &[String]) -> u16 {
    let start = lines.iter().find_map(|line| line.split_once("outbound|")).expect("a destination").1;
    start.split_once('|').expect("a cluster's name").0.parse().expect("a port")
}

/// The labels sorted, as Envoy's order is its own.
fn sorted(lines: Vec<String>) -> Vec<String> {
    let sort = |line: String| {
        let (name, rest) = line.split_once('{')?;
        let (labels, value) = rest.rsplit_once('}')?;
        let mut labels: Vec<&str> = labels.split("\",").map(|label| label.trim_end_matches('"')).collect();
        labels.sort_unstable();
        Some(format!("{name}{{{}\"}}{value}", labels.join("\",")))
    };
    let mut lines: Vec<String> = lines.into_iter().filter_map(sort).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn requests_are_counted_by_labels() {
    for (metrics, by_rule) in [("destination", false), ("rule", true)] {
        let (bootstrap, _echo) = site(metrics).await;
        let lines = sorted(counted(&bootstrap).await);
        assert_eq!(lines, expected(port_of(&lines), by_rule), "{metrics}");
    }
}

/// Envoy's own rule ends a cluster's name at the first dot, and the rest of it becomes part of the metric's name.
#[tokio::test]
async fn envoys_counters_of_clusters_have_the_whole_name_as_a_label() {
    let (bootstrap, _echo) = site("destination").await;
    let envoy = bootstrap.start().await.unwrap();
    let mut client = Client::new(envoy.listener("mesh").await.unwrap());
    assert_eq!(client.send(&Request::new("GET", "shop", "/open")).await.unwrap().status, 200);
    let text = envoy.admin_get("/stats/prometheus?usedonly").await.unwrap().text();
    let counted = text.lines().find(|line| line.starts_with("envoy_cluster_upstream_rq_total{")).expect(&text);
    assert!(counted.contains("|v2|shop.workshop.svc.cluster.local\"") && counted.contains("cluster_name=\"outbound|"));
    assert!(!text.contains("svc_cluster_local_"), "{text}");
}

/// Istio's bootstrap, `extraStatTags` (`tools/packaging/common/envoy_bootstrap.json` of istio/istio).
#[tokio::test]
async fn istios_bootstrap_makes_the_same_labels() {
    let (mut bootstrap, _echo) = site("destination").await;
    let tag = |name: &str| json!({"tag_name": name, "regex": format!("({name}=\\.=(.*?);\\.;)")});
    let tags = ["virtual_service", "destination", "outcome", "tag_user_type"].map(tag);
    bootstrap.value["stats_config"] = json!({"stats_tags": tags});
    let lines = sorted(counted(&bootstrap).await);
    assert_eq!(lines, expected(port_of(&lines), false));
}
