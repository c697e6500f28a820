//! Sets with something that may be wrong: one field of one manifest, changed.

use super::set::World;
use crate::rng::Rng;
use serde_json::{Value, json};

/// Changes of a traffic policy.
fn of_policy() -> Vec<(&'static str, Value)> {
    vec![
        ("connectionPool", json!({})),
        ("connectionPool.tcp.maxConnections", json!(-1)),
        ("connectionPool.tcp.connectTimeout", json!("0s")),
        ("connectionPool.tcp.connectTimeout", json!("0.5ms")),
        ("connectionPool.tcp.idleTimeout", json!("0s")),
        ("connectionPool.tcp.idleTimeout", json!("0.1ms")),
        ("connectionPool.tcp.maxConnectionDuration", json!("0s")),
        ("connectionPool.tcp.tcpKeepalive", json!({"time": "0s"})),
        ("connectionPool.http.idleTimeout", json!("0s")),
        ("connectionPool.http.maxRetries", json!(-1)),
        ("connectionPool.http.http2MaxRequests", json!(-5)),
        ("connectionPool.http.maxConcurrentStreams", json!(-1)),
        ("connectionPool.http", json!({"h2UpgradePolicy": "UPGRADE", "useClientProtocol": true})),
        ("connectionPool.http", json!({"h2UpgradePolicy": "DEFAULT", "useClientProtocol": true})),
        ("connectionPool.http.h2UpgradePolicy", json!("BOGUS")),
        ("outlierDetection", json!({})),
        ("outlierDetection.maxEjectionPercent", json!(101)),
        ("outlierDetection.minHealthPercent", json!(-1)),
        ("outlierDetection.interval", json!("0s")),
        ("outlierDetection.baseEjectionTime", json!("0.9ms")),
        ("outlierDetection", json!({"consecutiveLocalOriginFailures": 3})),
        ("outlierDetection", json!({"consecutiveLocalOriginFailures": 0})),
        ("outlierDetection.consecutive5xxErrors", json!(-1)),
        ("loadBalancer", json!({})),
        ("loadBalancer", json!({"consistentHash": {"httpCookie": {"ttl": "1s"}}})),
        ("loadBalancer", json!({"consistentHash": {"httpHeaderName": "a", "maglev": {"tableSize": 100}}})),
        ("loadBalancer", json!({"consistentHash": {"httpHeaderName": "a", "maglev": {"tableSize": 5_000_011}}})),
        ("loadBalancer", json!({"consistentHash": {"httpHeaderName": "a", "maglev": {}}})),
        ("loadBalancer", json!({"consistentHash": {"httpHeaderName": "a", "maglev": {"tableSize": 1}}})),
        ("loadBalancer", json!({"consistentHash": {"httpHeaderName": "a", "minimumRingSize": 1, "ringHash": {}}})),
        (
            "loadBalancer",
            json!({"consistentHash": {"httpCookie": {"name": "a", "attributes": [{"name": "b"}, {"name": "b"}]}}}),
        ),
        ("loadBalancer", json!({"warmup": {}})),
        ("loadBalancer", json!({"warmup": {"duration": "1s", "minimumPercent": 100.5}})),
        ("loadBalancer", json!({"warmup": {"duration": "1s", "aggression": 0.5}})),
        ("loadBalancer", json!({"warmup": {"duration": "0s"}})),
        ("loadBalancer.localityLbSetting.distribute", json!([{"from": "eu", "to": {"eu": 99}}])),
        ("loadBalancer.localityLbSetting.distribute", json!([{"from": "eu", "to": {"eu": 100, "us": 0}}])),
        ("loadBalancer.localityLbSetting.distribute", json!([{"from": "eu/*/a", "to": {"eu": 100}}])),
        ("loadBalancer.localityLbSetting.distribute", json!([{"from": "eu//a", "to": {"eu": 100}}])),
        (
            "loadBalancer.localityLbSetting.distribute",
            json!([{"from": "eu", "to": {"eu": 100}}, {"from": "eu/a", "to": {"eu": 100}}]),
        ),
        ("loadBalancer.localityLbSetting.distribute", json!([{"from": "eu/a", "to": {"eu/*": 50, "eu/a": 50}}])),
        ("loadBalancer.localityLbSetting", json!({"failover": [{"from": "eu", "to": "eu"}]})),
        ("loadBalancer.localityLbSetting", json!({"failover": [{"from": "eu/a", "to": "us"}]})),
        ("loadBalancer.localityLbSetting", json!({"failover": [{"from": "eu", "to": "*"}]})),
        (
            "loadBalancer.localityLbSetting",
            json!({"failover": [{"from": "eu", "to": "us"}], "distribute": [{"from": "eu", "to": {"eu": 100}}]}),
        ),
        (
            "loadBalancer.localityLbSetting",
            json!({"failover": [{"from": "eu", "to": "us"}], "failoverPriority": ["topology.kubernetes.io/zone"]}),
        ),
        ("tls", json!({"mode": "MUTUAL"})),
        ("tls", json!({"mode": "MUTUAL", "clientCertificate": "/a"})),
        ("tls", json!({"mode": "SIMPLE", "insecureSkipVerify": true, "caCertificates": "/a"})),
        ("tls", json!({"mode": "SIMPLE", "insecureSkipVerify": true, "subjectAltNames": ["a"]})),
        ("tls", json!({"mode": "SIMPLE", "credentialName": "shop-client", "caCertificates": "/a"})),
        ("tls", json!({"mode": "SIMPLE", "insecureSkipVerify": true, "credentialName": "shop-client"})),
        ("tls", json!({"mode": "MUTUAL", "credentialName": "shop-client", "privateKey": "/a"})),
        ("tls", json!({"mode": "BOGUS"})),
    ]
}

