//! What is known of a request beside its headers: facts of the connection that it came on.
//!
//! In Envoy each of them is a property, and a property read costs more than all headers together (envoy.md 8.1), so a
//! policy [says](crate::policy::Policy::facts) which of them it asks for.

use crate::request::Known;
use core::net::SocketAddr;

/// The connection of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The protocol as Envoy writes it: `HTTP/1.0`, `HTTP/1.1`, `HTTP/2`, `HTTP/3`. Property `request.protocol`.
    pub protocol: Known<&'a [u8]>,
    /// The trusted downstream address; port 0 where it comes from a header. Property `source.address`.
    pub source: Known<SocketAddr>,
    /// Where the client connected to. Property `destination.address`.
    pub destination: Known<SocketAddr>,
    /// The name in the client's TLS hello. Property `connection.requested_server_name`.
    pub server_name: Known<&'a [u8]>,
    /// The first URI in the subject alternative names of the client's certificate. Property
    /// `connection.uri_san_peer_certificate`.
    pub peer: Known<&'a [u8]>,
}

impl Connection<'_> {
    /// One of which nothing is known.
    pub const UNKNOWN: Connection<'static> = Connection {
        protocol: Known::Unknown,
        source: Known::Unknown,
        destination: Known::Unknown,
        server_name: Known::Unknown,
        peer: Known::Unknown,
    };
}

/// A set of facts of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts(u8);

impl Facts {
    /// None.
    pub const NONE: Self = Self(0);
    /// [`Connection::protocol`].
    pub const PROTOCOL: Self = Self(1);
    /// [`Connection::source`].
    pub const SOURCE: Self = Self(2);
    /// [`Connection::destination`].
    pub const DESTINATION: Self = Self(4);
    /// [`Connection::server_name`].
    pub const SERVER_NAME: Self = Self(8);
    /// [`Connection::peer`].
    pub const PEER: Self = Self(16);

    /// Those of both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of the other set are in this one.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = Facts::SOURCE.with(Facts::PEER);
        assert!(set.contains(Facts::PEER) && set.contains(Facts::SOURCE) && set.contains(Facts::NONE));
        assert!(!set.contains(Facts::PROTOCOL) && !Facts::NONE.contains(Facts::PEER));
    }
}
