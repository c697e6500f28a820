//! VirtualServices: what this listener routes, for which hosts, in which order (istio.md 1.1, 1.5, 1.6).

use super::block::{self, Place};
use super::{Scope, name};
use crate::block::Block;
use crate::document::{self, Document, HttpRoute};
use crate::duration;
use crate::error::At;
use crate::matcher::host::HostMatch;
use crate::policy::{Destination, Route, Rule, VirtualHost};
use crate::retry::Retries;
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
}

/// A route before it is put into virtual hosts.
struct Emitted {
    rule: usize,
    index: Option<usize>,
    block: Arc<Block>,
}

/// Compiles all VirtualServices.
pub fn compile(document: &Document, scope: &Scope<'_>, at: &mut At) -> Routing {
    let mut routing = Routing::default();
    // A stable sort: the document's order decides what names and times leave open.
    let mut order: Vec<(usize, &document::VirtualService)> = document.virtual_services.iter().enumerate().collect();
    order.sort_by_key(|(_, vs)| (&vs.creation_timestamp, &vs.name, namespace(vs, scope).to_owned()));
    let mut emitted: Vec<(Vec<String>, Vec<Emitted>)> = Vec::new();
    let mut seen = BTreeSet::new();
    at.field("virtualServices", |at| {
        for (index, vs) in order {
            at.index(index, |at| {
                if !seen.insert((namespace(vs, scope), &vs.name)) {
                    at.field("name", |at| at.error(format!("`{}/{}` is there twice", namespace(vs, scope), vs.name)));
                }
                let routes = one(index, vs, scope, &mut routing.rules, at);
                let hosts =
                    vs.hosts.iter().map(|host| name::resolve(host, namespace(vs, scope), scope.domain)).collect();
                emitted.push((hosts, routes));
            });
        }
    });
    bind(&emitted, scope, &mut routing.hosts);
    routing
}

/// Puts routes into virtual hosts. In a mesh the first VirtualService for a host has it alone; on a gateway their
/// routes follow each other, those that take everything last.
fn bind(emitted: &[(Vec<String>, Vec<Emitted>)], scope: &Scope<'_>, hosts: &mut HostMatch<VirtualHost>) {
    let mut claimed = BTreeSet::new();
    let mut wildcards: BTreeMap<String, usize> = BTreeMap::new();
    for (index, (names, routes)) in emitted.iter().enumerate() {
        // A VirtualService without a route for this proxy does not exist for it.
        if routes.is_empty() {
            continue;
        }
        for host in names {
            let mut domains = vec![host.clone()];
            if scope.is_mesh {
                domains.extend(name::aliases(host, scope.proxy_namespace));
                if host.starts_with('*') {
                    wildcards.entry(host.clone()).or_insert(index);
                }
            }
            for domain in domains {
                if claimed.insert(domain.clone()) || !scope.is_mesh {
                    hosts.entry(&domain, VirtualHost::default).routes.extend(copy(routes));
                }
            }
        }
    }
    // Services that only a wildcard covers are served under their short names too.
    for service in scope.services.keys() {
        let cover = wildcards.iter().filter(|(host, _)| service.ends_with(host.trim_start_matches('*')));
        let Some((_, (_, routes))) =
            cover.max_by_key(|(host, _)| host.len()).and_then(|(host, index)| Some((host, emitted.get(*index)?)))
        else {
            continue;
        };
        if claimed.contains(service) {
            continue;
        }
        for domain in core::iter::once(service.clone()).chain(name::aliases(service, scope.proxy_namespace)) {
            if claimed.insert(domain.clone()) {
                hosts.entry(&domain, VirtualHost::default).routes.extend(copy(routes));
            }
        }
    }
    if !scope.is_mesh {
        hosts.for_each(|host| host.routes.sort_by_key(|route| route.block.is_catch_all()));
    }
}

fn copy(routes: &[Emitted]) -> impl Iterator<Item = Route> {
    routes.iter().map(|route| Route { rule: route.rule, index: route.index, block: Arc::clone(&route.block) })
}

fn namespace<'a>(vs: &'a document::VirtualService, scope: &Scope<'a>) -> &'a str {
    if vs.namespace.is_empty() { scope.namespace } else { &vs.namespace }
}

