//! One automaton, a byte at a time.

use super::language::Language;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, Input, MatchKind};

/// What a regex's states may take, in bytes; beyond it nothing is decided.
const CACHE: usize = 4 << 20;

/// Where an automaton is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No text that goes on from here is in the language.
    Dead,
    /// Every text that goes on from here is.
    Full,
    /// In a literal, before this byte.
    At(usize),
    /// In a regex.
    Of(LazyStateID),
}

/// A regex has too many states to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// An automaton that can be walked.
pub struct Walker<'a> {
    language: Language<'a>,
    lazy: Option<(DFA, Cache)>,
}

impl<'a> Walker<'a> {
    /// For a language.
    pub fn new(language: Language<'a>) -> Result<Self, TooLarge> {
        let Language::Regex(regex) = language else { return Ok(Self { language, lazy: None }) };
        // The filter's own automaton, with states that stay: its cache may be cleared, this one may not.
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(CACHE)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(0));
        let dfa = DFA::builder().configure(config).build_from_nfa(regex.automaton().get_nfa().clone());
        let dfa = dfa.map_err(|_| TooLarge)?;
        let cache = dfa.create_cache();
        Ok(Self { language, lazy: Some((dfa, cache)) })
    }

    /// Before the first byte.
    pub fn start(&mut self) -> Result<State, TooLarge> {
        match (&self.language, &mut self.lazy) {
            (_, Some((dfa, cache))) => {
                let input = Input::new(b"").anchored(Anchored::Yes);
                dfa.start_state_forward(cache, &input).map(state).map_err(|_| TooLarge)
            }
            (Language::Prefix(b"", _), _) => Ok(State::Full),
            _ => Ok(State::At(0)),
        }
    }

    /// After one more byte.
    pub fn next(&mut self, from: State, byte: u8) -> Result<State, TooLarge> {
        let at = match from {
            State::Dead | State::Full => return Ok(from),
            State::Of(id) => {
                let Some((dfa, cache)) = &mut self.lazy else { return Ok(State::Dead) };
                return dfa.next_state(cache, id, byte).map(state).map_err(|_| TooLarge);
            }
            State::At(at) => at,
        };
        let (Language::Exact(text, ignores_case) | Language::Prefix(text, ignores_case)) = &self.language else {
            return Ok(State::Dead);
        };
        let fits = text.get(at).is_some_and(|own| *own == byte || (*ignores_case && own.eq_ignore_ascii_case(&byte)));
        Ok(match (fits, &self.language) {
            (false, _) => State::Dead,
            (true, Language::Prefix(..)) if at + 1 == text.len() => State::Full,
            (true, _) => State::At(at + 1),
        })
    }

    /// Whether the text so far is in the language.
    pub fn accepts(&mut self, at: State) -> Result<bool, TooLarge> {
        match (at, &self.language, &mut self.lazy) {
            (State::Full, ..) => Ok(true),
            (State::Of(id), _, Some((dfa, cache))) => {
                dfa.next_eoi_state(cache, id).map(|end| end.is_match()).map_err(|_| TooLarge)
            }
            (State::At(at), Language::Exact(text, _), _) => Ok(at == text.len()),
            _ => Ok(false),
        }
    }

    /// Which bytes it tells apart: equal numbers mean that it does not.
    pub fn class(&self, byte: u8) -> u8 {
        match (&self.language, &self.lazy) {
            (_, Some((dfa, _))) => dfa.byte_classes().get(byte),
            (Language::Exact(text, ignores_case) | Language::Prefix(text, ignores_case), _) => {
                let byte = if *ignores_case { byte.to_ascii_lowercase() } else { byte };
                let same = |own: &u8| *own == byte || (*ignores_case && own.to_ascii_lowercase() == byte);
                // Zero for what the text does not hold: NUL is in no text.
                if text.iter().any(same) { byte } else { 0 }
            }
            _ => 0,
        }
    }
}

fn state(id: LazyStateID) -> State {
    if id.is_dead() { State::Dead } else { State::Of(id) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard_filter::error::At;
    use switchyard_filter::matcher::regex::Regex;

    fn takes(language: Language<'_>, text: &[u8]) -> bool {
        let mut walker = Walker::new(language).expect("small");
        let start = walker.start().expect("small");
        let end = text.iter().fold(start, |at, byte| walker.next(at, *byte).expect("small"));
        walker.accepts(end).expect("small")
    }

    #[test]
    fn a_walk_ends_as_the_matcher_decides() {
        let patterns =
            ["/a|/ab", "/a.*", "(?i)/AB", "/a$", "/a\\b.*", "[^/]+", "", "/a/?", "(?m)^/a$", "/.{2,4}", "/é", "a*?"];
        let texts = ["", "/", "/a", "/ab", "/aB", "/a/", "/abcd", "/abcdef", "/é", "a", "aa", "/a\n"];
        for pattern in patterns {
            let regex = Regex::compile(pattern, &mut At::root()).expect(pattern);
            for text in texts.map(str::as_bytes).into_iter().chain([&b"/\xff"[..]]) {
                assert_eq!(takes(Language::Regex(&regex), text), regex.matches(text), "{pattern} {text:?}");
            }
        }
        for text in texts {
            for case in [true, false] {
                for language in
                    [Language::Exact(b"/a", case), Language::Prefix(b"/aB", case), Language::Prefix(b"", case)]
                {
                    assert_eq!(takes(language, text.as_bytes()), language.has(text.as_bytes()), "{language:?} {text}");
                }
            }
        }
    }
}
