//! VirtualServices: what this listener routes, for which hosts, in which order (istio.md 1.1, 1.5, 1.6).

use super::bind::{self, Emitted};
use super::block::{self, Place};
use super::check::{check, check_actions, check_delegation};
use super::delegate::{self, BlockOrigin, Home};
use super::places::Places;
use super::rule::{From, rule};
use super::{Scope, name};
use crate::block::Block;
use crate::document::{self, Document, HttpRoute};
use crate::error::{At, Error};
use crate::matcher::host::HostMatch;
use crate::policy::{Delegated, Route, Rule, VirtualHost};
use std::sync::Arc;

/// What is routed.
#[derive(Default)]
pub struct Routing {
    /// All rules.
    pub rules: Vec<Rule>,
    /// Their routes, by host.
    pub hosts: HostMatch<VirtualHost>,
    /// Every list of routes that a host has.
    pub routes: Vec<Arc<[Route]>>,
}

/// Compiles all VirtualServices.
pub fn compile(document: &Document, scope: &Scope<'_>, at: &mut At) -> Routing {
    let mut routing = Routing::default();
    // What is nearest to the proxy counts first (istio.md 1.1); the document's order decides what times and names leave
    // open.
    let near = |vs| visibility(vs, scope).unwrap_or(u8::MAX);
    let mut order: Vec<(usize, &document::VirtualService)> = document.virtual_services.iter().enumerate().collect();
    order
        .sort_unstable_by_key(|(index, vs)| (near(vs), &vs.creation_timestamp, &vs.name, namespace(vs, scope), *index));
    let mut emitted: Vec<Emitted> = Vec::new();
    let mut seen = Places::default();
    let mut merging = Merging::default();
    at.field("virtualServices", |at| {
        for (index, vs) in order {
            at.index(index, |at| {
                let name = format!("{}/{}", namespace(vs, scope), vs.name);
                if !seen.enter(name.clone(), index).1 {
                    at.field("name", |at| at.error(format!("`{name}` is there twice")));
                }
                let routes = one(index, vs, scope, &mut routing.rules, &mut merging, at);
                let hosts =
                    vs.hosts.iter().map(|host| name::resolve(host, namespace(vs, scope), scope.domain)).collect();
                emitted.push((hosts, routes.into()));
            });
        }
    });
    // What is wrong with a merged rule is wrong with one of its halves, which is told; or, at last, with both together.
    if at.count() == 0 {
        merging.errors.into_iter().for_each(|error| at.at(&error.path, |at| at.error(error.message)));
    }
    bind::bind(&emitted, scope, &mut routing);
    routing
}

pub fn namespace<'a>(vs: &'a document::VirtualService, scope: &Scope<'a>) -> &'a str {
    if vs.namespace.is_empty() { scope.namespace } else { &vs.namespace }
}

/// Whether the proxy sees a VirtualService, and how near it is.
pub fn visibility(vs: &document::VirtualService, scope: &Scope<'_>) -> Option<u8> {
    delegate::visibility(&vs.export_to, namespace(vs, scope), scope.proxy_namespace)
}

/// What all merging together comes to.
#[derive(Default)]
struct Merging {
    /// How many parts the merged rules have.
    parts: usize,
    /// What is wrong with merged rules.
    errors: Vec<Error>,
}

/// The most parts that all merged rules may have: delegates multiply, time and memory with them.
const MOST_PARTS: usize = 100_000;

