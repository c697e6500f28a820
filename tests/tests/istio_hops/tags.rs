//! A tag, from hop to hop.

use super::app::{CALL, DROP};
use super::mesh::{CATALOG, DELAY, Mesh, OUTSIDE, values};
use std::time::Duration;
use switchyard_tests::harness::Request;

/// What the gateway says of a request is what productcatalog and catalogdetail see, and where its sidecar sends it.
pub async fn reach_both_hops(mesh: &Mesh) {
    let mut internal = 0;
    for number in 0..40 {
        let seen = mesh.edge(&mesh.through(&format!("/products/{number}"))).await;
        let called = &seen.body["called"];
        assert_eq!((seen.status, called["status"].as_u64()), (200, Some(200)), "{seen:?}");
        let tag = seen.header("user-type");
        let version = if tag == ["internal"] { "v2" } else { "v1" };
        assert!(tag == ["internal"] || tag == ["external"], "{seen:?}");
        assert_eq!(values(called, "user-type"), tag, "{seen:?}");
        assert_eq!(
            (called["upstream"].as_str(), called["cluster"].as_str()),
            (Some(version), Some(&*mesh.cluster(version)))
        );
        internal += u32::from(version == "v2");
    }
    // 30 % of 40 by chance: outside of this once in 10 million runs.
    assert!((1..=29).contains(&internal), "{internal} of 40 are internal");

    // Who does not pass it on gets another one at the second hop, by the same rules.
    let request = mesh.through("/").header("x-role", "staff").header(DROP, "user-type");
    let seen = mesh.edge(&request).await;
    assert_eq!(
        (seen.header("user-type"), values(&seen.body["called"], "user-type")),
        (vec!["internal"], vec!["internal"])
    );
}

/// A delay at the gateway, or one that both plugins know, happens once, though the application hands on every header.
pub async fn delay_once(mesh: &Mesh) {
    for (path, at_gateway) in [("/slow-edge", true), ("/slow-both", false)] {
        let seen = mesh.edge(&mesh.through(path).header("x-role", "staff")).await;
        let called = &seen.body["called"];
        assert_eq!((seen.status, called["status"].as_u64()), (200, Some(200)), "{seen:?}");
        let flags = (seen.flags.as_str(), called["flags"].as_str().unwrap());
        assert_eq!(flags, if at_gateway { ("DI", "-") } else { ("", "DI") }, "{path}");
        // Envoy's timers may fire 3 ms early; the rest is this machine's.
        let slack = Duration::from_millis(5);
        assert!(seen.took + slack >= DELAY && seen.took < DELAY * 2, "{path}: {:?}", seen.took);
        for answer in [&seen.body, called] {
            let names = answer["headers"].as_array().unwrap().iter().filter_map(|header| header[0].as_str());
            let ours = |name: &&str| name.starts_with("x-switchyard") || name.starts_with("x-envoy-fault");
            assert_eq!(names.clone().find(ours), None, "{path}: {answer}");
        }
    }
    // At one hop alone, both know it too.
    let seen = mesh.edge(&Request::new("GET", super::mesh::DETAIL, "/slow-both").header("x-role", "staff")).await;
    assert_eq!((seen.status, &*seen.flags), (200, "DI"));
    assert!(seen.took < DELAY * 2, "{:?}", seen.took);
    // Others are not delayed.
    let seen = mesh.edge(&mesh.through("/slow-both").header("x-role", "guest")).await;
    assert_eq!((seen.flags.as_str(), seen.body["called"]["flags"].as_str()), ("", Some("-")));
}

/// A host that no policy names gets no tag, neither from the gateway nor from the sidecar.
pub async fn stay_within_the_policy(mesh: &Mesh) {
    for tagged in [false, true] {
        let request = Request::new("GET", OUTSIDE, "/");
        let request = if tagged { request.header("user-type", "internal") } else { request };
        let seen = mesh.edge(&request).await;
        assert_eq!((seen.status, seen.body["upstream"].as_str()), (200, Some("elsewhere")), "{seen:?}");
        assert_eq!(seen.header("user-type"), [""; 0], "{seen:?}");
    }
    let outside = format!("elsewhere.{}.svc.cluster.local:3000", mesh.namespace);
    let seen = mesh.outbound(&Request::new("GET", outside.as_str(), "/")).await;
    assert_eq!((seen.status, seen.header("user-type")), (200, vec![]), "{seen:?}");
    // What the application copies from a request of its own to others is the application's.
    let request = Request::new("GET", CATALOG, "/").header(CALL, outside).header(DROP, "user-type");
    let seen = mesh.edge(&request).await;
    assert_eq!(seen.body["called"]["upstream"], "elsewhere", "{seen:?}");
    assert_eq!(values(&seen.body["called"], "user-type"), [""; 0]);
}
