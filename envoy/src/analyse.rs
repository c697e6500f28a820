//! What no request reaches, by proof, and a request that reaches the rest.
//!
//! Conditions are compared as languages, by the automata that the filter itself matches with, over the requests that can
//! come: a path begins with `/` and holds neither `?` nor `#` (what has another, `OPTIONS *` and CONNECT, Envoy answers or
//! no `uri` takes), a tag says what it can say. What takes too long is not decided, and that is counted.

mod alphabet;
mod cover;
mod index;
mod language;
mod point;
mod region;
mod search;
mod site;
mod walk;

use cover::{Covering, Verdict};
use search::Budget;
use site::Site;

#[cfg(test)]
mod tests;
