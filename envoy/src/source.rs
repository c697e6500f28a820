//! A text that was read, and places in it.

use std::fmt;
use std::sync::Arc;

/// A file as it was given, with its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The name as the user gave it (a path, or `<stdin>`).
    pub name: String,
    /// Its text, without a byte order mark. Bytes that are not UTF-8 are replaced by U+FFFD (and were told).
    pub text: String,
}

/// Not the text: it is long.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.name).finish()
    }
}

/// A range of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Line of the start, from 1.
    pub line: usize,
    /// Column of the start, from 1, in characters.
    pub column: usize,
    /// Byte offset of the start.
    pub start: usize,
    /// Byte offset after the end.
    pub end: usize,
}

impl Span {
    /// The span of `start..end` in `text`; offsets outside are moved to its end.
    pub fn of(text: &str, start: usize, end: usize) -> Self {
        let start = floor_char_boundary(text, start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            start,
            end: floor_char_boundary(text, end.max(start)),
        }
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A place in a file: what `file:line:column` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// The range in it.
    pub span: Span,
}

/// `file:line:column`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.name, self.span.line, self.span.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_characters_and_offsets_stay_inside() {
        let text = "a: 1\nö: ü\n";
        assert_eq!(Span::of(text, 9, 11), Span { line: 2, column: 4, start: 9, end: 11 });
        assert_eq!(Span::of(text, 99, 100), Span { line: 3, column: 1, start: 12, end: 12 });
        assert_eq!(Span::of(text, 10, 10), Span { line: 2, column: 4, start: 9, end: 9 }, "inside `ü`");
    }
}
