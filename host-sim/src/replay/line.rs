//! One line of a recording, as read; the keys are those that `generate --record` writes (`envoy.md` 7).
//!
//! | key | meaning |
//! |---|---|
//! | `type` | `DownstreamStart` or `DownstreamEnd`; a line without one is an end |
//! | `id` | joins the two |
//! | `m`, `s`, `a`, `p`, `op` | `:method`, `:scheme`, `:authority`, `:path`, the path before a rewrite |
//! | `h`, `hp` | headers by name, `null` for one that was not there; `hp: "listed"`: names that are no key are unknown |
//! | `qp` | `dropped`: the paths are without their queries, because a sticky subject is in them |
//! | `rid` | `x-request-id`, which Envoy may make after the start was written |
//! | `ra` | the downstream address |
//! | `listener` | the listener's name |
//! | `c`, `uc` | status, and the cluster that Envoy chose |
//! | `cluster`, `draws` | what the filter told: its cluster, and digests and numbers of the draws |
//!
//! Other keys are ignored. A key that is missing is unknown, `null` is absent; so are `-` and an empty text, but for what
//! a client may have sent (`m`, `s`, `a`, `p`, `rid`, and headers).

use super::text;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::net::IpAddr;
use switchyard_filter::recorded::Recording;
use switchyard_filter::request::Known;

/// A scalar of a line: bytes, known not to be there, or not told.
pub type Scalar = Known<Vec<u8>>;

/// Which of a request's two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Written before the filters: the request as it came.
    Start,
    /// Written at the end: what became of it.
    End,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Start or end.
    pub kind: Kind,
    /// A hash of the line's bytes.
    pub digest: u64,
    /// The stream's id.
    pub id: Scalar,
    /// `:method`, `:scheme`, `:authority`.
    pub pseudo: [(&'static str, Scalar); 3],
    /// `:path` as it is at this moment.
    pub path: Scalar,
    /// `:path` before a rewrite.
    pub original_path: Scalar,
    /// Whether the paths have their queries.
    pub has_query: bool,
    /// Headers in order of their names; `None` for absent ones.
    pub headers: Option<Headers>,
    /// `x-request-id`.
    pub request_id: Scalar,
    /// The downstream address.
    pub source_address: Known<IpAddr>,
    /// The listener's name.
    pub listener: Option<String>,
    /// The answer's status; 0 and absent: none.
    pub status: Option<u16>,
    /// The cluster that Envoy chose.
    pub upstream_cluster: Option<String>,
    /// The cluster that the filter decided; `-` for none.
    pub decided_cluster: Option<String>,
    /// What the filter told of the draws.
    pub draws: Option<Recording>,
    /// An end that has no request id, nothing from the filter and no cluster. Without a start, Envoy refused the request
    /// before any filter saw it: a path that cannot be normalised, say.
    pub is_untouched: bool,
}

/// The headers of a line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers {
    /// By name in lower case; `None`: the request had no such header.
    pub lines: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Only some names were logged: what is not in `lines` is unknown.
    pub is_partial: bool,
}

/// What a line that counts for nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// An event that is no start and no end (periodic and upstream lines).
    Event,
    /// A request that Envoy refused before any filter saw it: an end whose `id` is `null`.
    Refused,
    /// Not a line of a recording, and why.
    Unreadable(String),
}

/// Reads a line.
///
/// # Errors
/// Why it counts for nothing.
pub fn read(line: &[u8]) -> Result<Line, Skip> {
    let mut digest = DefaultHasher::new();
    digest.write(line.trim_ascii());
    let line = text::to_utf8(line);
    let keys: BTreeMap<String, &RawValue> = serde_json::from_str(&line).map_err(|error| {
        let why = match error.classify() {
            serde_json::error::Category::Data => "is no JSON object",
            serde_json::error::Category::Eof => "is cut off",
            _ => "is no JSON",
        };
        Skip::Unreadable(why.to_owned())
    })?;
    let scalar = |key: &str| keys.get(key).map_or(Known::Unknown, |value| scalar(value));
    let sent = |key: &str| keys.get(key).map_or(Known::Unknown, |value| sent(value));
    let kind = match scalar("type") {
        Known::Present(name) if name == b"DownstreamStart" => Kind::Start,
        Known::Present(name) if name != b"DownstreamEnd" && name != b"NotSet" => return Err(Skip::Event),
        _ => Kind::End,
    };
    let id = scalar("id");
    if kind == Kind::End && id == Known::Absent {
        return Err(Skip::Refused);
    }
    let headers = keys.get("h").and_then(|value| headers(value, scalar("hp") == Known::Present(b"listed".to_vec())));
    if headers.is_none() && ["m", "a", "p"].iter().all(|key| !keys.contains_key(*key)) {
        return Err(Skip::Unreadable("holds no request: none of `m`, `a`, `p`, `h`".to_owned()));
    }
    Ok(Line {
        kind,
        digest: digest.finish(),
        id,
        pseudo: [(":method", sent("m")), (":scheme", sent("s")), (":authority", sent("a"))],
        path: sent("p"),
        original_path: scalar("op"),
        has_query: scalar("qp") != Known::Present(b"dropped".to_vec()),
        headers,
        request_id: sent("rid"),
        source_address: match scalar("ra").map(|text| string(&text)) {
            Known::Present(text) => text.parse().map_or(Known::Absent, Known::Present),
            Known::Absent => Known::Absent,
            Known::Unknown => Known::Unknown,
        },
        listener: present(scalar("listener")),
        status: present(scalar("c")).and_then(|status| status.parse().ok()).filter(|status| *status != 0),
        upstream_cluster: present(scalar("uc")),
        decided_cluster: keys.get("cluster").and_then(|value| present(quoted_scalar(value))),
        is_untouched: kind == Kind::End
            && ["rid", "cluster", "draws", "uc"].iter().all(|key| keys.get(*key).is_some_and(|value| is_null(value))),
        draws: present(scalar("draws")).and_then(|line| Recording::parse(line.trim_matches('"'))),
    })
}

