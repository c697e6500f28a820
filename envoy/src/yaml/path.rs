//! Paths to fields, and where in a file they are.

use super::{Data, Node};
use crate::source::Span;
use std::fmt;
use switchyard_filter::error::push_field;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// A key of a map.
    Field(String),
    /// An element of a list, from 0.
    Index(usize),
}

/// The way from a node to a field below it: `http[0].match[1].headers["a.b"].exact`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub Vec<Segment>);

impl Path {
    /// The node itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// This path and then the key `name`.
    #[must_use]
    pub fn field(mut self, name: &str) -> Self {
        self.0.push(Segment::Field(name.into()));
        self
    }

    /// This path and then the element `index`.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Segment::Index(index));
        self
    }

    /// This path and then `rest`.
    #[must_use]
    pub fn join(mut self, rest: &[Segment]) -> Self {
        self.0.extend_from_slice(rest);
        self
    }

    /// Reads what [`switchyard_filter::Error`] writes. Total: whatever is not a path ends as a key of that text.
    pub fn parse(text: &str) -> Self {
        let mut segments = vec![];
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            if let Some((name, after)) = rest.strip_prefix("[\"").and_then(quoted) {
                segments.push(Segment::Field(name));
                rest = after;
            } else if let Some((index, after)) = rest
                .strip_prefix('[')
                .and_then(|inner| inner.split_once(']'))
                .and_then(|(index, after)| index.parse().ok().map(|index| (index, after)))
            {
                segments.push(Segment::Index(index));
                rest = after;
            } else {
                let end = rest.char_indices().skip(1).find(|(_, c)| matches!(c, '.' | '[')).map_or(rest.len(), |c| c.0);
                let (name, after) = rest.split_at(end);
                segments.push(Segment::Field(name.into()));
                rest = after;
            }
        }
        Self(segments)
    }
}

/// The key up to the closing `"]`, escapes undone, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            '"' => return Some((name, text.get(at + 1..)?.strip_prefix(']')?)),
            c => name.push(c),
        }
    }
    None
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for segment in &self.0 {
            match segment {
                Segment::Field(name) => push_field(&mut text, name),
                Segment::Index(index) => {
                    text.push('[');
                    text.push_str(&index.to_string());
                    text.push(']');
                }
            }
        }
        f.write_str(&text)
    }
}

impl Node {
    /// The node at `path`.
    pub fn at(&self, path: &Path) -> Option<&Node> {
        path.0.iter().try_fold(self, |node, segment| node.child(segment))
    }

    fn child(&self, segment: &Segment) -> Option<&Node> {
        match (segment, &self.data) {
            (Segment::Field(name), Data::Map(_)) => self.get(name),
            (Segment::Index(index), Data::List(items)) => items.get(*index),
            _ => None,
        }
    }

    /// The span to show for the value at `path`: the value where it is on one line, else the key that it belongs to,
    /// else its first key. For what is not there, that of its nearest ancestor.
    pub fn locate(&self, path: &Path) -> Span {
        self.find(path, false)
    }

    /// Like [`Self::locate`], but of the key: for an unknown field.
    pub fn locate_key(&self, path: &Path) -> Span {
        self.find(path, true)
    }

    fn find(&self, path: &Path, want_key: bool) -> Span {
        let mut node = self;
        let mut key = None;
        for (at, segment) in path.0.iter().enumerate() {
            let Some(child) = node.child(segment) else {
                // An ancestor stands for what is missing: show its key, not all of it.
                return key.unwrap_or_else(|| node.head());
            };
            key = match segment {
                Segment::Field(name) => node.entry(name).map(|entry| entry.key_span),
                // An element of a list has no key; only the last step's counts, or that of the list around it.
                Segment::Index(_) => None,
            };
            node = child;
            if want_key && at + 1 == path.0.len() {
                return key.unwrap_or_else(|| node.head());
            }
        }
        match (&node.data, key) {
            (Data::Scalar { .. }, Some(key)) if node.span.start == node.span.end => key,
            (Data::Scalar { .. }, _) => node.span,
            (_, Some(key)) => key,
            (_, None) => node.head(),
        }
    }

    /// What stands for this node when all of it would be too much: the first key or element.
    fn head(&self) -> Span {
        match &self.data {
            Data::Scalar { .. } => self.span,
            Data::List(items) => items.first().map_or(self.span, Self::head),
            Data::Map(entries) => entries.first().map_or(self.span, |entry| entry.key_span),
        }
    }
}
