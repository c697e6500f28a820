//! A match block: conditions that must all hold.

use crate::matcher::header::HeaderMatch;
use crate::matcher::path::PathMatch;
use crate::matcher::peer::PeerMatch;
use crate::matcher::query::QueryMatch;
use crate::matcher::source_ip::SourceIpMatch;
use crate::request::{Known, Request};
use crate::tag::TagState;
use crate::truth::Truth;
use core::fmt;

/// Conditions that must all hold.
#[derive(Debug)]
pub struct Block {
    /// What the path must be; a rewrite replaces what it matched.
    pub path: PathMatch,
    /// Where that is written, from the document's root, if not in the block's own `uri`: a delegate's rule has it from the
    /// one that delegates.
    pub uri: Option<Box<str>>,
    /// The rest.
    pub conditions: Box<[Condition]>,
}

/// One condition and where it was written.
#[derive(Debug)]
pub struct Condition {
    /// The field below the match block: `headers.user-type`. From the document's root, `virtualServices[0].…`, where a
    /// delegate's rule has it from the one that delegates.
    pub field: Box<str>,
    /// What it asks.
    pub ask: Ask,
}

/// What a condition asks.
#[derive(Debug)]
pub enum Ask {
    /// Of a header or pseudo header.
    Header(HeaderMatch),
    /// Of a query parameter.
    Query(QueryMatch),
    /// Of the source address.
    SourceIp(SourceIpMatch),
    /// Of the client's certificate.
    Peer(PeerMatch),
}

/// What a recording would have to hold for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing<'a> {
    /// A header or pseudo header.
    Header(&'a str),
    /// The downstream address.
    SourceAddress,
    /// The client's certificate.
    Peer,
    /// The subject of a choice, named as recordings name it.
    Subject(&'a str),
}

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header `{name}`"),
            Self::SourceAddress => f.write_str("source address"),
            Self::Peer => f.write_str("client certificate"),
            Self::Subject(key) => write!(f, "subject `{key}`"),
        }
    }
}

impl Block {
    /// Whether a request, as its tags leave it, fulfils all conditions.
    pub fn matches(&self, request: &Request<'_>, tags: &[TagState<'_>]) -> Truth {
        let start = self.path_matches(request);
        self.conditions.iter().fold(start, |all, condition| all.and(|| condition.matches(request, tags)))
    }

    /// Whether the path fulfils its condition. CONNECT has none, so it matches nothing, as in Envoy.
    pub fn path_matches(&self, request: &Request<'_>) -> Truth {
        match request.path() {
            Known::Present(path) => self.path.matches(path).into(),
            Known::Absent => Truth::False,
            Known::Unknown => Truth::Unknown,
        }
    }

    /// What one would have to know, where `matches` is unknown.
    pub fn missing<'a>(&'a self, request: &Request<'_>, tags: &[TagState<'a>]) -> Missing<'a> {
        if self.path_matches(request) == Truth::Unknown {
            return Missing::Header(":path");
        }
        let unknown = self.conditions.iter().find(|condition| condition.matches(request, tags) == Truth::Unknown);
        unknown.map_or(Missing::Header(":path"), |condition| condition.missing(tags))
    }

    /// Whether the block takes whatever has a path; Istio then emits nothing after it (istio.md 1.1).
    pub fn is_catch_all(&self) -> bool {
        self.path.is_catch_all() && self.conditions.is_empty()
    }
}

impl Condition {
    /// Whether a request, as its tags leave it, fulfils the condition.
    pub fn matches(&self, request: &Request<'_>, tags: &[TagState<'_>]) -> Truth {
        match &self.ask {
            Ask::Header(header) => header.matches(request, tags),
            Ask::Query(query) => query.matches(request),
            Ask::SourceIp(source) => source.matches(request),
            Ask::Peer(peer) => peer.matches(request),
        }
    }

    fn missing<'a>(&'a self, tags: &[TagState<'a>]) -> Missing<'a> {
        match &self.ask {
            Ask::Header(header) => match header.tag.and_then(|tag| tags.get(tag.index)) {
                Some(TagState::Unknown(missing)) => *missing,
                _ => Missing::Header(&header.name),
            },
            Ask::Query(_) => Missing::Header(":path"),
            Ask::SourceIp(_) => Missing::SourceAddress,
            Ask::Peer(_) => Missing::Peer,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ask {
            Ask::Header(header) => header.fmt(f),
            Ask::Query(query) => query.fmt(f),
            Ask::SourceIp(source) => source.fmt(f),
            Ask::Peer(peer) => peer.fmt(f),
        }
    }
}
