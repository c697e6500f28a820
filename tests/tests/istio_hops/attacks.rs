//! What a client could try beside control headers: hosts that the filter and Istio might read differently, headers that a
//! connection is told to drop, upgrades, HTTP/2, addresses of others.

use super::app::DROP;
use super::mesh::{DETAIL, Mesh, OUTSIDE, PATIENCE, Seen, values};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use switchyard_tests::chain::eventually;
use switchyard_tests::harness::Request;
use tokio::net::TcpStream;

/// What would make a guest internal if it were believed.
fn claiming(request: Request) -> Request {
    let claims = [
        ("user-type", "internal"),
        ("User-Type", "internal"),
        ("user_type", "internal"),
        ("USER_TYPE", "internal"),
        ("x-forwarded-for", "10.20.0.1"),
        ("x-envoy-external-address", "10.20.0.1"),
        ("x-real-ip", "10.20.0.1"),
        ("forwarded", "for=10.20.0.1"),
        ("x-envoy-internal", "true"),
    ];
    claims.into_iter().fold(request.header("x-role", "guest"), |request, (name, value)| request.header(name, value))
}

/// A guest who came to an upstream came to v1, with the one tag that is a guest's.
fn is_a_guest(status: u16, answer: &Value, told: &str) {
    if status == 200 {
        assert_eq!(
            (answer["upstream"].as_str(), values(answer, "user-type")),
            (Some("v1"), vec!["external"]),
            "{told}"
        );
        assert_eq!(values(answer, "user_type"), [""; 0], "{told}");
    } else {
        assert!((400..500).contains(&status) && answer["upstream"].is_null(), "{told}");
    }
}

fn check(seen: &Seen, told: &str) -> u16 {
    is_a_guest(seen.status, &seen.body, &format!("{told}: {seen:?}"));
    seen.status
}

/// However a client spells where it wants to go, it is tagged, or goes nowhere.
pub async fn gateway(mesh: &Mesh) {
    let good = ["detail.example.com", "Detail.Example.COM", "detail.example.com:80", "DETAIL.example.com:8080"];
    for host in good {
        let status = check(&mesh.edge(&claiming(Request::new("GET", host, "/"))).await, host);
        assert_eq!(status, 200, "{host}");
    }
    let odd = [
        "detail.example.com.",
        "detail.example.com.:80",
        "detail.example.com:",
        "detail.example.com:abc",
        "detail.example.com:80:80",
        "detail.example.com:-1",
        "detail.example.com:99999999",
        "detail.example.com,outside.example.com",
        "user@detail.example.com",
        "[detail.example.com]",
        "detail.example.com%2e",
        "detail.example.com\tx",
        "",
    ];
    for host in odd {
        check(&mesh.edge(&claiming(Request::new("GET", host, "/"))).await, host);
    }
    for target in [
        "http://detail.example.com/",
        "HTTP://DETAIL.example.com:80/",
        "https://detail.example.com/",
        "http://user@detail.example.com/",
        "//detail.example.com/",
        "/#fragment",
        "/?user-type=internal",
        "/%00",
        "/..;/",
        "*",
    ] {
        for method in ["GET", "OPTIONS", "PURGE"] {
            check(&mesh.edge(&claiming(Request::new(method, DETAIL, target))).await, target);
        }
    }
    let absolute = claiming(Request::new("GET", "outside.example.com", "http://detail.example.com/"));
    check(&mesh.edge(&absolute).await, "absolute form, another Host");
    let two = claiming(Request::new("GET", DETAIL, "/").header("Host", "outside.example.com"));
    check(&mesh.edge(&two).await, "two Hosts");
    let connect = claiming(Request::new("CONNECT", "detail.example.com:80", "detail.example.com:80"));
    let seen = mesh.edge(&connect).await;
    assert!(seen.status >= 400, "{seen:?}");

    // Values that no tag has, and more than one.
    for value in [&b"internal\xe9"[..], b"internal,internal", b" internal ", b"", b"\xff"] {
        let request = Request::new("GET", DETAIL, "/").header("x-role", "guest").header("user-type", value);
        check(&mesh.edge(&request).await, &String::from_utf8_lossy(value));
    }
    let many = (0..90).fold(claiming(Request::new("GET", DETAIL, "/")), |request, number| {
        request.header(["user-type", "user_type", "User_Type"][number % 3], "internal")
    });
    check(&mesh.edge(&many).await, "many");
    over_http2(mesh).await;
    believed_in_the_mesh(mesh).await;
}

