//! Values of header operations: texts with Envoy's format operators (istio.md 1.7).
//!
//! Only operators that a filter can answer as Envoy's router does; every other one is refused with what there is.

use crate::connection::{Connection, Facts};
use crate::error::At;
use crate::request::Known;
use core::net::{IpAddr, SocketAddr};
use std::borrow::Cow;

/// A value, compiled: pieces in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Box<[Part]>);

/// A piece of a value, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    written: Box<str>,
    asks: Ask,
}

/// What stands for a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ask {
    /// What is written.
    Text,
    /// The first line of a header, or that of another one where it is missing; names in lower case.
    Header(Box<str>, Option<Box<str>>),
    /// A fact of the connection: which operator.
    Connection(usize),
}

/// What a value is evaluated against.
pub trait Values<'a> {
    /// The first line of a header; `name` in lower case.
    fn header(&self, name: &'a str) -> Known<Cow<'a, [u8]>>;
    /// The connection.
    fn connection(&self) -> &Connection<'a>;
    /// The trusted downstream address, also where its port is not known.
    fn source_ip(&self) -> Known<IpAddr>;
}

/// Operators without arguments, and what they rest on.
const CONNECTION: [(&str, Facts); 8] = [
    ("PROTOCOL", Facts::PROTOCOL),
    ("REQUESTED_SERVER_NAME", Facts::SERVER_NAME),
    ("DOWNSTREAM_REMOTE_ADDRESS", Facts::SOURCE),
    ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Facts::SOURCE),
    ("DOWNSTREAM_REMOTE_PORT", Facts::SOURCE),
    ("DOWNSTREAM_LOCAL_ADDRESS", Facts::DESTINATION),
    ("DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Facts::DESTINATION),
    ("DOWNSTREAM_LOCAL_PORT", Facts::DESTINATION),
];

/// Envoy's limit on a value as it is configured, in bytes.
const MAX_VALUE: usize = 16_384;

impl Template {
    /// Compiles a value; what is wrong with it is noted.
    pub fn compile(written: &str, at: &mut At) -> Self {
        let mut parts = Vec::new();
        if let Err(error) = parse(written, &mut parts) {
            at.error(error);
        }
        Self(parts.into())
    }

    /// What it asks of a connection.
    pub fn facts(&self) -> Facts {
        self.0.iter().fold(Facts::NONE, |all, part| match part.asks {
            Ask::Connection(operator) => all.with(CONNECTION.get(operator).map_or(Facts::NONE, |(_, fact)| *fact)),
            _ => all,
        })
    }

    /// The value; a missing header leaves nothing. What is not known stays as it is written.
    pub fn evaluate<'a>(&'a self, values: &impl Values<'a>) -> Cow<'a, [u8]> {
        let mut parts = self.0.iter().map(|part| part.evaluate(values));
        let first = parts.next().unwrap_or_default();
        parts.fold(first, |mut all, part| {
            all.to_mut().extend_from_slice(&part);
            all
        })
    }
}

impl Part {
    fn evaluate<'a>(&'a self, values: &impl Values<'a>) -> Cow<'a, [u8]> {
        let known = match &self.asks {
            Ask::Text => Known::Present(Cow::Borrowed(self.written.as_bytes())),
            Ask::Header(name, other) => match (values.header(name), other) {
                (Known::Absent, Some(other)) => values.header(other),
                (known, _) => known,
            },
            Ask::Connection(operator) => connection(*operator, values),
        };
        match known {
            Known::Present(value) => value,
            Known::Absent => Cow::Borrowed(b""),
            Known::Unknown => Cow::Borrowed(self.written.as_bytes()),
        }
    }
}

/// The value of one of [`CONNECTION`].
fn connection<'a>(operator: usize, values: &impl Values<'a>) -> Known<Cow<'a, [u8]>> {
    let known = values.connection();
    let address = if operator < 5 { known.source } else { known.destination };
    let text = |text: String| Cow::Owned(text.into_bytes());
    match operator {
        0 => known.protocol.map(Cow::Borrowed),
        1 => known.server_name.map(server_name),
        3 => values.source_ip().map(|ip| text(ip.to_string())),
        2 | 5 => address.map(|address: SocketAddr| text(address.to_string())),
        6 => address.map(|address| text(address.ip().to_string())),
        _ => address.map(|address| text(address.port().to_string())),
    }
}

