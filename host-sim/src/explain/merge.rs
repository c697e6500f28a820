//! What was tried, over all candidates that an open draw leaves.

use super::{By, Why, WhyTag, why, why_tag};
use switchyard_envoy::translate::Listener;
use switchyard_filter::trace::Trace;
use switchyard_filter::truth::Truth;

/// What was tried for a request.
pub struct Walked {
    pub tags: Vec<WhyTag>,
    pub rules: Vec<Why>,
}

impl Walked {
    /// What one decision tried.
    pub fn new(listener: &Listener<'_>, traced: &Trace<'_>) -> Self {
        let routes = traced.routes.iter();
        let rule = |name: &str, rule: &str, block| why(listener, Some(name), rule, block);
        Self {
            tags: traced.tags.iter().map(|tag| why_tag(listener, tag)).collect(),
            rules: routes.map(|route| rule(&route.rule.virtual_service, &route.rule.name, &route.block)).collect(),
        }
    }

    /// Adds what another candidate tried; what differs is unknown.
    pub fn merge(&mut self, other: Self) {
        for (all, one) in self.tags.iter_mut().zip(other.tags) {
            if all.value != one.value {
                all.value = None;
                all.by = By::Unknown;
            }
            if all.by != one.by {
                all.by = By::Unknown;
            }
            merge(&mut all.rules, one.rules);
        }
        merge(&mut self.rules, other.rules);
    }
}

/// All candidates walk one list from its start, some further than others.
fn merge(walked: &mut Vec<Why>, rules: Vec<Why>) {
    let known = walked.len();
    let mut rules = rules.into_iter();
    for (all, one) in walked.iter_mut().zip(rules.by_ref().take(known)) {
        all.holds = agreed(all.holds, one.holds);
        for (all, one) in all.conditions.iter_mut().zip(one.conditions) {
            all.holds = agreed(all.holds, one.holds);
            if all.found != one.found {
                all.found = None;
            }
        }
    }
    walked.extend(rules);
}

fn agreed(one: Truth, other: Truth) -> Truth {
    if one == other { one } else { Truth::Unknown }
}
