//! A request as a decision sees it: borrowed bytes, and what is not known of them.

use crate::connection::Connection;
use core::net::IpAddr;
use std::borrow::Cow;

/// A name or value of which one may not know anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<T> {
    /// It is there.
    Present(T),
    /// It is known not to be there.
    Absent,
    /// The recording does not say.
    Unknown,
}

impl<T> Known<T> {
    /// What `f` makes of a present value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Present(value) => Known::Present(f(value)),
            Self::Absent => Known::Absent,
            Self::Unknown => Known::Unknown,
        }
    }
}

/// One header line: a lower-case name and a value, both bytes.
pub type Header<'a> = (&'a [u8], &'a [u8]);

/// All lines of one name, joined.
pub(crate) type JoinedHeader<'a> = (&'a [u8], Cow<'a, [u8]>);

/// A request: its headers, pseudo headers included, where it came from, and on which connection.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    headers: &'a [Header<'a>],
    unlisted: Unlisted<'a>,
    source_address: Known<IpAddr>,
    connection: &'a Connection<'a>,
    has_query: bool,
    /// `:path` split once: every rule asks for it.
    path: Known<(&'a [u8], &'a [u8])>,
    /// Query parameters by name, the first of each, where rules ask for any.
    parameters: Option<&'a [Header<'a>]>,
}

/// What a header that is not listed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted<'a> {
    /// The request had no such header: every header is listed.
    Absent,
    /// Nothing is known of it, unless it is one of these: then the request had none.
    UnknownExcept(&'a [&'a [u8]]),
}

/// Several lines of a header as one, joined by `,`; `None` for none.
pub(crate) fn join<'a>(lines: impl IntoIterator<Item = Cow<'a, [u8]>>) -> Option<Cow<'a, [u8]>> {
    lines.into_iter().reduce(|mut all, line| {
        let bytes = all.to_mut();
        bytes.push(b',');
        bytes.extend_from_slice(&line);
        all
    })
}

impl<'a> Request<'a> {
    /// A request of which everything is known: `:method`, `:path`, `:authority`, `:scheme` and all header lines, in the
    /// order in which they came, and the trusted downstream address.
    pub fn new(headers: &'a [Header<'a>], source_address: Option<IpAddr>) -> Self {
        Self::recorded(headers, Unlisted::Absent, source_address.map_or(Known::Absent, Known::Present), true)
    }

    /// A request as far as a recording tells: what headers that are not listed mean, and whether `:path` has its query (a
    /// recording may go without, since a subject is in it).
    pub fn recorded(
        headers: &'a [Header<'a>],
        unlisted: Unlisted<'a>,
        source_address: Known<IpAddr>,
        has_query: bool,
    ) -> Self {
        let (connection, path, parameters) = (&Connection::UNKNOWN, Known::Absent, None);
        let mut request = Self { headers, unlisted, source_address, connection, has_query, path, parameters };
        request.path = request.first(b":path").map(split_path);
        request
    }

    /// The same request with what is known of its connection; nothing is without.
    #[must_use]
    pub fn with_connection(self, connection: &'a Connection<'a>) -> Self {
        Self { connection, ..self }
    }

    /// The same request with other lines for its headers, and with its query parsed: what `decide` looks at.
    pub(crate) fn prepared<'b>(&self, headers: &'b [Header<'b>], parameters: Option<&'b [Header<'b>]>) -> Request<'b>
    where
        'a: 'b,
    {
        Request { headers, parameters, ..*self }
    }

    /// All lines.
    pub fn headers(&self) -> &'a [Header<'a>] {
        self.headers
    }

    /// The trusted downstream address.
    pub fn source_address(&self) -> Known<IpAddr> {
        self.source_address
    }

    /// What is known of its connection.
    pub fn connection(&self) -> &'a Connection<'a> {
        self.connection
    }

    /// Whether `:path` has its query.
    pub fn has_query(&self) -> bool {
        self.has_query
    }

    /// The lines of a header; `name` in lower case.
    pub fn lines(&self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
        let headers = self.headers;
        headers.iter().filter(move |(line, _)| *line == name).map(|(_, value)| *value)
    }

    /// The first line of a header; `name` in lower case.
    pub fn first(&self, name: &[u8]) -> Known<&'a [u8]> {
        match self.headers.iter().find(|(line, _)| *line == name) {
            Some((_, value)) => Known::Present(value),
            None => self.unlisted(name),
        }
    }

    /// All lines of a header, joined by `,` as Envoy's matchers see them (istio.md 1.4); `name` in lower case.
    pub fn value(&self, name: &[u8]) -> Known<Cow<'a, [u8]>> {
        let lines = self.headers.iter().filter(|(line, _)| *line == name);
        join(lines.map(|(_, value)| Cow::Borrowed(*value))).map_or_else(|| self.unlisted(name), Known::Present)
    }

    /// What it means that no line of this name is listed.
    pub fn unlisted<T>(&self, name: &[u8]) -> Known<T> {
        match self.unlisted {
            Unlisted::UnknownExcept(absent) if !absent.contains(&name) => Known::Unknown,
            _ => Known::Absent,
        }
    }

    /// `:path` without query and fragment.
    pub fn path(&self) -> Known<&'a [u8]> {
        self.path.map(|(path, _)| path)
    }

    /// The first query parameter of this name, not decoded; `Present("")` for one without `=`. The fragment never
    /// reaches a filter.
    pub fn query_parameter(&self, name: &[u8]) -> Known<&'a [u8]> {
        let found = match (self.path, self.parameters) {
            (Known::Absent, _) => None,
            (Known::Unknown, _) => return Known::Unknown,
            (Known::Present(_), _) if !self.has_query => return Known::Unknown,
            (Known::Present(_), Some(sorted)) => {
                let at = sorted.binary_search_by(|(key, _)| (*key).cmp(name)).ok();
                at.and_then(|at| sorted.get(at)).copied()
            }
            (Known::Present((_, query)), None) => parameters(query).find(|(key, _)| *key == name),
        };
        found.map_or(Known::Absent, |(_, value)| Known::Present(value))
    }

    /// All query parameters by name, the first of each.
    pub(crate) fn sorted_parameters(&self) -> Vec<Header<'a>> {
        let Known::Present((_, query)) = self.path else {
            return Vec::new();
        };
        let mut all: Vec<Header<'a>> = parameters(query).collect();
        // Of equal names the one that stands first in the query stays the first.
        all.sort_unstable_by_key(|(name, _)| (*name, name.as_ptr()));
        all.dedup_by_key(|(name, _)| *name);
        all
    }

    /// Lines with those of one name joined by `,`, as rules see them; `None` where there is only one of each. Cookies
    /// stay as they are.
    pub(crate) fn joined(&self) -> Option<Vec<JoinedHeader<'a>>> {
        let repeats = |index: usize, name: &[u8]| self.headers.iter().take(index).any(|(before, _)| *before == name);
        if !self.headers.iter().enumerate().any(|(index, (name, _))| repeats(index, name)) {
            return None;
        }
        let mut all: Vec<JoinedHeader<'a>> = Vec::with_capacity(self.headers.len());
        for (index, (name, value)) in self.headers.iter().enumerate() {
            if *name == b"cookie" {
                all.push((name, Cow::Borrowed(value)));
            } else if !repeats(index, name)
                && let Known::Present(value) = self.value(name)
            {
                all.push((name, value));
            }
        }
        Some(all)
    }

    /// The first cookie of this name. Several cookie lines count as one, as HTTP/2 sends them.
    pub fn cookie(&self, name: &[u8]) -> Known<&'a [u8]> {
        let mut listed = false;
        for (line, value) in self.headers {
            if *line == b"cookie" {
                listed = true;
                if let Some(found) = cookies(value).find(|(key, _)| *key == name) {
                    return Known::Present(found.1);
                }
            }
        }
        if listed { Known::Absent } else { self.unlisted(b"cookie") }
    }
}

