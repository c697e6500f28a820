//! What Istio's validation refuses of a Gateway, and what a generated listener does not carry out (istio.md 3).

use super::super::name::{is_label, server_host_error};
use super::super::{Notes, spec};
use super::tls;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::{Gateway, Manifest, Server};
use crate::yaml::Path;
use std::net::IpAddr;

/// What speaks HTTP without TLS.
const PLAIN: [&str; 4] = ["HTTP", "HTTP2", "GRPC", "HTTP_PROXY"];
/// What Istio serves without looking at requests, or translates.
const OTHERS: [&str; 7] = ["TCP", "UDP", "TLS", "GRPC-WEB", "MONGO", "REDIS", "MYSQL"];

/// What a protocol means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Plain,
    Https,
}

fn protocol(written: &str) -> Option<Protocol> {
    let written = written.to_ascii_uppercase();
    match written.as_str() {
        "HTTPS" => Some(Protocol::Https),
        plain if PLAIN.contains(&plain) => Some(Protocol::Plain),
        _ => None,
    }
}

/// Where a server is served, and whether over HTTPS; `None`: nowhere, which [`gateway`] tells.
pub fn address(server: &Server) -> Option<(Option<IpAddr>, bool)> {
    let bind = if server.bind.is_empty() { None } else { Some(server.bind.parse().ok()?) };
    let is_https = protocol(&server.port.protocol)? == Protocol::Https;
    let ends = server.tls.as_ref().is_some_and(tls::ends_here);
    (server.port.number != 0 && !server.hosts.is_empty() && (ends || !is_https)).then_some((bind, is_https))
}

/// Notes what is wrong with a Gateway.
pub fn gateway(manifest: &Manifest, written: &Gateway, notes: &mut Notes) {
    if !is_label(&manifest.name) {
        let message = format!("`{}` is no name of a Gateway", manifest.name.escape_debug());
        let help = "write at most 63 small letters, digits and `-`, without a dot";
        notes.push(manifest.error(&Path::root().field("metadata").field("name"), &message).help(help));
    }
    if written.servers.is_empty() {
        let found = manifest.error(&spec("servers"), "`servers` is empty: a Gateway needs a server");
        notes.push(found.help("write `servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [\"*\"]}]`"));
    }
    for (index, one) in written.servers.iter().enumerate() {
        let field = format!("servers[{index}]");
        server(manifest, &field, one, notes);
        let alike = |other: &Server| other.port.name == one.port.name;
        if written.servers.iter().take(index).any(alike) {
            let message = format!("the port `{}` is listed twice: give each a name of its own", one.port.name);
            notes.push(manifest.error(&spec(&format!("{field}.port.name")), &message));
        }
    }
}

fn server(manifest: &Manifest, field: &str, server: &Server, notes: &mut Notes) {
    let at = |below: &str| spec(&format!("{field}.{below}"));
    let protocol = protocol(&server.port.protocol);
    if protocol.is_none() {
        notes.push(no_protocol(manifest, &at("port.protocol"), &server.port.protocol));
    }
    if server.port.number == 0 {
        notes.push(manifest.error(&at("port.number"), "`0` is out of range: 1 to 65535"));
    }
    if server.port.name.is_empty() {
        notes
            .push(manifest.error(&at("port.name"), "`name` is empty: give the port a name").help("write `name: http`"));
    }
    if server.port.target_port != 0 {
        let found = manifest.error(&at("port.targetPort"), "`targetPort` has no impact on a Gateway");
        notes.push(found.help("leave it out: the listener's port is `number`"));
    }
    for (host, written) in server.hosts.iter().enumerate() {
        if let Some(why) = server_host_error(written) {
            let message = format!("`{}` is no host: {why}", written.escape_debug());
            notes.push(manifest.error(&at(&format!("hosts[{host}]")), &message));
        }
    }
    if server.hosts.is_empty() {
        notes.push(manifest.error(&at("hosts"), "`hosts` is empty: name a host, or `*`"));
    }
    if server.bind.starts_with("unix://") {
        let found = manifest.error(&at("bind"), "a socket of the file system is not supported");
        notes.push(found.help("write an IP address, or leave `bind` out"));
    } else if !server.bind.is_empty() {
        notes.all.extend(bind_error(manifest, &at("bind"), &server.bind));
    }
    if !server.default_endpoint.is_empty() {
        let found = manifest.warning(&at("defaultEndpoint"), "`defaultEndpoint` has no effect on a Gateway");
        notes.push(found.code("ignored-field").help("leave it out: VirtualServices say where requests go"));
    }
    match (protocol, &server.tls) {
        (Some(Protocol::Https), None) => {
            let found = manifest.error(&spec(field), "a server for `HTTPS` needs `tls`");
            notes.push(found.help("write `tls: {mode: SIMPLE, credentialName: NAME}`, or `protocol: HTTP`"));
        }
        (Some(Protocol::Https), Some(written)) => tls::terminating(manifest, &format!("{field}.tls"), written, notes),
        (Some(Protocol::Plain), Some(written)) => tls::plain(manifest, &format!("{field}.tls"), written, notes),
        (None, _) | (_, None) => {}
    }
}

fn bind_error(manifest: &Manifest, at: &Path, written: &str) -> Option<Diagnostic> {
    match written.parse() {
        Err(_) => {
            let message = format!("`{}` is no IP address", written.escape_debug());
            Some(manifest.error(at, &message).help("write `10.0.0.1`, say, or leave it out"))
        }
        // A socket of Envoy's for IPv6 takes no IPv4: it would not start.
        Ok(IpAddr::V6(address)) => address.to_ipv4_mapped().map(|address| {
            let message = format!("`{written}` is an IPv4 address in the form of IPv6: Envoy cannot listen there");
            manifest.error(at, &message).help(format!("write `{address}`"))
        }),
        Ok(IpAddr::V4(_)) => None,
    }
}

fn no_protocol(manifest: &Manifest, at: &Path, written: &str) -> Diagnostic {
    let upper = written.to_ascii_uppercase();
    let known = PLAIN.into_iter().chain(["HTTPS"]);
    if OTHERS.contains(&upper.as_str()) {
        let message = format!("the protocol `{written}` is not supported: an HTTP filter decides requests only");
        let help = match upper.as_str() {
            "TLS" => "write `HTTPS` with `tls.mode: SIMPLE` where TLS ends here; else leave the server out",
            "GRPC-WEB" => "write `HTTP`, and let something behind this Envoy translate gRPC-Web",
            _ => "write `HTTP`, `HTTP2`, `GRPC` or `HTTPS`; else leave the server out",
        };
        return manifest.error(at, &message).help(help);
    }
    let found = manifest.error(at, &format!("`{}` is no protocol", written.escape_debug()));
    let near = did_you_mean(written, known);
    found.help(near.unwrap_or_else(|| "write `HTTP`, `HTTP2`, `GRPC` or `HTTPS`".into()))
}
