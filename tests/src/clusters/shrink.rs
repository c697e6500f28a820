//! A set that differs, made as small as possible: whatever can be left out is, one thing after the other.

use super::batch::judge;
use super::set::Set;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long one may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The smallest set that still differs, with what of it.
pub async fn shrink(set: &Set, differences: &[String]) -> (Set, Vec<String>) {
    let deadline = Instant::now() + PATIENCE;
    let (mut best, mut said) = (set.clone(), differences.to_vec());
    'again: loop {
        for pointer in parts(&best) {
            if Instant::now() > deadline {
                break 'again;
            }
            let mut smaller = best.clone();
            if !remove(&mut smaller.manifests, &pointer) {
                continue;
            }
            // What one side refuses is no smaller difference.
            let Ok(found) = judge(std::slice::from_ref(&smaller)).await else { continue };
            if let Some(found) = found.first().filter(|found| !found.differences.is_empty()) {
                said.clone_from(&found.differences);
                best = smaller;
                continue 'again;
            }
        }
        break;
    }
    (best, said)
}

/// Everything that may be left out: whole manifests, then fields and items from the outside in.
fn parts(set: &Set) -> Vec<String> {
    // The Gateway says what the proxy is.
    let others = (0..set.manifests.len()).rev().filter(|index| set.manifests[*index]["kind"] != "Gateway");
    let mut all: Vec<String> = others.map(|index| format!("/{index}")).collect();
    for (index, manifest) in set.manifests.iter().enumerate().filter(|(_, manifest)| manifest["kind"] != "Gateway") {
        below(&manifest["spec"], &format!("/{index}/spec"), &mut all);
    }
    all.sort_by_key(|pointer| pointer.matches('/').count());
    all
}

fn below(value: &Value, at: &str, all: &mut Vec<String>) {
    let items: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => vec![],
    };
    for (key, value) in items {
        let at = format!("{at}/{key}");
        all.push(at.clone());
        below(value, &at, all);
    }
}

fn remove(manifests: &mut Vec<Value>, pointer: &str) -> bool {
    let mut all = Value::Array(std::mem::take(manifests));
    let removed = pointer.rsplit_once('/').and_then(|(parent, key)| {
        let key = key.replace("~1", "/").replace("~0", "~");
        match all.pointer_mut(parent)? {
            Value::Object(fields) => fields.remove(&key),
            Value::Array(items) => {
                key.parse().ok().filter(|index| *index < items.len()).map(|index: usize| items.remove(index))
            }
            _ => None,
        }
    });
    if let Value::Array(items) = all {
        *manifests = items;
    }
    removed.is_some()
}
