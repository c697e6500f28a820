//! A request as it is typed: `'GET http://HOST[:PORT]/PATH?QUERY'` and `'NAME: VALUE'` headers.

use std::net::IpAddr;
use switchyard_filter::connection::Connection;
use switchyard_filter::headers::is_token;
use switchyard_filter::request::{Header, Known, Request, Unlisted};

/// A request as the filter would see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// As it was typed.
    pub text: String,
    /// The port that the URL names.
    pub port: Option<u16>,
    /// Pseudo headers, then headers, with names in lower case.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The trusted downstream address.
    pub source_address: Option<IpAddr>,
}

impl Asked {
    /// Reads a request.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str, headers: &[String], source_address: Option<IpAddr>) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is no request: {why}; write 'GET http://HOST/PATH'");
        let (method, url) = text.trim().split_once(' ').ok_or_else(|| wrong("a method and a URL are needed"))?;
        if !is_token(method) {
            return Err(wrong(&format!("`{method}` is no method")));
        }
        let url = url.trim();
        let (scheme, rest) = url
            .split_once("://")
            .filter(|(scheme, _)| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)))
            .ok_or_else(|| wrong("the URL begins with `http://` or `https://`"))?;
        if let Some(byte) = url.bytes().find(|b| !(b'!'..=b'~').contains(b)) {
            return Err(wrong(&format!("the URL holds the byte {byte:#04x}, which clients percent-encode")));
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.is_empty() {
            return Err(wrong("the URL has no host"));
        }
        if authority.contains('@') {
            return Err(wrong("a URL with a user is not sent; use --header 'authorization: …'"));
        }
        let port = port(authority).map_err(|why| wrong(&why))?;
        // The fragment never leaves a client.
        let target = target.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let mut all: Vec<(Vec<u8>, Vec<u8>)> = vec![
            (b":authority".to_vec(), authority.into()),
            (b":method".to_vec(), method.into()),
            (b":path".to_vec(), crate::path::normalize(target.as_bytes())),
            (b":scheme".to_vec(), scheme.to_ascii_lowercase().into()),
        ];
        // CONNECT has neither.
        all.retain(|(name, _)| method != "CONNECT" || (name != b":path" && name != b":scheme"));
        for header in headers {
            let (name, value) = header
                .split_once(':')
                .filter(|(name, _)| is_token(name))
                .ok_or_else(|| format!("`{header}` is no header; write 'NAME: VALUE'"))?;
            if value.bytes().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
                return Err(format!(
                    "`{}` holds a line feed or a zero byte, which no header can",
                    header.escape_debug()
                ));
            }
            let name = name.to_ascii_lowercase();
            let value: Vec<u8> = value.trim_matches([' ', '\t']).into();
            if name == "host" {
                all.iter_mut().filter(|(name, _)| name == b":authority").for_each(|line| line.1.clone_from(&value));
            } else {
                all.push((name.into(), value));
            }
        }
        Ok(Self { text: text.trim().to_owned(), port, headers: all, source_address })
    }

    /// `:authority`, as it is asked for.
    pub fn authority(&self) -> &[u8] {
        self.headers.iter().find(|(name, _)| name == b":authority").map_or(b"", |(_, value)| value)
    }

    /// What a [`Request`] borrows.
    pub fn borrow(&self) -> Vec<Header<'_>> {
        self.headers.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    /// The request; `source_address` is what a missing one counts as.
    pub fn request<'a>(&self, borrowed: &'a [Header<'a>], source_address: Known<IpAddr>) -> Request<'a> {
        // What is typed has no client certificate. Of the rest of the connection nothing is known.
        const CONNECTION: &Connection<'static> = &Connection { peer: Known::Absent, ..Connection::UNKNOWN };
        let source_address = self.source_address.map_or(source_address, Known::Present);
        Request::recorded(borrowed, Unlisted::Absent, source_address, true).with_connection(CONNECTION)
    }
}

/// The port that an authority names.
fn port(authority: &str) -> Result<Option<u16>, String> {
    let after = match authority.rsplit_once(']') {
        Some((_, after)) => after,
        None => authority.find(':').map_or("", |colon| &authority[colon..]),
    };
    match after.strip_prefix(':') {
        None if after.is_empty() => Ok(None),
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => match port.parse() {
            Ok(0) | Err(_) => Err(format!("`{port}` is no port")),
            Ok(port) => Ok(Some(port)),
        },
        _ => Err(format!("`{authority}` is no host with a port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(request: &str, headers: &[&str]) -> Vec<String> {
        let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
        let asked = Asked::parse(request, &headers, None).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        asked.headers.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect()
    }

    #[test]
    fn a_request_is_what_a_client_would_send() {
        assert_eq!(
            lines("GET https://Shop.example:8443/a/../b?x=1#top", &["X-A:  1 ", "x-a: 2", "cookie:", "x: a:b"]),
            [
                ":authority=Shop.example:8443",
                ":method=GET",
                ":path=/b?x=1",
                ":scheme=https",
                "x-a=1",
                "x-a=2",
                "cookie=",
                "x=a:b"
            ]
        );
        assert_eq!(
            lines("GET http://h?q", &["Host: other:80"])[..3],
            [":authority=other:80", ":method=GET", ":path=/?q"]
        );
        assert_eq!(lines("CONNECT http://h:443", &[]), [":authority=h:443", ":method=CONNECT"]);
    }

    #[test]
    fn ports_are_told_from_addresses() {
        for (url, expected) in
            [("http://h", None), ("http://h:81/", Some(81)), ("http://[::1]:82", Some(82)), ("http://[::1]/", None)]
        {
            assert_eq!(Asked::parse(&format!("GET {url}"), &[], None).unwrap().port, expected, "{url}");
        }
    }

    #[test]
    fn what_is_no_request_says_what_to_write() {
        for (request, header, why) in [
            (
                "http://h/",
                None,
                "`http://h/` is no request: a method and a URL are needed; write 'GET http://HOST/PATH'",
            ),
            (
                "GET h/",
                None,
                "`GET h/` is no request: the URL begins with `http://` or `https://`; write 'GET http://HOST/PATH'",
            ),
            ("G@T http://h", None, "`G@T http://h` is no request: `G@T` is no method; write 'GET http://HOST/PATH'"),
            ("GET http:///x", None, "`GET http:///x` is no request: the URL has no host; write 'GET http://HOST/PATH'"),
            ("GET http://h:0/", None, "`GET http://h:0/` is no request: `0` is no port; write 'GET http://HOST/PATH'"),
            (
                "GET http://h:x/",
                None,
                "`GET http://h:x/` is no request: `h:x` is no host with a port; write 'GET http://HOST/PATH'",
            ),
            (
                "GET http://h/é",
                None,
                "`GET http://h/é` is no request: the URL holds the byte 0xc3, which clients percent-encode; write 'GET http://HOST/PATH'",
            ),
            ("GET http://h", Some("x-a"), "`x-a` is no header; write 'NAME: VALUE'"),
            ("GET http://h", Some(":path: /x"), "`:path: /x` is no header; write 'NAME: VALUE'"),
        ] {
            let headers: Vec<String> = header.into_iter().map(str::to_owned).collect();
            assert_eq!(Asked::parse(request, &headers, None).unwrap_err(), why);
        }
    }
}
