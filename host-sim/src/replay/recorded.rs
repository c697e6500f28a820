//! A joined request as the filter saw it: [`Exchange`] owns the bytes that a [`Request`] borrows.

use super::join::Joined;
use super::line::{Line, Scalar};
use std::net::IpAddr;
use switchyard_filter::Policy;
use switchyard_filter::draw::{Digest, Draws, Recorded};
use switchyard_filter::headers::REQUEST_ID;
use switchyard_filter::recorded::Recording;
use switchyard_filter::request::{Header, Known, Request, Unlisted};

/// A recorded request.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The stream's id.
    pub id: Option<String>,
    /// The listener's name.
    pub listener: Option<String>,
    /// The cluster that Envoy chose.
    pub upstream_cluster: Option<String>,
    /// The cluster that the filter decided; `-` for none.
    pub decided_cluster: Option<String>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Names known to be absent, where not all that is not listed is.
    absent: Option<Vec<Vec<u8>>>,
    source_address: Known<IpAddr>,
    has_query: bool,
    draws: Recording,
}

/// What a [`Request`] and its [`Draws`] borrow besides the exchange.
#[derive(Debug)]
pub struct Borrowed<'a> {
    headers: Vec<Header<'a>>,
    absent: Vec<&'a [u8]>,
    digests: Vec<(&'a str, Option<Digest>)>,
}

impl Exchange {
    /// What two lines, or one, tell of a request. What came is taken from the start, where there is one.
    pub fn new(joined: Joined) -> Option<Self> {
        let Joined { start, end } = joined;
        let (first, second) = (start.as_ref().or(end.as_ref())?, end.as_ref());
        let either = |get: fn(&Line) -> &Scalar| match (get(first), second.map(get)) {
            (Known::Unknown, Some(later)) => later.clone(),
            (known, _) => known.clone(),
        };
        // On an end line the path may be a rewritten one.
        let path = match (&start, &second) {
            (Some(Line { path, .. }), _) if *path != Known::Unknown => path.clone(),
            (_, Some(end)) if matches!(end.original_path, Known::Present(_)) => end.original_path.clone(),
            _ => either(|line| &line.path),
        };
        let mut exchange = Self {
            id: first_present([&first.id].into_iter().chain(second.map(|end| &end.id))),
            listener: first.listener.clone().or_else(|| second.and_then(|end| end.listener.clone())),
            upstream_cluster: second.and_then(|end| end.upstream_cluster.clone()),
            decided_cluster: second.and_then(|end| end.decided_cluster.clone()),
            headers: Vec::new(),
            absent: None,
            source_address: match (first.source_address, second) {
                (Known::Unknown, Some(end)) => end.source_address,
                (known, _) => known,
            },
            has_query: first.has_query,
            draws: second.and_then(|end| end.draws.clone()).unwrap_or_default(),
        };
        let map = first.headers.as_ref().or_else(|| second.and_then(|end| end.headers.as_ref()));
        if map.is_none_or(|map| map.is_partial) {
            exchange.absent = Some(Vec::new());
        }
        let pseudo = [0, 1, 2].map(|at| (first.pseudo[at].0, at));
        for (name, at) in pseudo {
            let value = match (&first.pseudo[at].1, second) {
                (Known::Unknown, Some(end)) => end.pseudo[at].1.clone(),
                (known, _) => known.clone(),
            };
            exchange.set(name.as_bytes(), value);
        }
        exchange.set(b":path", path);
        for (name, value) in map.into_iter().flat_map(|map| &map.lines) {
            exchange.set(name, value.clone().map_or(Known::Absent, Known::Present));
        }
        exchange.set(REQUEST_ID.as_bytes(), either(|line| &line.request_id));
        Some(exchange)
    }

    /// Notes a header, unless it is noted already.
    fn set(&mut self, name: &[u8], value: Scalar) {
        if self.headers.iter().any(|(known, _)| known == name) {
            return;
        }
        match value {
            Known::Present(value) => self.headers.push((name.to_vec(), value)),
            Known::Absent => self.absent.iter_mut().for_each(|absent| absent.push(name.to_vec())),
            Known::Unknown => {}
        }
    }

