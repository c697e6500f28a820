//! Replacing every match of a pattern, as RE2's `GlobalReplace` does it (envoy.md 1.4).

use super::nfa;
use crate::error::At;
use core::fmt;
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::util::primitives::{NonMaxUsize, PatternID};
use regex_automata::{Input, MatchKind};

/// A pattern, and what takes the place of each of its matches.
pub struct Replace {
    vm: PikeVM,
    pieces: Box<[Piece]>,
    written: Box<str>,
}

/// A piece of what takes a match's place.
enum Piece {
    Text(Box<[u8]>),
    /// What a group took; 0 is the match.
    Group(usize),
}

impl Replace {
    /// Compiles a pattern and its replacement; `None` when one is wrong, which has been noted.
    pub fn compile(pattern: &str, rewrite: &str, at: &mut At) -> Option<Self> {
        let vm = at.field("match", |at| match nfa(pattern, "") {
            Ok(nfa) => PikeVM::builder()
                .configure(PikeVM::config().match_kind(MatchKind::LeftmostFirst))
                .build_from_nfa(nfa)
                .map_err(|error| at.error(format!("regex `{pattern}` is not supported: {error}")))
                .ok(),
            Err(error) => {
                at.error(error);
                None
            }
        });
        let groups = vm.as_ref().map_or(10, |vm| vm.get_nfa().group_info().group_len(PatternID::ZERO));
        let pieces = at.field("rewrite", |at| pieces(rewrite, groups).map_err(|error| at.error(error)).ok());
        Some(Self { vm: vm?, pieces: pieces?.into(), written: format!("{pattern} -> {rewrite}").into() })
    }

    /// The text with every match replaced, from left to right. An empty match right behind another one is none.
    pub fn replace(&self, text: &[u8]) -> Vec<u8> {
        let mut cache = self.vm.create_cache();
        // The most that a replacement can name: \0 to \9, a start and an end each. More than the pattern has would have
        // the search read beyond its table.
        let mut slots = [None; 20];
        let count = self.vm.get_nfa().group_info().slot_len().min(slots.len());
        let slots = slots.get_mut(..count).unwrap_or_default();
        let mut new = Vec::with_capacity(text.len());
        let mut from = 0;
        let mut last_end = None;
        while from <= text.len() {
            let input = Input::new(text).range(from..);
            slots.fill(None);
            if self.vm.search_slots(&mut cache, &input, slots).is_none() {
                break;
            }
            let Some((start, end)) = group(slots, 0) else { break };
            new.extend_from_slice(text.get(from..start).unwrap_or_default());
            if start == end && last_end == Some(start) {
                let skipped = start.saturating_add(character(text.get(start..).unwrap_or_default()));
                new.extend_from_slice(text.get(start..skipped).unwrap_or_default());
                from = skipped;
                continue;
            }
            for piece in &self.pieces {
                match piece {
                    Piece::Text(text) => new.extend_from_slice(text),
                    Piece::Group(number) => {
                        let taken = group(slots, *number).and_then(|(start, end)| text.get(start..end));
                        new.extend_from_slice(taken.unwrap_or_default());
                    }
                }
            }
            from = end;
            last_end = Some(end);
        }
        new.extend_from_slice(text.get(from..).unwrap_or_default());
        new
    }
}

impl fmt::Debug for Replace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replace({:?})", self.written)
    }
}

/// Where a group begins and ends.
fn group(slots: &[Option<NonMaxUsize>], number: usize) -> Option<(usize, usize)> {
    let slot = |index: usize| slots.get(index).copied().flatten().map(NonMaxUsize::get);
    let start = number.saturating_mul(2);
    slot(start).zip(slot(start.saturating_add(1)))
}

/// How many bytes the first character has; 1 where it is no UTF-8, and at the end.
fn character(text: &[u8]) -> usize {
    let whole = |length: &usize| text.get(..*length).is_some_and(|bytes| core::str::from_utf8(bytes).is_ok());
    (1..=4).find(whole).unwrap_or(1)
}

/// What takes a match's place: `\0` to `\9` are groups, `\\` is a backslash.
fn pieces(rewrite: &str, groups: usize) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut bytes = rewrite.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'\\') => text.push(b'\\'),
            Some(digit) if digit.is_ascii_digit() => {
                let number = usize::from(digit.saturating_sub(b'0'));
                if number >= groups {
                    return Err(format!("`\\{number}` is no group: the regex has {}", groups.saturating_sub(1)));
                }
                pieces.push(Piece::Text(core::mem::take(&mut text).into()));
                pieces.push(Piece::Group(number));
            }
            _ => {
                return Err(format!("`{rewrite}` has a `\\` alone: write `\\1` for a group, `\\\\` for a backslash"));
            }
        }
    }
    pieces.push(Piece::Text(text.into()));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(pattern: &str, rewrite: &str, text: &[u8]) -> String {
        let replace = Replace::compile(pattern, rewrite, &mut At::root()).expect("right");
        String::from_utf8_lossy(&replace.replace(text)).into_owned()
    }

    #[test]
    fn every_match_is_replaced_as_envoy_does() {
        // Each line was seen on Envoy 1.37.0.
        for (pattern, rewrite, path, new) in [
            ("a+", "X", "/aabaa", "/XbX"),
            ("a+", "X", "/none", "/none"),
            ("()", "-", "/ab", "-/-a-b-"),
            ("()", "-", "/", "-/-"),
            ("a*", "X", "/baac", "X/XbXcX"),
            ("b|", "X", "/abb", "X/XaXX"),
            ("^/.*$", "", "/zz", ""),
            ("(b)|(c)", "[\\2]", "/abc", "/a[][c]"),
            ("/(?P<n>v[0-9])/", "/\\1x\\\\/", "/api/v1/v2/z", "/api/v1x\\/v2/z"),
            ("x", "\\0\\0", "/axa", "/axxa"),
            ("b*$", "E", "/abb", "/aE"),
            ("a|ab|abc", "_", "/abcab", "/_bc_b"),
            ("(^|/)api", "Z", "/api/api", "ZZ"),
            (".*", "/n", "/abc", "/n"),
        ] {
            assert_eq!(replace(pattern, rewrite, path.as_bytes()), new, "{pattern} {path}");
        }
    }

    #[test]
    fn an_empty_match_splits_no_character() {
        assert_eq!(replace("x*", "-", "é/x".as_bytes()), "-é-/-");
        assert_eq!(replace("x*", "-", b"\xff/"), "-\u{fffd}-/-");
    }

    #[test]
    fn what_re2_would_not_carry_out_is_an_error() {
        let error = |pattern: &str, rewrite: &str| {
            let mut at = At::root();
            assert!(Replace::compile(pattern, rewrite, &mut at).is_none(), "{pattern} {rewrite}");
            at.into_errors().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(error("a(b)", "\\2"), "rewrite: `\\2` is no group: the regex has 1");
        assert_eq!(
            error("a", "x\\"),
            "rewrite: `x\\` has a `\\` alone: write `\\1` for a group, `\\\\` for a backslash"
        );
        assert!(error("a", "\\x").contains("has a `\\` alone"));
        assert!(error("(", "b").starts_with("match: regex `(`"));
        assert!(error("a\\C", "b").starts_with("match: "));
        assert!(error(&"a".repeat(1025), "b").contains("1025 bytes"));
    }
}