fn is_null(value: &RawValue) -> bool {
    value.get().starts_with('n')
}

/// A string or number; `null`, `-` and an empty one are absent.
fn scalar(value: &RawValue) -> Scalar {
    match quoted_scalar(value) {
        Known::Present(text) if text == b"-" || text.is_empty() => Known::Absent,
        scalar => scalar,
    }
}

/// A string or number as a client sent it: `-`, quotes and nothing at all are values too.
fn sent(value: &RawValue) -> Scalar {
    match value.get().as_bytes().first() {
        Some(b'n') | None => Known::Absent,
        Some(b'{' | b'[') => Known::Unknown,
        _ => Known::Present(text::bytes(value.get())),
    }
}

/// A string or number, without the quotes that Envoy puts around a filter state's text; `-` is a value.
fn quoted_scalar(value: &RawValue) -> Scalar {
    match value.get().as_bytes().first() {
        Some(b'n') | None => Known::Absent,
        Some(b'{' | b'[') => Known::Unknown,
        _ => {
            let text = text::bytes(value.get());
            let unquoted = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
            Known::Present(unquoted.map_or_else(|| text.clone(), <[u8]>::to_vec))
        }
    }
}

fn headers(value: &RawValue, is_partial: bool) -> Option<Headers> {
    let map: BTreeMap<String, &RawValue> = serde_json::from_str(value.get()).ok()?;
    let line = |(name, value): (String, &RawValue)| {
        (name.to_ascii_lowercase().into_bytes(), (!is_null(value)).then(|| text::bytes(value.get())))
    };
    Some(Headers { lines: map.into_iter().map(line).collect(), is_partial })
}

fn present(scalar: Scalar) -> Option<String> {
    if let Known::Present(text) = scalar { Some(string(&text)) } else { None }
}

fn string(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_line_says_what_came() {
        let line = read(
            br#"{"type":"DownstreamStart","id":"s1","m":"GET","s":"http","a":"shop","p":"/x?a=1","h":{"x-a":"caf\u00e9","X-B":null},"hp":"listed","ra":"10.0.0.1","listener":"mesh"}"#,
        )
        .unwrap();
        assert_eq!(line.kind, Kind::Start);
        assert_eq!(line.id, Known::Present(b"s1".to_vec()));
        assert_eq!(line.path, Known::Present(b"/x?a=1".to_vec()));
        assert_eq!(line.original_path, Known::Unknown);
        let headers = line.headers.unwrap();
        assert!(headers.is_partial);
        assert_eq!(headers.lines, [(b"x-b".to_vec(), None), (b"x-a".to_vec(), Some(b"caf\xe9".to_vec()))]);
        assert_eq!(line.source_address, Known::Present("10.0.0.1".parse().unwrap()));
        assert_eq!(line.listener.as_deref(), Some("mesh"));
    }

    #[test]
    fn numbers_strings_dashes_and_quotes_of_filter_state_read_alike() {
        let line = read(
            br#"{"id":"s","m":null,"ra":"-","p":"/","c":200,"uc":"outbound|80||a","cluster":"\"outbound|80||b\"","draws":"\"seed=0000000000000001\""}"#,
        )
        .unwrap();
        assert_eq!(line.kind, Kind::End);
        assert_eq!(line.pseudo[0].1, Known::Absent);
        assert_eq!(line.pseudo[1].1, Known::Unknown);
        assert_eq!(line.source_address, Known::Absent);
        assert_eq!(line.status, Some(200));
        assert_eq!(line.upstream_cluster.as_deref(), Some("outbound|80||a"));
        assert_eq!(line.decided_cluster.as_deref(), Some("outbound|80||b"));
        assert_eq!(line.draws.map(|draws| draws.seed), Some(1));
        let line = read(br#"{"p":"/","c":"503","uc":null,"cluster":"-"}"#).unwrap();
        assert_eq!((line.status, line.upstream_cluster), (Some(503), None));
        assert_eq!(line.decided_cluster.as_deref(), Some("-"));
    }

    #[test]
    fn what_a_client_sent_reads_as_it_is() {
        for (json, value) in [(r#""-""#, &b"-"[..]), (r#""""#, b""), (r#""\"x\"""#, b"\"x\""), ("12", b"12")] {
            let line = read(format!(r#"{{"p":"/","a":{json},"rid":{json}}}"#).as_bytes()).unwrap();
            assert_eq!(line.request_id, Known::Present(value.to_vec()), "{json}");
            assert_eq!(line.pseudo[2].1, Known::Present(value.to_vec()), "{json}");
        }
    }

    #[test]
    fn what_is_no_request_says_why() {
        let unreadable = |why: &str| Err(Skip::Unreadable(why.into()));
        assert_eq!(read(b"[1]"), unreadable("is no JSON object"));
        assert_eq!(read(b"hello"), unreadable("is no JSON"));
        assert_eq!(read(br#"{"p":"/"#), unreadable("is cut off"));
        assert_eq!(read(br#"{"id":"x"}"#), unreadable("holds no request: none of `m`, `a`, `p`, `h`"));
        assert_eq!(read(br#"{"type":"DownstreamPeriodic","id":"x","p":"/"}"#), Err(Skip::Event));
        assert_eq!(read(br#"{"type":"DownstreamEnd","id":null,"p":"/a#b","c":400}"#), Err(Skip::Refused));
    }
}