fn one(
    index: usize,
    vs: &document::VirtualService,
    scope: &Scope<'_>,
    rules: &mut Vec<Rule>,
    merging: &mut Merging,
    at: &mut At,
) -> Vec<Route> {
    let namespace = namespace(vs, scope);
    check(vs, namespace, scope, at);
    let is_delegate = vs.hosts.is_empty();
    let is_seen = !is_delegate && visibility(vs, scope).is_some();
    let mut emitting = Emitting { rules, routes: Vec::new(), caught_all: false, names: Places::default() };
    at.field("http", |at| {
        for (rule_index, http) in vs.http.iter().enumerate() {
            at.index(rule_index, |at| {
                at.field("name", |at| name::check_text(&http.name, at));
                let place = Place::VirtualService { namespace, gateways: &vs.gateways };
                let from = |name| From { vs: index, vs_name: &vs.name, namespace, index: rule_index, name };
                let delegate = http.delegate.as_ref();
                match delegate {
                    None => check_actions(http, at),
                    Some(delegate) => check_delegation(http, delegate, is_delegate, at),
                }
                let name = if http.name.is_empty() { format!("http[{rule_index}]") } else { http.name.clone() };
                let name = if delegate.is_some() { name } else { emitting.name(&name) };
                let blocks = block::compile_all(&http.matches, place, scope, at);
                let rule = rule(http, from(name), scope, at);
                let Some(delegate) = delegate.filter(|_| !is_delegate) else {
                    if let Some((blocks, rule)) = blocks.zip(rule).filter(|_| is_seen) {
                        emitting.emit(rule, blocks.into_iter().map(|(index, block)| (index, None, block)));
                    }
                    return;
                };
                // A rule that delegates is none itself: what is wrong with it has been told.
                let before = at.count();
                merged(http, delegate, namespace, scope, merging, at, |merged, at| {
                    let Merged { http: merged, origins, delegated } = merged;
                    let name = if merged.name.is_empty() {
                        format!("http[{rule_index}]-http[{}]", delegated.index)
                    } else {
                        merged.name.clone()
                    };
                    let from = from(emitting.name(&name));
                    let blocks = block::compile_all(&merged.matches, place, scope, at);
                    let rule = self::rule(&merged, from, scope, at);
                    let Some((blocks, rule)) = blocks.zip(rule).filter(|_| is_seen) else { return };
                    let places = delegate::Places { root: at.path(), delegated, document: scope.document };
                    let blocks = blocks.into_iter().map(|(index, mut block)| {
                        let origin = index.and_then(|index| origins.get(index)).copied();
                        let written = places.trace_back(&mut block, origin);
                        (index, Some(written), block)
                    });
                    emitting.emit(Rule { delegated: Some(delegated), ..rule }, blocks);
                });
                merging.errors.extend(at.forget(before));
            });
        }
    });
    emitting.routes
}

/// The routes of a VirtualService, as they come.
struct Emitting<'r> {
    rules: &'r mut Vec<Rule>,
    routes: Vec<Route>,
    caught_all: bool,
    /// Names that are taken, each with how many rules asked for it.
    names: Places,
}

impl Emitting<'_> {
    /// A name that draws can hang on: a second rule of one name counts on.
    fn name(&mut self, first: &str) -> String {
        let mut name = first.to_owned();
        while self.names.get(&name).is_some() {
            let count = self.names.get(first).unwrap_or(1).saturating_add(1);
            self.names.set(first.to_owned(), count);
            name = format!("{first}#{count}");
        }
        self.names.set(name.clone(), 1);
        name
    }

    /// Adds a rule with its blocks: each with its place in `match`, and where it is written if that is not there.
    fn emit(&mut self, rule: Rule, blocks: impl Iterator<Item = (Option<usize>, Option<Box<str>>, Block)>) {
        let number = self.rules.len();
        let mut any = false;
        for (index, written, block) in blocks {
            any = true;
            if !self.caught_all {
                self.caught_all = block.is_catch_all();
                self.routes.push(Route { rule: number, index, written, block: Arc::new(block) });
            }
        }
        if any {
            self.rules.push(rule);
        }
    }
}

/// A rule that delegates and one of its delegate's, in one.
struct Merged {
    http: HttpRoute,
    origins: Vec<BlockOrigin>,
    delegated: Delegated,
}

/// Calls `visit` with every merged rule of one that delegates; none where the delegate is not there, or not for this
/// namespace, as in Istio.
fn merged(
    http: &HttpRoute,
    delegate: &document::Delegate,
    namespace: &str,
    scope: &Scope<'_>,
    merging: &mut Merging,
    at: &mut At,
    mut visit: impl FnMut(Merged, &mut At),
) {
    let of = if delegate.namespace.is_empty() { namespace } else { &delegate.namespace };
    let Some((index, found)) = scope.delegate(of, &delegate.name) else { return };
    if delegate::visibility(&found.export_to, of, namespace).is_none() {
        return;
    }
    let home = |namespace| Home { namespace, domain: scope.domain };
    for (rule, leaf) in found.http.iter().enumerate() {
        let before = merging.parts;
        merging.parts = before.saturating_add(delegate::parts(http, leaf));
        if merging.parts > MOST_PARTS {
            if before <= MOST_PARTS {
                at.field("delegate", |at| {
                    at.error(format!(
                        "delegates multiply: with this one the merged rules have more than {MOST_PARTS} conditions, \
                         operations, destinations and kilobytes of bodies"
                    ));
                });
            }
            return;
        }
        if let Some((http, origins)) = delegate::merge(http, home(namespace), leaf, home(of)) {
            let delegated = Delegated { virtual_service_index: index, index: rule };
            visit(Merged { http, origins, delegated }, at);
        }
    }
}
