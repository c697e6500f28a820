//! What is counted of requests: by VirtualService, destination, tag value and outcome, each combination a counter whose
//! name is known at configuration. Statistics of Envoy live for ever (proxy-wasm.md 2.6), so their number is bounded.
//!
//! A name carries its labels as Istio's own statistics do: `outcome=.=forward;.;` is one that a bootstrap's `stats_tags`
//! (in Istio: `extraStatTags`) take out of it.

use crate::answer::Answer;
use crate::decision::{Action, Decision};
use crate::document::MetricsDetail;
use crate::policy::{Policy, Rule};
use crate::tag::{Tag, TagState};
use core::fmt::Write as _;

/// The most series that a proxy may have.
pub const MOST: usize = 1_000;

/// What all series are called, once their labels are taken out.
pub const NAME: &str = "switchyard_requests";

/// The series of a policy.
#[derive(Debug, Default)]
pub struct SeriesTable {
    /// Labels without tags: VirtualService, rule, destination, outcome; sorted.
    targets: Vec<Target>,
    /// The values of each tag, each once, in order: what a request is looked up in.
    tags: Box<[Box<[Box<str>]>]>,
    /// How many combinations of them there are.
    combinations: usize,
    detail: MetricsDetail,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    virtual_service: Box<str>,
    rule: Box<str>,
    destination: Box<str>,
    outcome: &'static str,
}

const NOBODY: &str = "-";

impl SeriesTable {
    /// The series of a policy; `Err` with their number where there are too many.
    ///
    /// # Errors
    /// How many series there would be.
    pub fn new(policy: &Policy, detail: MetricsDetail) -> Result<Self, usize> {
        if detail == MetricsDetail::Total {
            return Ok(Self { detail, ..Self::default() });
        }
        let unruled = ["no_route", "no_virtual_host", "pass"].map(|outcome| target(None, detail, NOBODY, outcome));
        let mut targets = unruled.to_vec();
        for rule in &policy.rules {
            let mut add = |destination: &str, outcome| targets.push(target(Some(rule), detail, destination, outcome));
            for destination in &rule.destinations {
                add(&destination.cluster, "forward");
                if rule.fault.as_ref().is_some_and(|fault| fault.abort.is_some()) {
                    add(&destination.cluster, "fault_abort");
                }
            }
            match rule.answer {
                Some(Answer::Redirect(_)) => add(NOBODY, "redirect"),
                Some(Answer::Direct(_)) => add(NOBODY, "direct_response"),
                None => {}
            }
            if rule.cors.is_some() {
                add(NOBODY, "cors_preflight");
            }
        }
        targets.sort_unstable();
        targets.dedup();
        let tags: Box<[_]> = policy.tags.iter().map(values).collect();
        let combinations = tags.iter().fold(1_usize, |all, values| all.saturating_mul(radix(values)));
        let count = targets.len().saturating_mul(combinations);
        if count > MOST { Err(count) } else { Ok(Self { targets, tags, combinations, detail }) }
    }

    /// The names of all series, in order.
    pub fn names(&self, policy: &Policy) -> Vec<String> {
        let mut names = Vec::with_capacity(self.targets.len().saturating_mul(self.combinations));
        for target in &self.targets {
            for combination in 0..self.combinations {
                let mut name = String::new();
                label(&mut name, "virtual_service", &target.virtual_service);
                if self.detail == MetricsDetail::Rule {
                    label(&mut name, "rule", &target.rule);
                }
                label(&mut name, "destination", &target.destination);
                label(&mut name, "outcome", target.outcome);
                let mut rest = combination;
                for (tag, values) in policy.tags.iter().zip(&self.tags) {
                    let radix = radix(values);
                    let digit = rest.checked_rem(radix).unwrap_or(0);
                    rest = rest.checked_div(radix).unwrap_or(0);
                    let value = digit.checked_sub(1).and_then(|digit| values.get(digit)).map_or(NOBODY, |value| value);
                    label(&mut name, &tag_label(&tag.header), value);
                }
                name.push_str(NAME);
                names.push(name);
            }
        }
        names
    }

