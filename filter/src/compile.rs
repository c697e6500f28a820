//! A document to a policy, or everything that is wrong with it.

mod bind;
mod block;
mod check;
pub mod delegate;
mod hash;
mod name;
pub(crate) mod places;
mod rule;
mod tag;
mod virtual_service;

use crate::document::{Document, HttpCookie, MetricsDetail, PortHash, Service, StickyBy, VirtualService};
use crate::draw::Seed;
use crate::error::{At, Error, is_directly_below};
use crate::json::parse;
use crate::policy::Policy;
use crate::read::read_on;
use crate::series::{self, SeriesTable};
use crate::split::{Split, Subject};
use places::Places;
use std::collections::BTreeMap;

pub(crate) use name::check_authority;
pub use name::{aliases, is_any_label, is_label, resolve, resolve_gateway};

/// The most that `maxDelayed` may be: each takes its place in a list.
const MOST_DELAYED: u32 = 100_000;

/// Compiles a configuration as Envoy hands it over: JSON text.
///
/// # Errors
/// Every error, each with its field path. A configuration with any is refused whole.
pub fn compile_json(text: &[u8]) -> Result<Policy, Vec<Error>> {
    let wrong = |message: String| vec![Error { path: String::new(), message }];
    // No pluginConfig at all arrives as no bytes.
    if text.is_empty() {
        return Err(wrong("the configuration is empty: give the plugin its configuration as JSON".into()));
    }
    let value = parse(text).map_err(|e| wrong(format!("the configuration is no JSON: {e}")))?;
    let (document, mut errors) = read_on(&value);
    match document.as_ref().map(compile) {
        Some(Ok(policy)) if errors.is_empty() => Ok(policy),
        Some(Err(mut more)) => {
            more.retain(|error| !errors.iter().any(|first| is_directly_below(&error.path, &first.path)));
            errors.extend(more);
            Err(errors)
        }
        _ => Err(errors),
    }
}

/// Compiles a document.
///
/// # Errors
/// Every error, each with its field path. A document with any is refused whole.
pub fn compile(document: &Document) -> Result<Policy, Vec<Error>> {
    let mut at = At::root();
    let scope = Scope::new(document, &mut at);
    let tags = tag::compile(document, &scope, &mut at);
    let routing = virtual_service::compile(document, &scope, &mut at);
    check_cookies(document, &mut at);
    if document.max_delayed.is_some_and(|most| most > MOST_DELAYED) {
        at.field("maxDelayed", |at| at.error(format!("at most {MOST_DELAYED} requests can wait at once, per worker")));
    }
    let errors = at.into_errors();
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut policy = Policy {
        mode: document.mode,
        access_log: document.access_log,
        control_headers: document.control_headers,
        on_unmatched: document.on_unmatched,
        faults: document.faults,
        max_delayed: document.max_delayed.unwrap_or(1000),
        seed: scope.seed,
        tags,
        rules: routing.rules.into(),
        hosts: routing.hosts,
        routes: routing.routes.into(),
        asks_query: false,
        series: SeriesTable::default(),
    };
    let by_query = |split: &Split| matches!(split.subject, Subject::Query { .. });
    policy.asks_query = policy.matches_query() || policy.splits().any(by_query);
    match SeriesTable::new(&policy, document.metrics) {
        Ok(series) => policy.series = series,
        Err(count) => {
            // The same on every platform, however many there would be.
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            let what = if document.metrics == MetricsDetail::Rule { "rule, destination" } else { "destination" };
            return Err(vec![Error {
                path: "metrics".into(),
                message: format!(
                    "{count} series of VirtualService, {what}, tag value and outcome, at most {} are allowed: write \
                     `metrics: total`",
                    series::MOST
                ),
            }]);
        }
    }
    Ok(policy)
}

/// Notes a cookie that two choices issue differently: one user would be two subjects.
fn check_cookies(document: &Document, at: &mut At) {
    let tags = document.tags.iter().enumerate().map(|(index, tag)| (format!("tags[{index}]"), &tag.sticky_by));
    let rules = document.virtual_services.iter().enumerate().flat_map(|(vs, service)| {
        let rules = service.http.iter().enumerate();
        rules.map(move |(rule, http)| (format!("virtualServices[{vs}].http[{rule}]"), &http.sticky_by))
    });
    let mut places = Places::default();
    let mut known: Vec<(&HttpCookie, String)> = Vec::new();
    for (field, sticky) in tags.chain(rules) {
        let Some(cookie) = sticky.as_ref().and_then(|sticky| sticky.http_cookie.as_ref()) else { continue };
        let (place, is_new) = places.enter(cookie.name.clone(), known.len());
        if is_new {
            known.push((cookie, field.clone()));
        }
        let Some((first, place)) = known.get(place) else { continue };
        check_alike(first, place, cookie, &format!("{field}.stickyBy.httpCookie"), at);
    }
    // Hosts may be chosen by cookies that are issued otherwise, as in Istio; but not by those that keep a choice.
    let mut check = |hash: Option<&StickyBy>, ports: &[PortHash], field: &str| {
        let ports = ports.iter().enumerate().map(|(index, one)| (format!("{field}.portHashes[{index}]"), &one.hash));
        for (field, hash) in hash.map(|hash| (field.to_owned(), hash)).into_iter().chain(ports) {
            let Some(cookie) = hash.http_cookie.as_ref().filter(|cookie| cookie.ttl.is_some()) else { continue };
            if let Some((first, place)) = places.get(&cookie.name).and_then(|place| known.get(place)) {
                check_alike(first, place, cookie, &format!("{field}.hash.httpCookie"), at);
            }
        }
    };
    for (index, service) in document.services.iter().enumerate() {
        let field = format!("services[{index}]");
        check(service.hash.as_ref(), &service.port_hashes, &field);
        for (index, subset) in service.subsets.iter().enumerate() {
            check(subset.hash.as_ref(), &subset.port_hashes, &format!("{field}.subsets[{index}]"));
        }
    }
}

