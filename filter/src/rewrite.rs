//! What becomes of the path (istio.md 1.8).

use crate::document::HttpRewrite;
use crate::error::At;
use crate::matcher::path::PathMatch;

/// A rewrite of the path.
#[derive(Debug)]
pub enum Rewrite {
    /// Replaces what `uri` matched.
    Prefix(Box<str>),
}

impl Rewrite {
    /// Compiles a rewrite's path; `None` where it has none, or is wrong, which has been noted.
    pub fn compile(written: &HttpRewrite, at: &mut At) -> Option<Self> {
        if written.uri_regex_rewrite.is_some() {
            at.field("uriRegexRewrite", |at| at.error("`uriRegexRewrite` is not supported yet"));
        }
        if written.uri.is_empty() {
            if written.authority.is_empty() && written.uri_regex_rewrite.is_none() {
                at.error("a rewrite needs `uri`, `authority` or `uriRegexRewrite`");
            }
            return None;
        }
        let uri = &written.uri;
        if !uri.bytes().all(|b| (0x21..0x7f).contains(&b)) {
            at.field("uri", |at| at.error(format!("`{}` is no path: percent-encode it", uri.escape_debug())));
        }
        Some(Self::Prefix(uri.as_str().into()))
    }

    /// The path, without query, that `matched` took; `None` where it stays as it is.
    pub fn path(&self, matched: &PathMatch, path: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Prefix(prefix) => Some([prefix.as_bytes(), matched.rewrite(path)].concat()),
        }
    }
}