/// What steers Envoy's router steers it for nobody at a gateway; at a sidecar not for what the filter decides.
pub async fn routers_headers(mesh: &Mesh) {
    let retrying =
        [("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "3"), ("x-envoy-retriable-status-codes", "503")];
    let impatient = [("x-envoy-upstream-rq-timeout-ms", "1"), ("x-envoy-upstream-rq-per-try-timeout-ms", "1")];
    let with = |request: Request, headers: &[(&str, &str)]| {
        headers.iter().fold(request.header("x-role", "guest"), |request, (name, value)| request.header(*name, *value))
    };
    let (detail, v1) = (mesh.detail(), &mesh.v1);
    for (at, host) in [("gateway", DETAIL), ("outbound", &*detail)] {
        let send = async |request: Request| match at {
            "gateway" => mesh.edge(&request).await,
            _ => mesh.outbound(&request).await,
        };
        v1.received();
        let seen = send(with(Request::new("GET", host, "/").header("x-answer-status", "503"), &retrying)).await;
        assert_eq!((seen.status, v1.received().len()), (503, 1), "{at}: {seen:?}");
        let seen = send(with(Request::new("GET", host, "/").header("x-answer-after-ms", "100"), &impatient)).await;
        assert_eq!((seen.status, &*seen.flags), (200, ""), "{at}: {seen:?}");
    }
    mesh.elsewhere.received();
    let request = Request::new("GET", OUTSIDE, "/").header("x-answer-status", "503");
    let seen = mesh.edge(&with(request, &retrying)).await;
    assert_eq!((seen.status, mesh.elsewhere.received().len()), (503, 1), "{seen:?}");
}

/// HTTP/2 without TLS, which gateways take: names are in lower case there, and `:authority` and `host` may differ.
async fn over_http2(mesh: &Mesh) {
    let address = mesh.gateway.proxy().address(80).unwrap();
    for (authority, host) in [(DETAIL, None), (DETAIL, Some("outside.example.com")), ("detail.example.com:443", None)] {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let task = tokio::spawn(connection);
        let v2 = mesh.cluster("v2");
        let mut request = hyper::Request::get(format!("http://{authority}/"))
            .version(hyper::Version::HTTP_2)
            .header("x-role", "guest")
            .header("x_switchyard_cluster", &v2)
            .header("x-switchyard-cluster", &v2)
            .header("x-envoy-fault-abort-request", "418")
            .header("user-type", "internal")
            .header("user_type", "internal")
            .header("te", "trailers");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        is_a_guest(status, &answer, &format!("{authority} {host:?}: {status} {answer}"));
        task.abort();
    }
}

/// A sidecar keeps one value that the tag has, and believes nothing else.
async fn believed_in_the_mesh(mesh: &Mesh) {
    let detail = mesh.detail();
    let asked = Request::new("GET", &*detail, "/").header("x-role", "guest");
    let seen = mesh.outbound(&asked.clone().header("user-type", "internal")).await;
    assert_eq!((seen.body["upstream"].as_str(), seen.header("user-type")), (Some("v2"), vec!["internal"]), "{seen:?}");
    // Istio's sidecars take the last address of x-forwarded-for for the caller's, and so does `sourceIp` there: what the
    // workload says of itself is believed. What it hands on from outside ends with what the gateway saw.
    let seen = mesh.outbound(&asked.clone().header("x-forwarded-for", "10.20.0.1")).await;
    assert_eq!((seen.body["upstream"].as_str(), seen.header("user-type")), (Some("v2"), vec!["internal"]), "{seen:?}");
    let seen = mesh.edge(&claiming(mesh.through("/")).header(DROP, "user-type")).await;
    is_a_guest(200, &seen.body["called"], &format!("{seen:?}"));

    let others: [&[(&str, &str)]; 5] = [
        &[("user-type", "root")],
        &[("user-type", "internal"), ("user-type", "internal")],
        &[("user-type", "external"), ("user-type", "internal")],
        &[("user_type", "internal")],
        &[("x-forwarded-for", "10.20.0.1,10.30.0.1"), ("x-real-ip", "10.20.0.1")],
    ];
    for headers in others {
        let request = headers.iter().fold(asked.clone(), |request, (name, value)| request.header(*name, *value));
        check(&mesh.outbound(&request).await, &format!("{headers:?}"));
    }
}

/// A connection is told to drop what the gateway sets: it does so before the tag is there, and tells nobody behind it.
pub async fn connections(mesh: &Mesh) {
    let told: [&[(&str, &str)]; 8] = [
        &[("connection", "user-type")],
        &[("connection", "close, user-type, x-request-id, x-switchyard-cluster")],
        &[("connection", "user-type"), ("connection", "user_type")],
        &[("connection", "te, user-type"), ("te", "trailers")],
        &[("keep-alive", "user-type"), ("proxy-connection", "user-type")],
        &[
            ("connection", "Upgrade, user-type"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
        &[
            ("connection", "upgrade, x-switchyard-cluster, user-type"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"),
        ],
        &[("connection", "upgrade"), ("upgrade", "websocket"), ("connection", "user-type")],
    ];
    let v2 = mesh.v2.count();
    for headers in told {
        let with =
            |request: Request| headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let arrived = async |request: Request| {
            mesh.v1.received();
            mesh.app.last();
            let seen = mesh.edge(&with(claiming(request))).await;
            let v1 = json!({"upstream": "v1", "headers": mesh.v1.received().pop().map(|one| one.headers)});
            (seen.status, v1, mesh.app.last(), format!("{headers:?}: {seen:?}"))
        };
        let (status, detail, _, told) = arrived(Request::new("GET", DETAIL, "/")).await;
        is_a_guest(status, &detail, &format!("{told} {detail}"));

        // Through productcatalog's inbound port.
        let (status, detail, catalog, told) = arrived(mesh.through("/")).await;
        assert_eq!(status, 200, "{told}");
        is_a_guest(200, &detail, &format!("{told} {detail}"));
        let ids = values(&catalog, "x-request-id");
        assert_eq!((values(&catalog, "user-type"), ids.len()), (vec!["external"], 1), "{told} {catalog}");
    }
    assert_eq!(mesh.v2.count(), v2, "nobody came to v2");
}

/// What this form cannot do without an `EnvoyFilter`: hosts that no tag is for keep what a client sent. A tag for all hosts
/// mends it, as the README says.
pub async fn elsewhere_it_is_not_there(mesh: &Mesh) {
    let forged = Request::new("GET", OUTSIDE, "/").header("user-type", "internal").header("x-role", "guest");
    let seen = mesh.edge(&forged).await;
    assert_eq!((seen.status, seen.header("user-type")), (200, vec!["internal"]), "{seen:?}");

    let mut plugin = mesh.plugins[0].clone();
    plugin["spec"]["pluginConfig"]["tags"][0]["hosts"] = json!(["*"]);
    mesh.chain.apply_all(&[plugin.clone()]).await.unwrap();
    mesh.gateway.wait_plugin(&format!("{}/edge", mesh.namespace), &plugin["spec"]["pluginConfig"]).await.unwrap();
    let mended = async || match mesh.edge(&forged).await {
        seen if seen.header("user-type") == ["external"] => Ok(()),
        seen => Err(format!("{seen:?}")),
    };
    // The dump of Envoy's main thread is ahead of its workers.
    eventually(PATIENCE, mended).await.unwrap();
    gateway(mesh).await;
}
