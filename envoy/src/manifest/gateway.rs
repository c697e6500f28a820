//! Gateways: listeners (istio.md 3).

use std::collections::BTreeMap;
use switchyard_filter::record;

record! {
    /// Listeners at the edge.
    pub struct Gateway {
        /// Labels of the proxies that it is for. One Envoy is generated, which is all of them.
        selector: BTreeMap<String, String> = "selector",
        /// Its servers.
        servers: Vec<Server> = "servers" required,
    }
}

record! {
    /// A port with the hosts that it serves.
    pub struct Server {
        /// The port.
        port: ServerPort = "port" required,
        /// Hosts: names, `*.suffix` or `*`, after an optional `namespace/` of the VirtualServices that may bind.
        hosts: Vec<String> = "hosts" required,
        /// A name for people.
        name: String = "name",
    }
    later { "bind", "defaultEndpoint" }
    refused {
        "tls" = "`tls` is not supported yet: end TLS in front of the Envoy, and write `protocol: HTTP` without `tls` here",
    }
}

record! {
    /// The port of a server.
    pub struct ServerPort {
        /// Its number, 1 to 65535.
        number: u16 = "number" required,
        /// `HTTP`, `HTTP2` or `GRPC`.
        protocol: String = "protocol" required,
        /// Its name.
        name: String = "name" required,
    }
    later { "targetPort" }
}
