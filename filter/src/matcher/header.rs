//! `headers`, `withoutHeaders`, and the pseudo headers `scheme`, `method` and `authority` (istio.md 1.3, 1.4).

use super::text::TextMatch;
use crate::request::{Known, Request};
use crate::tag::{TagOf, TagState};
use crate::truth::Truth;
use core::fmt;
use std::borrow::Cow;

/// How a header is matched.
#[derive(Debug)]
pub struct HeaderMatch {
    /// The name in lower case.
    pub name: Box<str>,
    /// Which tag sets this header, where one does.
    pub tag: Option<TagOf>,
    /// `withoutHeaders`: it must not match.
    pub without: bool,
    /// What the value must be.
    pub text: TextMatch,
}

impl HeaderMatch {
    /// Whether a request, as its tags leave it, matches.
    pub fn matches(&self, request: &Request<'_>, tags: &[TagState<'_>]) -> Truth {
        let found = match (&self.text, value(request, tags, &self.name, self.tag)) {
            (_, Known::Unknown) => return Truth::Unknown,
            (text, Known::Present(value)) => text.matches(&value),
            (TextMatch::Present, Known::Absent) => false,
            // Missing counts as empty, but only where it must not match.
            (text, Known::Absent) => self.without && text.matches(b""),
        };
        Truth::from(found != self.without)
    }
}

/// A header as matchers see it: as the tags leave it, repeated lines joined with `,`.
pub fn value<'a>(
    request: &Request<'a>,
    tags: &[TagState<'a>],
    name: &'a str,
    tag: Option<TagOf>,
) -> Known<Cow<'a, [u8]>> {
    if let Some(tag) = tag {
        match (tags.get(tag.index), tag.same_name) {
            (Some(TagState::Elsewhere) | None, _) => {}
            (Some(TagState::Value(value)), true) => return Known::Present(Cow::Borrowed(value.as_bytes())),
            (Some(TagState::Unknown(_)), true) => return Known::Unknown,
            // No value; or another spelling of the tag's header, which is always removed.
            (Some(_), _) => return Known::Absent,
        }
    }
    if name == ":path" && !request.has_query() {
        return Known::Unknown;
    }
    request.value(name.as_bytes())
}

impl fmt::Display for HeaderMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without = if self.without { "not: " } else { "" };
        match self.name.strip_prefix(':') {
            Some(pseudo) => write!(f, "{without}{pseudo} {}", self.text),
            None => write!(f, "{without}header `{}` {}", self.name, self.text),
        }
    }
}
