//! A failing pair, made as small as possible.
//!
//! Everything that can be left out of a policy is left out once, each in a copy of the policy with hosts of its own, so
//! that all copies are tried in one istiod and one pair of proxies. What did not matter is then left out together.

use super::compare::{Difference, Pair, differences};
use super::explained::explained;
use super::probe::Probe;
use super::sides::{Sides, refusals};
use super::unit::Unit;
use super::upstream::Recorder;
use super::verdict::accepted;
use super::world::HASHED;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long one may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// Copies at a time.
const COPIES: usize = 150;

/// The smallest policy and request that still differ.
#[derive(Debug)]
pub struct Shrunk {
    /// The policy's own manifests.
    pub manifests: Vec<Value>,
    /// The pair.
    pub pair: Pair,
    /// Its differences.
    pub differences: Vec<Difference>,
}

/// Shrinks a failing pair: first the policy, then the request. Keeps the two statuses where they differ, else a
/// difference in one of the same fields.
pub async fn shrink(
    recorder: &Recorder,
    shared: &[Value],
    unit: &Unit,
    pair: Pair,
    differences: Vec<Difference>,
) -> Shrunk {
    let mut shrinking = Shrinking {
        recorder,
        shared,
        unit,
        kept: differences.clone(),
        deadline: Instant::now() + PATIENCE,
        best: Shrunk { manifests: unit.manifests.clone(), pair, differences },
    };
    shrinking.policy().await;
    shrinking.request().await;
    shrinking.best
}

struct Shrinking<'a> {
    recorder: &'a Recorder,
    shared: &'a [Value],
    unit: &'a Unit,
    /// What differed at first.
    kept: Vec<Difference>,
    deadline: Instant,
    best: Shrunk,
}