    /// The series of a decision, by its place among [`names`](Self::names); none where only totals are counted. `aborts`
    /// says whether a fault answers it.
    pub fn of(&self, decision: &Decision<'_>, aborts: bool) -> Option<usize> {
        if self.targets.is_empty() {
            return None;
        }
        let (destination, outcome) = match &decision.action {
            Action::Forward(forward) => (&*forward.destination.cluster, if aborts { "fault_abort" } else { "forward" }),
            Action::Reply(reply) => (NOBODY, reply.reason),
            Action::Pass | Action::Undecidable(_) => (NOBODY, "pass"),
        };
        let key = key(decision.rule(), self.detail, destination, outcome);
        let found = self.targets.binary_search_by(|target| {
            let Target { virtual_service, rule, destination, outcome } = target;
            (&**virtual_service, &**rule, &**destination, *outcome).cmp(&key)
        });
        let mut combination = 0_usize;
        for (values, state) in self.tags.iter().zip(&decision.tags).rev() {
            let digit = match state {
                TagState::Value(value) => {
                    values.iter().zip(1_usize..).find(|(known, _)| ***known == **value).map_or(0, |(_, digit)| digit)
                }
                _ => 0,
            };
            combination = combination.saturating_mul(radix(values)).saturating_add(digit);
        }
        Some(found.ok()?.saturating_mul(self.combinations).saturating_add(combination))
    }

    /// The labels that names carry, in order: what `stats_tags` have to take out of them.
    pub fn labels(&self, policy: &Policy) -> Vec<String> {
        let rule = (self.detail == MetricsDetail::Rule).then_some("rule");
        let fixed = ["virtual_service"].into_iter().chain(rule).chain(["destination", "outcome"]);
        let tags = policy.tags.iter().map(|tag| tag_label(&tag.header));
        let all = fixed.map(str::to_owned).chain(tags).collect();
        if self.targets.is_empty() { Vec::new() } else { all }
    }
}

/// The part of a key that hangs on the rule.
type Key<'a> = (&'a str, &'a str, &'a str, &'a str);

fn key<'a>(rule: Option<&'a Rule>, detail: MetricsDetail, destination: &'a str, outcome: &'a str) -> Key<'a> {
    let virtual_service = rule.map_or(NOBODY, |rule| &rule.virtual_service);
    let rule = rule.filter(|_| detail == MetricsDetail::Rule).map_or(NOBODY, |rule| &rule.name);
    (virtual_service, rule, destination, outcome)
}

fn target(rule: Option<&Rule>, detail: MetricsDetail, destination: &str, outcome: &'static str) -> Target {
    let (virtual_service, rule, destination, _) = key(rule, detail, destination, outcome);
    Target { virtual_service: virtual_service.into(), rule: rule.into(), destination: destination.into(), outcome }
}

/// The values of a tag, each once, in order.
fn values(tag: &Tag) -> Box<[Box<str>]> {
    let mut values: Vec<&str> = tag.values().collect();
    values.sort_unstable();
    values.dedup();
    values.into_iter().map(Into::into).collect()
}

/// How many states a tag has: its values, and none.
fn radix(values: &[Box<str>]) -> usize {
    values.len().saturating_add(1)
}

/// A tag's label: `tag_` and its header, in characters that a label may have.
fn tag_label(header: &str) -> String {
    let plain = header.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    "tag_".chars().chain(plain).collect()
}

