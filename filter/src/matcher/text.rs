//! Istio's `StringMatch`, compiled.

use super::regex::Regex;
use crate::document::StringMatch;
use crate::error::At;
use core::fmt;

/// How a text is matched.
#[derive(Debug)]
pub enum TextMatch {
    /// There is one.
    Present,
    /// It is equal, byte for byte.
    Exact(Box<str>),
    /// It begins with this, byte for byte.
    Prefix(Box<str>),
    /// It matches as a whole.
    Regex(Box<Regex>),
}

/// What `prefix: ""` means: istio.md 1.4 refuses it everywhere but for `uri`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyPrefix {
    /// Matches everything.
    Allowed,
    /// Is an error.
    Refused,
}

impl TextMatch {
    /// Compiles a match; `None` when it is wrong, which has been noted.
    pub fn compile(written: &StringMatch, empty_prefix: EmptyPrefix, at: &mut At) -> Option<Self> {
        match (&written.exact, &written.prefix, &written.regex) {
            (None, None, None) => Some(Self::Present),
            (Some(exact), None, None) => Some(Self::Exact(exact.as_str().into())),
            (None, Some(prefix), None) => {
                if prefix.is_empty() && empty_prefix == EmptyPrefix::Refused {
                    at.field("prefix", |at| at.error("an empty prefix matches everything: write `{}` for presence"));
                    return None;
                }
                Some(Self::Prefix(prefix.as_str().into()))
            }
            (None, None, Some(regex)) => {
                at.field("regex", |at| Regex::compile(regex, at)).map(|regex| Self::Regex(Box::new(regex)))
            }
            _ => {
                at.error("only one of `exact`, `prefix` and `regex` can be set");
                None
            }
        }
    }

    /// Whether a text that is there matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::Exact(exact) => text == exact.as_bytes(),
            Self::Prefix(prefix) => text.starts_with(prefix.as_bytes()),
            Self::Regex(regex) => regex.matches(text),
        }
    }
}

impl fmt::Display for TextMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present => f.write_str("is present"),
            Self::Exact(exact) => write!(f, "is `{exact}`"),
            Self::Prefix(prefix) => write!(f, "begins with `{prefix}`"),
            Self::Regex(regex) => write!(f, "matches `{regex}`"),
        }
    }
}
