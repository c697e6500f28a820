//! Rules that answer by themselves: redirects (istio.md 1.9) and direct responses (1.10).

mod base64;
mod location;
mod redirect;

use crate::block::Missing;
use crate::decision::Reply;
use crate::document::{HttpBody, HttpDirectResponse};
use crate::error::At;
use crate::matcher::path::PathMatch;
use crate::policy::Rule;
use crate::request::Request;
use location::Target;
use std::borrow::Cow;

pub use redirect::{Listener, Redirect, tls_by_port};

/// The longest body in bytes (istio.md 1.10); also what Envoy lets a route have.
const LONGEST: usize = 1024 * 1024;

/// What a rule answers.
#[derive(Debug)]
pub enum Answer {
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// A fixed answer.
    Direct(Direct),
}

/// A fixed answer.
#[derive(Debug)]
pub struct Direct {
    /// 200 to 599.
    pub status: u16,
    /// At most 1 MB.
    pub body: Box<[u8]>,
}

impl Answer {
    /// The answer of `rule` to a request that `matched` took.
    ///
    /// # Errors
    /// What the recording would have to hold.
    pub fn reply<'a>(
        &'a self,
        rule: &'a Rule,
        matched: &PathMatch,
        request: &Request<'a>,
    ) -> Result<Reply<'a>, Missing<'a>> {
        let (status, reason, target, body): (_, _, _, &[u8]) = match self {
            Self::Redirect(redirect) => (redirect.status, "redirect", Some(&redirect.target), b""),
            // Envoy tells where a thing that was made, or that is elsewhere, is: at the request's own URL.
            Self::Direct(Direct { status, body }) => {
                (*status, "direct_response", matches!(status, 201 | 300..=399).then_some(&Target::SAME), body)
            }
        };
        let location = target.map(|target| target.location(matched, request)).transpose()?;
        let headers = location.into_iter().map(|location| ("location", Cow::Owned(location))).collect();
        Ok(Reply { status, reason, rule: Some(rule), headers, body })
    }
}

impl Direct {
    /// Compiles `directResponse`; `None` when it is wrong, which has been noted.
    pub fn compile(written: &HttpDirectResponse, at: &mut At) -> Option<Self> {
        let status = u16::try_from(written.status).ok().filter(|status| (200..=599).contains(status));
        if status.is_none() {
            let written = written.status;
            let why = if written == 600 { ", though Istio takes it: Envoy does not" } else { "" };
            at.field("status", |at| at.error(format!("`{written}` is out of range{why}: 200 to 599")));
        }
        let body = match &written.body {
            None => Some(Box::default()),
            Some(body) => at.field("body", |at| Self::body(body, at)),
        };
        Some(Self { status: status?, body: body? })
    }

    fn body(written: &HttpBody, at: &mut At) -> Option<Box<[u8]>> {
        let (field, body) = match (&written.string, &written.bytes) {
            (None, None) => return Some(Box::default()),
            (Some(text), None) => ("string", text.as_bytes().into()),
            (None, Some(text)) => {
                let Some(bytes) = base64::decode(text.as_bytes()) else {
                    at.field("bytes", |at| at.error("is no base64: write a text as `string`, or encode the bytes"));
                    return None;
                };
                ("bytes", bytes)
            }
            (Some(_), Some(_)) => {
                at.error("`string` and `bytes` exclude each other: leave one of them out");
                return None;
            }
        };
        if body.len() > LONGEST {
            let length = body.len();
            at.field(field, |at| at.error(format!("{length} bytes, at most {LONGEST} are allowed")));
            return None;
        }
        Some(body.into())
    }
}

#[cfg(test)]
mod tests;