fn label(name: &mut String, label: &str, value: &str) {
    // A `;` would end the value.
    let _ = write!(name, "{label}=.={};.;", value.replace('%', "%25").replace(';', "%3B"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draws;
    use crate::request::Request;
    use crate::{compile_json, decide};

    const POLICY: &str = r#"{"metrics": "DETAIL",
        "tags": [{"header": "user-type", "rules": [{"match": [{"headers": {"x": {}}}], "value": "internal"}]}],
        "virtualServices": [{"name": "shop", "hosts": ["shop"], "http": [
            {"name": "a", "match": [{"uri": {"prefix": "/a"}}], "route": [{"destination": {"host": "shop", "subset": "v1"}}],
             "fault": {"abort": {"httpStatus": 500, "percentage": {"value": 100}}}},
            {"name": "b", "match": [{"uri": {"prefix": "/b"}}], "route": [{"destination": {"host": "shop", "subset": "v1"}}]}]}]}"#;

    fn series(detail: &str, path: &[u8], aborts: bool, headers: &[crate::request::Header<'_>]) -> Option<String> {
        let policy = compile_json(POLICY.replace("DETAIL", detail).as_bytes()).unwrap();
        let names = policy.series().names(&policy);
        let mut lines: Vec<crate::request::Header<'_>> = vec![(b":path", path), (b":authority", b"shop")];
        lines.extend(headers);
        let request = Request::new(&lines, None);
        let decision = decide(&policy, &request, &Draws { fresh: Some(1), ..Draws::default() });
        policy.series().of(&decision, aborts).map(|index| names[index].clone())
    }

    const V1: &str = "destination=.=outbound|80|v1|shop.default.svc.cluster.local;.;";

    #[test]
    fn a_request_is_counted_under_its_labels() {
        let expected = format!(
            "virtual_service=.=default/shop;.;{V1}outcome=.=forward;.;tag_user_type=.=internal;.;switchyard_requests"
        );
        assert_eq!(series("destination", b"/b", false, &[(b"x", b"")]), Some(expected));
        let expected = format!(
            "virtual_service=.=default/shop;.;{V1}outcome=.=fault_abort;.;tag_user_type=.=-;.;switchyard_requests"
        );
        assert_eq!(series("destination", b"/a", true, &[]), Some(expected));
        let expected =
            "virtual_service=.=-;.;destination=.=-;.;outcome=.=no_route;.;tag_user_type=.=-;.;switchyard_requests";
        assert_eq!(series("destination", b"/c", false, &[]).as_deref(), Some(expected));
        let by_rule = series("rule", b"/b", false, &[]).unwrap();
        assert!(by_rule.starts_with("virtual_service=.=default/shop;.;rule=.=b;.;"), "{by_rule}");
        assert_eq!(series("total", b"/b", false, &[]), None);
    }

    #[test]
    fn every_series_has_a_name_of_its_own() {
        let policy = compile_json(POLICY.replace("DETAIL", "rule").as_bytes()).unwrap();
        let mut names = policy.series().names(&policy);
        assert_eq!(
            names.len(),
            12,
            "3 outcomes without a rule, 2 of rule a, 1 of rule b, each with and without the tag"
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 12);
        let labels = policy.series().labels(&policy);
        assert_eq!(labels, ["virtual_service", "rule", "destination", "outcome", "tag_user_type"]);
    }

    #[test]
    fn too_many_series_are_an_error() {
        let destination = |n: usize| format!(r#"{{"destination": {{"host": "shop", "subset": "v{n}"}}, "weight": 1}}"#);
        let route = (0..MOST).map(destination).collect::<Vec<_>>().join(",");
        let policy = |metrics: &str| {
            format!(
                r#"{{{metrics} "virtualServices": [{{"name": "shop", "hosts": ["shop"], "http": [{{"route": [{route}]}}]}}]}}"#
            )
        };
        let errors = compile_json(policy("").as_bytes()).unwrap_err();
        assert_eq!(
            errors[0].to_string(),
            "metrics: 1003 series of VirtualService, destination, tag value and outcome, at most 1000 are allowed: write \
             `metrics: total`"
        );
        assert!(compile_json(policy(r#""metrics": "total","#).as_bytes()).is_ok());
    }
}
