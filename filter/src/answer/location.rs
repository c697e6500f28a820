//! The `location` of an answer, as Envoy puts it together (`Http::Utility::newUri`).

use crate::block::Missing;
use crate::matcher::path::PathMatch;
use crate::request::{Known, Request, split_path};
use std::borrow::Cow;

/// Where an answer sends the client.
#[derive(Debug)]
pub struct Target {
    /// `http` or `https`; empty for the request's.
    pub scheme: &'static str,
    /// Host, with a port where it has one; empty for the request's.
    pub authority: Cow<'static, str>,
    /// The port.
    pub port: Port,
    /// The path.
    pub to: To,
}

/// The port that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// None.
    None,
    /// This one.
    Always(u16),
    /// This one, 80 or 443, unless the scheme means it.
    UnlessDefault(u16),
}

/// What becomes of the path.
#[derive(Debug)]
pub enum To {
    /// It stays, and its query.
    Same,
    /// It is another. The query stays where this one has none of its own.
    Path { path: Box<str>, has_query: bool },
    /// What matched is replaced; the rest and the query stay.
    Prefix(Box<str>),
}

impl Target {
    /// The request's own URL.
    pub const SAME: Self = Self { scheme: "", authority: Cow::Borrowed(""), port: Port::None, to: To::Same };

    /// The URL for a request that `matched` took.
    ///
    /// # Errors
    /// What the recording would have to hold.
    pub fn location<'a>(&self, matched: &PathMatch, request: &Request<'a>) -> Result<Vec<u8>, Missing<'a>> {
        let scheme = match request.first(b":scheme") {
            _ if !self.scheme.is_empty() => self.scheme.as_bytes(),
            Known::Present(scheme) => scheme,
            Known::Absent => b"http",
            Known::Unknown => return Err(Missing::Header(":scheme")),
        };
        let default = if scheme == b"https" { 443 } else { 80 };
        let port = match self.port {
            Port::Always(port) => Some(port),
            Port::UnlessDefault(port) => Some(port).filter(|port| *port != default),
            Port::None => None,
        };
        let mut url = [scheme, b"://"].concat();
        if self.authority.is_empty() {
            url.extend_from_slice(host(scheme, port.is_some(), request)?);
        } else {
            url.extend_from_slice(self.authority.as_bytes());
        }
        if let Some(port) = port {
            url.push(b':');
            url.extend_from_slice(port.to_string().as_bytes());
        }
        let came = match request.first(b":path") {
            Known::Present(path) => path,
            Known::Absent => b"",
            Known::Unknown => return Err(Missing::Header(":path")),
        };
        let (path, query) = split_path(came);
        let (new, rest, query): (&[u8], &[u8], &[u8]) = match &self.to {
            To::Same => (b"", path, query),
            To::Path { path, has_query: true } => (path.as_bytes(), b"", b""),
            To::Path { path, has_query: false } => (path.as_bytes(), b"", query),
            To::Prefix(prefix) => (prefix.as_bytes(), matched.rewrite(path), query),
        };
        let own_query = matches!(self.to, To::Path { has_query: true, .. });
        if !own_query && !request.has_query() {
            return Err(Missing::Header(":path"));
        }
        if new.iter().chain(rest).chain(query).next() != Some(&b'/') {
            url.push(b'/');
        }
        for part in [new, rest, query] {
            url.extend_from_slice(part);
        }
        Ok(url)
    }
}

/// The request's host, without its port where another is named, or where it was the default of the scheme that changes.
fn host<'a>(scheme: &[u8], names_port: bool, request: &Request<'a>) -> Result<&'a [u8], Missing<'a>> {
    let Known::Present(host) = request.first(b":authority") else {
        return Ok(b"");
    };
    let colon = host.iter().rposition(|b| *b == b':');
    // Of an address in brackets, the last colon may be its own.
    let colon =
        colon.filter(|colon| host.first() != Some(&b'[') || host.get(..*colon).is_some_and(|h| h.ends_with(b"]")));
    let Some((bare, port)) = colon.and_then(|colon| host.split_at_checked(colon)) else {
        return Ok(host);
    };
    if names_port {
        return Ok(bare);
    }
    let of: &[u8] = match port {
        b":80" => b"http",
        b":443" => b"https",
        _ => return Ok(host),
    };
    let came_by = match request.first(b"x-forwarded-proto") {
        Known::Present(scheme) => scheme,
        // Envoy sets it on every request, to the scheme unless someone in front said otherwise.
        Known::Absent => match request.first(b":scheme") {
            Known::Present(scheme) => scheme,
            Known::Absent => b"http",
            Known::Unknown => return Err(Missing::Header(":scheme")),
        },
        Known::Unknown => return Err(Missing::Header("x-forwarded-proto")),
    };
    Ok(if came_by == of && scheme != came_by { bare } else { host })
}
