//! What is wrong with a configuration, and where: a field path and a message.

use core::fmt;

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Error {
    /// The field, from the document's root: `virtualServices[0].http[2].route[1].weight`. Keys that are no plain names
    /// are quoted: `headers["a.b"].exact`. Empty for the document itself.
    pub path: String,
    /// What is wrong and what to write instead: lower case, no final period, the user's words in backticks.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

impl core::error::Error for Error {}

/// What a visit of a document carries along: the path of the place that is visited, the errors so far, and how many
/// regexes, which share memory.
#[derive(Debug, Default)]
pub struct At {
    path: String,
    errors: Vec<Error>,
    regexes: usize,
}

impl At {
    /// At the root, without errors.
    pub fn root() -> Self {
        Self::default()
    }

    /// Visits the field `name` of the place that is visited.
    pub fn field<T>(&mut self, name: &str, visit: impl FnOnce(&mut Self) -> T) -> T {
        let parent = self.path.len();
        push_field(&mut self.path, name);
        let seen = visit(self);
        self.path.truncate(parent);
        seen
    }

    /// Visits the element `index` of the list that is visited.
    pub fn index<T>(&mut self, index: usize, visit: impl FnOnce(&mut Self) -> T) -> T {
        let parent = self.path.len();
        self.path.push('[');
        self.path.push_str(&index.to_string());
        self.path.push(']');
        let seen = visit(self);
        self.path.truncate(parent);
        seen
    }

    /// Visits the place at `path` from the root.
    pub fn at<T>(&mut self, path: &str, visit: impl FnOnce(&mut Self) -> T) -> T {
        let here = core::mem::replace(&mut self.path, path.to_owned());
        let seen = visit(self);
        self.path = here;
        seen
    }

    /// Notes that the place that is visited is wrong.
    pub fn error(&mut self, message: impl Into<String>) {
        self.errors.push(Error { path: self.path.clone(), message: message.into() });
    }

    /// The path of the place that is visited.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// How many errors there are so far.
    pub fn count(&self) -> usize {
        self.errors.len()
    }

    /// Takes back what was noted since there were `count` errors.
    pub fn forget(&mut self, count: usize) -> Vec<Error> {
        self.errors.split_off(count.min(self.errors.len()))
    }

    /// Counts a regex; how many there are with it.
    pub fn count_regex(&mut self) -> usize {
        self.regexes = self.regexes.saturating_add(1);
        self.regexes
    }

    /// Every error, in the order in which they were met.
    pub fn into_errors(self) -> Vec<Error> {
        self.errors
    }
}

/// Whether `below` is a field or an element of what is at `path`, not deeper down. A field that is wrong leaves its parent
/// incomplete, and what that is told for is an echo of the first error.
pub fn is_directly_below(path: &str, below: &str) -> bool {
    let Some(rest) = below.strip_prefix(path) else {
        return false;
    };
    match rest.strip_prefix('.') {
        Some(name) => !name.is_empty() && !name.contains(['.', '[']),
        None if path.is_empty() => !rest.is_empty() && !rest.contains(['.', '[']),
        None => rest.starts_with('[') && rest.find(']').is_some_and(|end| rest.len() == end.saturating_add(1)),
    }
}

/// Appends a field to a path: `.name`, or `["na.me"]` where the name is not made of letters, digits, `-`, `_`.
pub fn push_field(path: &mut String, name: &str) {
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if plain {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
    } else {
        path.push_str("[\"");
        for c in name.chars() {
            if c == '"' || c == '\\' {
                path.push('\\');
            }
            path.push(c);
        }
        path.push_str("\"]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_directly_below_its_parent_only() {
        for (path, below) in [("", "a"), ("a", "a.b"), ("a[1]", "a[1].b"), ("a", "a[1]"), ("a", "a[\"b.c\"]")] {
            assert!(is_directly_below(path, below), "{path} {below}");
        }
        for (path, below) in [("", "a.b"), ("a", "a"), ("a", "ab"), ("a", "a.b.c"), ("a", "a[1].b"), ("a.b", "a")] {
            assert!(!is_directly_below(path, below), "{path} {below}");
        }
    }

    #[test]
    fn a_path_quotes_keys_that_are_no_plain_names() {
        let mut at = At::root();
        at.field("match", |at| at.index(2, |at| at.field("headers", |at| at.field("a.b", |at| at.error("is wrong")))));
        assert_eq!(at.into_errors()[0].to_string(), "match[2].headers[\"a.b\"]: is wrong");
    }
}
