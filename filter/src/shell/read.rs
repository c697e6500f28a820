//! What the host says of a request.

use super::host::{self, Error, Status};
use crate::pairs;
use crate::request::Header;
use core::net::{IpAddr, SocketAddr};

/// The header lines of a host's answer.
pub fn lines(wire: &[u8]) -> Result<Vec<Header<'_>>, Error> {
    pairs::decode(wire).ok_or(Error { call: "proxy_get_header_map_pairs", status: Status::MALFORMED })
}

/// The trusted downstream address; none where the listener is no IP socket. A property read costs more than all headers
/// (envoy.md 8.1): only for a policy that asks for it.
pub fn source_address() -> Result<Option<IpAddr>, Error> {
    let Some(text) = host::property("source\0address")? else {
        return Ok(None);
    };
    let text = core::str::from_utf8(&text).unwrap_or("");
    let address = text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse());
    Ok(address.ok())
}
