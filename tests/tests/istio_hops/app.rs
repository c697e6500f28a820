//! productcatalog, written carelessly: it calls catalogdetail through its sidecar with every header that it was sent.

use switchyard_tests::harness::{App, Request};

/// The request header that names the host to call; without it none is called.
pub const CALL: &str = "x-app-call";
/// The request header that names a header which is not passed on.
pub const DROP: &str = "x-app-drop";

/// What belongs to a connection, not to a request.
const NOT_PASSED: [&str; 7] = ["host", "connection", "upgrade", "content-length", "transfer-encoding", CALL, DROP];

/// Starts it on a free port of this machine.
pub async fn start() -> App {
    App::start("productcatalog", ([127, 0, 0, 1], 0).into(), calls).await.unwrap()
}

fn calls(path: &str, headers: &[(String, String)]) -> Option<Request> {
    let of = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value);
    let (host, dropped) = (of(CALL)?, of(DROP));
    let passed = headers.iter().filter(|(name, _)| !NOT_PASSED.contains(&&**name) && Some(&**name) != dropped);
    let request = Request::new("GET", host, path);
    Some(passed.fold(request, |request, (name, value)| request.header(name, value.as_bytes())))
}
