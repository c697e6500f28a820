//! `manifests/` in a mesh: `kubectl apply -k` of the base, of who may roll out, and of each overlay in turn, with the filter
//! from a registry, a gateway and a sidecar under istio-agent, and what then comes of requests.

#![cfg(not(target_family = "wasm"))]

#[path = "istio_manifests/productcatalog.rs"]
mod productcatalog;
#[path = "istio_manifests/steps.rs"]
mod steps;
#[path = "istio_manifests/valid.rs"]
mod valid;
#[path = "istio_manifests/workshop.rs"]
mod workshop;

use switchyard_tests::istio::Proxy;
use workshop::{DEPLOYER, LISTENS, Workshop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_working_set_does_what_its_files_say() {
    let workshop = Workshop::start().await.unwrap();
    workshop.chain.kubectl(&["apply", "-k", "manifests/admission", "--validate=strict"]).await.unwrap();
    steps::others_are_refused(&workshop).await;

    // The plugins are there before the pods that they are for, as the first Wasm must be (istio.md 5.6); a pod of before,
    // whose Envoy would not outlive it, gets none.
    let old = Proxy::gateway("workshop-gateway-old", "workshop-ingress", [LISTENS]);
    let mut old = workshop.pod("workshop-gateway", old).await.unwrap();
    workshop.apply("canary", DEPLOYER).await.unwrap();
    steps::an_old_pod_runs_on_without_the_plugin(&workshop, &mut old).await;
    drop(old);
    let mut proxies = workshop.proxies().await.unwrap();
    workshop.productcatalog.behind(proxies.sidecar.proxy().address(3000).unwrap());
    workshop.synced(&mut proxies).await.unwrap();
    steps::canary_at_the_gateway(&workshop, &proxies).await;
    steps::canary_in_the_mesh(&proxies).await;
    steps::two_hops(&proxies).await;
    steps::a_refused_configuration_would_be_counted(&proxies).await;
    steps::what_is_applied_has_not_drifted_until_somebody_moves_weights(&workshop).await;

    workshop.apply("blue-green", DEPLOYER).await.unwrap();
    workshop.synced(&mut proxies).await.unwrap();
    steps::blue_green(&workshop, &proxies).await;

    workshop.apply("fault-test", DEPLOYER).await.unwrap();
    workshop.synced(&mut proxies).await.unwrap();
    steps::fault_test(&workshop, &proxies).await;
    steps::one_delay_on_two_hops(&proxies).await;

    // The other form has no EnvoyFilter, and `apply` takes nothing away.
    let ours = ["-l", "app.kubernetes.io/managed-by=switchyard", "-A", "--as", DEPLOYER];
    workshop.chain.kubectl(&[&["delete", "envoyfilter"], &ours[..]].concat()).await.unwrap();
    workshop.apply("tags", DEPLOYER).await.unwrap();
    workshop.synced(&mut proxies).await.unwrap();
    steps::tags(&workshop, &proxies).await;

    steps::what_was_generated_stays_the_deployers(&workshop).await;
    valid::each_file_is_valid_to_the_api_server(&workshop).await;
}