    /// Whether it holds digests that mean nothing under this policy's seed.
    pub fn has_other_seed(&self, policy: &Policy) -> bool {
        !self.draws.digests.is_empty() && self.draws.seed != policy.seed().fingerprint()
    }

    /// What the request and its draws borrow.
    pub fn borrow(&self) -> Borrowed<'_> {
        Borrowed {
            headers: self.headers.iter().map(|(name, value)| (&**name, &**value)).collect(),
            absent: self.absent.iter().flatten().map(Vec::as_slice).collect(),
            digests: self.draws.digests.iter().map(|(key, digest)| (key.as_str(), *digest)).collect(),
        }
    }

    /// The request.
    pub fn request<'a>(&'a self, borrowed: &'a Borrowed<'a>) -> Request<'a> {
        let unlisted = match self.absent {
            Some(_) => Unlisted::UnknownExcept(&borrowed.absent),
            None => Unlisted::Absent,
        };
        Request::recorded(&borrowed.headers, unlisted, self.source_address, self.has_query)
    }

    /// What is known of its draws.
    pub fn draws<'a>(&'a self, borrowed: &'a Borrowed<'a>) -> Draws<'a> {
        Draws { fresh: None, recorded: Recorded { seed: self.draws.seed, digests: &borrowed.digests }, forced: &[] }
    }
}

fn first_present<'a>(scalars: impl Iterator<Item = &'a Scalar>) -> Option<String> {
    scalars.into_iter().find_map(|scalar| match scalar {
        Known::Present(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::line::read;

    fn exchange(start: Option<&str>, end: Option<&str>) -> Exchange {
        let line = |text: Option<&str>| text.map(|text| read(text.as_bytes()).unwrap());
        Exchange::new(Joined { start: line(start), end: line(end) }).unwrap()
    }

    fn known(exchange: &Exchange, name: &str) -> Known<String> {
        let borrowed = exchange.borrow();
        exchange.request(&borrowed).first(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    #[test]
    fn what_came_is_taken_from_the_start_and_the_outcome_from_the_end() {
        let exchange = exchange(
            Some(
                r#"{"type":"DownstreamStart","id":"1","m":"GET","s":"http","a":"shop","p":"/v1/x","h":{"user-type":null},"hp":"listed","ra":"10.0.0.9"}"#,
            ),
            Some(
                r#"{"type":"DownstreamEnd","id":"1","m":"GET","a":"shop","p":"/x","h":{"user-type":"internal"},"hp":"listed","uc":"c","rid":"r1"}"#,
            ),
        );
        assert_eq!(known(&exchange, ":path"), Known::Present("/v1/x".into()));
        assert_eq!(known(&exchange, "user-type"), Known::Absent);
        assert_eq!(known(&exchange, "x-request-id"), Known::Present("r1".into()));
        assert_eq!(known(&exchange, "x-other"), Known::Unknown);
        assert_eq!(exchange.upstream_cluster.as_deref(), Some("c"));
        assert_eq!(exchange.source_address, Known::Present("10.0.0.9".parse().unwrap()));
    }

    #[test]
    fn an_end_alone_has_the_path_before_the_rewrite() {
        let with = exchange(None, Some(r#"{"id":"1","a":"shop","p":"/x","op":"/v1/x"}"#));
        assert_eq!(known(&with, ":path"), Known::Present("/v1/x".into()));
        let without = exchange(None, Some(r#"{"id":"1","a":"shop","p":"/x","op":null}"#));
        assert_eq!(known(&without, ":path"), Known::Present("/x".into()));
    }

    #[test]
    fn a_whole_map_lacks_what_it_does_not_name_and_no_map_says_nothing() {
        let whole = exchange(Some(r#"{"id":"1","a":"shop","p":"/","h":{"x-a":"1"}}"#), None);
        assert_eq!(known(&whole, "x-b"), Known::Absent);
        let none = exchange(Some(r#"{"id":"1","a":"shop","p":"/","m":null,"rid":null}"#), None);
        assert_eq!(known(&none, "x-b"), Known::Unknown);
        assert_eq!(known(&none, ":method"), Known::Absent);
        assert_eq!(known(&none, ":scheme"), Known::Unknown);
        assert_eq!(known(&none, "x-request-id"), Known::Absent);
    }
}