impl Shrinking<'_> {
    fn is_late(&self) -> bool {
        Instant::now() > self.deadline
    }

    /// What still differs of what differed.
    async fn still(&self, sides: &Sides, probe: &Probe) -> Option<(Pair, Vec<Difference>)> {
        let mirrors = Duration::from_millis(60);
        let pair = sides.ask(&mut sides.clients(), self.recorder, probe, mirrors).await.ok()?;
        let found = differences(&pair);
        let same = match self.kept.iter().find(|one| one.field == "status") {
            Some(status) => found.contains(status),
            None => found.iter().any(|one| self.kept.iter().any(|kept| kept.field == one.field)),
        };
        (same && explained(&pair, &found, self.unit).is_none()).then_some((pair, found))
    }

    async fn request(&mut self) {
        let manifests: Vec<Value> = self.shared.iter().chain(&self.best.manifests).cloned().collect();
        let Ok(sides) = Sides::start(&manifests, &[self.best.pair.probe.entry]).await else { return };
        'again: loop {
            for smaller in smaller_requests(&self.best.pair.probe) {
                if let Some((pair, differences)) = self.still(&sides, &smaller).await {
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
        let mut together: Vec<Path> = Vec::new();
        while !self.is_late() {
            let mut all = Vec::new();
            for (index, manifest) in self.best.manifests.iter().enumerate() {
                all.push(vec![Step::Index(index)]);
                if manifest["kind"] == "VirtualService" {
                    below(&manifest["spec"], &vec![Step::Index(index), Step::Key("spec".into())], &mut all);
                }
            }
            // What did not matter alone, together; all of it, and halves.
            let (first, second) = together.split_at(together.len() / 2);
            let mut sets = vec![together.clone(), first.to_vec(), second.to_vec()];
            sets.retain(|set| set.len() > 1);
            sets.extend(all.into_iter().map(|path| vec![path]));
            let Ok(found) = self.generation(sets).await else { return };
            let Some((paths, _)) = found.iter().max_by_key(|(paths, size)| (paths.len() > 1, *size)) else { return };
            let paths = paths.clone();
            self.best.manifests = without(&self.best.manifests, &paths);
            if paths.len() > 1 {
                // Paths are those of another policy now.
                together = Vec::new();
            } else {
                let others = found.into_iter().flat_map(|(paths, _)| paths).filter(|path| !paths.contains(path));
                together = others.filter_map(|path| after(path, &paths)).collect();
            }
        }
    }

    /// Which of these deletions leave a difference, and how much each leaves out.
    async fn generation(&self, sets: Vec<Vec<Path>>) -> Result<Vec<(Vec<Path>, usize)>, String> {
        let size = |manifests: &[Value]| manifests.iter().map(|one| one.to_string().len()).sum::<usize>();
        let whole = size(&self.best.manifests);
        let mut copies: Vec<(usize, Vec<Path>, Vec<Value>)> = Vec::new();
        for set in sets {
            let smaller = without(&self.best.manifests, &set);
            let all: Vec<Value> = self.shared.iter().chain(&smaller).cloned().collect();
            if copies.len() < COPIES && refusals(&all).is_empty() {
                let number = 10_000 + copies.len();
                copies.push((number, set, self.renamed(&smaller, number)));
            }
        }
        let groups: Vec<(usize, &[Value])> =
            copies.iter().map(|(number, _, copy)| (*number, copy.as_slice())).collect();
        let refused = accepted(&groups, self.shared).await?;
        copies.retain(|(number, _, _)| !refused.iter().any(|(one, _)| one == number));
        let all: Vec<Value> =
            self.shared.iter().chain(copies.iter().flat_map(|(_, _, manifests)| manifests)).cloned().collect();
        let sides = Sides::start(&all, &[self.best.pair.probe.entry]).await?;
        let mut found = Vec::new();
        for (number, set, _) in copies {
            let probe = self.best.pair.probe.renamed(self.unit.number, number);
            if self.still(&sides, &probe).await.is_some() {
                let left_out = whole.saturating_sub(size(&without(&self.best.manifests, &set)));
                found.push((set, left_out));
            }
        }
        sides.stop().await?;
        Ok(found)
    }

    fn renamed(&self, manifests: &[Value], number: usize) -> Vec<Value> {
        let text = Value::from(manifests.to_vec()).to_string();
        let renamed = rename(&text, self.unit.number, number);
        serde_json::from_str(&renamed).unwrap_or_default()
    }
}

/// The text with the names and hosts of another policy.
pub fn rename(text: &str, from: usize, to: usize) -> String {
    text.replace(&format!("u{from}"), &format!("u{to}")).replace(&format!("U{from}"), &format!("U{to}"))
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
    for index in
        (0..probe.headers.len()).filter(|index| probe.headers.get(*index).is_some_and(|(name, _)| name != HASHED))
    {
        add(&|smaller| {
            smaller.headers.remove(index);
        });
    }
    add(&|smaller| smaller.body.clear());
    add(&|smaller| smaller.method = "GET".into());
    add(&|smaller| smaller.host = smaller.host.split(':').next().unwrap_or_default().to_ascii_lowercase());
    if let Some((path, query)) = probe.target.split_once('?') {
        add(&|smaller| path.clone_into(&mut smaller.target));
        let parts: Vec<&str> = query.split('&').collect();
        for index in 0..parts.len() {
            let others = parts.iter().enumerate().filter(|(at, _)| *at != index);
            let rest: Vec<&str> = others.map(|(_, part)| *part).collect();
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

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Index(usize),
    Key(String),
}

/// Where something is in a list of manifests.
type Path = Vec<Step>;

/// The path of everything below that can be left out.
fn below(value: &Value, at: &Path, found: &mut Vec<Path>) {
    let mut inner = |step: Step, value: &Value| {
        let path: Path = at.iter().cloned().chain([step]).collect();
        found.push(path.clone());
        below(value, &path, found);
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| inner(Step::Index(index), item)),
        Value::Object(fields) => fields.iter().for_each(|(key, item)| inner(Step::Key(key.clone()), item)),
        _ => {}
    }
}

/// The manifests without what is at these paths.
fn without(manifests: &[Value], paths: &[Path]) -> Vec<Value> {
    let mut paths = paths.to_vec();
    // From behind, so that the others stay where they are.
    paths.sort();
    let mut all = Value::from(manifests.to_vec());
    for path in paths.iter().rev() {
        let Some((last, above)) = path.split_last() else { continue };
        let parent = above.iter().try_fold(&mut all, |value, step| match step {
            Step::Index(index) => value.get_mut(index),
            Step::Key(key) => value.get_mut(key),
        });
        match (parent, last) {
            (Some(Value::Array(items)), Step::Index(index)) if *index < items.len() => {
                items.remove(*index);
            }
            (Some(Value::Object(fields)), Step::Key(key)) => {
                fields.remove(key);
            }
            _ => {}
        }
    }
    if let Value::Array(all) = all { all } else { Vec::new() }
}

/// A path as it is after others were left out; `None` when it went with one.
fn after(mut path: Path, gone: &[Path]) -> Option<Path> {
    for one in gone {
        if path.starts_with(one) {
            return None;
        }
        let Some((Step::Index(removed), above)) = one.split_last() else { continue };
        if path.starts_with(above)
            && let Some(Step::Index(index)) = path.get_mut(above.len())
            && *index > *removed
        {
            *index -= 1;
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(steps: &[&str]) -> Path {
        let step = |text: &&str| text.parse().map_or_else(|_| Step::Key((*text).to_owned()), Step::Index);
        steps.iter().map(step).collect()
    }

    #[test]
    fn several_parts_are_left_out_at_once() {
        let manifests = [json!({"http": [{"name": "a", "match": [1, 2]}, {"name": "b"}]}), json!({})];
        let paths = [path(&["0", "http", "0", "match", "0"]), path(&["1"]), path(&["0", "http", "1"])];
        assert_eq!(without(&manifests, &paths), [json!({"http": [{"name": "a", "match": [2]}]})]);
        let mut all = Vec::new();
        below(&manifests[0], &path(&["0"]), &mut all);
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn a_path_moves_when_something_before_it_goes() {
        let gone = [path(&["0", "http", "1"])];
        assert_eq!(after(path(&["0", "http", "2", "name"]), &gone), Some(path(&["0", "http", "1", "name"])));
        assert_eq!(after(path(&["0", "http", "0"]), &gone), Some(path(&["0", "http", "0"])));
        assert_eq!(after(path(&["0", "http", "1", "name"]), &gone), None);
    }
}
