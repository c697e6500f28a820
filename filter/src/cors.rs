//! What browsers may do with answers on pages of other origins (istio.md 1.15), as Envoy's CORS filter has it.

use crate::block::Missing;
use crate::decision::ReplyHeader;
use crate::document::CorsPolicy;
use crate::error::At;
use crate::request::Request;

/// The CORS policy of a rule.
#[derive(Debug)]
pub struct Cors {}

/// What CORS makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Nothing.
    Nothing,
    /// The response gets these headers, each in place of any that is there.
    Headers(Vec<ReplyHeader<'a>>),
    /// It is a preflight: it is answered with 200 and these headers.
    Preflight(Vec<ReplyHeader<'a>>),
}

impl Cors {
    /// Compiles `corsPolicy`; `None` when it is wrong, which has been noted.
    pub fn compile(_written: &CorsPolicy, at: &mut At) -> Option<Self> {
        at.error("`corsPolicy` is not supported yet");
        None
    }

    /// What becomes of a request.
    ///
    /// # Errors
    /// What the recording would have to hold.
    pub fn outcome<'a>(&'a self, _request: &Request<'a>) -> Result<Outcome<'a>, Missing<'a>> {
        Ok(Outcome::Nothing)
    }
}
