//! productcatalog: answers `/products…` after it asked catalogdetail, through its sidecar, and passes on what it must.

use switchyard_tests::harness::{App, Request};

/// What an application of a mesh passes on: the user, the trace, and the tags.
const PASSED_ON: [&str; 6] = ["cookie", "x-request-id", "x-user-id", "user-type", "release", "fault-group"];

/// Starts it on every address of this machine.
pub async fn start() -> Result<App, String> {
    App::start("productcatalog", ([0, 0, 0, 0], 0).into(), calls).await
}

fn calls(path: &str, headers: &[(String, String)]) -> Option<Request> {
    path.strip_prefix("/products/")?;
    let request = Request::new("GET", "catalogdetail.workshop.svc.cluster.local:3000", "/catalogDetail");
    let passed = headers.iter().filter(|(name, _)| PASSED_ON.contains(&&**name));
    Some(passed.fold(request, |request, (name, value)| request.header(name, value.as_bytes())))
}
