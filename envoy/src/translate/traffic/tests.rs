use super::super::tests::{SERVICES, manifests, told};
use super::super::{Model, Options};
use serde_json::{Value, json};

/// `SERVICES`, and its DestinationRule of the host `catalogdetail` with this policy, and of its subset `v2`.
fn with(top: &str, subset: &str) -> String {
    let v2 = "{name: v2, labels: {version: v2}";
    assert!(SERVICES.contains(v2) && SERVICES.ends_with("]\n"), "{SERVICES}");
    SERVICES.replace(v2, &format!("{v2}, trafficPolicy: {subset}")) + &format!("  trafficPolicy: {top}\n")
}

const NONE: &str = "{loadBalancer: {consistentHash: {httpHeaderName: none}}}";

#[test]
fn what_requests_are_hashed_by_is_written_for_hosts_subsets_and_ports() {
    let by = |name: &str| format!("loadBalancer: {{consistentHash: {{httpHeaderName: {name}}}}}");
    let top = format!("{{{}, portLevelSettings: [{{port: {{number: 3000}}, {}}}]}}", by("top"), by("port"));
    let subset = format!("{{{}, portLevelSettings: [{{port: {{number: 1}}, loadBalancer: {{}}}}]}}", by("sub"));
    let text = with(&top, &subset);
    let manifests = manifests(&[&text]);
    let model = Model::new(&manifests, &Options::default()).unwrap_or_else(|said| panic!("{said:?}"));
    let listener = model.listener(&model.mesh()).expect("right");
    let services = serde_json::to_value(&listener.document.services).expect("JSON");
    let service = services.as_array().unwrap().iter().find(|service| service["subsets"][1]["name"] == "v2").unwrap();
    let header = |name: &str| json!({"httpHeaderName": name});
    assert_eq!(service["hash"], header("top"));
    assert_eq!(service["portHashes"], json!([{"port": 3000, "hash": header("port")}]));
    assert_eq!(service["subsets"][0]["hash"], Value::Null);
    assert_eq!(service["subsets"][1]["hash"], header("sub"));
    assert_eq!(service["subsets"][1]["portHashes"], Value::Null);
}

#[test]
fn a_cluster_has_the_ring_or_the_table_of_what_counts_for_it() {
    let ring = |size: &str| format!("loadBalancer: {{consistentHash: {{httpHeaderName: a, {size}}}}}");
    let port = |number: u16, more: &str| format!("portLevelSettings: [{{port: {{number: {number}}}, {more}}}]");
    let least = (json!("LEAST_REQUEST"), Value::Null, Value::Null);
    let rings = |size: u32| (json!("RING_HASH"), json!({"minimum_ring_size": size}), Value::Null);
    let maglev = (json!("MAGLEV"), Value::Null, json!({"table_size": 101}));
    let without = "loadBalancer: {}".to_owned();
    for (top, subset, of_host, of_subset) in [
        (ring("minimumRingSize: 0"), without.clone(), rings(1024), least.clone()),
        (ring("minimumRingSize: 7"), ring("maglev: {tableSize: 101}"), rings(7), maglev.clone()),
        (ring("ringHash: {minimumRingSize: 8}"), port(1, &ring("maglev: {tableSize: 101}")), rings(8), rings(8)),
        (ring("ringHash: {}"), without.clone(), (json!("RING_HASH"), Value::Null, Value::Null), least.clone()),
        // What is said of a port stands in place of all that is said beside it.
        (
            format!("{}, {}", ring("minimumRingSize: 7"), port(3000, &without)),
            ring("minimumRingSize: 9"),
            least.clone(),
            rings(9),
        ),
        (port(3000, &ring("minimumRingSize: 7")), port(3000, &without), rings(7), least.clone()),
        (port(3000, &ring("minimumRingSize: 7")), port(3001, &without), rings(7), rings(7)),
    ] {
        let text = with(&format!("{{{top}}}"), &format!("{{{subset}}}"));
        let manifests = manifests(&[&text]);
        let model = Model::new(&manifests, &Options::default()).unwrap_or_else(|said| panic!("{said:?}"));
        let clusters = crate::bootstrap::clusters(&model).expect("clusters");
        let of = |subset: &str| {
            let name = format!("outbound|3000|{subset}|catalogdetail.workshop.svc.cluster.local");
            let cluster = clusters.as_array().unwrap().iter().find(|cluster| cluster["name"] == name).unwrap();
            (cluster["lb_policy"].clone(), cluster["ring_hash_lb_config"].clone(), cluster["maglev_lb_config"].clone())
        };
        assert_eq!((of(""), of("v2")), (of_host, of_subset), "{top} {subset}");
    }
}

