//! What is allowed and seldom meant: one concern each in the files below.

mod absent;
mod body;
mod chance;

mod edge;
mod outdated;
mod rewrite;
mod share;

use crate::diagnostic::Diagnostic;
use crate::manifest::Manifest;
use crate::translate::{Listener, Model};
use crate::yaml::Path;
use switchyard_filter::document::HttpRoute;

/// Warnings about what is written, also where no listener serves it.
pub fn all(model: &Model<'_>, listeners: &[Listener<'_>]) -> Vec<Diagnostic> {
    let mut found = vec![];
    for (manifest, written) in model.virtual_services() {
        for (index, rule) in written.http.iter().enumerate() {
            let is_delegated = written.hosts.is_empty();
            let mut rule = Rule { manifest, index, written: rule, is_delegated, found: &mut found };
            chance::check(&mut rule);
            absent::check(&mut rule);
            outdated::check(&mut rule);
            body::check(&mut rule);
            rewrite::check(&mut rule);
            share::weights(&mut rule);
        }
    }
    edge::check(model, &mut found);
    for listener in listeners {
        share::check(listener, &mut found);
    }
    found
}

/// A rule that is looked at.
struct Rule<'a> {
    manifest: &'a Manifest,
    /// Its place in `http`.
    index: usize,
    written: &'a HttpRoute,
    /// Whether rules of other VirtualServices add conditions to it.
    is_delegated: bool,
    found: &'a mut Vec<Diagnostic>,
}

impl Rule<'_> {
    /// A warning at a field of the rule.
    fn warn(&mut self, field: &str, code: &'static str, message: &str, help: &str) {
        let path = at(&format!("http[{}].{field}", self.index));
        self.found.push(self.manifest.warning(&path, message).code(code).help(help));
    }
}

/// A path below `spec`.
fn at(field: &str) -> Path {
    Path::root().field("spec").join(&Path::parse(field).0)
}
