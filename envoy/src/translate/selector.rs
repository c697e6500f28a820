//! Labels that select workloads, as Istio's validation wants them (istio.md 2.0).

use super::{Notes, spec};
use crate::manifest::Manifest;
use std::collections::BTreeMap;

/// Whether something with these labels has all that a selector asks for.
pub fn selects<V: PartialEq>(selector: &BTreeMap<String, V>, labels: &BTreeMap<String, V>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Notes labels of a `workloadSelector` that select nothing in Istio: it refuses empty keys and wildcards.
pub fn check(manifest: &Manifest, field: &str, labels: &BTreeMap<String, String>, notes: &mut Notes) {
    for (key, value) in labels {
        let said = if key.is_empty() {
            "a label needs a name"
        } else if key.contains('*') || value.contains('*') {
            "a `*` stands for nothing in a selector: write the whole label"
        } else {
            continue;
        };
        notes.push(manifest.error(&spec(field).field(key), said));
    }
}

/// Notes labels that no workload can have (istio.md 2.6; Istio's `labels.Instance.Validate`): of a key the part before a
/// `/` is a name of DNS, and what follows, as the value, letters, digits, `-`, `_` and `.`, the first and the last none of
/// these. Only a value may be empty, and, as there, as long as it likes.
pub fn labels(manifest: &Manifest, field: &str, labels: &BTreeMap<String, String>, notes: &mut Notes) {
    for (key, value) in labels {
        let (said, help) = if !is_label_key(key) {
            let help = "write `version` or `example.com/version`, at most 63 letters, digits, `-`, `_` and `.`";
            (format!("`{}` is no key of a label", key.escape_debug()), help)
        } else if !is_label_value(value) {
            let help = "write letters, digits, `-`, `_` and `.`, a letter or a digit at both ends";
            (format!("`{}` is no value of a label", value.escape_debug()), help)
        } else {
            continue;
        };
        notes.push(manifest.error(&spec(field).field(key), &said).help(help));
    }
}

/// Whether labels can have this key in Istio: a name of at most 63 bytes, behind a `/` or without.
pub fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    name.len() <= 63
        && is_qualified(name)
        && prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(is_label_of_any_length))
}

/// Whether labels can have this value in Istio, which asks for no length.
pub fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_qualified(value)
}

fn is_qualified(text: &str) -> bool {
    is_within_letters(text, |byte| matches!(byte, b'-' | b'_' | b'.'))
}

fn is_label_of_any_length(text: &str) -> bool {
    is_within_letters(text, |byte| byte == b'-')
}

/// Letters and digits, and between them what `inner` takes.
fn is_within_letters(text: &str, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    let is_outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    is_outer(bytes.first())
        && is_outer(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || inner(*byte))
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;

    /// As the random sets found that istiod refuses them (`validateWorkloadSelector`, `validateWorkloadEntry`).
    #[test]
    fn what_selects_nothing_and_what_is_no_address_is_told_at_its_field() {
        let entry = |more: &str| {
            format!(
                "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: a, namespace: shop}}\nspec: \
                 {{hosts: [a.example], ports: [{{number: 80, name: http, protocol: HTTP}}], {more}}}\n"
            )
        };
        let selects = entry("resolution: STATIC, workloadSelector: {labels: {app: 'a*', '': b}}");
        let lists = entry("resolution: DNS, endpoints: [{address: 'a b'}]");
        let workload = "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: w, namespace: shop}\n\
                        spec: {address: '*.a'}\n";
        let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r, namespace: shop}\n\
                    spec: {host: a.example, workloadSelector: {matchLabels: {app: 'f*'}}}\n";
        let wildcard = "a `*` stands for nothing in a selector: write the whole label";
        let labelled = lists.replace("a b'", "a.b', labels: {app: -a, a b: c}");
        let workload_label = workload.replace("'*.a'", "a.b, labels: {app: a/b}");
        for (texts, expected) in [
            (vec![selects.as_str()], vec!["a label needs a name", wildcard]),
            (vec![&lists], vec!["`a b` is no IP address and no name"]),
            (vec![&lists.replace("a b", "a.b"), workload], vec!["`*.a` is no IP address and no name"]),
            (vec![&lists.replace("a b", "a.b"), rule], vec![wildcard]),
            (vec![&labelled], vec!["`a b` is no key of a label", "`-a` is no value of a label"]),
            (vec![&lists.replace("a b", "a.b"), &workload_label], vec!["`a/b` is no value of a label"]),
        ] {
            let said: Vec<String> = told(&texts).into_iter().filter(|line| line.starts_with("error")).collect();
            assert_eq!(said.len(), expected.len(), "{said:?}");
            assert!(expected.iter().all(|text| said.iter().any(|line| line.ends_with(text))), "{said:?}");
        }
    }
}
