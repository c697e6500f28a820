//! A request as a decision sees it: borrowed bytes, and what is not known of them.

use core::net::IpAddr;

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

/// A request: its headers, pseudo headers included, and where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `:method`, `:path`, `:authority`, `:scheme` and all header lines, in the order in which they came.
    pub headers: &'a [Header<'a>],
    /// Names of which the recording says nothing, where `headers` is not all there was.
    pub unknown: Unlisted<'a>,
    /// The trusted downstream address.
    pub source_address: Known<IpAddr>,
    /// Whether `:path` has its query; a recording may go without, since a subject is in it.
    pub has_query: bool,
}

/// What a header that is not listed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted<'a> {
    /// The request had no such header: every header is listed.
    Absent,
    /// Nothing is known of it, unless it is one of these: then the request had none.
    UnknownExcept(&'a [&'a [u8]]),
}

impl<'a> Request<'a> {
    /// A request of which everything is known.
    pub fn new(headers: &'a [Header<'a>], source_address: Option<IpAddr>) -> Self {
        let source_address = source_address.map_or(Known::Absent, Known::Present);
        Self { headers, unknown: Unlisted::Absent, source_address, has_query: true }
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

    /// What it means that no line of this name is listed.
    pub fn unlisted<T>(&self, name: &[u8]) -> Known<T> {
        match self.unknown {
            Unlisted::UnknownExcept(absent) if !absent.contains(&name) => Known::Unknown,
            _ => Known::Absent,
        }
    }

    /// `:path` without query and fragment.
    pub fn path(&self) -> Known<&'a [u8]> {
        self.first(b":path").map(|path| split_path(path).0)
    }

    /// The first query parameter of this name, not decoded; `Present("")` for one without `=`. The fragment never
    /// reaches a filter.
    pub fn query_parameter(&self, name: &[u8]) -> Known<&'a [u8]> {
        match self.first(b":path") {
            Known::Present(_) if !self.has_query => Known::Unknown,
            Known::Present(path) => {
                let query = split_path(path).1;
                parameters(query)
                    .find(|(key, _)| *key == name)
                    .map_or(Known::Absent, |(_, value)| Known::Present(value))
            }
            Known::Absent => Known::Absent,
            Known::Unknown => Known::Unknown,
        }
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
        let request = Request { unknown: Unlisted::UnknownExcept(&listed), ..Request::new(&[], None) };
        assert_eq!(request.first(b"x-a"), Known::Absent);
        assert_eq!(request.first(b"x-b"), Known::Unknown);
        assert_eq!(request.path(), Known::Unknown);
        assert_eq!(request.cookie(b"uid"), Known::Unknown);
        let headers: [Header<'_>; 1] = [(b":path", b"/p")];
        let request = Request { has_query: false, ..Request::new(&headers, None) };
        assert_eq!(request.query_parameter(b"a"), Known::Unknown);
    }
}
