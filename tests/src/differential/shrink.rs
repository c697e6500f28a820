//! A failing pair, made as small as possible.

use super::compare::{Difference, Pair, differences};
use super::explained::explained;
use super::probe::Probe;
use super::sides::{Sides, refusals};
use super::upstream::Recorder;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The smallest policy and request that still differ.
#[derive(Debug)]
pub struct Shrunk {
    /// All manifests.
    pub manifests: Vec<Value>,
    /// The pair.
    pub pair: Pair,
    /// Its differences.
    pub differences: Vec<Difference>,
}

/// Shrinks a failing pair: first the request, then the policy, then the request again. Keeps a difference in at least
/// one of the fields that differed.
pub async fn shrink(recorder: &Recorder, manifests: &[Value], pair: Pair, differences: Vec<Difference>) -> Shrunk {
    let fields: Vec<String> = differences.iter().map(|one| one.field.clone()).collect();
    let mut shrinking = Shrinking {
        recorder,
        fields,
        deadline: Instant::now() + PATIENCE,
        best: Shrunk { manifests: manifests.to_vec(), pair, differences },
    };
    shrinking.request().await;
    shrinking.policy().await;
    shrinking.request().await;
    shrinking.best
}

struct Shrinking<'a> {
    recorder: &'a Recorder,
    fields: Vec<String>,
    deadline: Instant,
    best: Shrunk,
}

impl Shrinking<'_> {
    fn is_late(&self) -> bool {
        Instant::now() > self.deadline
    }

    /// What still differs of what differed.
    async fn try_it(&self, sides: &Sides, probe: &Probe) -> Option<(Pair, Vec<Difference>)> {
        let pair = sides.ask(&mut sides.clients(), self.recorder, probe, Duration::from_millis(60)).await.ok()?;
        let found = differences(&pair);
        let same = found.iter().any(|one| self.fields.contains(&one.field));
        (same && explained(&pair, &found).is_none()).then_some((pair, found))
    }

    async fn request(&mut self) {
        let Ok(sides) = Sides::start(&self.best.manifests, &[self.best.pair.probe.entry]).await else { return };
        'again: while !self.is_late() {
            for smaller in smaller_requests(&self.best.pair.probe) {
                if let Some((pair, differences)) = self.try_it(&sides, &smaller).await {
                    self.best.pair = pair;
                    self.best.differences = differences;
                    continue 'again;
                }
            }
            break;
        }
        let _ = sides.stop().await;
    }

    async fn policy(&mut self) {
        'again: while !self.is_late() {
            for smaller in smaller_policies(&self.best.manifests) {
                if self.is_late() {
                    return;
                }
                if !refusals(&smaller).is_empty() {
                    continue;
                }
                let Ok(sides) = Sides::start(&smaller, &[self.best.pair.probe.entry]).await else { continue };
                let found = self.try_it(&sides, &self.best.pair.probe).await;
                let _ = sides.stop().await;
                if let Some((pair, differences)) = found {
                    self.best = Shrunk { manifests: smaller, pair, differences };
                    continue 'again;
                }
            }
            break;
        }
    }
}

/// Requests that are a little smaller.
fn smaller_requests(probe: &Probe) -> Vec<Probe> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut Probe)| {
        let mut smaller = probe.clone();
        change(&mut smaller);
        if smaller != *probe {
            all.push(smaller);
        }
    };
    for index in 0..probe.headers.len() {
        add(&|smaller| {
            smaller.headers.remove(index);
        });
    }
    add(&|smaller| smaller.body.clear());
    add(&|smaller| smaller.method = "GET".into());
    add(&|smaller| smaller.host = smaller.host.split(':').next().unwrap_or_default().to_ascii_lowercase());
    if let Some((path, query)) = probe.target.split_once('?') {
        add(&|smaller| smaller.target = path.to_owned());
        let parts: Vec<&str> = query.split('&').collect();
        for index in 0..parts.len() {
            let rest: Vec<&str> =
                parts.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, part)| *part).collect();
            add(&|smaller| smaller.target = format!("{path}?{}", rest.join("&")));
        }
    } else {
        add(&|smaller| smaller.target = "/".into());
        add(&|smaller| {
            let shorter = smaller.target.rsplit_once('/').map(|(start, _)| start.to_owned()).unwrap_or_default();
            if shorter.starts_with('/') {
                smaller.target = shorter;
            }
        });
    }
    all
}

/// Policies with something left out: large things first.
fn smaller_policies(manifests: &[Value]) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for index in 0..manifests.len() {
        let mut rest = manifests.to_vec();
        rest.remove(index);
        all.push(rest);
    }
    let mut inner: Vec<(usize, usize, Value)> = Vec::new();
    for (index, manifest) in manifests.iter().enumerate().filter(|(_, one)| one["kind"] == "VirtualService") {
        let mut found = Vec::new();
        without(&manifest["spec"], 0, &mut found);
        inner.extend(found.into_iter().map(|(depth, spec)| {
            let mut smaller = manifest.clone();
            smaller["spec"] = spec;
            (depth, index, smaller)
        }));
    }
    inner.sort_by_key(|(depth, index, _)| (*depth, *index));
    for (_, index, smaller) in inner {
        let mut changed = manifests.to_vec();
        if let Some(slot) = changed.get_mut(index) {
            *slot = smaller;
        }
        all.push(changed);
    }
    all
}

/// Every value with one entry of an array or object left out, and how deep that was.
fn without(value: &Value, depth: usize, found: &mut Vec<(usize, Value)>) {
    let mut deeper = |inner: &Value, put: &dyn Fn(Value) -> Value| {
        let mut below = Vec::new();
        without(inner, depth + 1, &mut below);
        found.extend(below.into_iter().map(|(depth, smaller)| (depth, put(smaller))));
    };
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                deeper(item, &|smaller| {
                    let mut changed = items.clone();
                    changed[index] = smaller;
                    Value::Array(changed)
                });
            }
            for index in 0..items.len() {
                let mut rest = items.clone();
                rest.remove(index);
                found.push((depth, Value::Array(rest)));
            }
        }
        Value::Object(fields) => {
            for (key, inner) in fields {
                deeper(inner, &|smaller| {
                    let mut changed = fields.clone();
                    changed.insert(key.clone(), smaller);
                    Value::Object(changed)
                });
            }
            for key in fields.keys() {
                let rest: Map<String, Value> =
                    fields.iter().filter(|(known, _)| *known != key).map(|(k, v)| (k.clone(), v.clone())).collect();
                found.push((depth, Value::Object(rest)));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_part_is_left_out_once_large_ones_first() {
        let manifests = [json!({"kind": "VirtualService", "spec": {"http": [{"name": "a"}, {"name": "b"}]}})];
        let specs: Vec<Value> = smaller_policies(&manifests)
            .iter()
            .map(|all| all.first().map_or(Value::Null, |one| one["spec"]["http"].clone()))
            .collect();
        assert_eq!(
            specs,
            [
                Value::Null,
                Value::Null,
                json!([{"name": "b"}]),
                json!([{"name": "a"}]),
                json!([{}, {"name": "b"}]),
                json!([{"name": "a"}, {}]),
            ]
        );
    }
}