#[test]
fn what_istio_refuses_is_refused_at_its_place() {
    let by = "httpHeaderName: a";
    for (hash, severity, expected) in [
        (
            format!("{by}, ringHash: {{minimumRingSize: 9000000}}"),
            "error",
            "`9000000` is out of range: at most 8388608",
        ),
        (
            format!("{by}, ringHash: {{}}, maglev: {{tableSize: 7}}"),
            "error",
            "`ringHash` and `maglev` exclude each other: leave one of them out",
        ),
        (format!("{by}, maglev: {{}}"), "error", "`tableSize` is missing: write a prime, 65537 for example"),
        (format!("{by}, maglev: {{tableSize: 9}}"), "error", "`9` is no prime below 5000011: write 65537 for example"),
        (
            format!("{by}, maglev: {{tableSize: 5000011}}"),
            "error",
            "`5000011` is no prime below 5000011: write 65537 for example",
        ),
        (format!("{by}, minimumRingSize: 7"), "warning", "`minimumRingSize` is deprecated here"),
        ("ringHash: {}".to_owned(), "warning", "there is nothing to hash by: endpoints are chosen at random"),
        (
            format!("{by}, useSourceIp: true"),
            "error",
            "set one of `httpCookie`, `httpHeaderName`, `httpQueryParameterName` and `useSourceIp: true`",
        ),
        ("httpCookie: {name: a, ttl: 1ms}".to_owned(), "error", "`1ms`: a cookie lives whole seconds"),
    ] {
        let said = told(&[&with(&format!("{{loadBalancer: {{consistentHash: {{{hash}}}}}}}"), NONE)]);
        assert_eq!(said.len(), 1, "{hash}: {said:?}");
        assert!(
            said[0].starts_with(&format!("{severity} a.yaml:")) && said[0].ends_with(&format!(": {expected}")),
            "{said:?}"
        );
    }
    let said = |policy: &str| told(&[&with(policy, NONE)]);
    for empty in ["{}", "{portLevelSettings: []}"] {
        let said = said(empty);
        assert!(said[0].ends_with(": a `trafficPolicy` needs a field"), "{empty}: {said:?}");
    }
    let port = said("{portLevelSettings: [{port: {number: 3000}}]}");
    assert!(port[0].ends_with(": settings of a port need more than the port"), "{port:?}");
    let later = said("{connectionPool: {http: {http2KeepAlive: {}}}}");
    assert!(later[0].ends_with(": `http2KeepAlive` is not supported yet"), "{later:?}");
}

#[test]
fn of_several_policies_of_a_host_the_first_counts() {
    let rule = |name: &str| {
        format!(
            "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}, namespace: workshop}}
spec: {{host: catalogdetail, trafficPolicy: {NONE}}}
"
        )
    };
    let message = "this `trafficPolicy` has no effect: the DestinationRule `workshop/a` comes first and has one too";
    let said = told(&[SERVICES, &rule("b"), &rule("a")]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("warning b.yaml:4:29: ") && said[0].ends_with(message), "{said:?}");
}

