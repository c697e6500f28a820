//! VirtualServices: what this listener routes, for which hosts, in which order (istio.md 1.1, 1.5, 1.6).

use super::bind::{self, Emitted};
use super::block::{self, Place};
use super::delegate::{self, BlockOrigin, Home};
use super::{Scope, name};
use crate::answer::{Answer, Direct, Listener, Redirect};
use crate::block::Block;
use crate::chance::{Chance, Least, WHOLE, millionths};
use crate::cors::Cors;
use crate::document::{self, Document, HttpRoute};
use crate::duration;
use crate::error::{At, Error};
use crate::fault::Fault;
use crate::matcher::host::HostMatch;
use crate::mirror::Mirror;
use crate::operations::{self, Levels, Operations};
use crate::policy::{Delegated, Destination, Route, Rule, VirtualHost};
use crate::retry::Retries;
use crate::rewrite::Rewrite;
use crate::split::{Split, Subject};
use crate::tag::tag_of;
use std::collections::{BTreeMap, BTreeSet};
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
    let mut seen = BTreeSet::new();
    let mut merging = Merging::default();
    at.field("virtualServices", |at| {
        for (index, vs) in order {
            at.index(index, |at| {
                if !seen.insert((namespace(vs, scope), &vs.name)) {
                    at.field("name", |at| at.error(format!("`{}/{}` is there twice", namespace(vs, scope), vs.name)));
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
    /// How many pairs of match blocks were looked at.
    pairs: usize,
    /// What is wrong with merged rules.
    errors: Vec<Error>,
}

/// The most pairs of match blocks that are looked at: delegates multiply.
const MOST_PAIRS: usize = 100_000;

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
    let mut emitting = Emitting { rules, routes: Vec::new(), caught_all: false, names: BTreeMap::new() };
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
                let name = if delegate.is_some() { name } else { emitting.name(name) };
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
                    let from = from(emitting.name(name));
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
    names: BTreeMap<String, usize>,
}

impl Emitting<'_> {
    /// A name that draws can hang on: a second rule of one name counts on.
    fn name(&mut self, first: String) -> String {
        let mut name = first.clone();
        while self.names.contains_key(&name) {
            let count = self.names.get_mut(&first).map_or(2, |count| {
                *count = count.saturating_add(1);
                *count
            });
            name = format!("{first}#{count}");
        }
        self.names.insert(name.clone(), 1);
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
        let before = merging.pairs;
        let pairs = http.matches.len().max(1).saturating_mul(leaf.matches.len().max(1));
        merging.pairs = before.saturating_add(pairs);
        if merging.pairs > MOST_PAIRS {
            if before <= MOST_PAIRS {
                at.field("delegate", |at| {
                    at.error(format!(
                        "delegates multiply: with this one there are more than {MOST_PAIRS} pairs of match blocks"
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

fn check(vs: &document::VirtualService, namespace: &str, scope: &Scope<'_>, at: &mut At) {
    at.field("name", |at| name::check_name(&vs.name, at));
    at.field("gateways", |at| {
        for (index, gateway) in vs.gateways.iter().enumerate() {
            at.index(index, |at| name::check_gateway(gateway, at));
        }
    });
    if !vs.namespace.is_empty() {
        at.field("namespace", |at| name::check_label(&vs.namespace, "namespace", at));
    }
    if vs.hosts.is_empty() && !vs.gateways.is_empty() {
        at.field("gateways", |at| {
            at.error("a VirtualService without `hosts` is a delegate: it is served where the rules are that name it");
        });
    }
    check_export_to(&vs.export_to, namespace, at);
    check_overlaps(vs, namespace, scope, at);
    at.field("hosts", |at| {
        let mesh = vs.gateways.is_empty() || vs.gateways.iter().any(|gateway| gateway == name::MESH);
        for (index, host) in vs.hosts.iter().enumerate() {
            at.index(index, |at| {
                name::check_host(host, at);
                if host == "*" && mesh {
                    at.error("`*` is not allowed in the mesh: name the hosts, or bind it to a gateway");
                }
            });
        }
    });
    if vs.http.is_empty() {
        at.error("`http` is missing: there is no rule");
    }
    let stamp = vs.creation_timestamp.as_bytes();
    let shape = b"0000-00-00T00:00:00Z";
    let fits = stamp.len() == shape.len()
        && stamp.iter().zip(shape).all(|(b, s)| if *s == b'0' { b.is_ascii_digit() } else { b == s });
    if !stamp.is_empty() && !fits {
        at.field("creationTimestamp", |at| {
            at.error(format!("`{}` is no time: write `2026-01-31T12:00:00Z`", vs.creation_timestamp));
        });
    }
}

/// Notes what Istio refuses to export to (istio.md 1.18).
fn check_export_to(written: &[String], namespace: &str, at: &mut At) {
    let full = |to: &'_ String| if to == "." { namespace.to_owned() } else { to.clone() };
    at.field("exportTo", |at| {
        for (index, to) in written.iter().enumerate() {
            let wrong = match to.as_str() {
                "~" => "`~` would hide it from everybody: leave the VirtualService out".to_owned(),
                "*" if written.len() > 1 => "`*` is everybody: leave the others out".to_owned(),
                "*" => continue,
                _ if !name::is_label(&full(to)) => {
                    format!("`{}` is no namespace: write `.`, `*` or a name", to.escape_debug())
                }
                _ if written.iter().take(index).any(|other| full(other) == full(to)) => {
                    format!("`{to}` is listed twice (`.` is `{namespace}`)")
                }
                _ => continue,
            };
            at.index(index, |at| at.error(wrong));
        }
    });
}

/// Notes hosts that another one of the VirtualService takes already (istio.md 1.18).
fn check_overlaps(vs: &document::VirtualService, namespace: &str, scope: &Scope<'_>, at: &mut At) {
    let resolved: Vec<String> = vs.hosts.iter().map(|host| name::resolve(host, namespace, scope.domain)).collect();
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, host) in resolved.iter().enumerate() {
        first.entry(host).or_insert(index);
    }
    for (index, host) in resolved.iter().enumerate() {
        let dots = host
            .char_indices()
            .filter(|(_, c)| *c == '.')
            .map(|(dot, _)| format!("*{}", &host.get(dot..).unwrap_or("")));
        let wider = dots.chain(["*".to_owned()]).filter(|wide| wide != host).find_map(|wide| first.get(wide.as_str()));
        let same = first.get(host.as_str()).filter(|first| **first < index);
        let Some(other) = same.or(wider) else { continue };
        let (late, early) = (index.max(*other), index.min(*other));
        let (Some(late_host), Some(early_host)) = (vs.hosts.get(late), vs.hosts.get(early)) else { continue };
        let message = format!("`{late_host}` and `{early_host}` overlap: leave one of them out");
        at.field("hosts", |at| at.index(late, |at| at.error(message)));
    }
}

/// Where a rule comes from.
struct From<'a> {
    vs: usize,
    vs_name: &'a str,
    namespace: &'a str,
    index: usize,
    name: String,
}

fn rule(http: &HttpRoute, from: From<'_>, scope: &Scope<'_>, at: &mut At) -> Option<Rule> {
    let before = at.count();
    operations::check_authority_once(http, at);
    let draws = format!("{}/{}/{}", from.namespace, from.vs_name, from.name);
    let written = http.headers.as_ref();
    let (request, rule_authority) = request_operations(written, at);
    let response = response_operations(written, at).map(Arc::new);
    let written_authority =
        http.rewrite.as_ref().map(|rewrite| rewrite.authority.as_str()).filter(|text| !text.is_empty());
    if let Some(authority) = written_authority {
        at.field("rewrite", |at| at.field("authority", |at| name::check_authority(authority, at)));
    }
    // istio.md 1.8: the rule's own rewrite beats its operations on `host`.
    let rule_authority = written_authority.map(Into::into).or(rule_authority);
    let mut destinations = Vec::new();
    let mut weights = Vec::new();
    at.field("route", |at| {
        for (index, written) in http.route.iter().enumerate() {
            at.index(index, |at| {
                let mut destination =
                    at.field("destination", |at| destination(index, &written.destination, &from, scope, at));
                let (own, own_authority) = request_operations(written.headers.as_ref(), at);
                let own_response = response_operations(written.headers.as_ref(), at);
                destination.authority = rule_authority.clone().or(own_authority);
                // istio.md 1.7: a single destination's operations follow the rule's in one list; those of one among
                // several come first, at a level of their own.
                let several = http.route.len() > 1;
                destination.request = levels(several, own, request.as_ref());
                destination.response = levels(several, own_response, response.as_deref());
                match u32::try_from(written.weight) {
                    // istio.md 1.6: a single destination's weight means nothing; of several, 0 gets nothing.
                    Ok(weight) if weight > 0 || http.route.len() == 1 => {
                        destinations.push(destination);
                        weights.push(weight.max(1));
                    }
                    Ok(_) => {}
                    Err(_) => at.field("weight", |at| at.error(format!("`{}` is negative", written.weight))),
                }
            });
        }
        let negative = http.route.iter().any(|written| written.weight < 0);
        if destinations.is_empty() && !http.route.is_empty() && !negative {
            at.error("the sum of all weights is 0: give one destination at least 1");
        }
    });
    let subject = at
        .field("stickyBy", |at| Subject::compile(http.sticky_by.as_ref(), |name| tag_of(&scope.tag_headers, name), at));
    let rewrite = http.rewrite.as_ref().and_then(|rewrite| at.field("rewrite", |at| Rewrite::compile(rewrite, at)));
    let redirect = http.redirect.as_ref();
    let listener = Listener { port: scope.port, is_mesh: scope.is_mesh };
    let redirect = redirect
        .and_then(|redirect| at.field("redirect", |at| Redirect::compile(redirect, &http.matches, listener, at)));
    let direct = http.direct_response.as_ref();
    let direct = direct.and_then(|direct| at.field("directResponse", |at| Direct::compile(direct, at)));
    let fault = http.fault.as_ref();
    let fault = fault.map(|fault| at.field("fault", |at| Fault::compile(fault, scope.seed, &draws, at)));
    let cors = http.cors_policy.as_ref().and_then(|cors| at.field("corsPolicy", |at| Cors::compile(cors, at)));
    let mirrors = mirrors(http, &from, &draws, scope, at);
    let timeout =
        http.timeout.as_ref().and_then(|timeout| at.field("timeout", |at| duration::compile_positive(timeout, at)));
    let retries = at.field("retries", |at| Retries::compile(http.retries.as_ref(), at));
    if at.count() > before {
        return None;
    }
    let split = (destinations.len() > 1).then_some(()).and_then(|()| {
        // Not the cluster's name: its port may be the listener's, and a user keeps its version on all of them.
        let identities: Vec<String> = destinations.iter().map(|destination| identity(destination, http)).collect();
        let name = format!("{draws}/split");
        Some(Split::new(scope.seed, &name, subject?, identities.iter().map(String::as_str).zip(weights)))
    });
    let retries = retries.flatten();
    Some(Rule {
        virtual_service: format!("{}/{}", from.namespace, from.vs_name).into(),
        virtual_service_index: from.vs,
        index: from.index,
        delegated: None,
        name: from.name.into(),
        destinations: destinations.into(),
        split,
        answer: redirect.map(Answer::Redirect).or(direct.map(Answer::Direct)),
        rewrite,
        fault,
        mirrors: mirrors.into(),
        cors,
        response,
        timeout,
        retry_headers: retries.as_ref().map(Retries::headers).unwrap_or_default().into(),
        retries,
    })
}

/// Notes actions that exclude each other, or that there is none (istio.md 1.18).
fn check_actions(http: &HttpRoute, at: &mut At) {
    let actions = [
        ("route", !http.route.is_empty()),
        ("redirect", http.redirect.is_some()),
        ("directResponse", http.direct_response.is_some()),
    ];
    let set: Vec<&str> = actions.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
    match set.as_slice() {
        [] => at.error("a rule needs `route`, `redirect` or `directResponse`"),
        ["route"] => {}
        [answer] => {
            for (field, set) in [("fault", http.fault.is_some()), ("rewrite", http.rewrite.is_some())] {
                if set {
                    at.field(field, |at| {
                        at.error(format!("`{field}` does not go with `{answer}`: leave one of them out"));
                    });
                }
            }
        }
        [first, second, ..] => at.error(format!("`{first}` and `{second}` exclude each other: leave one of them out")),
    }
    if http.mirror.is_some() && !http.mirrors.is_empty() {
        at.field("mirrors", |at| at.error("`mirror` and `mirrors` exclude each other: leave one of them out"));
    }
}

/// Notes what a rule that delegates cannot have (istio.md 1.16).
fn check_delegation(http: &HttpRoute, delegate: &document::Delegate, is_delegate: bool, at: &mut At) {
    for (field, set) in [("route", !http.route.is_empty()), ("redirect", http.redirect.is_some())] {
        if set {
            at.field(field, |at| {
                at.error(format!("`{field}` does not go with `delegate`: the delegate's rules have their own"));
            });
        }
    }
    at.field("delegate", |at| {
        if is_delegate {
            at.error("a delegate cannot delegate again: name the other one where this one is named");
        } else if delegate.name.is_empty() {
            at.error("`name` is missing");
        } else {
            at.field("name", |at| name::check_name(&delegate.name, at));
        }
        if !delegate.namespace.is_empty() {
            at.field("namespace", |at| name::check_label(&delegate.namespace, "namespace", at));
        }
    });
}

fn request_operations(headers: Option<&document::Headers>, at: &mut At) -> (Option<Operations>, Option<Box<str>>) {
    let written = headers.and_then(|headers| headers.request.as_ref());
    let Some(written) = written else {
        return (None, None);
    };
    let compile = |at: &mut At| Operations::compile_request(written, at);
    let (operations, authority) = at.field("headers", |at| at.field("request", compile));
    ((!operations.is_empty()).then_some(operations), authority)
}

fn response_operations(headers: Option<&document::Headers>, at: &mut At) -> Option<Operations> {
    let written = headers.and_then(|headers| headers.response.as_ref())?;
    let compile = |at: &mut At| Operations::compile_response(written, at);
    Some(at.field("headers", |at| at.field("response", compile))).filter(|operations| !operations.is_empty())
}

/// A destination's levels of operations, from its own and its rule's.
fn levels(several: bool, own: Option<Operations>, rule: Option<&Operations>) -> Levels {
    match (own, rule) {
        (Some(own), Some(rule)) if !several => {
            let mut one = rule.clone();
            one.append(own);
            vec![Arc::new(one)].into()
        }
        (own, rule) => own.into_iter().chain(rule.cloned()).map(Arc::new).collect(),
    }
}

fn mirrors(http: &HttpRoute, from: &From<'_>, draws: &str, scope: &Scope<'_>, at: &mut At) -> Vec<Mirror> {
    let mut mirrors: Vec<Mirror> = Vec::new();
    let mut add = |index: usize, written: &document::Destination, millionths: u32, at: &mut At| {
        let destination = destination(index, written, from, scope, at);
        // Named after where the copy goes: an insertion moves no draws.
        let port = written.port.as_ref().map(|port| port.number.to_string()).unwrap_or_default();
        let first = format!("{draws}/mirror/{}|{}|{port}", destination.host, destination.subset);
        let repeats = mirrors.iter().filter(|mirror| {
            mirror.chance.name.strip_prefix(&*first).is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
        });
        let repeats = repeats.count();
        let name = if repeats == 0 { first } else { format!("{first}#{}", repeats.saturating_add(1)) };
        let chance = Chance::new(scope.seed, &name, millionths);
        // istio.md 1.14: an explicit 0 is no mirror at all.
        if millionths > 0 {
            mirrors.push(Mirror { chance, destination });
        }
    };
    let percent = http.mirror_percent.or(http.mirror_percent_snake).map(|percent| {
        if percent > 100 {
            at.field("mirrorPercent", |at| at.error(format!("`{percent}` is no percentage: 0 to 100")));
        }
        percent.saturating_mul(10_000)
    });
    let percentage = http.mirror_percentage.as_ref();
    let percentage = percentage.map(|percent| at.field("mirrorPercentage", |at| millionths(percent, Least::Any, at)));
    if let Some(written) = &http.mirror {
        at.field("mirror", |at| add(0, written, percentage.or(percent).unwrap_or(WHOLE), at));
    }
    at.field("mirrors", |at| {
        for (index, mirror) in http.mirrors.iter().enumerate() {
            at.index(index, |at| {
                let percentage = mirror.percentage.as_ref();
                let share = percentage.map(|percent| at.field("percentage", |at| millionths(percent, Least::Any, at)));
                match &mirror.destination {
                    Some(written) => at.field("destination", |at| add(index, written, share.unwrap_or(WHOLE), at)),
                    None => at.error("`destination` is missing"),
                }
            });
        }
    });
    mirrors
}

/// What tells a destination from others of its rule: host, subset, and the port where one is written.
fn identity(destination: &Destination, http: &HttpRoute) -> String {
    let port = http.route.get(destination.index).and_then(|written| written.destination.port.as_ref());
    let port = port.map(|port| port.number.to_string()).unwrap_or_default();
    format!("{}|{}|{port}", destination.host, destination.subset)
}

fn destination(
    index: usize,
    written: &document::Destination,
    from: &From<'_>,
    scope: &Scope<'_>,
    at: &mut At,
) -> Destination {
    at.field("host", |at| {
        name::check_host(&written.host, at);
        if written.host.contains('*') {
            at.error("a destination is one host, not a wildcard");
        }
    });
    if !written.subset.is_empty() {
        at.field("subset", |at| name::check_label(&written.subset, "subset", at));
    }
    let host = name::resolve(&written.host, from.namespace, scope.domain);
    let port = match &written.port {
        Some(selector) => {
            if selector.number == 0 {
                at.field("port", |at| at.field("number", |at| at.error("`0` is out of range: 1 to 65535")));
            }
            selector.number
        }
        None => match scope.services.get(&host).map(|service| service.ports.as_slice()) {
            Some([only]) => *only,
            _ => scope.port,
        },
    };
    let subset = written.subset.as_str();
    let cluster = format!("outbound|{port}|{subset}|{host}").into();
    let hash = scope.hashes.find(&host, subset, written.port.as_ref().map(|port| port.number)).cloned();
    Destination {
        host: host.into(),
        subset: subset.into(),
        port,
        cluster,
        index,
        authority: None,
        hash,
        request: Levels::default(),
        response: Levels::default(),
    }
}
