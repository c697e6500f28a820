//! Two hops through a mesh, from a gateway to productcatalog and through its sidecar to catalogdetail: what reaches whom, what
//! a client can and cannot do, and what it sees when the filter does not run. All by `kubectl apply`, in the whole chain.

#![cfg(not(target_family = "wasm"))]

#[path = "istio_hops/app.rs"]
mod app;
#[path = "istio_hops/attacks.rs"]
mod attacks;
#[path = "istio_hops/authorization.rs"]
mod authorization;
#[path = "istio_hops/failures.rs"]
mod failures;
#[path = "istio_hops/ids.rs"]
mod ids;
#[path = "istio_hops/mesh.rs"]
mod mesh;
#[path = "istio_hops/steering.rs"]
mod steering;
#[path = "istio_hops/tags.rs"]
mod tags;

use mesh::{Form, Mesh};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hops_share_a_tag_and_nobody_steers_either() {
    let mut mesh = Mesh::start("hops", Form::Decides).await;
    tags::reach_both_hops(&mesh).await;
    tags::delay_once(&mesh).await;
    tags::stay_within_the_policy(&mesh).await;
    ids::choose_nothing(&mesh).await;
    steering::control_headers_get_nothing(&mesh, true).await;
    attacks::gateway(&mesh).await;
    attacks::connections(&mesh).await;
    attacks::routers_headers(&mesh).await;

    // Istio's own routes stand behind a filter that is gone, and what strips control headers is no part of it.
    mesh.without_image().await;
    steering::control_headers_get_nothing(&mesh, false).await;
    mesh.without_plugins().await;
    steering::control_headers_get_nothing(&mesh, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_filter_only_tags_nobody_chooses_a_tag() {
    let mesh = Mesh::start("tags", Form::Tags).await;
    tags::reach_both_hops(&mesh).await;
    ids::choose_nothing(&mesh).await;
    attacks::gateway(&mesh).await;
    attacks::connections(&mesh).await;
    attacks::elsewhere_it_is_not_there(&mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_istio_denies_stays_denied_whatever_is_rewritten() {
    authorization::holds_against_rewrites(&Mesh::start("denied", Form::Decides).await).await;
}
