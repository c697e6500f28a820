//! Conditions that hold for other requests than they seem to (istio.md 1.4).

use super::Rule;
use switchyard_filter::error::At;
use switchyard_filter::matcher::regex::Regex;

pub fn check(rule: &mut Rule<'_>) {
    for (block, matches) in rule.written.matches.iter().enumerate() {
        for (name, text) in &matches.without_headers {
            let Some(pattern) = text.as_ref().and_then(|text| text.regex.as_deref()) else { continue };
            // `*` is no regex here, and means presence.
            let takes_nothing =
                pattern != "*" && Regex::compile(pattern, &mut At::root()).is_some_and(|regex| regex.matches(b""));
            if takes_nothing {
                let message = format!(
                    "a request without `{name}` does not match: a missing header counts as empty, and `{pattern}` takes that"
                );
                let path = field_of(block, name);
                rule.warn(&path, "missing-counts-as-empty", &message, "write `{}` for a header that must not be there");
            }
        }
    }
}

/// The field of a header that must not match.
fn field_of(block: usize, name: &str) -> String {
    let mut path = format!("match[{block}].withoutHeaders");
    switchyard_filter::error::push_field(&mut path, name);
    path
}
