//! A weighted choice that a subject keeps: rendezvous hashing in integers.
//!
//! Each option draws a number of its own for the subject, read as the arrival time of a Poisson process whose rate is the
//! option's weight: `-log2(u) / weight`. The earliest wins, which gives each option its share; and an option whose weight
//! grows only comes earlier, so only those move who move to it. No float function: `ln` differs between platforms.

use crate::compile::places::Places;
use crate::document::{CookieAttribute, HttpCookie, StickyBy};
use crate::draw::{Choice, Digest, Seed};
use crate::error::At;
use crate::headers;
use crate::matcher::header;
use crate::request::{Known, Request};
use crate::tag::{TagOf, TagState};
use core::fmt;
use std::borrow::Cow;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// A weighted choice.
#[derive(Debug)]
pub struct Split {
    /// What it is called: its draws hang on the name.
    pub name: Box<str>,
    /// Who keeps its outcome.
    pub subject: Subject,
    /// Weights above zero, and what options are told apart by.
    options: Box<[SplitOption]>,
    choice: Choice,
}

/// An option of a choice.
#[derive(Debug)]
struct SplitOption {
    key: u64,
    weight: u32,
}

impl Split {
    /// A choice among options, each with an identity and a weight above zero. Order has no influence; two options of
    /// one identity count on.
    pub fn new<'a>(
        seed: Seed,
        name: &str,
        subject: Subject,
        options: impl IntoIterator<Item = (&'a str, u32)>,
    ) -> Self {
        let mut all: Vec<SplitOption> = Vec::new();
        let mut counts = Places::default();
        for (identity, weight) in options {
            let before = counts.get(identity).unwrap_or(0);
            counts.set(identity.to_owned(), before.saturating_add(1));
            let key = match before {
                0 => xxh3_64(identity.as_bytes()),
                before => xxh3_64_with_seed(identity.as_bytes(), before as u64),
            };
            all.push(SplitOption { key, weight });
        }
        Self { name: name.into(), subject, options: all.into(), choice: seed.choice(name) }
    }

    /// The index of the option that a subject gets; 0 where there is only one.
    pub fn pick(&self, subject: Digest) -> usize {
        let draw = self.choice.draw(subject).to_le_bytes();
        let mut best: Option<(usize, u64, u64, u32)> = None;
        for (index, option) in self.options.iter().enumerate() {
            let arrival = negative_log2(xxh3_64_with_seed(&draw, option.key));
            let earlier = best.is_none_or(|(_, key, least, weight)| {
                // 37 and 32 bits: the products fit.
                let this = u128::from(arrival).wrapping_mul(weight.into());
                let that = u128::from(least).wrapping_mul(option.weight.into());
                this < that || (this == that && option.key < key)
            });
            if earlier {
                best = Some((index, option.key, arrival, option.weight));
            }
        }
        best.map_or(0, |(index, ..)| index)
    }

    /// Each option's weight, in order.
    pub fn weights(&self) -> impl ExactSizeIterator<Item = u32> {
        self.options.iter().map(|option| option.weight)
    }
}

/// `-log2(u / 2^64)` in units of 2^-30: 0 to 64 times 2^30, by squaring a 32-bit mantissa.
fn negative_log2(u: u64) -> u64 {
    const FRACTION: u32 = 30;
    const ONE: u64 = 1 << FRACTION;
    let zeros = u.max(1).leading_zeros();
    let mut mantissa = u.max(1).wrapping_shl(zeros) >> 32;
    let mut fraction = 0_u64;
    for _ in 0..FRACTION {
        // Below 2^32, so the square fits.
        mantissa = mantissa.wrapping_mul(mantissa) >> 31;
        fraction <<= 1;
        if mantissa >> 32 != 0 {
            mantissa >>= 1;
            fraction |= 1;
        }
    }
    (u64::from(zeros) << FRACTION).wrapping_add(ONE.wrapping_sub(fraction))
}

/// Who keeps a choice's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The request, by its id.
    RequestId,
    /// Whoever sends this cookie; with `issue`, one is issued to whoever does not.
    Cookie {
        /// The cookie's name.
        name: Box<str>,
        /// Attributes of a cookie that is issued.
        issue: Option<Issue>,
        /// `cookie/<name>`, as recordings name the subject.
        key: Box<str>,
    },
    /// Whoever sends this header.
    Header {
        /// Its name in lower case.
        name: Box<str>,
        /// Which tag sets it, where one does.
        tag: Option<TagOf>,
        /// `header/<name>`.
        key: Box<str>,
    },
    /// Whoever sends this query parameter.
    Query {
        /// Its name.
        name: Box<str>,
        /// `query/<name>`.
        key: Box<str>,
    },
    /// Whoever comes from this address.
    SourceIp,
}

/// How a cookie is issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Its `Path`; empty: without one.
    pub path: Box<str>,
    /// Its `Max-Age` in seconds; 0: for the session, without one.
    pub max_age: u64,
    /// Further attributes as they are written: `; SameSite=Strict; Secure`.
    pub attributes: Box<str>,
}

