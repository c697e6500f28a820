//! JSON values as YAML for people: names first, short things before long ones, texts of many lines as blocks.

use crate::yaml::is_plain;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The value as a YAML document.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

/// Writes a value that begins on a line of its own.
fn write(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => write_fields(fields, indent, out),
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                pad(indent, out);
                out.push_str("- ");
                // The first line of an item stands behind its dash.
                let start = out.len();
                write(item, indent + 1, out);
                let lead = out.get(start..).map_or(0, |text| text.len() - text.trim_start_matches(' ').len());
                out.replace_range(start..start + lead, "");
            }
        }
        other => {
            pad(indent, out);
            write_inline(other, indent, out);
            out.push('\n');
        }
    }
}

fn write_fields(fields: &Map<String, Value>, indent: usize, out: &mut String) {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by_key(|(key, value)| (rank(key, value), *key));
    for (key, value) in sorted {
        pad(indent, out);
        write_text(key, indent, out);
        out.push(':');
        if is_short(value) {
            out.push(' ');
            write_inline(value, indent, out);
            out.push('\n');
        } else {
            out.push('\n');
            write(value, indent + 1, out);
        }
    }
}

fn rank(key: &str, value: &Value) -> u8 {
    match key {
        "name" => 0,
        "@type" => 1,
        _ if is_short(value) && !value.as_str().is_some_and(|text| text.contains('\n')) => 2,
        _ => 3,
    }
}

fn is_short(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn write_inline(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::String(text) => write_text(text, indent, out),
        // Empty lists and objects too: JSON is YAML.
        other => out.push_str(&other.to_string()),
    }
}

fn write_text(text: &str, indent: usize, out: &mut String) {
    let is_block = text.ends_with('\n')
        && !text.starts_with([' ', '\n'])
        && text.trim_end().contains('\n')
        && !text.ends_with("\n\n")
        && text.chars().all(|c| c == '\n' || (' '..='~').contains(&c));
    if is_block {
        out.push('|');
        for line in text.lines() {
            out.push('\n');
            pad(indent + 1, out);
            out.push_str(line);
        }
    } else if is_plain(text) {
        out.push_str(text);
    } else {
        out.push_str(&quoted(text));
    }
}

/// A JSON string is a YAML one, but for what JSON escapes in two halves: go-yaml refuses those.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for c in Value::String(text.into()).to_string().chars() {
        if c > '\u{ffff}' {
            // Writing to a string cannot fail.
            let _ = write!(quoted, "\\U{:08x}", u32::from(c));
        } else {
            quoted.push_str(&ascii(c.encode_utf8(&mut [0; 4])));
        }
    }
    quoted
}

/// JSON text with everything escaped that is no printable ASCII, so that every reader of YAML keeps it.
pub fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || (' '..='~').contains(&c) {
            text.push(c);
        } else {
            text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

fn pad(indent: usize, out: &mut String) {
    for _ in 0..indent {
        out.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    #[test]
    fn what_is_written_reads_back() {
        let value = json!({
            "b": [1, [2, []], {}, {"y": "yes", "name": "n", "@type": "t/u.V"}, "a: b", "x # y", "-", "", "é\u{7f}\t😀"],
            "text": "{\n  \"a\": [\n    1\n  ]\n}\n",
            "line": "one\n",
            "a": {"deep": {"deeper": [{"a": 1, "b": [true, null, 1.5]}]}},
            "outbound|80|v1|a.b": "outbound|80|v1|a.b",
            "0s": "0s", "10": "1e3", "plain": "envoy.filters.http.router", "date": "2024-01-01",
        });
        let text = to_yaml(&value);
        let (documents, problems) = crate::yaml::load(&text);
        assert_eq!(problems, [], "{text}");
        assert_eq!(documents[0].to_json(), value, "{text}");
        insta::assert_snapshot!(text, @r#"
        "0s": "0s"
        "10": "1e3"
        date: "2024-01-01"
        "outbound|80|v1|a.b": "outbound|80|v1|a.b"
        plain: envoy.filters.http.router
        a:
          deep:
            deeper:
              - a: 1
                b:
                  - true
                  - null
                  - 1.5
        b:
          - 1
          - - 2
            - []
          - {}
          - name: "n"
            "@type": t/u.V
            "y": "yes"
          - "a: b"
          - "x # y"
          - "-"
          - ""
          - "\u00e9\u007f\t\U0001f600"
        line: "one\n"
        text: |
          {
            "a": [
              1
            ]
          }
        "#);
    }
}
