//! Diagnostics as text.

use super::{Diagnostic, Severity};
use crate::source::{Place, Source};
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
        let mut snippet = snippet(place, AnnotationKind::Primary, &diagnostic.field);
        // What is in the same file is shown with it.
        for (also, why) in same_file(diagnostic, &place.source) {
            snippet =
                snippet.annotation(AnnotationKind::Context.span(also.span.start..also.span.end).label(why.as_str()));
        }
        group = group.element(snippet);
        for (also, why) in &diagnostic.also {
            if also.source != place.source {
                group = group.element(self::snippet(also, AnnotationKind::Context, why));
            }
        }
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

fn same_file<'a>(diagnostic: &'a Diagnostic, source: &Source) -> impl Iterator<Item = &'a (Place, String)> {
    diagnostic.also.iter().filter(move |(also, _)| *also.source == *source)
}

fn snippet<'a>(place: &'a Place, kind: AnnotationKind, label: &'a str) -> Snippet<'a, Annotation<'a>> {
    let mut annotation = kind.span(place.span.start..place.span.end);
    if !label.is_empty() {
        annotation = annotation.label(label);
    }
    Snippet::source(place.source.text.as_str()).path(place.source.name.as_str()).annotation(annotation)
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