fn check_alike(first: &HttpCookie, place: &str, cookie: &HttpCookie, field: &str, at: &mut At) {
    let path = |cookie: &HttpCookie| cookie.path.trim_end_matches('/').to_owned();
    if first.ttl != cookie.ttl || path(first) != path(cookie) || first.attributes != cookie.attributes {
        at.at(field, |at| {
            at.error(format!(
                "cookie `{}` has another `ttl`, `path` or `attributes` in `{place}.stickyBy`: write them alike",
                cookie.name
            ));
        });
    }
}

/// What names and selectors mean, while a document is compiled.
struct Scope<'a> {
    namespace: &'a str,
    domain: &'a str,
    proxy_namespace: &'a str,
    gateways: Vec<String>,
    is_mesh: bool,
    port: u16,
    tls: Option<bool>,
    labels: &'a BTreeMap<String, String>,
    /// Places of `services` by host.
    services: Places,
    document: &'a Document,
    /// VirtualServices without hosts by namespace and name, sorted, each with its place.
    delegates: Vec<(&'a str, &'a str, usize)>,
    hashes: hash::Hashes<'a>,
    /// The tags' headers in lower case, in order.
    tag_headers: Vec<Box<str>>,
    seed: Seed,
}

impl<'a> Scope<'a> {
    fn new(document: &'a Document, at: &mut At) -> Self {
        let or = |text: &'a str, default: &'a str| if text.is_empty() { default } else { text };
        let namespace = or(&document.namespace, "default");
        let proxy = &document.proxy;
        let gateways: Vec<String> = if proxy.gateways.is_empty() {
            vec![name::MESH.into()]
        } else {
            proxy.gateways.iter().map(|gateway| resolve_gateway(gateway, namespace)).collect()
        };
        at.field("namespace", |at| name::check_label(namespace, "namespace", at));
        at.field("domain", |at| name::check_host(or(&document.domain, "cluster.local"), at));
        at.field("proxy", |at| {
            if !proxy.namespace.is_empty() {
                at.field("namespace", |at| name::check_label(&proxy.namespace, "namespace", at));
            }
            at.field("gateways", |at| {
                for (index, gateway) in proxy.gateways.iter().enumerate() {
                    at.index(index, |at| name::check_gateway(gateway, at));
                }
            });
            if proxy.port == Some(0) {
                at.field("port", |at| at.error("`0` is out of range: 1 to 65535"));
            }
        });
        let mut services = Places::default();
        at.field("services", |at| {
            for (index, service) in document.services.iter().enumerate() {
                let host = service.host.to_ascii_lowercase();
                if !services.enter(host, index).1 {
                    at.index(index, |at| at.error(format!("`{}` is listed twice", service.host)));
                }
            }
        });
        let tag_headers: Vec<Box<str>> =
            document.tags.iter().map(|tag| tag.header.to_ascii_lowercase().into()).collect();
        let all = document.virtual_services.iter().enumerate().filter(|(_, vs)| vs.hosts.is_empty());
        let mut delegates: Vec<(&str, &str, usize)> =
            all.map(|(index, vs)| (or(&vs.namespace, namespace), &*vs.name, index)).collect();
        delegates.sort_unstable();
        Self {
            namespace,
            domain: or(&document.domain, "cluster.local"),
            proxy_namespace: if proxy.namespace.is_empty() { namespace } else { &proxy.namespace },
            is_mesh: gateways.iter().any(|gateway| gateway == name::MESH),
            gateways,
            port: proxy.port.unwrap_or(80),
            tls: proxy.tls,
            labels: &proxy.labels,
            services,
            document,
            delegates,
            hashes: hash::Hashes::new(document, &tag_headers, at),
            tag_headers,
            seed: Seed::new(&document.seed),
        }
    }

    /// The service of a full host name.
    fn service(&self, host: &str) -> Option<&'a Service> {
        self.document.services.get(self.services.get(host)?)
    }

    /// A delegate, with its place among the VirtualServices.
    fn delegate(&self, namespace: &str, name: &str) -> Option<(usize, &'a VirtualService)> {
        let found = self.delegates.binary_search_by(|(its, own, _)| (*its, *own).cmp(&(namespace, name))).ok()?;
        let (.., index) = *self.delegates.get(found)?;
        Some((index, self.document.virtual_services.get(index)?))
    }
}

#[cfg(test)]
mod tests;
