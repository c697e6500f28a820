//! Control headers from outside.

use super::app::CALL;
use super::mesh::{CATALOG, DETAIL, Mesh, Seen, send};
use std::time::Duration;
use switchyard_tests::harness::{Client, Request};

/// Every spelling of a header's name that Envoy, or an application behind it, could take for it.
fn spellings(name: &str) -> Vec<String> {
    let title = |separator: &str| {
        let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
        words.collect::<Vec<_>>().join(separator)
    };
    let mixed = name.replacen('-', "_", 1);
    vec![name.into(), title("-"), title("_"), name.to_uppercase(), name.replace('-', "_"), mixed]
}

/// Sets of headers that would do something if anybody listened to them.
fn sets(mesh: &Mesh) -> Vec<Vec<(String, String)>> {
    let v2 = mesh.cluster("v2");
    let control = [
        ("x-switchyard-cluster", &*v2),
        ("x-switchyard-mirror-1", &v2),
        ("x-switchyard-mirror-2", &v2),
        ("x-switchyard-hash", "a"),
        ("x-envoy-fault-abort-request", "418"),
        ("x-envoy-fault-abort-grpc-request", "5"),
        ("x-envoy-fault-abort-request-percentage", "100"),
        ("x-envoy-fault-delay-request", "60000"),
        ("x-envoy-fault-delay-request-percentage", "100"),
        ("x-envoy-fault-throughput-response", "1"),
    ];
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut sets = Vec::new();
    for (name, value) in control {
        let all = spellings(name);
        sets.extend(all.iter().map(|name| vec![pair(name, value)]));
        // Twice, and all together.
        sets.push(vec![pair(name, value), pair(name, value)]);
        sets.push(all.iter().map(|name| pair(name, value)).collect());
    }
    let grpc = [pair("content-type", "application/grpc"), pair("te", "trailers")];
    sets.push(control.map(|(name, value)| pair(name, value)).to_vec());
    sets.push(control.map(|(name, value)| pair(name, value)).into_iter().chain(grpc).collect());
    sets
}

fn with(request: Request, headers: &[(String, String)]) -> Request {
    headers.iter().fold(request, |request, (name, value)| request.header(name, value.as_bytes()))
}

/// At the gateway, at the sidecar's outbound and at its inbound port: no steering, no fault, no copy, whether the filter runs
/// or not. `decided`: it does.
pub async fn control_headers_get_nothing(mesh: &Mesh, decided: bool) {
    let (mesh_detail, v2) = (mesh.detail(), mesh.v2.count());
    mesh.v1.received();
    for headers in sets(mesh) {
        for (at, host) in [("gateway", DETAIL), ("outbound", &mesh_detail)] {
            let request = with(Request::new("GET", host, "/").header("x-role", "guest"), &headers);
            let seen = if at == "gateway" { mesh.edge(&request).await } else { mesh.outbound(&request).await };
            let told = format!("{at} {headers:?}: {seen:?}");
            assert_eq!((seen.status, &*seen.cluster, &*seen.flags), (200, &*mesh.cluster("v1"), ""), "{told}");
            assert_eq!(seen.route, if decided { "decided" } else { "rest" }, "{told}");
            assert_eq!(seen.header("user-type"), if decided { vec!["external"] } else { vec![] }, "{told}");
            undisturbed(&seen, &told);
            assert_eq!(mesh.v1.received().len(), 1, "one request, no copy: {told}");
        }
        // Nothing of ours is on inbound ports: the workload itself sees what it was sent.
        let request = with(Request::new("GET", CATALOG, "/"), &headers);
        let seen = send(Client::new(mesh.inbound), &request).await;
        let told = format!("inbound {headers:?}: {seen:?}");
        assert_eq!((seen.status, seen.body["upstream"].as_str()), (200, Some("productcatalog")), "{told}");
        assert!(seen.took < Duration::from_secs(10), "{told}");
        assert!(mesh.v1.received().is_empty(), "no copy: {told}");
    }
    assert_eq!(mesh.v2.count(), v2, "nobody came to v2");

    // Handed on by an application that hands on everything; Envoy takes up to 100 headers.
    let all: Vec<_> = sets(mesh).concat();
    for headers in all.chunks(60) {
        let asked = |request: Request| with(request.header("x-role", "guest").header(CALL, &*mesh_detail), headers);
        let seen = [
            mesh.edge(&asked(Request::new("GET", CATALOG, "/"))).await,
            send(Client::new(mesh.inbound), &asked(Request::new("GET", CATALOG, "/"))).await,
        ];
        for seen in seen {
            let called = &seen.body["called"];
            let told = (seen.status, called["status"].as_u64(), called["upstream"].as_str());
            assert_eq!(told, (200, Some(200), Some("v1")), "{headers:?}: {seen:?}");
        }
    }
    assert_eq!(mesh.v2.count(), v2, "nobody came to v2");
}

/// Nothing of a client's control headers reached an upstream, in any spelling, and nothing took long.
fn undisturbed(seen: &Seen, told: &str) {
    let names = seen.body["headers"].as_array().unwrap().iter().filter_map(|header| header[0].as_str());
    let control = |name: &&str| {
        let name = name.replace('_', "-");
        name.starts_with("x-switchyard-") || name.starts_with("x-envoy-fault-")
    };
    assert_eq!(names.clone().find(control), None, "{told}");
    assert!(seen.took < Duration::from_secs(10), "{told}");
}