#[test]
fn blocks_are_checked_as_istio_checks_them_each_error_at_its_field() {
    for (policy, severity, field, message) in [
        ("connectionPool: {}", "error", "connectionPool", "a `connectionPool` needs `tcp` or `http`"),
        (
            "connectionPool: {tcp: {maxConnections: -1}}",
            "error",
            "connectionPool.tcp.maxConnections",
            "`-1` is out of range: at least 0",
        ),
        (
            "connectionPool: {tcp: {connectTimeout: 0s, idleTimeout: 0s}}",
            "error",
            "connectionPool.tcp.connectTimeout",
            "a duration of at least `1ms` is expected",
        ),
        (
            "connectionPool: {http: {idleTimeout: 0s}}",
            "error",
            "connectionPool.http.idleTimeout",
            "a duration of at least `1ms` is expected",
        ),
        (
            "connectionPool: {http: {idleTimeout: 10}}",
            "error",
            "connectionPool.http.idleTimeout",
            "expected a duration such as `10s`, found the number `10`",
        ),
        (
            "connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}",
            "error",
            "connectionPool.http.useClientProtocol",
            "`useClientProtocol: true` and `h2UpgradePolicy: UPGRADE` exclude each other",
        ),
        (
            "outlierDetection: {maxEjectionPercent: 101}",
            "error",
            "outlierDetection.maxEjectionPercent",
            "`101` is out of range: 0 to 100",
        ),
        (
            "outlierDetection: {consecutiveLocalOriginFailures: 3}",
            "error",
            "outlierDetection.consecutiveLocalOriginFailures",
            "`consecutiveLocalOriginFailures` needs `splitExternalLocalOriginErrors: true`",
        ),
        (
            "outlierDetection: {consecutiveErrors: 3}",
            "warning",
            "outlierDetection.consecutiveErrors",
            "`consecutiveErrors`, which Istio ignores, is read as `consecutive5xxErrors`",
        ),
        (
            "outlierDetection: {consecutiveErrors: 3, consecutive5xxErrors: 4}",
            "warning",
            "outlierDetection.consecutiveErrors",
            "`consecutiveErrors` has no effect beside `consecutive5xxErrors`",
        ),
        ("retryBudget: {percent: 120}", "error", "retryBudget.percent", "`120` is out of range: 0 to 100"),
        (
            "tunnel: {targetHost: a.example.com, targetPort: 80}",
            "error",
            "tunnel",
            "`tunnel` is not supported: Istio does it for TCP alone, and here is HTTP; leave it out",
        ),
        (
            "tls: {mode: MUTUAL, clientCertificate: a.pem}",
            "error",
            "tls",
            "`mode: MUTUAL` needs `privateKey`, or a `credentialName`",
        ),
        (
            "tls: {mode: SIMPLE, credentialName: a, caCertificates: a.pem}",
            "error",
            "tls.caCertificates",
            "`caCertificates` does not go with `credentialName`: leave one of them out",
        ),
        (
            "tls: {mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]}",
            "error",
            "tls.subjectAltNames",
            "`subjectAltNames` does not go with `insecureSkipVerify: true`, which checks nothing",
        ),
        (
            "portLevelSettings: [{port: {number: 1}, connectionPool: {}}]",
            "error",
            "portLevelSettings[0].connectionPool",
            "a `connectionPool` needs `tcp` or `http`",
        ),
    ] {
        assert_said(policy, severity, field, message);
    }
}

