//! What became of requests, against what was to become of them.

use super::spec::{Expected, Step};
use crate::demo::expected_999999;
use crate::harness::{Response, latin1};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How much earlier Envoy's own timers may fire: its loop's time is that of the last event (envoy.md 3: up to 3 ms).
const EARLY: f64 = 0.004;

/// How much longer than it must something may take: tests share two cores with a compiler.
const SLACK: f64 = 2.5;

/// What became of one request, as client and workload see it.
#[derive(Clone, Debug)]
pub struct Outcome {
    status: u16,
    upstream: Option<String>,
    path: String,
    upstream_headers: Vec<(String, String)>,
    response_headers: Vec<(String, String)>,
    body: String,
    seconds: f64,
}

impl Outcome {
    /// What the client got, after how long.
    pub fn new(response: &Response, took: Duration) -> Self {
        let said = response.json().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let lines = said["headers"].as_array().into_iter().flatten();
        let headers = response.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), latin1(value)));
        Self {
            status: response.status,
            upstream: said["upstream"].as_str().map(Into::into),
            path: text(&said["path"]),
            upstream_headers: lines.map(|line| (text(&line[0]), text(&line[1]))).collect(),
            response_headers: headers.collect(),
            body: response.text(),
            seconds: took.as_secs_f64(),
        }
    }

    /// Everything in which it differs.
    fn differs(&self, expected: &Expected) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut same = |what: &str, expected: Option<&str>, found: &str| {
            if expected.is_some_and(|expected| expected != found) {
                wrong.push(format!("{what} {found}"));
            }
        };
        same("status", expected.status.map(|status| status.to_string()).as_deref(), &self.status.to_string());
        same("upstream", expected.upstream.as_deref(), self.upstream.as_deref().unwrap_or("nobody"));
        same("path", expected.path.as_deref(), &self.path);
        same("body", expected.body.as_deref(), &self.body);
        for (name, value) in &expected.upstream_headers {
            same(
                &format!("upstream's {name}"),
                Some(value.as_deref().unwrap_or("-")),
                &joined(&self.upstream_headers, name),
            );
        }
        for (name, value) in &expected.response_headers {
            same(
                &format!("response's {name}"),
                Some(value.as_deref().unwrap_or("-")),
                &joined(&self.response_headers, name),
            );
        }
        if let Some(seconds) = expected.seconds
            && !(seconds - EARLY..seconds + SLACK).contains(&self.seconds)
        {
            wrong.push(format!("{:.3} s", self.seconds));
        }
        wrong
    }
}

fn joined(lines: &[(String, String)], name: &str) -> String {
    let values: Vec<&str> = lines.iter().filter(|(known, _)| known == name).map(|(_, value)| &**value).collect();
    if values.is_empty() { "-".into() } else { values.join(",") }
}

/// What is wrong with the outcomes of a step: some that are not expected, shares that chance would give once in a
/// million runs.
pub fn judge(step: &Step, outcomes: &[Outcome]) -> Vec<String> {
    let mut counts = vec![0; step.expect.len()];
    let mut unexpected: BTreeMap<String, usize> = BTreeMap::new();
    for outcome in outcomes {
        if let Some(index) = step.expect.iter().position(|expected| outcome.differs(expected).is_empty()) {
            counts[index] += 1;
        } else {
            let nearest = step.expect.iter().map(|expected| outcome.differs(expected)).min_by_key(Vec::len);
            *unexpected.entry(nearest.unwrap_or_default().join(", ")).or_default() += 1;
        }
    }
    let mut wrong: Vec<String> =
        unexpected.iter().map(|(what, count)| format!("{count} of {}: {what}", outcomes.len())).collect();
    if wrong.is_empty() && step.expect.len() > 1 {
        for (expected, count) in step.expect.iter().zip(counts) {
            let (low, high) = expected_999999(outcomes.len(), expected.share());
            if count < low || count > high {
                let what = serde_json::to_string(expected).unwrap_or_default();
                wrong.push(format!("{count} of {}, not {low} to {high}, are {what}", outcomes.len()));
            }
        }
    }
    wrong
}

/// What is wrong with how many requests came to each workload.
pub fn arrivals(step: &Step, arrived: &BTreeMap<String, u64>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, count) in arrived {
        let each = step.arrived.get(name).copied().unwrap_or(0.0);
        let times = step.times as usize;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few requests each")]
        let whole = times * each.trunc() as usize;
        let (low, high) = if each.fract() == 0.0 { (0, 0) } else { expected_999999(times, each.fract()) };
        if !(whole + low..=whole + high).contains(&usize::try_from(*count).unwrap_or(usize::MAX)) {
            wrong.push(format!("{count} requests came to {name}, not {} to {}", whole + low, whole + high));
        }
    }
    let unknown = step.arrived.keys().filter(|name| !arrived.contains_key(*name));
    wrong.extend(unknown.map(|name| format!("there is no workload `{name}`")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(upstream: &str) -> Outcome {
        let body =
            format!("{{\"upstream\": \"{upstream}\", \"path\": \"/\", \"headers\": [[\"a\", \"1\"], [\"a\", \"2\"]]}}");
        Outcome::new(&Response { status: 200, headers: vec![], body: body.into() }, Duration::from_millis(100))
    }

    fn expected(upstream: &str, percent: f64) -> Expected {
        Expected { upstream: Some(upstream.into()), percent: Some(percent), ..Expected::default() }
    }

    #[test]
    fn shares_may_lie_where_chance_puts_them_and_nowhere_else() {
        let step = Step { expect: vec![expected("v1", 90.0), expected("v2", 10.0)], times: 1000, ..Step::default() };
        let with = |v2: usize| {
            let mut outcomes = vec![outcome("v2"); v2];
            outcomes.resize_with(1000, || outcome("v1"));
            judge(&step, &outcomes)
        };
        assert_eq!((with(100).len(), with(130).len(), with(200).len(), with(0).len()), (0, 0, 2, 2));
        assert_eq!(judge(&step, &[outcome("v3")]), ["1 of 1: upstream v3"]);
    }

    #[test]
    fn everything_that_is_named_counts() {
        let fits = |expected: Expected| outcome("v1").differs(&expected);
        assert_eq!(fits(Expected::default()), [""; 0]);
        let headers = |value: Option<&str>| BTreeMap::from([("a".to_owned(), value.map(Into::into))]);
        assert_eq!(fits(Expected { upstream_headers: headers(Some("1,2")), ..Expected::default() }), [""; 0]);
        assert_eq!(fits(Expected { upstream_headers: headers(None), ..Expected::default() }), ["upstream's a 1,2"]);
        assert_eq!(fits(Expected { response_headers: headers(None), ..Expected::default() }), [""; 0]);
        assert_eq!(fits(Expected { seconds: Some(1.0), ..Expected::default() }), ["0.100 s"]);
        assert_eq!(fits(Expected { status: Some(503), ..Expected::default() }), ["status 200"]);
    }

    #[test]
    fn copies_and_retries_are_counted_where_they_arrive() {
        let arrived = BTreeMap::from([("v1".to_owned(), 3.0), ("v2".to_owned(), 0.5)]);
        let step = Step { arrived, times: 100, ..Step::default() };
        let with = |v1: u64, v2: u64, v3: u64| {
            arrivals(&step, &[("v1", v1), ("v2", v2), ("v3", v3)].map(|(name, count)| (name.to_owned(), count)).into())
        };
        assert_eq!(with(300, 57, 0), [""; 0]);
        assert_eq!(with(299, 90, 1).len(), 3);
    }
}
