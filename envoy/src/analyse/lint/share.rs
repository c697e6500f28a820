//! Weights that look like percent and are not, and choices and tags that a client can make itself.

use super::Rule;
use crate::diagnostic::Diagnostic;
use crate::translate::Listener;
use std::collections::BTreeSet;
use switchyard_filter::block::Ask;
use switchyard_filter::document::{Document, StickyBy};
use switchyard_filter::matcher::header::HeaderMatch;

/// The weights of a rule: whoever reads 90 and 5 takes them for percent.
pub fn weights(rule: &mut Rule<'_>) {
    let weights: Vec<_> = rule.written.route.iter().map(|route| route.weight).collect();
    if let Some(message) = not_percent(&weights) {
        rule.warn("route", "weight-sum", &message, PERCENT);
    }
}

const PERCENT: &str = "let them sum to 100 to say percent";

fn not_percent(weights: &[i32]) -> Option<String> {
    let sum: i64 = weights.iter().map(|weight| i64::from(*weight)).sum();
    (weights.len() > 1 && sum != 100)
        .then(|| format!("the weights sum to {sum}: each is its part of {sum}, not percent"))
}

/// The choices of a listener's document, at the manifests that it was made of.
pub fn check(listener: &Listener<'_>, found: &mut Vec<Diagnostic>) {
    let document = &listener.document;
    let mut found = Found { listener, found };
    found.elsewhere();
    for (index, tag) in document.tags.iter().enumerate() {
        let field = format!("tags[{index}]");
        // Shares are our own word: 1 and 1 are halves to everybody.
        let weights: Vec<_> = tag.split.iter().map(|share| share.weight).collect();
        if let Some(message) = not_percent(&weights).filter(|_| weights.iter().any(|weight| *weight >= 10)) {
            found.warn(&format!("{field}.split"), "weight-sum", message, PERCENT);
        }
        if tag.split.len() > 1 {
            let what = format!("tag `{}`", tag.header);
            found.seed(document, tag.sticky_by.as_ref(), &format!("{field}.stickyBy"), &what);
        }
    }
    for (index, virtual_service) in document.virtual_services.iter().enumerate() {
        for (rule_index, rule) in virtual_service.http.iter().enumerate() {
            if rule.route.len() > 1 {
                let field = format!("virtualServices[{index}].http[{rule_index}].stickyBy");
                let name = if rule.name.is_empty() { format!("http[{rule_index}]") } else { rule.name.clone() };
                found.seed(document, rule.sticky_by.as_ref(), &field, &format!("rule `{name}`"));
            }
        }
    }
}

struct Found<'l> {
    listener: &'l Listener<'l>,
    found: &'l mut Vec<Diagnostic>,
}

impl Found<'_> {
    /// Where a request's host is none of the tag's, the tag's header is a client's like any other.
    fn elsewhere(&mut self) {
        let policy = &self.listener.policy;
        let mut told = BTreeSet::new();
        let hosts = policy.hosts().iter().filter(|_| !policy.tags().is_empty());
        for (host, route) in hosts.flat_map(|(host, to)| to.routes.iter().map(move |route| (host.clone(), route))) {
            let Some(rule) = policy.rules().get(route.rule) else { continue };
            for condition in &route.block.conditions {
                let Ask::Header(HeaderMatch { tag: Some(tag), .. }) = &condition.ask else { continue };
                let Some(tag) = policy.tags().get(tag.index) else { continue };
                let (vs, index) = (rule.virtual_service_index, rule.index);
                let block = route.index.unwrap_or(0);
                let written = format!("virtualServices[{vs}].http[{index}].match[{block}]");
                let field = match route.written.as_deref() {
                    _ if condition.field.starts_with("virtualServices[") => condition.field.to_string(),
                    written_elsewhere => format!("{}.{}", written_elsewhere.unwrap_or(&written), condition.field),
                };
                if tag.hosts.find(host.as_bytes()).is_none() && told.insert(field.clone()) {
                    let message = format!(
                        "any client can send `{}` in requests for `{host}`: the tag is not for this host",
                        tag.header
                    );
                    let help = "add it to `hosts` of the tag; without `hosts` the tag is for all";
                    self.warn(&field, "tag-by-client", message, help);
                }
            }
        }
    }

    fn warn(&mut self, field: &str, code: &'static str, message: String, help: &str) {
        if let Some((place, field)) = self.listener.place(field) {
            self.found.push(Diagnostic::warning(place, message).code(code).field(field).help(help));
        }
    }

    /// Under a known hash without a salt, a client can look for a value that gives it the version it wants.
    fn seed(&mut self, document: &Document, sticky: Option<&StickyBy>, field: &str, what: &str) {
        let by_client = sticky.is_some_and(|sticky| !sticky.use_source_ip);
        if document.seed.is_empty() && by_client {
            let message = format!(
                "the choice of {what} is kept by a value that the client chooses, and `seed` is empty: a client can work \
                 out a value for the outcome it wants"
            );
            let help = "set `seed` in a SwitchyardPolicy, and keep it out of clients' sight";
            self.warn(field, "empty-seed", message, help);
        }
    }
}
