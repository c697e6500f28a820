//! Which protocol a port speaks, as istiod reads it.

use super::Speaks;

/// Ports at which nobody is asked what he speaks (`wellKnownPorts` of istiod): those of SMTP, DNS, `MySQL` and `MongoDB`.
const WELL_KNOWN: [u16; 4] = [25, 53, 3306, 27017];

/// Names of protocols, as users write them.
pub const NAMES: [&str; 12] =
    ["HTTP", "HTTP2", "GRPC", "GRPC-Web", "HTTPS", "TLS", "TCP", "MONGO", "REDIS", "MYSQL", "UDP", "HTTP_PROXY"];

/// What the name of a protocol says (`protocol.Parse` of istiod).
pub fn parse(written: &str) -> Speaks {
    match written.to_ascii_lowercase().as_str() {
        "http" | "http_proxy" => Speaks::Http1,
        "http2" | "grpc" | "grpc-web" => Speaks::Http2,
        "https" | "tls" | "tcp" | "mongo" | "redis" | "mysql" | "udp" => Speaks::NoHttp,
        _ => Speaks::Unsaid,
    }
}

/// What a port of a Service says: its `appProtocol`, or else its name up to the `-` (`kube.ConvertProtocol` of istiod).
pub fn of_service_port(number: u16, name: &str, app_protocol: &str) -> Speaks {
    match app_protocol {
        "kubernetes.io/h2c" => return Speaks::Http2,
        "kubernetes.io/ws" => return Speaks::Http1,
        "kubernetes.io/wss" => return Speaks::NoHttp,
        _ => {}
    }
    let written = if app_protocol.is_empty() { name } else { app_protocol };
    let written = written.to_ascii_lowercase();
    let protocol =
        if written.starts_with("grpc-web") { "grpc-web" } else { written.split('-').next().unwrap_or_default() };
    match parse(protocol) {
        Speaks::Unsaid if WELL_KNOWN.contains(&number) => Speaks::NoHttp,
        speaks => speaks,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Speaks::{Http1, Http2, NoHttp, Unsaid};
    use super::of_service_port;

    /// Each line as istiod 1.29.1 made a cluster of it.
    #[test]
    fn a_services_port_speaks_what_istiod_reads() {
        for (number, name, app_protocol, expected) in [
            (8000, "http-a", "", Http1),
            (8001, "http2", "", Http2),
            (8002, "grpc", "", Http2),
            (8003, "grpc-web", "", Http2),
            (8004, "GRPC-Web-x", "", Http2),
            (8005, "https", "", NoHttp),
            (8006, "tcp-x", "", NoHttp),
            (8007, "tls", "", NoHttp),
            (8008, "mongo", "", NoHttp),
            (8009, "redis-x", "", NoHttp),
            (8010, "mysql", "", NoHttp),
            (8011, "foo", "", Unsaid),
            (8013, "h2c", "", Unsaid),
            (8014, "", "", Unsaid),
            (8015, "p15", "kubernetes.io/h2c", Http2),
            (8016, "p16", "kubernetes.io/ws", Http1),
            (8022, "p22", "kubernetes.io/wss", NoHttp),
            (8017, "p17", "http2", Http2),
            (8018, "p18", "HTTP", Http1),
            (8020, "p20", "https", NoHttp),
            (8021, "p21", "foo/bar", Unsaid),
            (8023, "http-zz", "tcp", NoHttp),
            (3306, "a3306", "", NoHttp),
            (25, "", "", NoHttp),
            (3306, "http", "", Http1),
        ] {
            assert_eq!(of_service_port(number, name, app_protocol), expected, "{number} {name} {app_protocol}");
        }
    }
}