/// Changes of a DestinationRule.
fn of_rule() -> Vec<(&'static str, Value)> {
    vec![
        ("host", json!("")),
        ("host", json!("a*.example.com")),
        ("host", json!("*")),
        ("host", json!("a_b.example.com")),
        ("host", json!("a.example.com:80")),
        ("trafficPolicy", json!({})),
        ("trafficPolicy", json!({"portLevelSettings": []})),
        ("trafficPolicy.portLevelSettings", json!([{"port": {"number": 80}}])),
        ("trafficPolicy.portLevelSettings", json!([{"loadBalancer": {"simple": "RANDOM"}}])),
        ("trafficPolicy.portLevelSettings", json!([{"port": {"number": 0}, "loadBalancer": {"simple": "RANDOM"}}])),
        ("trafficPolicy.portLevelSettings", json!([{"port": {"number": 65536}, "loadBalancer": {"simple": "RANDOM"}}])),
        ("trafficPolicy.retryBudget", json!({"percent": 101})),
        ("trafficPolicy.retryBudget", json!({})),
        ("trafficPolicy.proxyProtocol", json!({"version": "V3"})),
        ("subsets", json!([{"name": "a"}, {"name": "a"}])),
        ("subsets", json!([{"name": "A"}])),
        ("subsets", json!([{"name": "a_b"}])),
        ("subsets", json!([{"name": "a.b"}])),
        ("subsets", json!([{"labels": {"version": "v1"}}])),
        ("subsets", json!([{"name": "a", "labels": {"version": "v 1"}}])),
        ("subsets", json!([{"name": "a", "labels": {"": "v1"}}])),
        ("subsets", json!([{"name": "a", "labels": {"a b": "v1"}}])),
        ("subsets", json!([{"name": "a", "trafficPolicy": {}}])),
        ("exportTo", json!(["~"])),
        ("exportTo", json!(["*", "."])),
        ("exportTo", json!(["other", "other"])),
        ("exportTo", json!(["A_B"])),
        ("workloadSelector", json!({})),
        ("workloadSelector", json!({"matchLabels": {"": "a"}})),
        ("workloadSelector", json!({"matchLabels": {"a*": "a"}})),
        ("workloadSelector", json!({"matchLabels": {"a": "b*"}})),
    ]
}