/// The name in the client's hello. One that is no host name is marked, as Envoy 1.37 does it.
fn server_name(name: &[u8]) -> Cow<'_, [u8]> {
    let fits = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if name.iter().all(fits) {
        return Cow::Borrowed(name);
    }
    let mut marked = b"invalid:".to_vec();
    marked.extend(name.iter().map(|b| if fits(b) { *b } else { b'_' }));
    Cow::Owned(marked)
}

fn parse(written: &str, parts: &mut Vec<Part>) -> Result<(), String> {
    if written.len() > MAX_VALUE {
        return Err(format!("the value has {} bytes, at most {MAX_VALUE} are allowed", written.len()));
    }
    if written.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f) {
        return Err(format!("`{}` has a control character, which no header can have", written.escape_debug()));
    }
    let mut text = String::new();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        if let Some(escaped) = after.strip_prefix('%') {
            text.push('%');
            rest = escaped;
            continue;
        }
        let Some((operator, behind)) = after.split_once('%') else {
            return Err(format!("`{written}` has a `%` alone: write `%%` for a percent sign"));
        };
        if !text.is_empty() {
            parts.push(Part { written: core::mem::take(&mut text).into(), asks: Ask::Text });
        }
        let asks = ask(operator)?;
        parts.push(Part { written: format!("%{operator}%").into(), asks });
        rest = behind;
    }
    text.push_str(rest);
    if !text.is_empty() {
        parts.push(Part { written: text.into(), asks: Ask::Text });
    }
    Ok(())
}

/// What stands between percent signs.
fn ask(operator: &str) -> Result<Ask, String> {
    if let Some(argument) = operator.strip_prefix("REQ(") {
        let Some((names, behind)) = argument.split_once(')') else {
            return Err(format!("`%{operator}%` does not end: write `%REQ(name)%`"));
        };
        if !behind.is_empty() {
            // Envoy would cut the value with `:N`; Istio's validation takes no such operator.
            return Err(format!("`{behind}` behind `%REQ({names})` is not allowed in Istio: leave it out"));
        }
        let (name, other) = names.split_once('?').map_or((names, None), |(name, other)| (name, Some(other)));
        for name in [Some(name), other].into_iter().flatten() {
            if !crate::headers::is_token(name.strip_prefix(':').unwrap_or(name)) {
                return Err(format!("`{name}` in `%{operator}%` is no header name"));
            }
            if crate::headers::is_control(name.as_bytes()) {
                return Err(format!(
                    "`{name}` in `%{operator}%` is a control header: what a client says there is nobody's"
                ));
            }
        }
        return Ok(Ask::Header(lower(name), other.map(lower)));
    }
    CONNECTION.iter().position(|(name, _)| *name == operator).map(Ask::Connection).ok_or_else(|| {
        let mut known = String::from("`%%`, `%REQ(name)%`, `%REQ(name?other)%`");
        for (name, _) in CONNECTION {
            known.extend([", `%", name, "%`"]);
        }
        format!("`%{operator}%` is not supported: write one of {known}")
    })
}

