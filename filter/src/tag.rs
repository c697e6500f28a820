//! Tags: headers that the filter sets by what it knows of a request, before it routes.

use crate::block::{Block, Missing};
use crate::headers;
use crate::matcher::host::HostMatch;
use crate::split::Split;
use std::sync::Arc;

/// A tag, compiled.
#[derive(Debug)]
pub struct Tag {
    /// The header's name in lower case.
    pub header: Box<str>,
    /// Requests for these hosts are tagged.
    pub hosts: Arc<HostMatch<()>>,
    /// A client's own value stays when it is one that this tag can produce.
    pub trust_client: bool,
    /// Tried in order.
    pub rules: Box<[TagRule]>,
    /// For the rest.
    pub split: Option<TagSplit>,
}

/// A value for requests that match.
#[derive(Debug)]
pub struct TagRule {
    /// Which of the tag's rules this is.
    pub index: usize,
    /// Any of these, each with its place in `match`.
    pub blocks: Box<[(usize, Block)]>,
    /// The value.
    pub value: Box<str>,
}

/// Values by share.
#[derive(Debug)]
pub struct TagSplit {
    /// The choice; it is named `tag/<header>`.
    pub split: Split,
    /// The value of each option, in order.
    pub values: Box<[Box<str>]>,
}

/// What became of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagState<'a> {
    /// The request's host is none of the tag's: its header is like any other.
    Elsewhere,
    /// No rule gave a value: the header is not there.
    None,
    /// It has this value.
    Value(&'a str),
    /// The recording does not hold what decides it.
    Unknown(Missing<'a>),
}

/// A header name seen as a tag's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagOf {
    /// Which tag.
    pub index: usize,
    /// Whether it is the tag's very name, or only spelled alike: the latter is removed from every request.
    pub same_name: bool,
}

impl Tag {
    /// Every value that the tag can produce.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let split = self.split.iter().flat_map(|split| split.values.iter());
        self.rules.iter().map(|rule| &*rule.value).chain(split.map(|value| &**value))
    }
}

/// Which of some tags a header is spelled like; `name` in lower case.
pub fn tag_of(tags: &[Box<str>], name: &str) -> Option<TagOf> {
    let index = tags.iter().position(|header| headers::same_spelling(header.as_bytes(), name.as_bytes()))?;
    Some(TagOf { index, same_name: tags.get(index).is_some_and(|header| **header == *name) })
}
