//! Operations on headers (istio.md 1.7).

use crate::decision::Decision;
use crate::document::HeaderOperations;
use crate::error::At;
use crate::policy::Policy;
use crate::request::Request;
use std::borrow::Cow;
use std::sync::Arc;

/// Operations of one level: removals first, then what is set, then what is added.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    /// Names of headers that go.
    pub remove: Vec<Box<str>>,
    /// Values in place of any that are there.
    pub set: Vec<(Box<str>, Box<str>)>,
    /// Values beside any that are there.
    pub add: Vec<(Box<str>, Box<str>)>,
}

/// Levels of operations, in the order in which they are carried out.
pub type Levels = Box<[Arc<Operations>]>;

/// What operations leave of a request's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed<'a> {
    /// Its name in lower case.
    pub name: &'a str,
    /// Its lines; none where it goes.
    pub values: Vec<Cow<'a, [u8]>>,
}

/// A change of the response's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseEdit<'a> {
    /// Every line of this name goes.
    Remove(Cow<'a, str>),
    /// The header has this one line then.
    Set(Cow<'a, str>, Cow<'a, [u8]>),
    /// The header has this line beside others.
    Add(Cow<'a, str>, Cow<'a, [u8]>),
}

impl Operations {
    /// Compiles operations on a request's headers, and what they make of the authority.
    pub fn compile_request(_written: &HeaderOperations, at: &mut At) -> (Self, Option<Box<str>>) {
        at.error("`headers` is not supported yet");
        (Self::default(), None)
    }

    /// Compiles operations on a response's headers.
    pub fn compile_response(_written: &HeaderOperations, at: &mut At) -> Self {
        at.error("`headers` is not supported yet");
        Self::default()
    }

    /// Puts other operations behind these, in the same level.
    pub fn append(&mut self, other: Self) {
        self.remove.extend(other.remove);
        self.set.extend(other.set);
        self.add.extend(other.add);
    }

    /// Whether nothing is done.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }
}

/// Evaluates the operations of a decision that is otherwise complete.
pub fn carry_out<'a>(_policy: &'a Policy, _request: &Request<'a>, _decision: &mut Decision<'a>) {}
