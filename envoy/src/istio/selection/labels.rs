//! Labels of `--workload`, by the rules of Kubernetes: a selector that no pod can have selects nobody, and says nothing.

use crate::translate::{is_label_key, is_label_value};
use std::collections::BTreeMap;
use switchyard_filter::compile::is_label;

/// Bytes of a value.
const LONGEST: usize = 63;

/// Reads `KEY=VALUE[,KEY=VALUE…]`.
///
/// # Errors
/// The first label that no pod can have, or that is there twice, and what to write instead.
pub fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut labels = BTreeMap::new();
    for label in text.split(',') {
        let wanted = || "write `NAMESPACE/KEY=VALUE`, with `,KEY=VALUE` for more labels".to_owned();
        let (key, value) = label.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(wanted)?;
        if key.contains('*') || value.contains('*') {
            let shown = label.escape_debug();
            return Err(format!(
                "a `*` stands for nothing in `{shown}`: write the whole label, one that they all have"
            ));
        }
        // The prefix is a name of DNS in lower case; the checker of Istio's labels takes others too.
        let is_prefix_lower = key.split_once('/').is_none_or(|(prefix, _)| prefix.split('.').all(is_label));
        if !is_label_key(key) || !is_prefix_lower {
            return Err(format!(
                "`{}` is no key of a label: write `app` or `example.com/app`, at most 63 letters, digits, `-`, `_` and \
                 `.`, a letter or a digit at both ends",
                key.escape_debug()
            ));
        }
        if value.len() > LONGEST || !is_label_value(value) {
            return Err(format!(
                "`{}` is no value of a label: write at most {LONGEST} letters, digits, `-`, `_` and `.`, a letter or a \
                 digit at both ends",
                value.escape_debug()
            ));
        }
        if let Some(first) = labels.insert(key.to_owned(), value.to_owned()) {
            if first == value {
                return Err(format!("`{key}` is there twice: write it once"));
            }
            return Err(format!("a pod has `{key}` once: write `{key}={first}` or `{key}={value}`"));
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_those_that_a_pod_can_have() {
        let long = "v".repeat(63);
        let text = format!("app=front,example.com/Tier_1.x=A-b_c.9,empty=,long={long}");
        let labels = read(&text).expect("labels");
        let expected = [("app", "front"), ("example.com/Tier_1.x", "A-b_c.9"), ("empty", ""), ("long", &*long)];
        assert_eq!(labels, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn others_are_refused_with_what_to_write() {
        let (long_key, long_value) = (format!("{}=a", "k".repeat(64)), format!("a={}", "v".repeat(64)));
        for (text, why) in [
            ("", "write `NAMESPACE/KEY=VALUE`"),
            ("a", "write `NAMESPACE/KEY=VALUE`"),
            ("=a", "write `NAMESPACE/KEY=VALUE`"),
            ("a=b,", "write `NAMESPACE/KEY=VALUE`"),
            ("app=front,app=front", "`app` is there twice: write it once"),
            ("app=front,app=back", "a pod has `app` once: write `app=front` or `app=back`"),
            ("app=*", "a `*` stands for nothing in `app=*`: write the whole label"),
            ("a*=b", "a `*` stands for nothing in `a*=b`: write the whole label"),
            ("a/b/c=d", "`a/b/c` is no key of a label: write `app` or `example.com/app`"),
            ("/a=d", "`/a` is no key of a label"),
            ("a/=d", "`a/` is no key of a label"),
            ("Example.com/a=d", "`Example.com/a` is no key of a label"),
            ("a b=c", "`a b` is no key of a label"),
            ("-a=c", "`-a` is no key of a label"),
            ("ä=c", "`ä` is no key of a label"),
            (&long_key, "`kkkk"),
            ("a=b c", "`b c` is no value of a label: write at most 63 letters"),
            ("a=b=c", "`b=c` is no value of a label"),
            ("a=b/c", "`b/c` is no value of a label"),
            ("a=b-", "`b-` is no value of a label"),
            (&long_value, "`vvvv"),
        ] {
            let said = read(text).expect_err(text);
            assert!(said.starts_with(why), "{text}: {said}");
        }
    }
}
