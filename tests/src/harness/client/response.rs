//! Reading a response from the bytes that have arrived; knows no socket.

use std::str;

/// More headers than any proxy sends; Envoy's own limit is 100.
const MAX_HEADERS: usize = 256;

/// A response as it came over the wire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// Names as spelled and values as bytes, in the order of arrival, repeats included.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, with its chunks joined.
    pub body: Vec<u8>,
}

impl Response {
    /// The values of this header, whatever the case of its name.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &value[..])
    }

    /// The body as text, for messages: what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON. Errors: it is none.
    pub fn json(&self) -> Result<serde_json::Value, String> {
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("status {}, no JSON ({error}): {}", self.status, self.text()))
    }
}

/// What becomes of the connection after a response.
#[derive(Debug, Eq, PartialEq)]
pub enum Framing {
    Kept,
    Closed,
}

/// How far the bytes go.
#[derive(Debug, Eq, PartialEq)]
pub enum Progress {
    /// More is needed; the response as it is if the connection closes here and its end is marked by that.
    Partial(Option<Response>),
    /// An informational response of so many bytes, which the real one follows.
    Interim(usize),
    /// All of it.
    Complete(Response, Framing),
}

/// Reads the response to a request of this method at the beginning of `input` (RFC 9112 6.3). Errors: no HTTP/1.1.
pub fn parse(input: &[u8], method: &str) -> Result<Progress, String> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(input).map_err(|error| format!("no HTTP/1.1 response: {error}"))? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(Progress::Partial(None)),
    };
    let status = head.code.ok_or("no status in the response")?;
    let old = head.version == Some(0);
    let headers = head.headers.iter().map(|header| (header.name.to_owned(), header.value.to_owned())).collect();
    let mut response = Response { status, headers, body: Vec::new() };
    let rest = input.get(length..).unwrap_or_default();

    if status < 200 && status != 101 {
        return Ok(Progress::Interim(length));
    }
    let tunnel = method == "CONNECT" && status < 300;
    if tunnel || status == 101 {
        // What follows is no HTTP any more.
        return Ok(Progress::Complete(response, Framing::Closed));
    }
    let last = old || has_token(&response, "connection", "close");
    let framing = if last { Framing::Closed } else { Framing::Kept };
    if method == "HEAD" || status == 204 || status == 304 {
        return Ok(Progress::Complete(response, framing));
    }
    if has_token(&response, "transfer-encoding", "chunked") {
        return Ok(match joined_chunks(rest)? {
            Some(body) => {
                response.body = body;
                Progress::Complete(response, framing)
            }
            None => Progress::Partial(None),
        });
    }
    let Some(expected) = content_length(&response)? else {
        response.body.extend_from_slice(rest);
        return Ok(Progress::Partial(Some(response)));
    };
    Ok(match rest.get(..expected) {
        Some(body) => {
            response.body.extend_from_slice(body);
            Progress::Complete(response, framing)
        }
        None => Progress::Partial(None),
    })
}

fn has_token(response: &Response, name: &str, token: &str) -> bool {
    let mut tokens = response.header(name).flat_map(|value| value.split(|byte| *byte == b','));
    tokens.any(|known| known.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

fn content_length(response: &Response) -> Result<Option<usize>, String> {
    let Some(value) = response.header("content-length").next() else { return Ok(None) };
    let number = str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
    number.map(Some).ok_or_else(|| format!("`{}` is no content-length", String::from_utf8_lossy(value)))
}

/// The body of a chunked response with its trailers left out; `None` while its end is missing.
fn joined_chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(rest).map_err(|_| "a chunk without a size")? {
            httparse::Status::Complete(found) => found,
            httparse::Status::Partial => return Ok(None),
        };
        rest = rest.get(start..).unwrap_or_default();
        if size == 0 {
            // The trailers end with an empty line, which is all there is of them mostly.
            let ended = rest.starts_with(b"\r\n") || rest.windows(4).any(|bytes| bytes == b"\r\n\r\n");
            return Ok(ended.then_some(body));
        }
        let size = usize::try_from(size).map_err(|_| "a chunk that is too large")?;
        let (Some(chunk), Some(after)) = (rest.get(..size), rest.get(size.saturating_add(2)..)) else {
            return Ok(None);
        };
        body.extend_from_slice(chunk);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(input: &[u8], method: &str) -> (u16, String, Framing) {
        match parse(input, method).unwrap() {
            Progress::Complete(response, framing) => (response.status, response.text(), framing),
            progress => panic!("not complete: {progress:?}"),
        }
    }

    #[test]
    fn a_response_is_complete_at_its_last_byte_and_not_before() {
        for (input, method, body) in [
            (&b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"[..], "GET", "hello"),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
                "GET",
                "hello",
            ),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nt: 1\r\n\r\n", "GET", "hello"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", "HEAD", ""),
            (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", ""),
            (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", "GET", ""),
        ] {
            assert_eq!(complete(input, method).1, body, "{}", String::from_utf8_lossy(input));
            for length in 0..input.len() {
                let progress = parse(&input[..length], method).unwrap();
                assert_eq!(progress, Progress::Partial(None), "{length} of {}", String::from_utf8_lossy(input));
            }
        }
    }

    #[test]
    fn without_a_length_the_end_of_the_connection_ends_the_body() {
        let Progress::Partial(Some(response)) = parse(b"HTTP/1.1 200 OK\r\n\r\nhel", "GET").unwrap() else { panic!() };
        assert_eq!(response.text(), "hel");
    }

    #[test]
    fn connection_close_is_seen_in_a_list() {
        let closed = complete(b"HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n\r\n", "GET");
        assert_eq!(closed, (200, String::new(), Framing::Closed));
    }

    #[test]
    fn an_informational_response_is_not_the_response() {
        let progress = parse(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", "POST").unwrap();
        assert_eq!(progress, Progress::Interim(25));
    }

    #[test]
    fn a_tunnel_has_no_body() {
        assert_eq!(complete(b"HTTP/1.1 200 OK\r\n\r\nxyz", "CONNECT"), (200, String::new(), Framing::Closed));
    }

    #[test]
    fn what_is_no_http_is_an_error() {
        assert!(parse(b"SSH-2.0-x\r\n", "GET").unwrap_err().starts_with("no HTTP/1.1 response"));
        let length = parse(b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n", "GET").unwrap_err();
        assert_eq!(length, "`five` is no content-length");
    }
}
