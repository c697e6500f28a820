//! What becomes of a request, and why: data, for the shell to carry out and for people to read.

use crate::block::Missing;
use crate::document::ControlHeaders;
use crate::draw::Digest;
use crate::headers;
use crate::policy::{Destination, Policy, Route, Rule};
use crate::split::{Issue, Split};
use crate::tag::TagState;
use std::borrow::Cow;

/// What becomes of a request.
#[derive(Debug)]
pub struct Decision<'a> {
    /// What became of each of the policy's tags, in order.
    pub tags: Vec<TagState<'a>>,
    /// What is done.
    pub action: Action<'a>,
    /// Choices that were made, in order.
    pub drawn: Vec<Drawn<'a>>,
    /// Cookies that the response carries.
    pub cookies: Vec<IssuedCookie<'a>>,
    /// The first choice whose subject is not known, where there is one.
    pub open: Option<&'a Split>,
}

/// What is done with a request.
#[derive(Debug)]
pub enum Action<'a> {
    /// It goes to a destination.
    Forward(Forward<'a>),
    /// It is answered here.
    Reply(Reply),
    /// It is left to Envoy's own routes.
    Pass,
    /// The recording does not hold what decides it.
    Undecidable(Missing<'a>),
}

/// A request that goes to a destination.
#[derive(Debug)]
pub struct Forward<'a> {
    /// The rule that took it.
    pub rule: &'a Rule,
    /// The rule's match block that matched.
    pub route: &'a Route,
    /// Where it goes.
    pub destination: &'a Destination,
    /// `:path` as it goes out, where it is rewritten.
    pub path: Option<Vec<u8>>,
    /// `:path` as it came.
    pub original_path: &'a [u8],
    /// How long the whole exchange may take, in milliseconds.
    pub timeout: Option<u64>,
}

/// An answer of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Why, as response code details name it.
    pub reason: &'static str,
}

/// A choice that was made.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    /// Which.
    pub split: &'a Split,
    /// Its outcome.
    pub option: usize,
    /// Whose it is; `None` where the outcome was given.
    pub subject: Option<Digest>,
    /// Whether the subject is the one that keeps it, and not the request in its stead.
    pub kept: bool,
}

/// A cookie that the response carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCookie<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value: 32 hexadecimal digits.
    pub value: String,
    /// Its attributes.
    pub issue: &'a Issue,
}

impl IssuedCookie<'_> {
    /// The value of its `set-cookie` header.
    pub fn set_cookie(&self) -> String {
        let Self { name, value, issue } = self;
        match issue.max_age {
            0 => format!("{name}={value}; Path={}; HttpOnly", issue.path),
            age => format!("{name}={value}; Max-Age={age}; Path={}; HttpOnly", issue.path),
        }
    }
}

impl<'a> Decision<'a> {
    /// Where the request goes, if it does.
    pub fn forward(&self) -> Option<&Forward<'a>> {
        if let Action::Forward(forward) = &self.action { Some(forward) } else { None }
    }

    /// The tags that have a value, in order: header and value.
    pub fn tag_values<'d>(&'d self, policy: &'d Policy) -> impl Iterator<Item = (&'d str, &'a str)> {
        policy.tags.iter().zip(&self.tags).filter_map(|(tag, state)| match state {
            TagState::Value(value) => Some((&*tag.header, *value)),
            _ => None,
        })
    }

    /// Headers that the request goes on with, each once, in place of any that came: tags, then our own and Envoy's.
    /// `:path` is not among them.
    pub fn request_headers<'d>(&'d self, policy: &'d Policy) -> impl Iterator<Item = (&'d str, Cow<'d, [u8]>)> {
        let tags = self.tag_values(policy).map(|(header, value)| (header, Cow::Borrowed(value.as_bytes())));
        tags.chain(self.forward().into_iter().flat_map(Forward::headers))
    }

    /// Whether a header line that came must go, because nobody outside may set it and nothing overwrites it. `name` in
    /// lower case; called for each line, so decided on bytes.
    pub fn removes(&self, policy: &Policy, name: &[u8]) -> bool {
        let removes_control = policy.control_headers == ControlHeaders::Remove;
        if removes_control && headers::is_control(name) {
            return name != headers::CLUSTER.as_bytes() || self.forward().is_none();
        }
        for (tag, state) in policy.tags.iter().zip(&self.tags) {
            if (removes_control || tag.trust_client)
                && *state != TagState::Elsewhere
                && headers::same_spelling(tag.header.as_bytes(), name)
            {
                return *state == TagState::None || name != tag.header.as_bytes();
            }
        }
        let Some(forward) = self.forward() else {
            return false;
        };
        name.starts_with(b"x-envoy-")
            && headers::ROUTER_HINTS.iter().any(|hint| hint.as_bytes() == name)
            && !forward.headers().any(|(header, _)| header.as_bytes() == name)
    }
}

impl Forward<'_> {
    /// Headers that carry the decision to Envoy's router.
    fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, [u8]>)> {
        let cluster = (headers::CLUSTER, Cow::Borrowed(self.destination.cluster.as_bytes()));
        let original = self.path.as_ref().map(|_| (headers::ORIGINAL_PATH, Cow::Borrowed(self.original_path)));
        let timeout =
            self.timeout.map(|ms| ("x-envoy-upstream-rq-timeout-ms", Cow::Owned(ms.to_string().into_bytes())));
        let retries = self.rule.retry_headers.iter().map(|(name, value)| (*name, Cow::Borrowed(value.as_bytes())));
        core::iter::once(cluster).chain(original).chain(timeout).chain(retries)
    }
}
