//! Rules that answer by themselves: redirects (istio.md 1.9) and direct responses (1.10).

use crate::block::Missing;
use crate::document::{HttpDirectResponse, HttpRedirect};
use crate::error::At;
use crate::matcher::path::PathMatch;
use crate::request::Request;

/// What a rule answers.
#[derive(Debug)]
pub enum Answer {
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// A fixed answer.
    Direct(Direct),
}

/// A redirect.
#[derive(Debug)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// A fixed answer.
#[derive(Debug)]
pub struct Direct {
    /// 200 to 600.
    pub status: u16,
    /// At most 1 MB.
    pub body: Box<[u8]>,
}

impl Redirect {
    /// Compiles `redirect` on a listener of this port; `None` when it is wrong, which has been noted.
    pub fn compile(_written: &HttpRedirect, _port: u16, at: &mut At) -> Option<Self> {
        at.error("`redirect` is not supported yet");
        None
    }

    /// Where a request that `matched` took is sent.
    ///
    /// # Errors
    /// What the recording would have to hold.
    pub fn location<'a>(&'a self, _matched: &PathMatch, _request: &Request<'a>) -> Result<Vec<u8>, Missing<'a>> {
        Ok(Vec::new())
    }
}

impl Direct {
    /// Compiles `directResponse`; `None` when it is wrong, which has been noted.
    pub fn compile(_written: &HttpDirectResponse, at: &mut At) -> Option<Self> {
        at.error("`directResponse` is not supported yet");
        None
    }
}
