//! Request ids that a client chooses.

use super::mesh::{DETAIL, Mesh};
use std::collections::BTreeSet;
use switchyard_tests::harness::Request;

/// One id 200 times, spelled in several ways: the shares are those of the policy, and upstreams see ids that Envoy made.
pub async fn choose_nothing(mesh: &Mesh) {
    const CHOSEN: &str = "11111111-1111-4111-8111-111111111111";
    let mut client = mesh.gateway.client(80).unwrap();
    let (mut internal, mut ids) = (0, BTreeSet::new());
    for number in 0..200 {
        let name = ["x-request-id", "X-Request-Id", "X-REQUEST-ID"][number % 3];
        let mut request = Request::new("GET", DETAIL, "/").header(name, CHOSEN);
        if number % 2 == 1 {
            request =
                request.header("x-envoy-internal", "true").header("x-forwarded-for", "10.0.0.1").header(name, CHOSEN);
        }
        let response = client.send(&request).await.unwrap();
        let body = response.json().unwrap();
        let [id] = super::mesh::values(&body, "x-request-id")[..] else { panic!("{body}") };
        assert!(id != CHOSEN && ids.insert(id.to_owned()), "{id}");
        internal += u32::from(super::mesh::values(&body, "user-type") == ["internal"]);
    }
    // 30 % of 200: 60 ± 5 standard deviations.
    assert!((28..=92).contains(&internal), "{internal} of 200 are internal");
}
