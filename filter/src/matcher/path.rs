//! `uri`: the path without query and fragment (istio.md 1.3).

use super::text::{EmptyPrefix, TextMatch};
use crate::document::StringMatch;
use crate::error::At;
use core::fmt;

/// How a path is matched.
#[derive(Debug)]
pub struct PathMatch {
    text: TextMatch,
    ignore_case: bool,
}

impl PathMatch {
    /// Compiles `uri`; none, or `{}`, means the prefix `/`.
    pub fn compile(written: Option<&StringMatch>, ignore_case: bool, at: &mut At) -> Option<Self> {
        let text = match written {
            None => TextMatch::Present,
            Some(written) => at.field("uri", |at| TextMatch::compile(written, EmptyPrefix::Allowed, at))?,
        };
        let text = if matches!(text, TextMatch::Present) { TextMatch::Prefix("/".into()) } else { text };
        Some(Self { text, ignore_case })
    }

    /// What a path must be; case may be ignored.
    pub fn text(&self) -> &TextMatch {
        &self.text
    }

    /// Whether case is ignored where the path is exact or a prefix; a regex knows by itself.
    pub fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    /// Whether a path matches.
    pub fn matches(&self, path: &[u8]) -> bool {
        match &self.text {
            TextMatch::Exact(exact) if self.ignore_case => path.eq_ignore_ascii_case(exact.as_bytes()),
            TextMatch::Prefix(prefix) if self.ignore_case => {
                path.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
            }
            text => text.matches(path),
        }
    }

    /// The path after a prefix rewrite: what matched is replaced, the rest stays (istio.md 1.8). A prefix is as long as
    /// it is configured; an exact or regex match is the whole path.
    pub fn rewrite<'a>(&self, path: &'a [u8]) -> &'a [u8] {
        match &self.text {
            TextMatch::Prefix(prefix) => path.get(prefix.len()..).unwrap_or_default(),
            _ => b"",
        }
    }

    /// Whether every path matches that begins with `/`.
    pub fn is_catch_all(&self) -> bool {
        match &self.text {
            TextMatch::Prefix(prefix) => &**prefix == "/",
            TextMatch::Regex(regex) => regex.pattern() == ".*",
            _ => false,
        }
    }
}

impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = if self.ignore_case { " in any case" } else { "" };
        write!(f, "path {}{case}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(exact: Option<&str>, prefix: Option<&str>, regex: Option<&str>, ignore_case: bool) -> PathMatch {
        let written =
            StringMatch { exact: exact.map(Into::into), prefix: prefix.map(Into::into), regex: regex.map(Into::into) };
        PathMatch::compile(Some(&written), ignore_case, &mut At::root()).expect("right")
    }

    #[test]
    fn no_uri_and_an_empty_one_mean_the_prefix_slash() {
        let none = PathMatch::compile(None, false, &mut At::root()).expect("right");
        let empty = path(None, None, None, false);
        for uri in [none, empty] {
            assert!(uri.is_catch_all());
            assert!(uri.matches(b"/") && uri.matches(b"/a") && !uri.matches(b"*") && !uri.matches(b""));
        }
        assert!(path(None, Some(""), None, false).matches(b"*"));
    }

    #[test]
    fn a_prefix_knows_no_slash_and_case_only_when_told() {
        assert!(path(None, Some("/foo"), None, false).matches(b"/foobar"));
        assert!(!path(None, Some("/foo"), None, false).matches(b"/FOO"));
        assert!(path(None, Some("/foo"), None, true).matches(b"/FOO/x"));
        assert!(path(Some("/a"), None, None, true).matches(b"/A"));
        assert!(!path(None, None, Some("/a"), true).matches(b"/A"));
    }

    #[test]
    fn a_rewrite_keeps_what_did_not_match() {
        for (uri, request, rest) in [
            (path(None, Some("/api"), None, false), "/api/v1", "/v1"),
            (path(None, Some("/API"), None, true), "/api/x", "/x"),
            (path(Some("/a"), None, None, false), "/a", ""),
            (path(None, None, Some("/a/.*"), false), "/a/c", ""),
        ] {
            assert!(uri.matches(request.as_bytes()));
            assert_eq!(uri.rewrite(request.as_bytes()), rest.as_bytes(), "{uri}");
        }
    }
}
