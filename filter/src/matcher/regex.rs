//! Regular expressions with RE2's meaning: full match on a lazy DFA, and replacement, in time linear in the text.
//!
//! RE2 reads a text as UTF-8, so `.` is one code point and never an invalid byte, while `\d`, `\w`, `\s` and `\b` are
//! ASCII. `regex-syntax` would need Unicode tables for the latter, so they are written out before it sees the pattern.
//! What RE2 does not have, or has and we do not, is refused with what to write instead.

mod dialect;
mod replace;

pub use replace::Replace;

use crate::error::At;
use core::fmt;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::pool::Pool;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

/// Istio's limit on the length of a pattern, in bytes (istio.md 1.4).
const MAX_PATTERN: usize = 1024;
/// The compiled automaton's limit, in bytes: a counted repetition of counted repetitions explodes.
const MAX_AUTOMATON: usize = 4 << 20;
/// The most that a lazy DFA's cache takes, in bytes; when it is full it is cleared and filled anew.
const CACHE: usize = 256 << 10;
/// The least: some states of a large automaton.
const SMALLEST_CACHE: usize = 8 << 10;
/// What many regexes share: texts that clients choose fill the caches, and a VM has 1 GiB. The n-th regex gets the n-th
/// part of it, so that 10,000 take less than 200 MB at the worst.
const CACHES: usize = 16 << 20;

type Caches = Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync>>;

/// A pattern that matches a text as a whole.
pub struct Regex {
    pattern: Box<str>,
    dfa: DFA,
    caches: Caches,
}

impl Regex {
    /// Compiles a pattern; `None` when it is wrong, which has been noted.
    pub fn compile(pattern: &str, at: &mut At) -> Option<Self> {
        let count = at.count_regex();
        let cache = CACHES.checked_div(count).unwrap_or(CACHE).clamp(SMALLEST_CACHE, CACHE);
        Self::new(pattern, cache).map_err(|message| at.error(message)).ok()
    }

    fn new(pattern: &str, cache: usize) -> Result<Self, String> {
        let nfa = nfa(pattern, "\\z")?;
        let dfa = DFA::builder()
            .configure(
                DFA::config()
                    .match_kind(MatchKind::LeftmostFirst)
                    .cache_capacity(cache)
                    .skip_cache_capacity_check(true)
                    .minimum_cache_clear_count(None),
            )
            .build_from_nfa(nfa)
            .map_err(|e| format!("regex `{pattern}` is not supported: {e}"))?;
        let prototype = dfa.clone();
        let caches = Pool::new(Box::new(move || prototype.create_cache()) as Box<dyn Fn() -> Cache + Send + Sync>);
        Ok(Self { pattern: pattern.into(), dfa, caches })
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        let mut cache = self.caches.get();
        let input = Input::new(text).anchored(Anchored::Yes).earliest(true);
        // The search cannot fail: the cache may be cleared as often as it takes, and no byte makes this DFA quit.
        self.dfa.try_search_fwd(&mut cache, &input).is_ok_and(|end| end.is_some())
    }

    /// Its automaton, for who compares languages: anchored, it matches at the end of a text or nowhere.
    pub fn automaton(&self) -> &DFA {
        &self.dfa
    }

    /// The pattern as written.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
}

/// The automaton of a pattern, with something behind it.
fn nfa(pattern: &str, behind: &str) -> Result<thompson::NFA, String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("the regex has {} bytes, at most {MAX_PATTERN} are allowed", pattern.len()));
    }
    let translated = dialect::translate(pattern)?;
    let syntax = syntax::Config::new().utf8(false).unicode(true);
    thompson::Compiler::new()
        .syntax(syntax)
        .configure(thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_AUTOMATON)))
        .build(&format!("(?:{translated}){behind}"))
        .map_err(|e| match e.size_limit() {
            Some(_) => format!("regex `{pattern}` is too large: repetitions multiply"),
            None => format!("regex `{pattern}` is not supported: {e}"),
        })
}

impl fmt::Display for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Regex({:?})", self.pattern)
    }
}

#[cfg(test)]
mod tests;
