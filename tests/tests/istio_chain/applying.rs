//! What happens between `kubectl apply` and a gateway that decides.

use super::shop::{PATIENCE, Shop, all_to_v2, plugin_of};
use serde_json::{Value, json};
use std::path::Path;
use switchyard_envoy::yaml;
use switchyard_tests::chain::{Running, eventually, service};
use switchyard_tests::harness::Request;

#[tokio::test]
async fn the_api_server_refuses_what_istios_crds_do_not_know() {
    let shop = Shop::new("strict").await;
    let bogus =
        json!({"hosts": ["a"], "http": [{"match": [{"bogus": 1}], "route": [{"destination": {"host": "shop"}}]}]});
    let said = shop.chain.apply_all(&[shop.object("VirtualService", "bogus", &bogus)]).await.unwrap_err();
    assert!(said.contains("unknown field \"spec.http[0].match[0].bogus\""), "{said}");
    let both = json!({"hosts": ["a"], "http":
        [{"match": [{"uri": {"exact": "/a", "prefix": "/b"}}], "route": [{"destination": {"host": "shop"}}]}]});
    let said = shop.chain.apply_all(&[shop.object("VirtualService", "both", &both)]).await.unwrap_err();
    assert!(said.contains("spec.http[0].match[0].uri"), "{said}");
}

/// `manifests/demo`, compiled by us, behind a gateway that starts when the plugin is there.
#[tokio::test]
async fn a_plugin_that_is_there_before_the_gateway_decides() {
    let shop = Shop::new("demo").await;
    let url = shop.chain.image("demo").await.unwrap();
    let host = format!("catalogdetail.{}.svc.cluster.local", shop.namespace);
    let port = shop.upstream.address().port();
    let mut manifests = shop.routes();
    manifests.retain(|one| one["kind"] == "Gateway");
    manifests.extend(demo(&shop.namespace));
    let mut resources = shop.generated(&manifests, &url, &[]);
    let configuration = plugin_of(&mut resources)["spec"]["pluginConfig"].clone();
    // The upstreams are ours; what only `switchyard` reads is not Istio's.
    manifests.retain(|one| one["kind"] != "ServiceEntry" && one["kind"] != "SwitchyardPolicy");
    manifests.push(service("catalogdetail", &shop.namespace, 3000, &[("v1", port), ("v2", port)]));
    shop.chain.apply_all(&[manifests, resources].concat()).await.unwrap();
    let gateway = shop.chain.agent(&shop.gateway("gw")).start().await.unwrap();
    gateway.wait_plugin(&format!("{}/switchyard", shop.namespace), &configuration).await.unwrap();

    let mut client = gateway.client(80).unwrap();
    let mut tags = Vec::new();
    for user in 0..40 {
        let request = Request::new("GET", host.as_str(), "/v1/catalogDetail").header("cookie", format!("uid=u{user}"));
        let seen = gateway.send(&mut client, &shop.upstream, &request).await.unwrap();
        let upstream = seen.upstream.expect("a request at the upstream");
        assert_eq!((seen.status, &*upstream.path), (200, "/catalogDetail"));
        assert_eq!(seen.cluster.unwrap(), format!("outbound|3000|v1|{host}"));
        assert_eq!(seen.route.as_deref(), Some("decided"));
        assert!(upstream.headers.iter().all(|(name, _)| name != "x-switchyard-cluster"), "{upstream:?}");
        tags.extend(upstream.headers.into_iter().filter(|(name, _)| name == "user-type").map(|(_, value)| value));
    }
    assert_eq!(tags.len(), 40, "every request has one tag: {tags:?}");
    assert!(tags.iter().any(|tag| tag == "internal") && tags.iter().any(|tag| tag == "external"), "{tags:?}");
}

/// `manifests/demo` in this namespace, with the VirtualService at the gateway.
fn demo(namespace: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/demo");
    let mut all = Vec::new();
    for file in ["destination-rule", "service-entry", "switchyard-policy", "virtual-service"] {
        let text = std::fs::read_to_string(folder.join(file).with_extension("yaml")).unwrap();
        let documents = yaml::load(&text.replace("workshop", namespace)).0;
        all.extend(documents.iter().map(yaml::Node::to_json));
    }
    let virtual_service = all.iter_mut().find(|one| one["kind"] == "VirtualService").unwrap();
    virtual_service["spec"]["gateways"] = json!(["edge"]);
    all
}

#[tokio::test]
async fn a_refused_configuration_leaves_the_old_one_and_stops_those_that_start() {
    let shop = Shop::new("refused").await;
    let url = shop.chain.image("refused").await.unwrap();
    let mut bad = shop.policy(&url, "two", &all_to_v2(), &[]);
    plugin_of(&mut bad)["spec"]["pluginConfig"]["bogus"] = json!(true);
    shop.apply(&url, "one", &[]).await;
    let start = |name: &str| {
        let shown = "extension_config_discovery";
        shop.chain.agent(&shop.gateway(name)).annotation("sidecar.istio.io/statsInclusionPrefixes", shown)
    };
    let mut gateway = start("old").start().await.unwrap();
    shop.until(&gateway, 200, Some("one")).await;
    let rejected = async |gateway: &Running| {
        let found = gateway.stats("extension_config_discovery.*update_rejected").await?;
        found.values().copied().sum::<u64>().checked_sub(1).ok_or(format!("nothing is refused: {found:?}"))
    };
    assert!(rejected(&gateway).await.is_err());

    shop.chain.apply_all(&bad).await.unwrap();
    eventually(PATIENCE, async || rejected(&gateway).await).await.unwrap();
    gateway.synced(shop.chain).await.unwrap();
    shop.until(&gateway, 200, Some("one")).await;
    let log = gateway.log();
    assert!(log.contains("unknown field `bogus`"), "{log}");

    // One that starts now has no old one.
    let young = start("young").start().await.unwrap();
    shop.until(&young, 500, None).await;
    // FAIL_OPEN does not help it: there is nothing that could fail yet.
    plugin_of(&mut bad)["spec"]["failStrategy"] = json!("FAIL_OPEN");
    shop.chain.apply_all(&bad).await.unwrap();
    let open = start("open").start().await.unwrap();
    shop.until(&open, 500, None).await;
    shop.until(&gateway, 200, Some("one")).await;

    shop.apply(&url, "three", &[]).await;
    shop.until(&gateway, 200, Some("three")).await;
    shop.until(&young, 200, Some("three")).await;
}
