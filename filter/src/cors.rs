//! What browsers may do with answers on pages of other origins (istio.md 1.15), as Envoy's CORS filter has it.

use crate::block::Missing;
use crate::decision::ReplyHeader;
use crate::document::{CorsPolicy, StringMatch, UnmatchedPreflights};
use crate::duration;
use crate::error::At;
use crate::matcher::text::{EmptyPrefix, TextMatch};
use crate::request::{Known, Request};
use std::borrow::Cow;

/// The CORS policy of a rule.
#[derive(Debug)]
pub struct Cors {
    origins: Box<[TextMatch]>,
    /// Whether preflights of other origins go to the destination.
    forwards_unmatched: bool,
    /// Lists are as the header has them: joined with `,`. An empty one sets no header.
    methods: Box<str>,
    headers: Box<str>,
    exposed: Box<str>,
    /// In seconds.
    max_age: Box<str>,
    credentials: bool,
}

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

/// Headers that decide what becomes of a request under a CORS policy.
pub const ASKED: [&str; 4] = [":method", "origin", "access-control-request-method", REQUEST_HEADERS];

const REQUEST_HEADERS: &str = "access-control-request-headers";

/// Methods that can be allowed (istio.md 1.15).
const METHODS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];

impl Cors {
    /// Compiles `corsPolicy`; `None` when it is wrong, which has been noted.
    pub fn compile(written: &CorsPolicy, at: &mut At) -> Option<Self> {
        let before = at.count();
        let mut origins = Vec::new();
        at.field("allowOrigins", |at| {
            for (index, written) in written.allow_origins.iter().enumerate() {
                origins.extend(at.index(index, |at| origin(written, at)));
            }
        });
        if written.allow_origins.is_empty() {
            // The deprecated field counts where the other is not there.
            origins.extend(written.allow_origin.iter().map(|exact| TextMatch::Exact(exact.as_str().into())));
        }
        at.field("allowMethods", |at| {
            for (index, method) in written.allow_methods.iter().enumerate() {
                if !METHODS.contains(&method.as_str()) {
                    let message =
                        format!("`{}` is no method: write one of {}", method.escape_debug(), METHODS.join(", "));
                    at.index(index, |at| at.error(message));
                }
            }
        });
        for (field, names) in [("allowHeaders", &written.allow_headers), ("exposeHeaders", &written.expose_headers)] {
            at.field(field, |at| {
                for (index, name) in names.iter().enumerate() {
                    let is_name =
                        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
                    if !is_name && name != "*" {
                        let message = format!(
                            "`{}` is no header name: write letters, digits, `-` and `_`, or `*`",
                            name.escape_debug()
                        );
                        at.index(index, |at| at.error(message));
                    }
                }
            });
        }
        let max_age = written.max_age.as_ref().map(|written| at.field("maxAge", |at| seconds(written, at)));
        (at.count() == before).then(|| Self {
            origins: origins.into(),
            forwards_unmatched: written.unmatched_preflights != UnmatchedPreflights::Ignore,
            methods: written.allow_methods.join(",").into(),
            headers: written.allow_headers.join(",").into(),
            exposed: written.expose_headers.join(",").into(),
            max_age: max_age.unwrap_or_default(),
            credentials: written.allow_credentials == Some(true),
        })
    }

    /// What becomes of a request.
    ///
    /// # Errors
    /// What the recording would have to hold: where a request goes hangs on it only if it may be a preflight.
    pub fn outcome<'a>(&'a self, request: &Request<'a>) -> Result<Outcome<'a>, Missing<'a>> {
        let is_options = request.first(b":method").map(|method| method == b"OPTIONS");
        if is_options == Known::Unknown {
            return Err(Missing::Header(":method"));
        }
        let is_options = is_options == Known::Present(true);
        let origin = match request.value(b"origin") {
            Known::Present(origin) if !origin.is_empty() => origin,
            Known::Unknown if is_options => return Err(Missing::Header("origin")),
            _ => return Ok(Outcome::Nothing),
        };
        let method = match request.value(b"access-control-request-method") {
            Known::Present(method) if is_options => method,
            Known::Unknown if is_options => return Err(Missing::Header("access-control-request-method")),
            _ => Cow::Borrowed(&b""[..]),
        };
        let is_preflight = !method.is_empty();
        // Envoy's filter asks of each of them as well whether it is `*`.
        let is_allowed = self.origins.iter().any(|allowed| allowed.matches(b"*") || allowed.matches(&origin));
        if !is_allowed && (!is_preflight || self.forwards_unmatched) {
            return Ok(Outcome::Nothing);
        }
        let mut lines: Vec<ReplyHeader<'a>> = Vec::new();
        if is_allowed {
            lines.push(("access-control-allow-origin", origin));
        }
        if self.credentials {
            lines.push(("access-control-allow-credentials", Cow::Borrowed(b"true")));
        }
        if is_preflight {
            if !self.methods.is_empty() {
                let methods = if &*self.methods == "*" { method } else { Cow::Borrowed(self.methods.as_bytes()) };
                lines.push(("access-control-allow-methods", methods));
            }
            if &*self.headers == "*" {
                let asked = match request.value(REQUEST_HEADERS.as_bytes()) {
                    Known::Present(asked) => asked,
                    Known::Absent => Cow::Borrowed(&b""[..]),
                    Known::Unknown => return Err(Missing::Header(REQUEST_HEADERS)),
                };
                lines.push(("access-control-allow-headers", asked));
            } else if !self.headers.is_empty() {
                lines.push(("access-control-allow-headers", Cow::Borrowed(self.headers.as_bytes())));
            }
            if !self.max_age.is_empty() {
                lines.push(("access-control-max-age", Cow::Borrowed(self.max_age.as_bytes())));
            }
        }
        // On the answer to a preflight as well: it passes the filter on its way back.
        if is_allowed && !self.exposed.is_empty() {
            lines.push(("access-control-expose-headers", Cow::Borrowed(self.exposed.as_bytes())));
        }
        Ok(if is_preflight { Outcome::Preflight(lines) } else { Outcome::Headers(lines) })
    }
}

/// An allowed origin: not presence, and nothing that is empty.
fn origin(written: &StringMatch, at: &mut At) -> Option<TextMatch> {
    let texts = [&written.exact, &written.prefix, &written.regex];
    if texts.iter().all(|text| text.as_ref().is_none_or(String::is_empty)) {
        at.error("an origin needs `exact`, `prefix` or `regex`: `regex: \".*\"` takes every one");
        return None;
    }
    TextMatch::compile(written, EmptyPrefix::Allowed, at)
}

/// A duration in whole seconds, as the header has it.
fn seconds(written: &str, at: &mut At) -> Box<str> {
    let milliseconds = duration::compile_positive(written, at).unwrap_or_default();
    if !milliseconds.is_multiple_of(1000) {
        at.error(format!("`{written}` is no whole number of seconds"));
    }
    (milliseconds / 1000).to_string().into()
}

#[cfg(test)]
mod tests;
