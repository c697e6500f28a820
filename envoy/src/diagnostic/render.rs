//! Diagnostics as text.

use super::{Diagnostic, Severity};
use crate::source::{Place, Source, Span};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

/// As rustc tells it, with the lines concerned; contains `file:line:column`. `colour`: with ANSI colours.
pub fn human(diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&renderer.render(&[group(diagnostic)]));
        out.push_str("\n\n");
    }
    out.truncate(out.trim_end().len());
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(diagnostic.message.as_str()).elements([] as [Element<'_>; 0]);
    if let Some(place) = &diagnostic.place {
        // What is near in the same file is shown with it.
        let (near, far): (Vec<_>, Vec<_>) = diagnostic.also.iter().partition(|(also, _)| is_near(also, place));
        let near = near.into_iter().map(|(also, why)| (also.span, AnnotationKind::Context, why.as_str()));
        let own = (place.span, AnnotationKind::Primary, diagnostic.field.as_str());
        group = group.element(snippet(&place.source, &core::iter::once(own).chain(near).collect::<Vec<_>>()));
        for (also, why) in far {
            group = group.element(snippet(&also.source, &[(also.span, AnnotationKind::Context, why)]));
        }
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

/// Whether two places are shown together: in one file, at most so many lines apart.
fn is_near(a: &Place, b: &Place) -> bool {
    const LINES: usize = 100;
    a.source == b.source && a.span.line.abs_diff(b.span.line) <= LINES
}

/// The lines of some places of a file, each with its label. Only these lines are handed to the renderer, which reads all
/// that it is given.
fn snippet<'a>(source: &'a Source, marks: &[(Span, AnnotationKind, &'a str)]) -> Snippet<'a, Annotation<'a>> {
    let text = source.text.as_str();
    let first = marks.iter().map(|(span, ..)| *span).min_by_key(|span| span.start).unwrap_or_default();
    let end = marks.iter().map(|(span, ..)| span.end).max().unwrap_or_default();
    let start = text.get(..first.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let end = text.get(end..).and_then(|after| after.find('\n')).map_or(text.len(), |at| end + at);
    let annotations = marks.iter().map(|(span, kind, label)| {
        let annotation = kind.span(span.start.saturating_sub(start)..span.end.saturating_sub(start));
        if label.is_empty() { annotation } else { annotation.label(*label) }
    });
    Snippet::source(text.get(start..end).unwrap_or_default())
        .line_start(first.line)
        .path(source.name.as_str())
        .annotations(annotations)
}

/// One object each, with the fields `severity`, `code`, `message`, `file`, `line`, `column`, `field`, `help`, `also`
/// (other places: `file`, `line`, `column`, `message`); what is absent is `null`.
pub fn json(diagnostics: &[Diagnostic]) -> Value {
    diagnostics.iter().map(object).collect()
}

fn object(diagnostic: &Diagnostic) -> Value {
    let place = diagnostic.place.as_ref();
    json!({
        "severity": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "code": diagnostic.code,
        "message": diagnostic.message,
        "file": place.map(|place| &place.source.name),
        "line": place.map(|place| place.span.line),
        "column": place.map(|place| place.span.column),
        "field": diagnostic.field,
        "help": diagnostic.help,
        "also": diagnostic.also.iter().map(|(place, why)| json!({
            "file": place.source.name, "line": place.span.line, "column": place.span.column, "message": why,
        })).collect::<Vec<_>>(),
    })
}
