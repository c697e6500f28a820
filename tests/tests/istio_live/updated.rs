//! A new pluginConfig reaches a gateway that serves.

use super::catalog::{ALL, Catalog, assert_none_failed, load, shares, sticky};
use serde_json::json;
use std::time::Duration;
use switchyard_tests::rollout::load::versions;
use switchyard_tests::rollout::steps::{Step, assert_forward};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_of_the_plugin_config_fails_no_request_and_decides_anew() {
    let catalog = Catalog::new("update").await;
    let apply = async |share: u32, tag: &str| {
        let tags = json!([{"header": "user-type", "split": [{"value": tag, "weight": 100}]}]);
        let policy = catalog.policy(&json!({"sticky": sticky(), "tags": tags}));
        catalog.apply(&catalog.manifests(&shares(share)), &policy).await;
    };
    apply(0, "t0").await;
    let gateway = catalog.gateway().await;
    catalog.in_force(&gateway).await;
    let load = load(&gateway, 80);
    let mut client = gateway.client(80).unwrap();

    let mut steps = vec![Step::settled(0, &load).await];
    for (number, share) in [100, 0, 100, 0].into_iter().enumerate() {
        let tag = format!("t{}", number + 1);
        apply(share, &tag).await;
        catalog.in_force(&gateway).await;
        steps.push(Step::settled(share, &load).await);
        let seen = catalog.ask(&mut client, &super::catalog::request("/", 1)).await;
        assert_eq!((seen.status, seen.tag, &*seen.route), (200, Some(tag), "decided"));
    }
    let seen = load.stop().await;
    assert_none_failed("four updates", &seen);
    for Step { share, from, to } in steps {
        let expected = if share == 0 { "v1" } else { "v2" };
        let versions = versions(&seen, from, to).unwrap();
        assert!(versions.len() >= ALL, "{} of {ALL} users asked", versions.len());
        assert!(versions.values().all(|version| *version == expected), "at {share} %: {versions:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_by_kubectl_fails_no_request_and_moves_no_user_back() {
    let catalog = Catalog::new("rollout").await;
    let policy = catalog.policy(&json!({"sticky": sticky()}));
    let apply = async |share: u32| catalog.apply(&catalog.manifests(&shares(share)), &policy).await;
    apply(0).await;
    let gateway = catalog.gateway().await;
    catalog.in_force(&gateway).await;
    let load = load(&gateway, 80);

    let mut steps = vec![Step::settled(0, &load).await];
    for share in [10, 50, 100] {
        apply(share).await;
        catalog.in_force(&gateway).await;
        steps.push(Step::settled(share, &load).await);
    }
    let seen = load.stop().await;
    assert_none_failed("100, 90/10, 50/50, 0/100", &seen);
    assert_forward(&seen, &steps, ALL);
    let long = seen.iter().filter(|one| one.is_long && one.took >= Duration::from_millis(1490)).count();
    assert!(long > 0, "no request was under way while the plugin changed");
}
