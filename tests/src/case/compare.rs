//! What was seen against what was expected.

use super::observed::{Observed, joined};
use serde_json::{Map, Value};

/// Stands for a value that nobody can know before: the 32 digits of a cookie that is issued.
const RANDOM: &str = "<random>";

/// Everything that differs; only what `expect` names is compared.
pub fn compare(expect: &Map<String, Value>, seen: &Observed) -> Vec<String> {
    let mut wrong = Vec::new();
    for (field, expected) in expect {
        let found = seen.fields.get(field);
        match (field.as_str(), expected) {
            ("upstreamHeaders", Value::Object(headers)) => {
                for (name, expected) in headers {
                    let found = seen.upstream.as_deref().map(|lines| joined(lines, name));
                    if found.as_ref().map(|found| found.as_deref()) != Some(expected.as_str()) {
                        wrong.push(format!("upstreamHeaders.{name}: expected {expected}, found {found:?}"));
                    }
                }
            }
            ("requestHeadersAbsent", Value::Array(names)) => {
                for name in names.iter().filter_map(Value::as_str) {
                    // Where nothing goes on, nothing can be said.
                    let found =
                        seen.upstream.as_deref().map_or(Some("no next hop".into()), |lines| joined(lines, name));
                    if let Some(found) = found {
                        wrong.push(format!("requestHeadersAbsent: `{name}` reaches the upstream: `{found}`"));
                    }
                }
            }
            // Where the filter is a plugin: they are not there any more.
            ("removedHeaders", Value::Array(names)) if found.is_none() => {
                for name in names.iter().filter_map(Value::as_str) {
                    if let Some(lines) = &seen.upstream
                        && let Some(found) = joined(lines, name)
                    {
                        wrong.push(format!("removedHeaders: `{name}` reaches the upstream: `{found}`"));
                    }
                }
            }
            ("removedResponseHeaders", Value::Array(names)) if found.is_none() => {
                let answered = seen.fields.get("responseNames").and_then(Value::as_array);
                for name in names {
                    if answered.is_none_or(|answered| answered.contains(name)) {
                        wrong.push(format!("removedResponseHeaders: {name} reaches the client"));
                    }
                }
            }
            ("requestHeaders" | "reply" | "retries" | "fault", Value::Object(part)) => {
                for (name, expected) in part {
                    let found = found.and_then(|found| found.get(name)).unwrap_or(&Value::Null);
                    if found != expected {
                        wrong.push(format!("{field}.{name}: expected {expected}, found {found}"));
                    }
                }
            }
            ("responseHeaders", Value::Array(lines)) => {
                let none = Vec::new();
                let found = found.and_then(Value::as_array).unwrap_or(&none);
                if lines.len() != found.len() || !lines.iter().zip(found).all(|(line, found)| fits(line, found)) {
                    wrong.push(format!("responseHeaders: expected {expected}, found {}", Value::from(found.clone())));
                }
            }
            // Where the filter is a plugin, draws cannot be seen, but `fault` and `mirrors` can.
            ("chances", _) if found.is_none() => {}
            _ if found == Some(expected) => {}
            _ => {
                let found = found.map_or_else(|| "nothing that this host can see".into(), Value::to_string);
                wrong.push(format!("{field}: expected {expected}, found {found}"));
            }
        }
    }
    wrong
}

/// Whether a response line is as expected, [`RANDOM`] standing for 32 hexadecimal digits.
fn fits(expected: &Value, found: &Value) -> bool {
    let (Some(expected), Some(found)) = (pair(expected), pair(found)) else { return false };
    if expected.0 != found.0 {
        return false;
    }
    let Some((before, after)) = expected.1.split_once(RANDOM) else {
        return expected.1 == found.1;
    };
    let middle = found.1.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    middle.is_some_and(|middle| middle.len() == 32 && middle.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

fn pair(line: &Value) -> Option<(&str, &str)> {
    match line.as_array()?.as_slice() {
        [name, value] => Some((name.as_str()?, value.as_str()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong(expect: &Value, seen: &Value) -> Vec<String> {
        let upstream = Some(vec![(b"x-a".to_vec(), b"1".to_vec()), (b"x-a".to_vec(), b"2".to_vec())]);
        let seen = Observed { fields: seen.as_object().unwrap().clone(), upstream };
        compare(expect.as_object().unwrap(), &seen)
    }

    #[test]
    fn only_what_is_named_is_compared_and_what_nobody_saw_is_wrong() {
        let seen = json!({"rule": "a", "requestHeaders": {"x": "1", "y": "2"}, "port": 80});
        assert_eq!(wrong(&json!({"rule": "a", "requestHeaders": {"x": "1"}}), &seen), [""; 0]);
        assert_eq!(wrong(&json!({"rule": null}), &seen), ["rule: expected null, found \"a\""]);
        assert_eq!(wrong(&json!({"subset": "v1"}), &seen).len(), 1);
        assert_eq!(wrong(&json!({"requestHeaders": {"z": "1"}}), &seen).len(), 1);
    }

    #[test]
    fn headers_of_the_next_hop_are_joined_and_may_be_forbidden() {
        let seen = json!({});
        assert_eq!(wrong(&json!({"upstreamHeaders": {"x-a": "1,2", "x-b": null}}), &seen), [""; 0]);
        assert_eq!(wrong(&json!({"upstreamHeaders": {"x-a": "1"}}), &seen).len(), 1);
        assert_eq!(wrong(&json!({"requestHeadersAbsent": ["x-b"]}), &seen), [""; 0]);
        assert_eq!(wrong(&json!({"requestHeadersAbsent": ["x-a"]}), &seen).len(), 1);
    }

    #[test]
    fn a_random_value_has_32_digits() {
        let expect = json!({"responseHeaders": [["set-cookie", "uid=<random>; Path=/"]]});
        let seen = |value: &str| json!({"responseHeaders": [["set-cookie", format!("uid={value}; Path=/")]]});
        assert_eq!(wrong(&expect, &seen("0123456789abcdef0123456789abcdef")), [""; 0]);
        assert_eq!(wrong(&expect, &seen("0123456789abcdef0123456789abcde")).len(), 1);
        assert_eq!(wrong(&expect, &json!({"responseHeaders": []})).len(), 1);
    }
}
