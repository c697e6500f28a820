//! One request, as the analysis makes it.

use super::site::Site;
use std::collections::BTreeMap;
use switchyard_filter::block::Ask;
use switchyard_filter::request::Header;

/// What of a request a condition is about, beside the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key<'p> {
    /// A header or pseudo header, in lower case.
    Header(&'p str),
    /// A query parameter.
    Query(&'p str),
}

impl<'p> Key<'p> {
    /// Of a condition; `None` for what is no text of the request.
    pub fn of(ask: &'p Ask) -> Option<Self> {
        match ask {
            Ask::Header(header) => Some(Self::Header(&header.name)),
            Ask::Query(query) => Some(Self::Query(&query.name)),
            Ask::SourceIp(_) | Ask::Peer(_) => None,
        }
    }
}

/// A request: what is not here is not there, or usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point<'p> {
    /// The path without query.
    pub path: Vec<u8>,
    /// Headers and query parameters; `None`: it is not there.
    pub values: BTreeMap<Key<'p>, Option<Vec<u8>>>,
    /// What each tag says.
    pub tags: Vec<Option<&'p str>>,
}

impl<'p> Point<'p> {
    /// The value of a header or query parameter.
    pub fn value(&self, key: Key<'p>) -> Option<&[u8]> {
        self.values.get(&key)?.as_deref()
    }

    /// `:path`.
    pub fn full_path(&self) -> Vec<u8> {
        let mut path = self.path.clone();
        let mut mark = b'?';
        for (key, value) in &self.values {
            if let (Key::Query(name), Some(value)) = (key, value) {
                path.push(mark);
                path.extend_from_slice(name.as_bytes());
                path.push(b'=');
                path.extend_from_slice(value);
                mark = b'&';
            }
        }
        path
    }

    /// `:authority`: what a rule asks for, else a host of the site.
    pub fn authority(&self, site: &Site<'_>) -> Vec<u8> {
        let own = self.value(Key::Header(":authority")).map(<[u8]>::to_vec);
        own.or_else(|| site.authority.clone().map(String::into_bytes)).unwrap_or_default()
    }

    /// `:method`.
    pub fn method(&self) -> &[u8] {
        self.value(Key::Header(":method")).unwrap_or(b"GET")
    }

    /// `:scheme`.
    pub fn scheme(&self) -> &[u8] {
        self.value(Key::Header(":scheme")).unwrap_or(b"http")
    }

    /// Headers that are no pseudo headers.
    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        self.values.iter().filter_map(|(key, value)| match (key, value) {
            (Key::Header(name), Some(value)) if !name.starts_with(':') => Some((name.as_bytes(), value.as_slice())),
            _ => None,
        })
    }
}
