//! VirtualServices of other Gateways whose requests an embedded one would take. In Istio the plain servers of a listener have
//! their routes together, so that the more exact host wins, whoever has it; the filter has only what is embedded.

use super::configured::Configured;
use super::embedded::is_bound;
use super::listening::Listening;
use super::selection::Target;
use super::server::Server;
use super::workload::Workload;
use super::{Via, server};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifest, Manifests};
use crate::translate::{covers, meet};
use crate::yaml::Path;
use serde_json::Value;
use std::collections::BTreeSet;
use switchyard_filter::compile::delegate::visibility;
use switchyard_filter::compile::resolve;
use switchyard_filter::document::{Document, VirtualService};

/// A host that one embedded takes from another.
#[derive(Debug)]
pub struct Taken<'a, 'd> {
    /// Whose it is in Istio.
    pub manifest: &'a Manifest,
    /// The host.
    pub host: String,
    /// What takes it.
    pub by: &'d VirtualService,
    /// The host of it that does.
    pub wide: String,
}

impl Taken<'_, '_> {
    /// What becomes of its requests.
    pub fn message(&self) -> String {
        let Self { manifest, host, by, wide } = self;
        let why = if host == wide { "the rules of both count" } else { "the more exact host wins" };
        format!(
            "requests for `{host}` of `{manifest}` come to the same port, and `{wide}` of `{}/{}` takes them: in Istio {why}",
            by.namespace, by.name
        )
    }
}

/// The servers of the proxies of a target, and where they listen.
#[derive(Debug)]
pub struct Served<'a> {
    /// All that select them.
    pub servers: Vec<Server<'a>>,
    /// Where they are.
    pub listening: Listening,
}

impl<'a> Served<'a> {
    /// As manifests tell.
    pub fn new(manifests: &'a Manifests, target: &Target, workloads: &[Workload<'_>]) -> Self {
        let servers = server::all(manifests, target, workloads);
        let listening = Listening::new(manifests, target, &servers, workloads);
        Self { servers, listening }
    }

    /// What a document takes at one of the target's ports from VirtualServices of other Gateways; the first host of each.
    pub fn taken<'d>(
        &self,
        port: u16,
        manifests: &'a Manifests,
        document: &'d Document,
        target: &Target,
    ) -> Vec<Taken<'a, 'd>> {
        let plain =
            |server: &&Server<'_>| self.listening.of(server.port) == port && !server.is_https && server.has_requests();
        let (own, others): (Vec<&Server<'_>>, Vec<&Server<'_>>) =
            self.servers.iter().filter(plain).partition(|server| server.is_of(target));
        let others: Vec<_> =
            others.into_iter().filter(|other| own.iter().any(|server| server.shares_routes(other))).collect();
        let is_in = |manifest: &Manifest| {
            document.virtual_services.iter().any(|one| one.name == manifest.name && one.namespace == manifest.namespace)
        };
        let services = manifests.of(Kind::VirtualService).filter(|one| !is_in(one) && is_visible(one, document));
        services
            .filter_map(|manifest| {
                let bound = others.iter().filter(|other| is_bound(manifest, std::slice::from_ref(&other.gateway)));
                let mut hosts = bound.flat_map(|other| hosts_at(manifest, other, document));
                hosts.find_map(|host| by(manifest, host, document))
            })
            .collect()
    }
}

/// Whether it has rules for requests, and is exported to the proxy.
fn is_visible(manifest: &Manifest, document: &Document) -> bool {
    let spec = manifest.spec();
    let strings = |field: &str| -> Vec<String> {
        spec[field].as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let to = strings("exportTo");
    let namespace = Some(&document.proxy.namespace).filter(|own| !own.is_empty()).unwrap_or(&document.namespace);
    spec["http"].as_array().is_some_and(|rules| !rules.is_empty())
        && (to.is_empty() || visibility(&to, &manifest.namespace, namespace).is_some())
}

/// Its hosts that a server has.
fn hosts_at(manifest: &Manifest, server: &Server<'_>, document: &Document) -> Vec<String> {
    let spec = manifest.spec();
    let written = spec["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let full: Vec<_> = written.map(|host| resolve(host, &manifest.namespace, &document.domain)).collect();
    let own = server.hosts.iter().filter(|host| host.allows(&manifest.namespace));
    own.flat_map(|own| full.iter().filter_map(|host| meet(&own.host, host)).collect::<Vec<_>>()).collect()
}

/// What is embedded and has such a host.
fn by<'a, 'd>(manifest: &'a Manifest, host: String, document: &'d Document) -> Option<Taken<'a, 'd>> {
    let full = |service: &'d VirtualService, written: &str| resolve(written, &service.namespace, &document.domain);
    let mut embedded = document
        .virtual_services
        .iter()
        .flat_map(|service| service.hosts.iter().map(move |written| (service, full(service, written))));
    let (by, wide) = embedded.find(|(_, wide)| covers(wide, &host))?;
    Some(Taken { manifest, host, by, wide })
}

/// Those of manifests, with what to do.
pub fn refused(
    served: &Served<'_>,
    manifests: &Manifests,
    configured: &[Configured],
    target: &Target,
    via: Via,
) -> Vec<Diagnostic> {
    let mut found = vec![];
    let mut told = BTreeSet::new();
    if via == Via::Tags {
        return found;
    }
    for one in configured {
        for taken in one.ports.iter().flat_map(|port| served.taken(*port, manifests, &one.document, target)) {
            let (loser, by) = (taken.manifest, taken.by);
            if !told.insert((&loser.namespace, &loser.name)) {
                continue;
            }
            let hosts = Path::root().field("spec").field("hosts");
            let help = format!(
                "generate for all Gateways of these pods at once, with `--workload NS/KEY=VALUE` and the pods' labels, or leave \
                 `{}/{}` to Istio (annotate it with `switchyard.dev/embed: \"false\"`)",
                by.namespace, by.name
            );
            let winner = manifests
                .of(Kind::VirtualService)
                .find(|manifest| manifest.namespace == by.namespace && manifest.name == by.name);
            let error = loser.error(&hosts, &taken.message()).help(help);
            found.push(match winner {
                Some(winner) => error.also(winner.place(&hosts), "takes them"),
                None => error,
            });
        }
    }
    found
}
