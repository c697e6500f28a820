//! Each release of Envoy takes every file, also when deprecated fields are refused.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use switchyard_envoy::bootstrap::dynamic::read;
use switchyard_tests::harness::{Client, Envoy, envoy_binary_of, free_port, validate_with};
use switchyard_tests::rollout::Live;
use switchyard_tests::rollout::manifests::HOST;

use super::{echo, live, to_the_last};

const RELEASES: [&str; 2] = ["1.36.2", "1.40.0"];
/// `--mode validate` reads the bootstrap, and none of the files that it names: Envoy is started.
const STRICT: &str = "layered_runtime:
  layers:
    - name: strict
      static_layer: {envoy.features.fail_on_any_deprecated_feature: true}
";

/// Files of the folder that Envoy watches.
fn sources(live: &Live) -> Vec<(String, String)> {
    let mut found = vec![];
    for folder in ["", "endpoints/"] {
        for entry in fs::read_dir(live.path(folder)).unwrap().map(Result::unwrap) {
            let name = format!("{folder}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_file() && name != "envoy.yaml" {
                let (version, _) = read(&live.text(&name)).unwrap();
                found.push((name, version));
            }
        }
    }
    found
}

async fn assert_taken(live: &Live, envoy: &Envoy) {
    let stats = envoy.admin_get("/stats?filter=version_text%24").await.unwrap().text();
    let sources = sources(live);
    for (name, version) in &sources {
        assert!(
            stats.contains(&format!(".version_text: \"{version}\"\n")),
            "`{name}` of {sources:?} is not in {stats}"
        );
    }
    let refused = envoy.stats("(update_rejected|config_fail)$").await.unwrap();
    assert!(refused.values().all(|count| *count == 0), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_file_is_taken_by_each_release() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let goldens = ["merge-ports-and-subsets", "names-to-resolve", "locality-failover", "pool-every-field"];
    let mut manifests: Vec<_> = goldens
        .map(|name| fs::read_to_string(root.join("clusters").join(name).join("manifests.yaml")).unwrap())
        .to_vec();
    let v1 = echo("v1").await;
    manifests.push(to_the_last(&[("v1", &v1)]).yaml());
    for release in RELEASES {
        let binary = envoy_binary_of(release).unwrap();
        for manifests in &manifests {
            let live = live();
            live.generate(manifests).await.assert_well();
            let bootstrap = live.text("envoy.yaml") + STRICT;
            live.overwrite("envoy.yaml", &bootstrap);
            validate_with(&binary, &live.path("envoy.yaml")).await.unwrap();
            let envoy = live.launch().binary(&binary).start().await.unwrap();
            assert_taken(&live, &envoy).await;
            if manifests.contains(HOST) {
                assert_eq!(Client::new(live.listen()).get(HOST, "/").await.unwrap().status, 200, "{release}");
            }
            envoy.stop().await.unwrap();
        }
    }
}

/// A changed listener and a new one, and settings that cannot change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_change_and_come_and_the_admin_interface_stays() {
    let v1 = echo("v1").await;
    for release in RELEASES {
        let mut live = live();
        let manifests = to_the_last(&[("v1", &v1)]).yaml();
        live.generate(&manifests).await.assert_well();
        let envoy = live.launch().binary(envoy_binary_of(release).unwrap()).start().await.unwrap();
        let more = free_port();
        let gateway = format!(
            "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: edge, namespace: shop}}\nspec:\n  \
             servers: [{{port: {{number: {more}, name: http, protocol: HTTP}}, hosts: ['*']}}]\n"
        );
        let both = manifests.replace("hosts: [catalog]\n", "hosts: [catalog]\n  gateways: [mesh, edge]\n") + &gateway;
        let ended = live.generate(&both).await.well();
        assert!(ended.written.contains(&"listeners.yaml".to_owned()), "{ended:?}");
        assert_taken(&live, &envoy).await;
        let at = SocketAddr::from(([127, 0, 0, 1], more));
        for address in [live.listen(), at] {
            assert_eq!(Client::new(address).get(HOST, "/").await.unwrap().status, 200, "{address} {release}");
        }
        // And it goes again, with its files.
        let ended = live.generate(&manifests).await.well();
        assert!(ended.written.contains(&"listeners.yaml".to_owned()), "{ended:?}");
        assert_eq!(sources(&live).iter().filter(|(name, _)| name.starts_with("policy-")).count(), 1);
        assert_eq!(Client::new(live.listen()).get(HOST, "/").await.unwrap().status, 200);
        // The bootstrap is read once.
        let elsewhere = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let moved = live.at(elsewhere).generate(&manifests).await;
        assert_eq!(moved.code, Some(2), "{}", moved.said);
        assert!(moved.said.contains("it cannot move while Envoy runs: give `--admin "), "{}", moved.said);
        envoy.stop().await.unwrap();
    }
}
