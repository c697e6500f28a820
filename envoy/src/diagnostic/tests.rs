use super::*;

use crate::yaml::load;
use serde_json::json;

const POLICY: &str = "\
kind: VirtualService
spec:
  http:
  - match:
    - headers: {user-type: {exact: yes}, x.y: {exact: 1_0}}
    route:
    - {destination: {host: a}, wieght: 30}
    timeout: on
";

fn source(name: &str, text: &str) -> Arc<Source> {
    Arc::new(Source { name: name.into(), text: text.into() })
}

fn at(source: &Arc<Source>, path: &str, message: &str) -> Diagnostic {
    let root = load(&source.text).0.remove(0);
    Diagnostic::of_field(source, &root, &Path::parse(path), message)
}

#[test]
fn an_error_is_told_at_file_line_and_column_with_its_field() {
    let source = source("policy.yaml", POLICY);
    let mut all = vec![
        at(&source, "spec.http[0].route[0].wieght", "unknown field `wieght`, did you mean `weight`?"),
        at(
            &source,
            "spec.http[0].match[0].headers.user-type.exact",
            "expected a string, found `true`: quote it (YAML reads unquoted yes, no, on, off, y and n as booleans)",
        ),
        at(
            &source,
            "spec.http[0].match[0].headers[\"x.y\"].exact",
            "expected a string, found the number `10`: quote it",
        ),
        at(&source, "spec.hosts", "`hosts` is missing"),
        at(&source, "spec.http[0].timeout", "`timeout` is not supported yet"),
    ];
    sort(&mut all);
    insta::assert_snapshot!(human(&all, false), @r#"
    error: `hosts` is missing
     --> policy.yaml:2:1
      |
    2 | spec:
      | ^^^^ hosts

    error: expected a string, found the boolean `yes`
     --> policy.yaml:5:36
      |
    5 |     - headers: {user-type: {exact: yes}, x.y: {exact: 1_0}}
      |                                    ^^^ http[0].match[0].headers.user-type.exact
      |
      = help: quote it: `"yes"`

    error: expected a string, found the number `1_0`
     --> policy.yaml:5:55
      |
    5 |     - headers: {user-type: {exact: yes}, x.y: {exact: 1_0}}
      |                                                       ^^^ http[0].match[0].headers["x.y"].exact
      |
      = help: quote it: `"1_0"`

    error: unknown field `wieght`, did you mean `weight`?
     --> policy.yaml:7:32
      |
    7 |     - {destination: {host: a}, wieght: 30}
      |                                ^^^^^^ http[0].route[0].wieght

    error: `timeout` is not supported yet
     --> policy.yaml:8:5
      |
    8 |     timeout: on
      |     ^^^^^^^ http[0].timeout
    "#);
}

#[test]
fn another_place_is_shown_in_the_same_file_and_in_another() {
    let first = source("a.yaml", "a: 1\nb: 2\nc: 3\n");
    let second = source("b.yaml", "a: 4\n");
    let place = |source: &Arc<Source>, start, end| Place {
        source: Arc::clone(source),
        span: Span::of(&source.text, start, end),
    };
    let diagnostic = Diagnostic::warning(place(&first, 10, 11), "`c` is like `a`")
        .field("metadata.name")
        .also(place(&first, 0, 1), "this one")
        .also(place(&second, 0, 1), "and this one")
        .help("choose one");
    insta::assert_snapshot!(human(std::slice::from_ref(&diagnostic), false), @r#"
    warning: `c` is like `a`
     --> a.yaml:3:1
      |
    1 | a: 1
      | - this one
    2 | b: 2
    3 | c: 3
      | ^ metadata.name
      |
     ::: b.yaml:1:1
      |
    1 | a: 4
      | - and this one
      |
      = help: choose one
    "#);
    assert!(human(&[diagnostic], true).contains("\u{1b}["), "colours when asked");
}

#[test]
fn the_json_form_has_stable_fields() {
    let source = source("policy.yaml", POLICY);
    let nowhere = Diagnostic {
        place: None,
        ..Diagnostic::error(Place { source: Arc::clone(&source), span: Span::default() }, "no manifests")
            .help("add one")
    };
    let all = [
        at(&source, "spec.http[0].timeout", "`timeout` is not supported yet")
            .also(Place { source: Arc::clone(&source), span: Span::of(POLICY, 0, 4) }, "in this"),
        nowhere,
    ];
    assert_eq!(
        json(&all),
        json!([
            {
                "severity": "error", "code": "unsupported-field", "message": "`timeout` is not supported yet",
                "file": "policy.yaml", "line": 8, "column": 5, "field": "http[0].timeout", "help": null,
                "also": [{"file": "policy.yaml", "line": 1, "column": 1, "message": "in this"}],
            },
            {
                "severity": "error", "code": "invalid-field", "message": "no manifests", "file": null, "line": null, "column": null,
                "field": "", "help": "add one", "also": [],
            },
        ])
    );
}

#[test]
fn the_order_is_by_file_and_place() {
    let (b, a) = (source("b.yaml", POLICY), source("a.yaml", POLICY));
    let mut all = vec![
        at(&b, "spec.http", "second"),
        at(&a, "spec.http[0].timeout", "late"),
        at(&a, "kind", "early"),
        at(&b, "spec.http", "first"),
        at(&a, "kind", "early"),
    ];
    sort(&mut all);
    assert_eq!(all.iter().map(|d| d.message.as_str()).collect::<Vec<_>>(), ["early", "late", "first", "second"]);
}

#[test]
fn the_nearest_name_is_suggested_when_it_is_near() {
    assert_eq!(nearest("v11", ["v1", "v2", "canary"]), Some("v1"));
    assert_eq!(nearest("catalogdetial", ["catalogdetail", "frontend"]), Some("catalogdetail"));
    assert_eq!(nearest("v1", ["production", "canary"]), None);
    assert_eq!(did_you_mean("Canry", ["canary"]).as_deref(), Some("did you mean `canary`?"));
    assert_eq!(nearest("a", []), None);
}
