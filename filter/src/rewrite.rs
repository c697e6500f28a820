//! What becomes of the path (istio.md 1.8, envoy.md 1.4).

use crate::document::{HttpRewrite, RegexRewrite};
use crate::error::At;
use crate::matcher::path::PathMatch;
use crate::matcher::regex::Replace;

/// A rewrite of the path.
#[derive(Debug)]
pub enum Rewrite {
    /// Replaces what `uri` matched.
    Prefix(Box<str>),
    /// Replaces what a regex finds.
    Regex(Box<Replace>),
}

impl Rewrite {
    /// Compiles a rewrite's path; `None` where it has none, or is wrong, which has been noted.
    pub fn compile(written: &HttpRewrite, at: &mut At) -> Option<Self> {
        let HttpRewrite { uri, authority, uri_regex_rewrite } = written;
        if !uri.is_empty() {
            if uri_regex_rewrite.is_some() {
                at.error("`uri` and `uriRegexRewrite` exclude each other: leave one of them out");
            }
            at.field("uri", |at| check(uri, at));
            return Some(Self::Prefix(uri.as_str().into()));
        }
        if uri_regex_rewrite.is_none() && authority.is_empty() {
            at.error("a rewrite needs `uri`, `authority` or `uriRegexRewrite`");
        }
        let RegexRewrite { matches, rewrite } = uri_regex_rewrite.as_ref()?;
        at.field("uriRegexRewrite", |at| {
            if matches.is_empty() || rewrite.is_empty() {
                at.error("`match` and `rewrite` are both needed, and not empty");
                return None;
            }
            at.field("rewrite", |at| check(rewrite, at));
            Replace::compile(matches, rewrite, at).map(|replace| Self::Regex(Box::new(replace)))
        })
    }

    /// The path, without query, in place of one that `matched` took; `None` where it stays as it is. One that becomes
    /// what it was counts as rewritten: Envoy tells the upstream the original path all the same.
    pub fn path(&self, matched: &PathMatch, path: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Prefix(prefix) => Some([prefix.as_bytes(), matched.rewrite(path)].concat()),
            // envoy.md 1.4: an empty result is no rewrite.
            Self::Regex(replace) => Some(replace.replace(path)).filter(|path| !path.is_empty()),
        }
    }

    /// Whether the rewrite hangs on which part of the path matched.
    pub fn asks_what_matched(&self) -> bool {
        matches!(self, Self::Prefix(_))
    }
}

/// Notes what no path can have.
fn check(path: &str, at: &mut At) {
    if !path.bytes().all(|b| (0x21..0x7f).contains(&b)) {
        at.error(format!("`{}` is no path: percent-encode it", path.escape_debug()));
    }
}
