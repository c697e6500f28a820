//! Mirrors of every supported Envoy.

use super::*;
use switchyard_tests::harness::{Received, validate_with};

const RULES: &str = "
  - name: copied
    match: [{uri: {prefix: /copied}}]
    rewrite: {uri: /new}
    mirrors: [{destination: {host: shop, subset: v2}}, {destination: {host: shop, subset: v2}}]
    route: [{destination: {host: shop, subset: v1}}]
  - name: rest
    route: [{destination: {host: shop, subset: v1}}]";

fn values<'a>(received: &'a Received, name: &str) -> Vec<&'a str> {
    received.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

#[tokio::test]
async fn copies_go_out_without_what_is_ours_and_nobody_asks_for_more() {
    for version in ENVOYS {
        let v1 = Echo::named("v1").recording().start().await.unwrap();
        let v2 = Echo::named("v2").status(500).recording().start().await.unwrap();
        let binary = envoy_binary_of(version).unwrap();
        let bootstrap = generate(&policy(RULES, "{}"), v1.address(), v2.address());
        let running = Running::start(bootstrap, |launch| launch.binary(binary)).await;
        let mut client = running.client();
        let v2_cluster = "outbound|3000|v2|shop.workshop.svc.cluster.local";
        for _ in 0..5 {
            let posted = Request::new("POST", "shop", "/copied/x?y=z").header("x-own", "1").body("a body");
            assert_eq!(client.send(&posted).await.unwrap().status, 200, "{version}: the mirror's answer is nobody's");
        }
        let forged = get("/other").header("x-switchyard-mirror-1", v2_cluster);
        for _ in 0..5 {
            assert_eq!(client.send(&forged).await.unwrap().status, 200);
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while v2.count() < 10 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (primaries, copies) = (v1.received(), v2.received());
        assert_eq!((primaries.len(), copies.len()), (10, 10), "{version}");
        for primary in &primaries[..5] {
            for number in 1..=2 {
                assert_eq!(values(primary, &format!("x-switchyard-mirror-{number}")), [v2_cluster], "{version}");
            }
        }
        for primary in &primaries[5..] {
            assert!(values(primary, "x-switchyard-mirror-1").is_empty(), "{version}");
        }
        for copy in &copies {
            assert_eq!((copy.path.as_str(), copy.method.as_str()), ("/new/x?y=z", "POST"), "{version}");
            assert_eq!(values(copy, "host"), ["shop"], "{version}: no `-shadow`");
            assert_eq!(values(copy, "x-own"), ["1"], "{version}");
            let ours: Vec<_> = copy.headers.iter().filter(|(name, _)| name.starts_with("x-switchyard-")).collect();
            assert!(ours.is_empty(), "{version}: {ours:?}");
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn every_supported_envoy_takes_as_many_mirrors_as_a_rule_may_have() {
    let none = ([127, 0, 0, 1], 9).into();
    let rules = |count: usize| {
        let mirrors = vec!["{destination: {host: shop, subset: v2}, percentage: {value: 50}}"; count].join(", ");
        format!("  - {{name: r, mirrors: [{mirrors}], route: [{{destination: {{host: shop, subset: v1}}}}]}}")
    };
    let bootstrap = generate(&policy(&rules(16), "{}"), none, none);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("envoy.yaml");
    bootstrap.write(&file).unwrap();
    for version in ENVOYS {
        validate_with(&envoy_binary_of(version).unwrap(), &file).await.unwrap();
    }
    let services = service("shop", &[("v1", none), ("v2", none)]);
    let site = Site::new(&[policy(&rules(17), "{}"), services].concat()).unwrap();
    for said in [site.bootstrap().map(drop).unwrap_err(), site.parts().map(drop).unwrap_err()] {
        let expected = "the rule `workshop/shop/r` has 17 mirrors, and a generated route copies to 16";
        assert!(said.contains(expected) && said.contains("http[0].mirrors"), "{said}");
    }
}
