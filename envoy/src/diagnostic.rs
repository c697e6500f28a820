//! What is wrong with manifests, and where: for people as rustc says it, for programs as JSON and SARIF.

mod code;
mod render;
mod sarif;

pub use code::{ADVICE, CODES, Code};
pub use render::{human, json};
pub use sarif::sarif;

use crate::source::{Place, Source, Span};
use crate::yaml::{Data, Node, Path, Problem, Segment};
use serde_json::Value;
use std::cmp::Ordering;
use std::sync::Arc;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is written and nothing decided.
    Error,
    /// Worth a look; the work is done.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Which kind of thing it is: one of [`CODES`], for programs.
    pub code: &'static str,
    /// What is wrong: lower case, no final period, the user's words in backticks.
    pub message: String,
    /// Where; `None` for what has no line, such as a folder without manifests.
    pub place: Option<Place>,
    /// The field: below `spec` where it is in it (`http[0].route[1].weight`), else from the top (`metadata.name`).
    pub field: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places that belong to it, and why.
    pub also: Vec<(Place, String)>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place), ..Self::unplaced(message) }
    }

    /// An error that has no place in any file.
    pub fn unplaced(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: code::INVALID_FIELD,
            message: message.into(),
            place: None,
            field: String::new(),
            help: None,
            also: vec![],
        }
    }

    /// A warning at a place; give it a [`code`](Self::code).
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, code: ADVICE, ..Self::error(place, message) }
    }

    /// The same, of this kind: one of [`CODES`].
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        debug_assert!(CODES.iter().any(|known| known.id == code), "`{code}` is not in the list of codes");
        self.code = code;
        self
    }

    /// The same, about this field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// The same, with what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, with another place.
    #[must_use]
    pub fn also(mut self, place: Place, why: impl Into<String>) -> Self {
        self.also.push((place, why.into()));
        self
    }

    /// What the YAML reader found.
    pub fn of_problem(source: &Arc<Source>, problem: Problem) -> Self {
        let place = |span| Place { source: Arc::clone(source), span };
        Self {
            code: code::INVALID_YAML,
            help: problem.help,
            also: problem.also.into_iter().map(|(span, why)| (place(span), why.into())).collect(),
            ..Self::error(place(problem.span), problem.message)
        }
    }

    /// What a reader of `root` (a whole manifest) found at `path` below it.
    ///
    /// An unknown field is shown at its key, anything else at its value, what is missing at its parent. A scalar that
    /// is no string because nobody quoted it is shown as it was written.
    pub fn of_field(source: &Arc<Source>, root: &Node, path: &Path, message: &str) -> Self {
        let span = if is_about_key(message) { root.locate_key(path) } else { root.locate(path) };
        let mut found = Self::error(Place { source: Arc::clone(source), span }, message).field(shown_field(path));
        found.code = code::of_message(message);
        if let Some(node) = root.at(path)
            && let Data::Scalar { value: Value::Bool(_) | Value::Number(_), raw } = &node.data
            && let Some((expected, _)) = message.split_once(", found ")
            && expected == "expected a string"
        {
            found.message = format!("{expected}, found {}", node.describe());
            found.help = Some(format!("quote it: `\"{raw}\"`"));
        }
        found
    }

    /// Whether it stops the work.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    fn key(&self) -> (Option<(&str, Span)>, Severity, &str, &str) {
        let place = self.place.as_ref().map(|place| (place.source.name.as_str(), place.span));
        (place, self.severity, &self.field, &self.message)
    }
}

/// By file, place, severity, field and message.
impl Ord for Diagnostic {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Diagnostic {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Sorts by file and place, and drops what is told twice (a rule that several listeners compile).
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort();
    diagnostics.dedup();
}

/// Whether a message of [`switchyard_filter::read`] is about a key and not its value.
fn is_about_key(message: &str) -> bool {
    message.starts_with("unknown field `")
        || message.ends_with("` is not supported yet")
        || message.contains("` is not supported yet: ")
}

/// The path as it is told: below `spec`.
fn shown_field(path: &Path) -> String {
    match path.0.split_first() {
        Some((Segment::Field(first), rest)) if first == "spec" && !rest.is_empty() => Path(rest.to_vec()).to_string(),
        _ => path.to_string(),
    }
}

/// The candidate that was probably meant by `name`.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `did you mean` with the nearest of `candidates`, when there is one.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(|nearest| format!("did you mean `{nearest}`?"))
}

#[cfg(test)]
mod tests;
