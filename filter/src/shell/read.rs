//! What the host says of a request.

use super::host::{self, Error, Status};
use super::metrics::Metrics;
use crate::connection::{Connection, Facts};
use crate::pairs;
use crate::request::{Header, Known};
use core::net::{IpAddr, SocketAddr};

/// The header lines of a host's answer.
pub fn lines(wire: &[u8]) -> Result<Vec<Header<'_>>, Error> {
    pairs::decode(wire).ok_or(Error { call: "proxy_get_header_map_pairs", status: Status::MALFORMED })
}

/// What the host says of a connection: of each fact its text, where it was asked for and there is one.
pub struct Properties([Option<Vec<u8>>; 5]);

impl Properties {
    /// Asks the host for these facts alone: one costs more than all headers (envoy.md 8.1).
    pub fn read(facts: Facts, metrics: &Metrics) -> Self {
        let ask = |fact: Facts, path: &str| {
            if !facts.contains(fact) {
                return None;
            }
            host::property(path).unwrap_or_else(|error| {
                metrics.host_error(&error);
                None
            })
        };
        Self([
            ask(Facts::PROTOCOL, "request\0protocol"),
            ask(Facts::SOURCE, "source\0address"),
            ask(Facts::DESTINATION, "destination\0address"),
            ask(Facts::SERVER_NAME, "connection\0requested_server_name"),
            ask(Facts::PEER, "connection\0uri_san_peer_certificate"),
        ])
    }

    /// The same, read.
    pub fn connection(&self) -> Connection<'_> {
        let [protocol, source, destination, server_name, peer] = self.0.each_ref().map(Option::as_ref);
        Connection {
            protocol: text(protocol),
            source: address(source),
            destination: address(destination),
            server_name: text(server_name),
            peer: text(peer),
        }
    }

    /// The trusted downstream address, where it was asked for; none where the listener is no IP socket.
    pub fn source_address(&self) -> Option<IpAddr> {
        let [_, source, ..] = &self.0;
        match address(source.as_ref()) {
            Known::Present(address) => Some(address.ip()),
            Known::Absent | Known::Unknown => None,
        }
    }
}

/// A text that the host has; one that was not asked for counts as absent, and nobody looks at it.
fn text(property: Option<&Vec<u8>>) -> Known<&[u8]> {
    property.map(Vec::as_slice).filter(|text| !text.is_empty()).map_or(Known::Absent, Known::Present)
}

/// `ip:port`, or an address alone.
fn address(property: Option<&Vec<u8>>) -> Known<SocketAddr> {
    let Known::Present(text) = text(property) else {
        return Known::Absent;
    };
    let text = core::str::from_utf8(text).unwrap_or("");
    let address = text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0)));
    address.map_or(Known::Absent, Known::Present)
}
