//! What `check --reach` tells of every rule.

use serde_json::{Value, json};
use std::fmt::Write as _;
use switchyard_envoy::analyse::{Example, Found, Hider, Reach};

/// One object for each match block: `virtualService`, `rule`, `field`, `file`, `line`, `column`, `verdict` (`reached`,
/// `hidden`, `never`, `undecided`), `request` that reaches it, `hiddenBy`, and the `condition` that none fulfils.
pub fn reach_json(all: &[Reach]) -> Value {
    all.iter().map(object).collect()
}

fn object(reach: &Reach) -> Value {
    let place = reach.place.as_ref();
    let mut object = json!({
        "virtualService": reach.virtual_service,
        "rule": reach.rule,
        "field": reach.field,
        "file": place.map(|place| &place.source.name),
        "line": place.map(|place| place.span.line),
        "column": place.map(|place| place.span.column),
    });
    let (verdict, field, value) = match &reach.found {
        Found::Request(request) => ("reached", "request", json!(request)),
        Found::Undecided => ("undecided", "request", Value::Null),
        Found::Hidden(by) => ("hidden", "hiddenBy", by.iter().map(hider).collect()),
        Found::Never(vain) => ("never", "condition", json!(vain.condition)),
    };
    object["verdict"] = json!(verdict);
    object[field] = value;
    object
}

fn hider(hider: &Hider) -> Value {
    json!({
        "virtualService": hider.virtual_service,
        "rule": hider.rule,
        "file": hider.place.as_ref().map(|place| &place.source.name),
        "line": hider.place.as_ref().map(|place| place.span.line),
    })
}

/// Two lines for each match block: what it is, and what was found.
pub fn reach_lines(all: &[Reach]) -> String {
    let mut lines = String::new();
    for reach in all {
        let block = reach.field.find(".match[").and_then(|at| reach.field.get(at + 1..));
        let block = block.map(|block| format!(" {block}")).unwrap_or_default();
        let place = reach.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        let _ = writeln!(lines, "{} {}{block}{place}", reach.virtual_service, reach.rule);
        let _ = writeln!(lines, "  {}", line(&reach.found));
    }
    lines
}

fn line(found: &Found) -> String {
    match found {
        Found::Request(request) => format!("reached by {}", request_line(request)),
        Found::Undecided => "not decided: it takes too long to tell".to_owned(),
        Found::Never(vain) => format!("reached by none: no request fulfils `{}`", vain.condition),
        Found::Hidden(by) => {
            let mut names: Vec<_> = by.iter().map(|by| format!("{} {}", by.virtual_service, by.rule)).collect();
            names.dedup();
            format!("reached by none: taken before by {}", names.join(", "))
        }
    }
}

/// A request as `explain` takes it.
fn request_line(request: &Example) -> String {
    let mut line = format!("'{} {}'", request.method, request.url);
    for (name, value) in &request.headers {
        let _ = write!(line, " --header '{name}: {value}'");
    }
    for (header, value) in &request.tags {
        let _ = write!(line, ", tagged `{header}: {value}`");
    }
    line
}
