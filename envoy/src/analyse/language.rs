//! The texts that a matcher takes, as a language.

use switchyard_filter::matcher::path::PathMatch;
use switchyard_filter::matcher::regex::Regex;
use switchyard_filter::matcher::text::TextMatch;

/// A set of texts.
#[derive(Clone, Copy, Debug)]
pub enum Language<'a> {
    /// One text; with ASCII case ignored, all its spellings.
    Exact(&'a [u8], IgnoreCase),
    /// Every text that begins so.
    Prefix(&'a [u8], IgnoreCase),
    /// Every text that matches as a whole.
    Regex(&'a Regex),
}

/// Whether ASCII case is ignored.
pub type IgnoreCase = bool;

impl<'a> Language<'a> {
    /// The paths that `uri` takes.
    pub fn of_path(path: &'a PathMatch) -> Self {
        match path.text() {
            TextMatch::Exact(text) => Self::Exact(text.as_bytes(), path.ignores_case()),
            TextMatch::Prefix(text) => Self::Prefix(text.as_bytes(), path.ignores_case()),
            TextMatch::Regex(regex) => Self::Regex(regex),
            // The compiler makes it the prefix `/`.
            TextMatch::Present => Self::Prefix(b"/", false),
        }
    }

    /// The values that a condition takes; `None` where any will do.
    pub fn of_text(text: &'a TextMatch) -> Option<Self> {
        match text {
            TextMatch::Present => None,
            TextMatch::Exact(text) => Some(Self::Exact(text.as_bytes(), false)),
            TextMatch::Prefix(text) => Some(Self::Prefix(text.as_bytes(), false)),
            TextMatch::Regex(regex) => Some(Self::Regex(regex)),
        }
    }

    /// Whether a text is in it.
    pub fn has(&self, text: &[u8]) -> bool {
        match self {
            Self::Exact(exact, false) => text == *exact,
            Self::Exact(exact, true) => text.eq_ignore_ascii_case(exact),
            Self::Prefix(prefix, false) => text.starts_with(prefix),
            Self::Prefix(prefix, true) => {
                text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            }
            Self::Regex(regex) => regex.matches(text),
        }
    }

    /// What every text in it begins with, byte for byte; perhaps not the whole of it. Empty where case is ignored.
    pub fn beginning(&self) -> Vec<u8> {
        match self {
            Self::Exact(text, false) | Self::Prefix(text, false) => text.to_vec(),
            Self::Exact(_, true) | Self::Prefix(_, true) => vec![],
            Self::Regex(regex) => beginning(regex.pattern()),
        }
    }

    /// Texts, in lower case, one of which every text in it begins with, whatever the case: for an index.
    pub fn folded_beginnings(&self) -> Vec<Vec<u8>> {
        let mut all = match self {
            Self::Exact(text, _) | Self::Prefix(text, _) => vec![text.to_vec()],
            Self::Regex(regex) => beginnings(regex.pattern()),
        };
        for text in &mut all {
            text.make_ascii_lowercase();
        }
        all.sort();
        all.dedup();
        all
    }
}

/// At most this many beginnings of a pattern are told apart.
const BEGINNINGS: usize = 32;

/// The plain characters that every match of a pattern begins with. Where that is not plain to see it stops early.
fn beginning(pattern: &str) -> Vec<u8> {
    match <[Vec<u8>; 1]>::try_from(beginnings(pattern)) {
        Ok([only]) => only,
        Err(several) => common(&several),
    }
}

/// What some texts begin with, all of them.
fn common(texts: &[Vec<u8>]) -> Vec<u8> {
    let Some((first, rest)) = texts.split_first() else { return vec![] };
    let same = |text: &Vec<u8>| first.iter().zip(text).take_while(|(a, b)| a == b).count();
    let length = rest.iter().map(same).min().unwrap_or(first.len());
    first.get(..length).unwrap_or_default().to_vec()
}

/// Texts one of which every match of a pattern begins with: groups of plain alternatives and small classes are told
/// apart, anything else ends them.
fn beginnings(pattern: &str) -> Vec<Vec<u8>> {
    if has_alternatives(pattern) {
        return vec![vec![]];
    }
    let mut texts = vec![String::new()];
    let mut rest = pattern.trim_start_matches('^');
    while let Some((choices, after)) = item(rest) {
        let is_optional = after.starts_with(['?', '*', '{']);
        if is_optional || choices.len().saturating_mul(texts.len()) > BEGINNINGS {
            break;
        }
        texts = texts.iter().flat_map(|text| choices.iter().map(move |choice| format!("{text}{choice}"))).collect();
        rest = after;
    }
    texts.into_iter().map(String::into_bytes).collect()
}

/// What the next part of a pattern can be, where that is plain to see, and what follows it.
fn item(pattern: &str) -> Option<(Vec<String>, &str)> {
    const SPECIAL: &str = "\\.^$|?*+()[]{}";
    let is_plain = |text: &str| !text.contains(|c| SPECIAL.contains(c));
    let mut chars = pattern.chars();
    match chars.next()? {
        '\\' => {
            let escaped = chars.next().filter(char::is_ascii_punctuation)?;
            Some((vec![escaped.to_string()], chars.as_str()))
        }
        '(' => {
            let inner = chars.as_str();
            let inner = inner.strip_prefix("?:").unwrap_or(inner);
            let (group, after) = inner.split_once(')')?;
            let choices: Vec<_> = group.split('|').map(str::to_owned).collect();
            choices.iter().all(|choice| is_plain(choice)).then_some((choices, after))
        }
        '[' => {
            let (class, after) = chars.as_str().split_once(']')?;
            let plain = !class.is_empty() && class.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            plain.then(|| (class.chars().map(String::from).collect(), after))
        }
        c if SPECIAL.contains(c) => None,
        plain => Some((vec![plain.to_string()], chars.as_str())),
    }
}

/// Whether a `|` stands outside of all groups and classes.
fn has_alternatives(pattern: &str) -> bool {
    let (mut depth, mut in_class) = (0_usize, false);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '[' if !in_class => {
                in_class = true;
                // Right after `[` or `[^` a `]` means itself.
                chars.next_if_eq(&'^');
                chars.next_if_eq(&']');
            }
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth = depth.saturating_sub(1),
            '|' if !in_class && depth == 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard_filter::error::At;

    #[test]
    fn the_beginning_of_a_pattern_is_what_all_its_matches_begin_with() {
        for (pattern, expected) in [
            ("/api/v1/.*", "/api/v1/"),
            ("^/a\\.b\\-c/[0-9]+$", "/a.b-c/"),
            ("/ab?c", "/a"),
            ("/ab*", "/a"),
            ("/ab{0,2}", "/a"),
            ("/ab+c", "/ab"),
            ("/a|/b", ""),
            ("/x/(a|b)", "/x/"),
            ("/x/(ab|ac)d", "/x/a"),
            ("/x/(ab|a(c))d", "/x/"),
            ("/x[12]/", "/x"),
            ("/x(?i)y", "/x"),
            ("/x(a)?y", "/x"),
            ("/x(a)+y", "/xa"),
            ("/x[|]y", "/x"),
            ("/x[]|]y|/z", ""),
            ("/x[](]|/z", ""),
            ("/x[^]|]", "/x"),
            ("/x\\|y", "/x|y"),
            ("(?i)/a", ""),
            ("/a\\d", "/a"),
            (".*", ""),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(beginning(pattern)).expect("UTF-8"), expected, "{pattern}");
        }
    }

    #[test]
    fn alternatives_and_small_classes_are_told_apart() {
        for (pattern, expected) in [
            ("/(item|thing)/7(/.*)?", &["/item/7", "/thing/7"][..]),
            ("/v[12]/(?:a|B)", &["/v1/a", "/v1/b", "/v2/a", "/v2/b"]),
            ("/(a|)x", &["/ax", "/x"]),
            ("/[a-c]x", &["/"]),
            ("/(a|b)?x", &["/"]),
            ("/[abcdefghijklmnopqrstuvwxyz0123456789]x", &["/"]),
            ("/a|/b", &[""]),
        ] {
            let regex = Regex::compile(pattern, &mut At::root()).expect(pattern);
            let found = Language::Regex(&regex).folded_beginnings();
            let expected: Vec<_> = expected.iter().map(|text| text.as_bytes().to_vec()).collect();
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn a_language_takes_what_its_matcher_takes() {
        let regex = Regex::compile("/a+", &mut At::root()).expect("right");
        for (language, inside, outside) in [
            (Language::Exact(b"/a", false), "/a", "/A"),
            (Language::Exact(b"/a", true), "/A", "/b"),
            (Language::Prefix(b"/a", false), "/ab", "/Ab"),
            (Language::Prefix(b"/a", true), "/AB", "/"),
            (Language::Regex(&regex), "/aa", "/aab"),
        ] {
            assert!(language.has(inside.as_bytes()) && !language.has(outside.as_bytes()), "{language:?}");
        }
    }
}
