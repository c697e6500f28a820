//! Diagnostics as SARIF 2.1.0, which code hosts and editors show beside the lines.

use super::{CODES, Diagnostic, Severity};
use crate::source::{Place, Span};
use serde_json::{Value, json};
use std::fmt::Write as _;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// A log of one run. `notes` are what the tool says of its own work.
pub fn sarif(diagnostics: &[Diagnostic], notes: &[String]) -> Value {
    let is_ok = !diagnostics.iter().any(Diagnostic::is_error);
    let notes: Vec<_> = notes.iter().map(|note| json!({"level": "note", "message": {"text": note}})).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "switchyard",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": CODES.iter().map(|code| json!({
                    "id": code.id, "shortDescription": {"text": code.about},
                })).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": is_ok, "toolExecutionNotifications": notes}],
            "results": diagnostics.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(diagnostic: &Diagnostic) -> Value {
    let help = diagnostic.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let mut result = json!({
        "ruleId": diagnostic.code,
        "level": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": {"text": format!("{}{help}", diagnostic.message)},
    });
    if let Some(index) = CODES.iter().position(|code| code.id == diagnostic.code) {
        result["ruleIndex"] = json!(index);
    }
    if let Some(place) = &diagnostic.place {
        let mut location = location(place);
        if !diagnostic.field.is_empty() {
            location["logicalLocations"] = json!([{"fullyQualifiedName": diagnostic.field}]);
        }
        result["locations"] = json!([location]);
    }
    if !diagnostic.also.is_empty() {
        let related = diagnostic.also.iter().enumerate().map(|(index, (place, why))| {
            let mut location = location(place);
            location["id"] = json!(index + 1);
            location["message"] = json!({"text": why});
            location
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

fn location(place: &Place) -> Value {
    let (end_line, end_column) = end(place);
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(&place.source.name)},
        "region": {
            "startLine": place.span.line,
            "startColumn": place.span.column,
            "endLine": end_line,
            "endColumn": end_column,
        },
    }})
}

/// Line and column after the end of a place, counted from its start: the file may be long.
fn end(place: &Place) -> (usize, usize) {
    let Span { line, column, start, end } = place.span;
    let text = place.source.text.get(start..end).unwrap_or_default();
    match text.rsplit_once('\n') {
        None => (line, column + text.chars().count()),
        Some((before, last)) => (line + 1 + before.matches('\n').count(), last.chars().count() + 1),
    }
}

/// A path as a URI reference: relative, unless it begins with `/`.
fn uri(name: &str) -> String {
    let mut uri = String::new();
    for byte in name.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    if uri.starts_with('/') { format!("file://{uri}") } else { uri }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use std::sync::Arc;

    #[test]
    fn a_result_has_its_place_and_what_belongs_to_it() {
        let source = Arc::new(Source { name: "./my shop.yaml".into(), text: "a: 1\nö: ü, b\n".into() });
        let place = |start, end| Place { source: Arc::clone(&source), span: Span::of(&source.text, start, end) };
        let found = Diagnostic::warning(place(9, 14), "no request comes here")
            .code("unreachable-rule")
            .field("http[1]")
            .help("leave it out")
            .also(place(0, 1), "takes every request");
        let log = sarif(&[found], &["2 rules: not decided".into()]);
        let run = &log["runs"][0];
        assert_eq!(run["invocations"][0]["executionSuccessful"], true);
        assert_eq!(run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"], "2 rules: not decided");
        let result = &run["results"][0];
        let rule = usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("small");
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
        assert_eq!(result["message"]["text"], "no request comes here\nhelp: leave it out");
        assert_eq!(
            result["locations"],
            json!([{
                "physicalLocation": {
                    "artifactLocation": {"uri": "my%20shop.yaml"},
                    "region": {"startLine": 2, "startColumn": 4, "endLine": 2, "endColumn": 8},
                },
                "logicalLocations": [{"fullyQualifiedName": "http[1]"}],
            }])
        );
        assert_eq!(result["relatedLocations"][0]["message"]["text"], "takes every request");
        assert_eq!(result["relatedLocations"][0]["id"], 1);
    }

    #[test]
    fn the_end_is_after_the_last_character() {
        let source = Arc::new(Source { name: "a".into(), text: "ä: |\n  ö\n  b\n".into() });
        for (start, stop, expected) in
            [(0, 0, (1, 1)), (0, 2, (1, 2)), (4, 6, (2, 1)), (4, 14, (3, 4)), (0, 15, (4, 1))]
        {
            let place = Place { source: Arc::clone(&source), span: Span::of(&source.text, start, stop) };
            assert_eq!(end(&place), expected, "{start}..{stop}");
        }
    }

    #[test]
    fn names_of_files_become_uris() {
        for (name, expected) in
            [("a/b.yaml", "a/b.yaml"), ("/tmp/a", "file:///tmp/a"), ("<stdin>", "%3Cstdin%3E"), ("ö", "%C3%B6")]
        {
            assert_eq!(uri(name), expected);
        }
    }
}
