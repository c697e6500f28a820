//! One rule of a VirtualService: where its requests go, and what becomes of them on the way (istio.md 1.5 to 1.14).

use super::places::Places;
use super::{Scope, name};
use crate::answer::{Answer, Direct, Listener, Redirect};
use crate::chance::{Chance, Least, WHOLE, millionths};
use crate::cors::Cors;
use crate::document::{self, HttpRoute};
use crate::duration;
use crate::error::At;
use crate::fault::Fault;
use crate::mirror::Mirror;
use crate::operations::{self, Levels, Operations};
use crate::policy::{Destination, Rule};
use crate::retry::Retries;
use crate::rewrite::Rewrite;
use crate::split::{Split, Subject};
use crate::tag::tag_of;
use std::sync::Arc;

/// Where a rule comes from.
pub struct From<'a> {
    /// The place of its VirtualService in the document.
    pub vs: usize,
    /// That one's name.
    pub vs_name: &'a str,
    /// That one's namespace.
    pub namespace: &'a str,
    /// Its place in `http`.
    pub index: usize,
    /// Its name, as draws have it.
    pub name: String,
}

/// Compiles a rule; `None` when something is wrong, which has been noted.
pub fn rule(http: &HttpRoute, from: From<'_>, scope: &Scope<'_>, at: &mut At) -> Option<Rule> {
    let before = at.count();
    operations::check_authority_once(http, at);
    let draws = format!("{}/{}/{}", from.namespace, from.vs_name, from.name);
    let written = http.headers.as_ref();
    let (request, rule_authority) = request_operations(written, at);
    let request = request.map(Arc::new);
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
                destination.response = levels(several, own_response, response.as_ref());
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
    let listener = Listener { port: scope.port, is_mesh: scope.is_mesh, tls: scope.tls };
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
fn levels(several: bool, own: Option<Operations>, rule: Option<&Arc<Operations>>) -> Levels {
    match (own, rule) {
        (Some(own), Some(rule)) if !several => {
            let mut one = Operations::clone(rule);
            one.append(own);
            vec![Arc::new(one)].into()
        }
        // All destinations share the rule's.
        (own, rule) => own.map(Arc::new).into_iter().chain(rule.cloned()).collect(),
    }
}

fn mirrors(http: &HttpRoute, from: &From<'_>, draws: &str, scope: &Scope<'_>, at: &mut At) -> Vec<Mirror> {
    let mut mirrors: Vec<Mirror> = Vec::new();
    let mut named = Places::default();
    let mut add = |index: usize, written: &document::Destination, millionths: u32, at: &mut At| {
        let destination = destination(index, written, from, scope, at);
        // Named after where the copy goes: an insertion moves no draws.
        let port = written.port.as_ref().map(|port| port.number.to_string()).unwrap_or_default();
        let first = format!("{draws}/mirror/{}|{}|{port}", destination.host, destination.subset);
        let count = named.get(&first).unwrap_or(0).saturating_add(1);
        let name = if count == 1 { first.clone() } else { format!("{first}#{count}") };
        named.set(first, count);
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
        at.field("subset", |at| name::check_subset(&written.subset, at));
    }
    let host = name::resolve(&written.host, from.namespace, scope.domain);
    let port = match &written.port {
        Some(selector) => {
            if selector.number == 0 {
                at.field("port", |at| at.field("number", |at| at.error("`0` is out of range: 1 to 65535")));
            }
            selector.number
        }
        None => match scope.service(&host).map(|service| service.ports.as_slice()) {
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
