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

    /// The same in lower case, whatever the case: for an index.
    pub fn folded_beginning(&self) -> Vec<u8> {
        let mut text = match self {
            Self::Exact(text, _) | Self::Prefix(text, _) => text.to_vec(),
            Self::Regex(regex) => beginning(regex.pattern()),
        };
        text.make_ascii_lowercase();
        text
    }
}

/// The plain characters that every match of a pattern begins with. Where that is not plain to see it stops early.
fn beginning(pattern: &str) -> Vec<u8> {
    if has_alternatives(pattern) {
        return vec![];
    }
    let mut text = String::new();
    let mut chars = pattern.trim_start_matches('^').chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '?' | '*' | '{' => {
                // The character before need not be there.
                text.pop();
                break;
            }
            '\\' => match chars.next() {
                Some(escaped) if escaped.is_ascii_punctuation() => text.push(escaped),
                _ => break,
            },
            '.' | '^' | '$' | '|' | '+' | '(' | ')' | '[' | ']' | '}' => break,
            plain => text.push(plain),
        }
    }
    text.into_bytes()
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
