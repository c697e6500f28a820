//! What is wrong with a VirtualService, beside what is wrong with its parts (istio.md 1.16, 1.18).

use super::places::Places;
use super::{Scope, name};
use crate::document::{self, HttpRoute};
use crate::error::At;

/// Notes what is wrong with a VirtualService as a whole.
pub fn check(vs: &document::VirtualService, namespace: &str, scope: &Scope<'_>, at: &mut At) {
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
    let mut listed = Places::default();
    at.field("exportTo", |at| {
        for (index, to) in written.iter().enumerate() {
            let wrong = match to.as_str() {
                "~" => "`~` would hide it from everybody: leave the VirtualService out".to_owned(),
                "*" if written.len() > 1 => "`*` is everybody: leave the others out".to_owned(),
                "*" => continue,
                _ if !name::is_label(&full(to)) => {
                    format!("`{}` is no namespace: write `.`, `*` or a name", to.escape_debug())
                }
                _ if !listed.enter(full(to), index).1 => {
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
    let mut first = Places::default();
    for (index, host) in resolved.iter().enumerate() {
        first.enter(host.clone(), index);
    }
    for (index, host) in resolved.iter().enumerate() {
        let dots = host
            .char_indices()
            .filter(|(_, c)| *c == '.')
            .map(|(dot, _)| format!("*{}", &host.get(dot..).unwrap_or("")));
        let wider = dots.chain(["*".to_owned()]).filter(|wide| wide != host).find_map(|wide| first.get(&wide));
        let same = first.get(host).filter(|first| *first < index);
        let Some(other) = same.or(wider) else { continue };
        let (late, early) = (index.max(other), index.min(other));
        let (Some(late_host), Some(early_host)) = (vs.hosts.get(late), vs.hosts.get(early)) else { continue };
        let message = format!("`{late_host}` and `{early_host}` overlap: leave one of them out");
        at.field("hosts", |at| at.index(late, |at| at.error(message)));
    }
}

/// Notes actions that exclude each other, or that there is none (istio.md 1.18).
pub fn check_actions(http: &HttpRoute, at: &mut At) {
    let actions = [
        ("route", !http.route.is_empty()),
        ("redirect", http.redirect.is_some()),
        ("directResponse", http.direct_response.is_some()),
    ];
    let set: Vec<&str> = actions.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
    match set.as_slice() {
        [] => at.error("a rule needs `route`, `redirect`, `directResponse` or `delegate`"),
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
pub fn check_delegation(http: &HttpRoute, delegate: &document::Delegate, is_delegate: bool, at: &mut At) {
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
