//! What `check` finds worth a look in a policy that is right.

use switchyard_envoy::diagnostic::Diagnostic;
use switchyard_envoy::translate::Listener;
use switchyard_filter::document::{Document, StickyBy};

/// Warnings about a listener's document, at the manifests that it was made of.
pub fn lint(listener: &Listener<'_>) -> Vec<Diagnostic> {
    let mut found = Found { listener, all: Vec::new() };
    let document = &listener.document;
    for (index, tag) in document.tags.iter().enumerate() {
        let field = format!("tags[{index}]");
        found.weights(&format!("{field}.split"), tag.split.iter().map(|share| share.weight));
        if tag.split.len() > 1 {
            found.seed(
                document,
                tag.sticky_by.as_ref(),
                &format!("{field}.stickyBy"),
                &format!("tag `{}`", tag.header),
            );
        }
    }
    for (index, virtual_service) in document.virtual_services.iter().enumerate() {
        for (rule_index, rule) in virtual_service.http.iter().enumerate() {
            let field = format!("virtualServices[{index}].http[{rule_index}]");
            if rule.route.len() > 1 {
                found.weights(&format!("{field}.route"), rule.route.iter().map(|route| route.weight));
                let name = if rule.name.is_empty() { format!("http[{rule_index}]") } else { rule.name.clone() };
                found.seed(document, rule.sticky_by.as_ref(), &format!("{field}.stickyBy"), &format!("rule `{name}`"));
            }
        }
    }
    found.all
}

struct Found<'l> {
    listener: &'l Listener<'l>,
    all: Vec<Diagnostic>,
}

impl Found<'_> {
    fn warn(&mut self, field: &str, message: String, help: &str) {
        if let Some((place, field)) = self.listener.place(field) {
            self.all.push(Diagnostic::warning(place, message).field(field).help(help));
        }
    }

    /// Weights are relative; who writes 90 and 5 may have meant percent.
    fn weights(&mut self, field: &str, weights: impl Iterator<Item = i32>) {
        let weights: Vec<i64> = weights.map(i64::from).collect();
        let sum: i64 = weights.iter().sum();
        if weights.len() > 1 && sum != 100 && weights.iter().any(|weight| *weight >= 10) {
            let message = format!("the weights sum to {sum}: each is its part of {sum}, not percent");
            self.warn(field, message, "let them sum to 100 to say percent");
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
            self.warn(field, message, "set `seed` in a SwitchyardPolicy, and keep it out of clients' sight");
        }
    }
}
