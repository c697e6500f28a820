//! A document to a policy, or everything that is wrong with it.

mod block;
mod name;
mod tag;
mod virtual_service;

use crate::document::{Document, Service};
use crate::draw::Seed;
use crate::error::{At, Error, is_directly_below};
use crate::policy::Policy;
use crate::read::{parse, read_on};
use std::collections::BTreeMap;

pub use name::{aliases, resolve};

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
    let errors = at.into_errors();
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Policy {
        mode: document.mode,
        access_log: document.access_log,
        control_headers: document.control_headers,
        on_unmatched: document.on_unmatched,
        seed: scope.seed,
        tags,
        rules: routing.rules.into(),
        hosts: routing.hosts,
    })
}

/// What names and selectors mean, while a document is compiled.
struct Scope<'a> {
    namespace: &'a str,
    domain: &'a str,
    proxy_namespace: &'a str,
    gateways: Vec<String>,
    is_mesh: bool,
    port: u16,
    labels: &'a BTreeMap<String, String>,
    services: BTreeMap<String, &'a Service>,
    /// The tags' headers in lower case, in order.
    tag_headers: Vec<Box<str>>,
    seed: Seed,
}

impl<'a> Scope<'a> {
    fn new(document: &'a Document, at: &mut At) -> Self {
        let or = |text: &'a str, default: &'static str| if text.is_empty() { default } else { text };
        let namespace = or(&document.namespace, "default");
        let proxy = &document.proxy;
        let gateways: Vec<String> = if proxy.gateways.is_empty() {
            vec![name::MESH.into()]
        } else {
            proxy.gateways.iter().map(|gateway| name::resolve_gateway(gateway, namespace)).collect()
        };
        at.field("namespace", |at| name::check_label(namespace, "namespace", at));
        let mut services = BTreeMap::new();
        at.field("services", |at| {
            for (index, service) in document.services.iter().enumerate() {
                let host = service.host.to_ascii_lowercase();
                if services.insert(host, service).is_some() {
                    at.index(index, |at| at.error(format!("`{}` is listed twice", service.host)));
                }
            }
        });
        Self {
            namespace,
            domain: or(&document.domain, "cluster.local"),
            proxy_namespace: if proxy.namespace.is_empty() { namespace } else { &proxy.namespace },
            is_mesh: gateways.iter().any(|gateway| gateway == name::MESH),
            gateways,
            port: proxy.port.unwrap_or(80),
            labels: &proxy.labels,
            services,
            tag_headers: document.tags.iter().map(|tag| tag.header.to_ascii_lowercase().into()).collect(),
            seed: Seed::new(&document.seed),
        }
    }
}

#[cfg(test)]
mod tests;