fn one(
    index: usize,
    vs: &document::VirtualService,
    scope: &Scope<'_>,
    rules: &mut Vec<Rule>,
    at: &mut At,
) -> Vec<Emitted> {
    let namespace = namespace(vs, scope);
    check(vs, at);
    let mut emitted = Vec::new();
    let mut caught_all = false;
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    at.field("http", |at| {
        for (rule_index, http) in vs.http.iter().enumerate() {
            // Draws hang on the name: a second rule of one name counts on.
            let count = names.entry(&http.name).and_modify(|count| *count = count.saturating_add(1)).or_insert(1);
            let name = match (http.name.as_str(), *count) {
                ("", _) => format!("http[{rule_index}]"),
                (name, 1) => name.to_owned(),
                (name, count) => format!("{name}#{count}"),
            };
            let place = Place::VirtualService { namespace, gateways: &vs.gateways };
            at.index(rule_index, |at| {
                let blocks = block::compile_all(&http.matches, place, scope, at);
                let from = From { vs: index, vs_name: &vs.name, namespace, index: rule_index, name };
                let Some((blocks, rule)) = blocks.zip(rule(http, from, scope, at)) else {
                    return;
                };
                if blocks.is_empty() {
                    return;
                }
                let number = rules.len();
                rules.push(rule);
                for (index, block) in blocks {
                    if !caught_all {
                        caught_all = block.is_catch_all();
                        emitted.push(Emitted { rule: number, index, block: Arc::new(block) });
                    }
                }
            });
        }
    });
    emitted
}

fn check(vs: &document::VirtualService, at: &mut At) {
    if !vs.namespace.is_empty() {
        at.field("namespace", |at| name::check_label(&vs.namespace, "namespace", at));
    }
    if vs.hosts.is_empty() {
        at.error("`hosts` is missing: a VirtualService without hosts is a delegate, which is not supported yet");
    }
    at.field("hosts", |at| {
        let mesh = vs.gateways.is_empty() || vs.gateways.iter().any(|gateway| gateway == name::MESH);
        for (index, host) in vs.hosts.iter().enumerate() {
            at.index(index, |at| {
                name::check_host(host, at);
                if host == "*" && mesh {
                    at.error("`*` is not allowed in the mesh: name the hosts, or bind it to a gateway");
                }
                if vs.hosts.iter().take(index).any(|other| other.eq_ignore_ascii_case(host)) {
                    at.error(format!("`{host}` is listed twice"));
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
    if http.route.is_empty() {
        at.error(
            "`route` is missing: a rule needs a destination (`redirect` and `directResponse` are not supported yet)",
        );
    }
    let mut destinations = Vec::new();
    let mut weights = Vec::new();
    at.field("route", |at| {
        for (index, written) in http.route.iter().enumerate() {
            at.index(index, |at| {
                let destination =
                    at.field("destination", |at| destination(index, &written.destination, &from, scope, at));
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
        if destinations.is_empty() && !http.route.is_empty() {
            at.error("the sum of all weights is 0: give one destination at least 1");
        }
    });
    let subject = at
        .field("stickyBy", |at| Subject::compile(http.sticky_by.as_ref(), |name| tag_of(&scope.tag_headers, name), at));
    let rewrite = http.rewrite.as_ref().and_then(|rewrite| at.field("rewrite", |at| rewrite_uri(&rewrite.uri, at)));
    let timeout =
        http.timeout.as_ref().and_then(|timeout| at.field("timeout", |at| duration::compile_positive(timeout, at)));
    let retries = at.field("retries", |at| Retries::compile(http.retries.as_ref(), at));
    if at.count() > before {
        return None;
    }
    let split = (destinations.len() > 1).then_some(()).and_then(|()| {
        let identities = destinations.iter().map(|destination| &*destination.cluster).zip(weights);
        let name = format!("{}/{}/{}/split", from.namespace, from.vs_name, from.name);
        Some(Split::new(scope.seed, &name, subject?, identities))
    });
    let retries = retries.flatten();
    Some(Rule {
        virtual_service: format!("{}/{}", from.namespace, from.vs_name).into(),
        virtual_service_index: from.vs,
        index: from.index,
        name: from.name.into(),
        destinations: destinations.into(),
        split,
        rewrite,
        timeout,
        retry_headers: retries.as_ref().map(Retries::headers).unwrap_or_default().into(),
        retries,
    })
}

fn rewrite_uri(uri: &str, at: &mut At) -> Option<Box<str>> {
    if uri.is_empty() {
        at.error("`uri` is missing: a rewrite needs one");
        return None;
    }
    if !uri.bytes().all(|b| (0x21..0x7f).contains(&b)) {
        at.field("uri", |at| at.error(format!("`{}` is no path: percent-encode it", uri.escape_debug())));
        return None;
    }
    Some(uri.into())
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
    Destination { host: host.into(), subset: subset.into(), port, cluster, index }
}