impl Subject {
    /// Compiles `stickyBy`; none means the request's id. `tag_of` tells which tag sets a header.
    pub fn compile(written: Option<&StickyBy>, tag_of: impl Fn(&str) -> Option<TagOf>, at: &mut At) -> Option<Self> {
        let Some(written) = written else {
            return Some(Self::RequestId);
        };
        let set = [
            written.http_cookie.is_some(),
            !written.http_header_name.is_empty(),
            !written.http_query_parameter_name.is_empty(),
            written.use_source_ip,
        ];
        if set.iter().filter(|set| **set).count() != 1 {
            at.error("set one of `httpCookie`, `httpHeaderName`, `httpQueryParameterName` and `useSourceIp: true`");
            return None;
        }
        if let Some(cookie) = &written.http_cookie {
            return at.field("httpCookie", |at| Self::cookie(cookie, at));
        }
        if !written.http_header_name.is_empty() {
            // Envoy knows the host only as `:authority`.
            let name = match written.http_header_name.to_ascii_lowercase() {
                host if host == "host" => ":authority".to_owned(),
                name => name,
            };
            if !headers::is_token(name.trim_start_matches(':')) || headers::is_control(name.as_bytes()) {
                at.field("httpHeaderName", |at| at.error(format!("`{name}` is no header that a client can send")));
                return None;
            }
            let key = format!("header/{name}").into();
            return Some(Self::Header { tag: tag_of(&name), name: name.into(), key });
        }
        if !written.http_query_parameter_name.is_empty() {
            let name = &written.http_query_parameter_name;
            return Some(Self::Query { name: name.as_str().into(), key: format!("query/{name}").into() });
        }
        Some(Self::SourceIp)
    }

    fn cookie(written: &HttpCookie, at: &mut At) -> Option<Self> {
        let before = at.count();
        if !headers::is_token(&written.name) {
            at.field("name", |at| at.error(format!("`{}` is no cookie name", written.name)));
        }
        let path = if written.path.is_empty() { "/" } else { &written.path };
        if !path.starts_with('/') || path.bytes().any(|b| b == b';' || !(b' '..0x7f).contains(&b)) {
            at.field("path", |at| at.error(format!("`{path}` is no path: write `/` or the like")));
        }
        let attributes = at.field("attributes", |at| attributes(&written.attributes, at));
        let issue = match &written.ttl {
            None => None,
            Some(ttl) => at.field("ttl", |at| {
                let milliseconds = crate::duration::compile(ttl, at)?;
                if milliseconds % 1000 != 0 {
                    at.error(format!("`{ttl}`: a cookie lives whole seconds"));
                }
                Some(Issue { path: path.into(), max_age: milliseconds / 1000, attributes: attributes.into() })
            }),
        };
        let key = format!("cookie/{}", written.name).into();
        (at.count() == before).then(|| Self::Cookie { name: written.name.as_str().into(), issue, key })
    }

    /// Compiles what a host of a destination is chosen by. Envoy writes `Path` only where there is one.
    pub fn compile_hash(written: &StickyBy, tag_of: impl Fn(&str) -> Option<TagOf>, at: &mut At) -> Option<Self> {
        let mut subject = Self::compile(Some(written), tag_of, at)?;
        let has_path = written.http_cookie.as_ref().is_some_and(|cookie| !cookie.path.is_empty());
        if let Self::Cookie { issue: Some(issue), .. } = &mut subject
            && !has_path
        {
            issue.path = "".into();
        }
        Some(subject)
    }

    /// How recordings name the subject: `cookie/uid`, `header/x-user`, `query/user`, `source-ip`, `request-id`.
    pub fn key(&self) -> &str {
        match self {
            Self::RequestId => "request-id",
            Self::Cookie { key, .. } | Self::Header { key, .. } | Self::Query { key, .. } => key,
            Self::SourceIp => "source-ip",
        }
    }

    /// What a request, as its tags leave it, has of the subject; of the request's own id nothing.
    pub fn value<'a>(&'a self, request: &Request<'a>, tags: &[TagState<'a>]) -> Known<Cow<'a, [u8]>> {
        match self {
            Self::RequestId => Known::Absent,
            Self::Cookie { name, .. } => request.cookie(name.as_bytes()).map(Cow::Borrowed),
            Self::Query { name, .. } => request.query_parameter(name.as_bytes()).map(Cow::Borrowed),
            Self::Header { name, tag, .. } => header::value(request, tags, name, *tag),
            Self::SourceIp => request.source_address().map(|ip| Cow::Owned(ip.to_canonical().to_string().into_bytes())),
        }
    }

    /// Whether the outcome is kept over requests.
    pub fn is_sticky(&self) -> bool {
        *self != Self::RequestId
    }
}

/// Attributes of a cookie as a `set-cookie` header has them.
fn attributes(written: &[CookieAttribute], at: &mut At) -> String {
    let mut all = String::new();
    for (index, CookieAttribute { name, value }) in written.iter().enumerate() {
        at.index(index, |at| {
            if !headers::is_token(name) {
                at.field("name", |at| at.error(format!("`{}` is no name of an attribute", name.escape_debug())));
            } else if written.iter().take(index).any(|other| other.name.eq_ignore_ascii_case(name)) {
                at.field("name", |at| at.error(format!("`{name}` is listed twice")));
            }
            if value.bytes().any(|b| b == b';' || !(b' '..0x7f).contains(&b)) {
                let message =
                    format!("`{}` is no value of an attribute: write visible ASCII without `;`", value.escape_debug());
                at.field("value", |at| at.error(message));
            }
        });
        for part in if value.is_empty() { ["; ", name, "", ""] } else { ["; ", name, "=", value] } {
            all.push_str(part);
        }
    }
    all
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestId => f.write_str("the request's id"),
            Self::Cookie { name, .. } => write!(f, "cookie `{name}`"),
            Self::Header { name, .. } => write!(f, "header `{name}`"),
            Self::Query { name, .. } => write!(f, "query parameter `{name}`"),
            Self::SourceIp => f.write_str("the source address"),
        }
    }
}

#[cfg(test)]
mod tests;
