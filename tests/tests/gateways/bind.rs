//! Servers of one port at addresses of their own: `bind`.

use super::plain::{gateway, routes};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use switchyard_tests::gateways::Gateways;
use switchyard_tests::generated::service;
use switchyard_tests::harness::{Client, Echo, free_port};

fn server(port: u16, bind: &str) -> String {
    let bind = if bind.is_empty() { String::new() } else { format!("bind: '{bind}', ") };
    format!("  - {{port: {{number: {port}, name: http, protocol: HTTP}}, {bind}hosts: ['*']}}\n")
}

#[tokio::test]
async fn servers_of_one_port_are_served_at_the_address_that_they_bind() {
    let (v1, v2) = (Echo::named("v1").start().await.unwrap(), Echo::named("v2").start().await.unwrap());
    let (v3, port) = (Echo::named("v3").start().await.unwrap(), free_port());
    let to = |gateway: &str, subset: &str| {
        format!("{{match: [{{gateways: [{gateway}]}}], route: [{{destination: {{host: shop, subset: {subset}}}}}]}}")
    };
    let manifests = [
        service("shop", &[("v1", v1.address()), ("v2", v2.address()), ("v3", v3.address())]),
        gateway("everywhere", &server(port, "")),
        gateway("own", &server(port, "127.0.0.2")),
        gateway("six", &server(port, "::")),
        routes(
            "shop",
            "'*'",
            "everywhere, own, six",
            &[to("everywhere", "v1"), to("own", "v2"), to("six", "v3")].join(", "),
        ),
    ]
    .concat();
    let gateways = Gateways { edge: Ipv4Addr::UNSPECIFIED.into(), ..Gateways::new(manifests) };
    let envoy = gateways.start().await.unwrap();
    for (address, expected) in [
        (IpAddr::from([127, 0, 0, 1]), "v1"),
        // The more specific address has its connections.
        (IpAddr::from([127, 0, 0, 2]), "v2"),
        (IpAddr::from([127, 0, 0, 3]), "v1"),
        // Every address of IPv6, and none of IPv4.
        (Ipv6Addr::LOCALHOST.into(), "v3"),
    ] {
        let response = Client::new(SocketAddr::new(address, port)).get("a.test", "/").await.unwrap();
        assert_eq!(response.json().unwrap()["upstream"], expected, "{address}");
    }
    envoy.stop().await.unwrap();
}

#[test]
fn an_address_that_is_written_and_meant_elsewhere_is_an_error_that_shows_both() {
    let manifests = [gateway("a", &server(8081, "")), gateway("b", &server(8081, "0.0.0.0"))].concat();
    let said = Gateways { edge: Ipv4Addr::UNSPECIFIED.into(), ..Gateways::new(manifests.clone()) }.bootstrap();
    let said = said.unwrap_err();
    assert!(
        said.contains("error: `0.0.0.0:8081` is also where the servers of the port without `bind` are served"),
        "{said}"
    );
    assert!(said.contains("manifests.yaml:16:21") && said.contains("8 |   - {port: {number: 8081"), "{said}");
    // Where the others are served elsewhere they do not meet.
    Gateways::new(manifests).bootstrap().unwrap();
}
