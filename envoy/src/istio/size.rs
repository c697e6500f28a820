//! What a configuration may weigh on its way.

use crate::diagnostic::Diagnostic;
use serde_json::Value;

/// The annotation in which `kubectl apply` without `--server-side` keeps a copy of what it applied.
const COPY: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Above it, etcd takes no object (1.5 MiB), and neither does anybody on the way like it.
const MOST: usize = 1 << 20;

/// What annotations may hold together, keys and values: the API server refuses more.
const ANNOTATIONS: usize = 256 << 10;

/// Above it a double, as which every number travels (istio.md 4.2), is not every whole number.
const EXACT: u64 = 1 << 53;

/// Says how large a plugin's configuration is.
///
/// # Errors
/// It is too large, or has a number that would arrive as another one.
pub fn check(plugin: &Value, name: &str) -> Result<String, Vec<Diagnostic>> {
    let mut wrong = vec![];
    let size = plugin["spec"]["pluginConfig"].to_string().len();
    if size > MOST {
        let message = format!("the pluginConfig of WasmPlugin `{name}` is {}, and at most 1 MiB arrives", human(size));
        wrong.push(Diagnostic::unplaced(message).help(
            "split the policy: leave VirtualServices to Istio (`switchyard.dev/embed: \"false\"`), or generate for one \
             workload or gateway at a time from the manifests that it needs",
        ));
    }
    let annotations: usize = plugin["metadata"]["annotations"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.as_str().unwrap_or_default().len())
        .sum();
    if annotations > ANNOTATIONS {
        let message = format!("what WasmPlugin `{name}` embeds is too much to keep account of: {}", human(annotations));
        wrong.push(Diagnostic::unplaced(message).help("generate from the manifests that these workloads need"));
    }
    if let Some(number) = inexact(&plugin["spec"]["pluginConfig"]) {
        let message = format!("the number `{number}` would arrive as another one: Kubernetes keeps numbers as doubles");
        wrong.push(Diagnostic::unplaced(message).help("write one of at most 9007199254740992"));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let how = if annotations + COPY.len() + copied(plugin) > ANNOTATIONS {
        ": apply with `kubectl apply --server-side`"
    } else {
        ""
    };
    Ok(format!("pluginConfig of WasmPlugin `{name}`: {}{how}", human(size)))
}

/// How large kubectl's copy is: JSON as Go writes it, with a line's end. Some characters are escaped that need not be.
fn copied(resource: &Value) -> usize {
    let text = resource.to_string();
    let escaped = |character: char| match character {
        '<' | '>' | '&' => 5,
        '\u{2028}' | '\u{2029}' => 3,
        _ => 0,
    };
    text.len() + text.chars().map(escaped).sum::<usize>() + 1
}

fn inexact(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().filter(|number| *number > EXACT),
        Value::Array(items) => items.iter().find_map(inexact),
        Value::Object(fields) => fields.values().find_map(inexact),
        _ => None,
    }
}

/// In bytes, or KiB rounded up.
fn human(size: usize) -> String {
    if size < 1 << 10 { format!("{size} bytes") } else { format!("{} KiB", size.div_ceil(1 << 10)) }
}
