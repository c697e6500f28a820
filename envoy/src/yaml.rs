//! YAML as Kubernetes reads it, with the place of every value.
//!
//! Kubernetes reads YAML 1.1 by go-yaml: unquoted `yes`, `no`, `on`, `off`, `y`, `n` are booleans (istio.md 5.0). This
//! module gives the same values, keeps what was written, and refuses what reads two ways: keys that are no strings,
//! duplicate keys, tags of applications. It must not know what a manifest is.

mod load;
mod path;
mod scalar;

pub use load::load;
pub use path::{Path, Segment};

use crate::source::Span;
use serde_json::{Map, Value};

/// How deep lists and maps may be nested, aliases expanded. `serde_json` reads up to 128.
pub const MAX_DEPTH: usize = 100;

/// How many values the aliases and merge keys of one document may repeat.
pub const MAX_ALIASED: usize = 100_000;

/// Whether a text can be written without quotes and is the same string to every reader of YAML.
pub fn is_plain(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(is_word)
        && scalar::resolve(text).is_ok_and(|value| value.is_string())
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub data: Data,
    /// Where it is written. An alias has the place of what it names.
    pub span: Span,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Anything but a list or a map.
    Scalar {
        /// As Kubernetes reads it; never a list or an object.
        value: Value,
        /// As it was written, without quotes and escapes: `yes` for a boolean.
        raw: String,
    },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order in which it is written; keys are unique.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where it is written.
    pub key_span: Span,
    /// Its value.
    pub value: Node,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong: lower case, no final period.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to write instead.
    pub help: Option<String>,
    /// Another place that belongs to it, and why.
    pub also: Option<(Span, &'static str)>,
}

impl Node {
    /// The value of `key`, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of `key`, when this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The entries, none when this is no map.
    pub fn entries(&self) -> &[Entry] {
        if let Data::Map(entries) = &self.data { entries } else { &[] }
    }

    /// The items, none when this is no list.
    pub fn items(&self) -> &[Node] {
        if let Data::List(items) = &self.data { items } else { &[] }
    }

    /// The text, when this is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Data::Scalar { value: Value::String(text), .. } = &self.data { Some(text) } else { None }
    }

    /// Whether nothing is written here.
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Scalar { value: Value::Null, .. })
    }

    /// What was written, when this is neither a list nor a map.
    pub fn raw(&self) -> Option<&str> {
        if let Data::Scalar { raw, .. } = &self.data { Some(raw) } else { None }
    }

    /// What this is, in words, for an error.
    pub fn describe(&self) -> String {
        match &self.data {
            Data::Scalar { value: Value::Null, .. } => "nothing".into(),
            Data::Scalar { value: Value::Bool(_), raw } => format!("the boolean `{raw}`"),
            Data::Scalar { value: Value::Number(_), raw } => format!("the number `{raw}`"),
            Data::Scalar { raw, .. } => format!("the string `{raw}`"),
            Data::List(_) => "a list".into(),
            Data::Map(_) => "an object".into(),
        }
    }

    /// The value without its places.
    pub fn to_json(&self) -> Value {
        match &self.data {
            Data::Scalar { value, .. } => value.clone(),
            Data::List(items) => items.iter().map(Self::to_json).collect(),
            Data::Map(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect::<Map<_, _>>())
            }
        }
    }
}

#[cfg(test)]
mod tests;
