//! `peer`: who the client is by its certificate. Only in tag rules.
//!
//! The name comes of the connection and not of the request, so no client can choose it, as long as the listener asks for
//! certificates and verifies them.

use super::text::TextMatch;
use crate::request::{Known, Request};
use crate::truth::Truth;
use core::fmt;

/// The first URI among the subject alternative names of the client's certificate is any of these.
#[derive(Debug)]
pub struct PeerMatch(pub Box<[TextMatch]>);

impl PeerMatch {
    /// Whether the client is one of them; one without a certificate is none.
    pub fn matches(&self, request: &Request<'_>) -> Truth {
        match request.connection().peer {
            Known::Present(peer) => Truth::from(self.0.iter().any(|text| text.matches(peer))),
            Known::Absent => Truth::False,
            Known::Unknown => Truth::Unknown,
        }
    }
}

impl fmt::Display for PeerMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("client certificate ")?;
        for (index, text) in self.0.iter().enumerate() {
            let or = if index == 0 { "" } else { " or " };
            write!(f, "{or}{text}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connection;

    #[test]
    fn any_of_several_names_will_do_and_a_client_without_one_is_none() {
        let texts = [TextMatch::Exact("spiffe://a/one".into()), TextMatch::Prefix("spiffe://b/".into())];
        let peers = PeerMatch(texts.into());
        assert_eq!(peers.to_string(), "client certificate is `spiffe://a/one` or begins with `spiffe://b/`");
        for (peer, expected) in [
            (Known::Present(&b"spiffe://a/one"[..]), Truth::True),
            (Known::Present(b"spiffe://a/one/more"), Truth::False),
            (Known::Present(b"spiffe://b/two"), Truth::True),
            (Known::Absent, Truth::False),
            (Known::Unknown, Truth::Unknown),
        ] {
            let connection = Connection { peer, ..Connection::UNKNOWN };
            assert_eq!(peers.matches(&Request::new(&[], None).with_connection(&connection)), expected, "{peer:?}");
        }
        assert_eq!(peers.matches(&Request::new(&[], None)), Truth::Unknown, "nothing is known of the connection");
    }
}