/// Changes of a ServiceEntry.
fn of_service() -> Vec<(&'static str, Value)> {
    let port = |number: i64, name: &str, protocol: &str| json!({"number": number, "name": name, "protocol": protocol});
    vec![
        ("hosts", json!([])),
        ("hosts", json!(["*"])),
        ("hosts", json!(["a b"])),
        ("hosts", json!(["a.*.example.com"])),
        ("ports", json!([])),
        ("ports", json!([port(0, "http", "HTTP")])),
        ("ports", json!([port(80, "http", "HTTP"), port(80, "web", "HTTP")])),
        ("ports", json!([port(80, "http", "HTTP"), port(81, "http", "HTTP")])),
        ("ports", json!([port(80, "http", "BOGUS")])),
        ("ports", json!([port(80, "HTTP_1", "HTTP")])),
        ("ports", json!([port(70_000, "http", "HTTP")])),
        ("addresses", json!(["10.0.0.0/33"])),
        ("addresses", json!(["a.example.com"])),
        ("addresses", json!(["240.0.0.0/8"])),
        ("exportTo", json!(["~", "other"])),
        ("exportTo", json!(["*", "other"])),
        ("exportTo", json!(["other", "other"])),
        ("exportTo", json!(["A_B"])),
        ("workloadSelector", json!({"labels": {"a": "b"}})),
        ("workloadSelector", json!({})),
        ("workloadSelector", json!({"labels": {"a*": "b"}})),
        ("resolution", json!("NONE")),
        ("resolution", json!("STATIC")),
        ("resolution", json!("DNS_ROUND_ROBIN")),
        ("resolution", json!("BOGUS")),
        ("endpoints", json!([{"address": ""}])),
        ("endpoints", json!([{"address": "a b"}])),
        ("endpoints", json!([{"address": "10.0.0.1", "ports": {"bogus": 1}}])),
        ("endpoints", json!([{"address": "10.0.0.1", "labels": {"a b": "c"}}])),
        ("endpoints", json!([{"address": "10.0.0.1", "weight": -1}])),
        ("endpoints", json!([{"address": "::1"}])),
        ("endpoints", json!([{"address": "a.example.com"}, {"address": "b.example.com"}])),
    ]
}

/// Makes a set that may be wrong of one.
pub fn make(rng: &mut Rng, world: &World<'_>, manifests: &mut Vec<Value>) {
    match rng.below(3) {
        0 => {
            let (path, value) = rng.pick(&of_service());
            let services = manifests.iter_mut().find(|manifest| manifest["kind"] == "ServiceEntry");
            if let Some(service) = services {
                put(&mut service["spec"], path, value);
            }
        }
        1 => {
            let (path, value) = rng.pick(&of_rule());
            let mut spec = json!({"host": "a", "trafficPolicy": {"loadBalancer": {}}});
            put(&mut spec, path, value);
            manifests.push(world.manifest("DestinationRule", "wrong", &world.home(), &spec));
        }
        _ => {
            let (path, value) = rng.pick(&of_policy());
            let mut policy = json!({});
            put(&mut policy, path, value);
            let spec = match rng.below(3) {
                0 => json!({"host": "a", "trafficPolicy": policy}),
                1 => json!({"host": "a", "subsets": [{"name": "wrong", "trafficPolicy": policy}]}),
                _ => {
                    policy["port"] = json!({"number": 80});
                    json!({"host": "a", "trafficPolicy": {"portLevelSettings": [policy]}})
                }
            };
            manifests.push(world.manifest("DestinationRule", "wrong", &world.home(), &spec));
        }
    }
}

/// Writes a field, by its path.
fn put(spec: &mut Value, path: &str, value: Value) {
    let mut at = spec;
    for part in path.split('.') {
        at = &mut at[part];
    }
    *at = value;
}
