//! `queryParams` (istio.md 1.3).

use super::text::TextMatch;
use crate::request::{Known, Request};
use crate::truth::Truth;
use core::fmt;

/// How a query parameter is matched: the first of its name, not decoded.
#[derive(Debug)]
pub struct QueryMatch {
    /// The parameter's name, as it stands in the query.
    pub name: Box<str>,
    /// What its value must be.
    pub text: TextMatch,
}

impl QueryMatch {
    /// Whether a request matches.
    pub fn matches(&self, request: &Request<'_>) -> Truth {
        match request.query_parameter(self.name.as_bytes()) {
            Known::Present(value) => self.text.matches(value).into(),
            Known::Absent => Truth::False,
            Known::Unknown => Truth::Unknown,
        }
    }
}

impl fmt::Display for QueryMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query parameter `{}` {}", self.name, self.text)
    }
}