/// A `:path` as path and the rest, which is empty or begins with `?` or `#`.
pub fn split_path(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().position(|b| *b == b'?' || *b == b'#').unwrap_or(path.len());
    path.split_at_checked(end).unwrap_or((path, b""))
}

/// The parameters of a query that begins with `?`, as Envoy splits them: at `&`, then at the first `=`.
fn parameters(query: &[u8]) -> impl Iterator<Item = Header<'_>> {
    let query = query.strip_prefix(b"?").map_or(&b""[..], |query| {
        let end = query.iter().position(|b| *b == b'#').unwrap_or(query.len());
        query.get(..end).unwrap_or(query)
    });
    query.split(|b| *b == b'&').filter(move |_| !query.is_empty()).map(split_pair)
}

/// The cookies of one header line.
fn cookies(line: &[u8]) -> impl Iterator<Item = Header<'_>> {
    line.split(|b| *b == b';').map(|pair| {
        let (name, value) = split_pair(pair.trim_ascii());
        let value = value.trim_ascii();
        let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        (name.trim_ascii(), unquoted.unwrap_or(value))
    })
}

/// A pair at its first `=`; the value is empty where there is none.
fn split_pair(pair: &[u8]) -> Header<'_> {
    let mut halves = pair.splitn(2, |b| *b == b'=');
    (halves.next().unwrap_or(b""), halves.next().unwrap_or(b""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(headers: &'a [Header<'a>]) -> Request<'a> {
        Request::new(headers, None)
    }

    #[test]
    fn the_first_parameter_of_a_name_counts_and_is_not_decoded() {
        let headers: [Header<'_>; 1] = [(b":path", b"/p?a=1&b&a=2&%61=3&c=x=y#d=4")];
        let request = request(&headers);
        assert_eq!(request.query_parameter(b"a"), Known::Present(&b"1"[..]));
        assert_eq!(request.query_parameter(b"b"), Known::Present(&b""[..]));
        assert_eq!(request.query_parameter(b"c"), Known::Present(&b"x=y"[..]));
        assert_eq!(request.query_parameter(b"d"), Known::Absent);
        assert_eq!(request.query_parameter(b""), Known::Absent);
        assert_eq!(request.path(), Known::Present(&b"/p"[..]));
    }

    #[test]
    fn the_first_cookie_of_a_name_counts_over_all_lines() {
        let headers: [Header<'_>; 2] = [(b"cookie", b"a=1; uid = \"x\" ;uid=y"), (b"cookie", b"b=2")];
        let request = request(&headers);
        assert_eq!(request.cookie(b"uid"), Known::Present(&b"x"[..]));
        assert_eq!(request.cookie(b"b"), Known::Present(&b"2"[..]));
        assert_eq!(request.cookie(b"c"), Known::Absent);
    }

    #[test]
    fn what_is_not_recorded_is_unknown() {
        let listed: [&[u8]; 1] = [b"x-a"];
        let request = Request::recorded(&[], Unlisted::UnknownExcept(&listed), Known::Unknown, true);
        assert_eq!(request.first(b"x-a"), Known::Absent);
        assert_eq!(request.first(b"x-b"), Known::Unknown);
        assert_eq!(request.path(), Known::Unknown);
        assert_eq!(request.cookie(b"uid"), Known::Unknown);
        let headers: [Header<'_>; 1] = [(b":path", b"/p")];
        let request = Request::recorded(&headers, Unlisted::Absent, Known::Absent, false);
        assert_eq!(request.query_parameter(b"a"), Known::Unknown);
    }
}