#[test]
fn load_balancers_are_checked_as_istio_checks_them() {
    let locality = |setting: &str| format!("loadBalancer: {{localityLbSetting: {{{setting}}}}}");
    for (policy, severity, field, message) in [
        (
            "loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}".to_owned(),
            "error",
            "",
            "`simple` and `consistentHash` exclude each other: leave one of them out",
        ),
        ("loadBalancer: {warmup: {}}".to_owned(), "error", ".warmup", "`duration` is missing"),
        (
            "loadBalancer: {warmup: {duration: 1s, aggression: 0.5}}".to_owned(),
            "error",
            ".warmup.aggression",
            "`0.5` is out of range: at least 1",
        ),
        (
            "loadBalancer: {warmupDurationSecs: 1s}".to_owned(),
            "warning",
            ".warmupDurationSecs",
            "`warmupDurationSecs` is deprecated",
        ),
        (
            locality("distribute: [{from: eu, to: {eu: 90}}]"),
            "error",
            ".localityLbSetting.distribute[0].to",
            "the weights sum to 90, not to 100",
        ),
        (
            locality("distribute: [{from: eu, to: {eu/a: 50, eu/*: 50}}]"),
            "error",
            ".localityLbSetting.distribute[0].to",
            "`eu/a` overlaps with `eu/*`",
        ),
        (
            locality("distribute: [{from: eu/*/1, to: {eu: 100}}]"),
            "error",
            ".localityLbSetting.distribute[0].from",
            "`eu/*/1`: a `*` can only stand at the end",
        ),
        (
            locality("distribute: [{from: eu, to: {eu: 100}}], failover: [{from: eu, to: us}]"),
            "error",
            ".localityLbSetting",
            "`distribute` and `failover` exclude each other: leave one of them out",
        ),
        (
            locality("failover: [{from: eu, to: us/a}]"),
            "error",
            ".localityLbSetting.failover[0].to",
            "`us/a` is no region: write its name alone",
        ),
        (
            locality("failoverPriority: [app]"),
            "warning",
            ".localityLbSetting.failoverPriority",
            "without `outlierDetection` beside it, requests never go elsewhere",
        ),
    ] {
        assert_said(&policy, severity, &format!("loadBalancer{field}"), message);
    }
}

/// That this is said of a policy of the host, at this field of it.
fn assert_said(policy: &str, severity: &str, field: &str, message: &str) {
    let text = with(&format!("{{{policy}}}"), NONE);
    let manifests = manifests(&[&text]);
    let said = match Model::new(&manifests, &Options::default()) {
        Ok(model) => model.warnings().to_vec(),
        Err(said) => said,
    };
    let found = said.iter().find(|found| found.message == message).unwrap_or_else(|| panic!("{policy}: {said:#?}"));
    assert_eq!(found.is_error(), severity == "error", "{policy}");
    assert_eq!(found.field, format!("trafficPolicy.{field}"), "{policy}");
}

#[test]
fn a_share_that_is_none_of_so_few_hosts_is_told_where_it_is_written() {
    // Two hosts, of which each subset has one.
    let outlier = |more: &str| format!("{{outlierDetection: {{{more}}}}}");
    let host = "`catalogdetail.workshop.svc.cluster.local`";
    let never = "is ever ejected";
    for (top, subset, expected) in [
        (outlier("maxEjectionPercent: 100"), NONE, None),
        // Nobody is to be ejected, whatever the share is.
        (outlier("consecutive5xxErrors: 0, maxEjectionPercent: 1"), NONE, None),
        (
            outlier("consecutiveGatewayErrors: 1, consecutive5xxErrors: 0, maxEjectionPercent: 49"),
            NONE,
            Some(format!("18:112: `49` percent of 2 hosts is no host: none of {host} {never}")),
        ),
        (
            outlier("maxEjectionPercent: 50"),
            NONE,
            Some(format!("18:58: `50` percent of 1 host is no host: none of {host}, subset `v1`, {never}")),
        ),
        (
            outlier("interval: 1s"),
            NONE,
            Some(format!(
                "18:19: without `maxEjectionPercent` it is 10 percent, which of 2 hosts is no host: none of {host} {never}"
            )),
        ),
        (
            "{portLevelSettings: [{port: {number: 3000}, outlierDetection: {maxEjectionPercent: 30}}]}".to_owned(),
            NONE,
            Some(format!("18:101: `30` percent of 2 hosts is no host: none of {host} {never}")),
        ),
        (
            outlier("maxEjectionPercent: 100"),
            "{outlierDetection: {maxEjectionPercent: 99}}",
            Some(format!("17:137: `99` percent of 1 host is no host: none of {host}, subset `v2`, {never}")),
        ),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|said| format!("warning a.yaml:{said}")).collect();
        assert_eq!(told(&[&with(&top, subset)]), expected, "{top} {subset}");
    }
    let by_name = with(&outlier(""), NONE).replace("STATIC", "DNS");
    assert_eq!(told(&[&by_name]), [""; 0], "nobody knows how many hosts there are");
}