/// A name as lines have it.
fn lower(name: &str) -> Box<str> {
    let name = name.to_ascii_lowercase();
    if name == "host" { ":authority".into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Given(Known<&'static str>, Connection<'static>);

    impl<'a> Values<'a> for Given {
        fn header(&self, name: &'a str) -> Known<Cow<'a, [u8]>> {
            match name {
                "x-user" | ":authority" => self.0.map(|value| value.as_bytes().into()),
                _ => Known::Absent,
            }
        }
        fn connection(&self) -> &Connection<'a> {
            &self.1
        }
        fn source_ip(&self) -> Known<IpAddr> {
            self.1.source.map(|address| address.ip())
        }
    }

    fn known() -> Given {
        let connection = Connection {
            protocol: Known::Present(b"HTTP/2"),
            source: Known::Present("[::1]:9".parse().unwrap()),
            destination: Known::Present("10.0.0.1:80".parse().unwrap()),
            server_name: Known::Present(b"a!b"),
            peer: Known::Absent,
        };
        Given(Known::Present("ann"), connection)
    }

    fn run(written: &str, given: &Given) -> String {
        let mut at = At::root();
        let template = Template::compile(written, &mut at);
        let errors = at.into_errors();
        assert!(errors.is_empty(), "{written}: {errors:?}");
        String::from_utf8(template.evaluate(given).into_owned()).unwrap()
    }

    #[test]
    fn operators_stand_for_what_envoy_has() {
        for (written, value) in [
            ("", ""),
            ("plain", "plain"),
            ("100%%", "100%"),
            ("%%%REQ(X-User)%%%", "%ann%"),
            ("a-%REQ(none)%-b", "a--b"),
            ("%REQ(none?x-user)%", "ann"),
            ("%REQ(host)%", "ann"),
            ("%PROTOCOL%", "HTTP/2"),
            ("%REQUESTED_SERVER_NAME%", "invalid:a_b"),
            ("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "[::1]:9 ::1"),
            ("%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "10.0.0.1:80 10.0.0.1"),
            ("%DOWNSTREAM_REMOTE_PORT% %DOWNSTREAM_LOCAL_PORT%", "9 80"),
        ] {
            assert_eq!(run(written, &known()), value, "{written}");
        }
    }

    #[test]
    fn what_is_not_known_stays_as_it_is_written() {
        let unknown = Given(Known::Unknown, Connection::UNKNOWN);
        let written = "a %REQ(x-user)% %PROTOCOL% %DOWNSTREAM_REMOTE_PORT%";
        assert_eq!(run(written, &unknown), written);
        assert_eq!(run("%REQ(x-user?none)%", &unknown), "%REQ(x-user?none)%");
        assert_eq!(run("%REQ(none?x-user)%", &unknown), "%REQ(none?x-user)%");
    }

    #[test]
    fn it_knows_what_it_asks_of_a_connection() {
        let facts = |written: &str| Template::compile(written, &mut At::root()).facts();
        assert_eq!(facts("%REQ(a)% b"), Facts::NONE);
        assert_eq!(facts("%PROTOCOL%%DOWNSTREAM_LOCAL_PORT%"), Facts::PROTOCOL.with(Facts::DESTINATION));
    }

    #[test]
    fn what_envoy_or_istio_would_not_take_is_an_error() {
        let error = |written: &str| {
            let mut at = At::root();
            Template::compile(written, &mut at);
            at.into_errors().first().map(ToString::to_string).unwrap_or_default()
        };
        for (written, part) in [
            ("100%", "`100%` has a `%` alone: write `%%` for a percent sign"),
            ("%%%", "has a `%` alone"),
            ("x%REQ(y)%%", "has a `%` alone"),
            (
                "%START_TIME%",
                "`%START_TIME%` is not supported: write one of `%%`, `%REQ(name)%`, `%REQ(name?other)%`, ",
            ),
            ("%RESP(x)%", "is not supported"),
            ("%DOWNSTREAM_PEER_URI_SAN%", "is not supported"),
            ("%req(x)%", "is not supported"),
            ("%REQ%", "is not supported"),
            ("%REQ(x%", "does not end"),
            ("%REQ()%", "`` in `%REQ()%` is no header name"),
            ("%REQ(a?b?c)%", "`b?c` in `%REQ(a?b?c)%` is no header name"),
            (
                "%REQ(a?X_Switchyard-Cluster)%",
                "`X_Switchyard-Cluster` in `%REQ(a?X_Switchyard-Cluster)%` is a control header",
            ),
            ("%REQ(x-envoy-fault-delay-request)%", "is a control header"),
            ("%REQ(x):3%", "`:3` behind `%REQ(x)` is not allowed in Istio: leave it out"),
            ("a\nb", "has a control character"),
        ] {
            assert!(error(written).contains(part), "{written}: {}", error(written));
        }
        assert!(error(&"a".repeat(16_385)).contains("at most 16384"));
        assert_eq!(error("a\tb é"), "");
    }
}
