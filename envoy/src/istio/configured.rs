//! The filter's configurations: one for all ports where the policy does not hang on the port, else one for each.

use super::listening::Listening;
use super::selection::{GATEWAY_API, Place, Target};
use super::server::Server;
use super::{Settings, Via, imported, joined, mesh, narrowed, owned, tags};
use crate::bootstrap::too_many_mirrors;
use crate::diagnostic::{Diagnostic, sort};
use crate::manifest::{Kind, Manifest, Manifests};
use crate::translate::{Listener, Model, Options, unexpected_tls};
use crate::yaml::{Node, Path};
use std::collections::BTreeSet;
use switchyard_filter::compile::resolve;
use switchyard_filter::document::{ControlHeaders, Document, FaultCarrier, Mode, OnUnmatched, Proxy, VirtualService};
use switchyard_filter::{Policy, compile};

/// One configuration and where it counts.
#[derive(Debug)]
pub struct Configured {
    /// The ports of its listeners, as policies mean them; none: every port.
    pub ports: BTreeSet<u16>,
    /// The ports that select those listeners; none: every port.
    pub matched: BTreeSet<u16>,
    /// The configuration.
    pub document: Document,
    /// The same, compiled.
    pub policy: Policy,
    /// Headers of tags that can be removed from every request before the filter sees it.
    pub stripped: BTreeSet<String>,
    /// What the manifests say that is embedded here: a line for each.
    pub embedded: Vec<String>,
}

impl Configured {
    /// Whether decisions are carried out.
    pub fn is_enforced(&self) -> bool {
        self.policy.mode() == Mode::Enforce
    }
}

/// All of them, and what to look at in the manifests.
pub fn all(
    manifests: &Manifests,
    options: &Options,
    settings: &Settings,
    target: &Target,
    (servers, listening): (&[Server<'_>], &Listening),
) -> Result<(Vec<Configured>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut prepared = mesh::prepare(manifests, target, settings.via);
    joined::renumber(&mut prepared, listening);
    let hidden = match settings.via {
        Via::ClusterHeader => {
            imported::hide(&mut prepared, manifests, target, &settings.root_namespace, &options.domain)
        }
        Via::Tags => imported::Hidden::default(),
    };
    let model = Model::new(&prepared, options).map_err(of_mesh)?;
    let mut warnings = of_mesh(model.warnings().to_vec());
    warnings.extend(hidden.told);
    let routes = http_route_hosts(manifests, options, target);
    let https_ports = mesh::https_ports(manifests, target).into_iter().map(|port| listening.of(port)).collect();
    let (configured, asks_for_port) = match settings.via {
        Via::Tags => {
            let tagging = Tagging { target, routes: &routes };
            let asks = model.tags_ask_for_port();
            let (mut made, mut wrong) = (vec![], vec![]);
            for proxy in proxies(&model, target, asks, &https_ports) {
                let listener = model.listener(&proxy)?;
                if target.is_gateway() {
                    warnings.extend(tags::passing_elsewhere(&listener));
                } else if asks && target.place == Place::Waypoint {
                    wrong.extend(tags::asking_for_port(&listener));
                } else if asks {
                    wrong.extend(tags::passing_at_other_ports(&listener));
                }
                made.push(tagging.only(&listener)?);
            }
            if !wrong.is_empty() {
                // It is the same on every port.
                wrong.dedup();
                return Err(wrong);
            }
            (made, asks)
        }
        Via::ClusterHeader => {
            let (embedded, left) = owned::split(&prepared)?;
            let inner = Model::new(&embedded, options).map_err(of_mesh)?;
            warnings.extend(of_mesh(inner.warnings().to_vec()));
            let mut wrong = hanging_on_labels(&inner, target);
            let mut made = vec![];
            let asks = inner.asks_for_port();
            let mut accounted = embedded.clone();
            accounted.all.extend(hidden.manifests);
            for proxy in proxies(&inner, target, asks, &https_ports) {
                let deciding = Deciding { target, left: &left, manifests: &accounted };
                match deciding.one(&model, &inner, &proxy) {
                    Ok(one) => made.push(one),
                    Err(found) => wrong.extend(found),
                }
            }
            if !wrong.is_empty() {
                return Err(wrong);
            }
            (made, asks)
        }
    };
    let unknown = if asks_for_port { joined::asked_for(servers, target, listening) } else { vec![] };
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let grouped = grouped(configured.into_iter().filter(|one| has_work(&one.document)).collect(), asks_for_port);
    sort(&mut warnings);
    // A tag is the same one on every port.
    warnings.dedup();
    if grouped.is_empty() {
        let what = if target.gateways.is_empty() { "the mesh" } else { "these gateways" };
        let message = format!("nothing here is for {target}: no tag and no VirtualService of {what}");
        let found = Diagnostic::unplaced(message).help("check `gateways` of the VirtualServices, and the selection");
        // What a Sidecar does not import is among them.
        return Err(warnings.into_iter().chain([found]).collect());
    }
    Ok((grouped, warnings))
}

/// The listeners to configure; of a gateway those at `https_ports` end TLS.
fn proxies(model: &Model<'_>, target: &Target, asks_for_port: bool, https_ports: &BTreeSet<u16>) -> Vec<Proxy> {
    match target.place {
        Place::Sidecar if asks_for_port => model.mesh_by_port(),
        Place::Sidecar | Place::Waypoint => vec![model.mesh_of_all_ports()],
        Place::Gateway | Place::GatewayApi => {
            let own = |proxy: &Proxy| proxy.gateways.iter().any(|gateway| target.gateways.contains(gateway));
            let mut served: Vec<_> = model.listeners().into_iter().filter(own).collect();
            for proxy in &mut served {
                proxy.tls = proxy.port.and_then(|port| unexpected_tls(port, https_ports.contains(&port)));
            }
            if !served.is_empty() || target.place == Place::Gateway {
                return served;
            }
            // Its manifest is not here, which tags do not need.
            let gateways = target.gateways.iter().cloned().collect();
            vec![Proxy { gateways, ..model.mesh_of_all_ports() }]
        }
    }
}

/// Whether the filter would do anything.
fn has_work(document: &Document) -> bool {
    !document.virtual_services.is_empty() || document.tags.iter().any(|tag| !tag.hosts.is_empty())
}

/// Configurations that differ in nothing but the port, as one, where nothing asks for the port.
fn grouped(configured: Vec<Configured>, asks_for_port: bool) -> Vec<Configured> {
    if asks_for_port {
        return configured;
    }
    let but_for_port = |document: &Document| {
        let mut document = document.clone();
        document.proxy.port = None;
        document.proxy.tls = None;
        document
    };
    let mut groups: Vec<Configured> = vec![];
    for one in configured {
        let same = |group: &&mut Configured| but_for_port(&group.document) == but_for_port(&one.document);
        match groups.iter_mut().find(same) {
            Some(group) => {
                group.ports.extend(&one.ports);
                group.document.proxy.tls = None;
            }
            None => groups.push(one),
        }
    }
    groups
}

/// Form (a): VirtualServices are embedded.
struct Deciding<'a> {
    target: &'a Target,
    /// VirtualServices that are not.
    left: &'a BTreeSet<String>,
    manifests: &'a Manifests,
}

impl Deciding<'_> {
    fn one(&self, whole: &Model<'_>, embedded: &Model<'_>, proxy: &Proxy) -> Result<Configured, Vec<Diagnostic>> {
        let listener = embedded.listener(proxy)?;
        let mut wrong = too_many_mirrors(&listener);
        let mut document = listener.document.clone();
        if self.target.place == Place::Sidecar && proxy.port.is_none() && narrowed::has_wildcards(&document) {
            narrowed::narrow(&mut document, &whole.listener(proxy)?.document, embedded.services());
        }
        if document.on_unmatched == OnUnmatched::NotFound {
            let message =
                "`onUnmatched: notFound` would answer 404 for every host of the mesh that the policy does not name";
            let help = "leave it out: what the policy does not name is left to Istio";
            wrong.push(match listener.place("onUnmatched") {
                Some((place, field)) => Diagnostic::error(place, message).field(field).help(help),
                None => Diagnostic::unplaced(message).help(help),
            });
        }
        if !self.left.is_empty() {
            // Istio matches on tags too where its own VirtualServices are in force.
            let all = whole.listener(proxy)?.document;
            let own = hosts(&document);
            let theirs: Vec<_> = all.virtual_services.iter().filter(|one| self.left.contains(&id(one))).collect();
            for service in &theirs {
                wrong.extend(self.shared(service, &document, &all));
            }
            for tag in document.tags.iter_mut().filter(|tag| tag.hosts.is_empty()) {
                tag.hosts = own.iter().cloned().chain(hosts(&all)).collect::<BTreeSet<_>>().into_iter().collect();
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let embedded = super::embedded::lines(self.manifests, &document);
        finished(&listener, document, ports(proxy, self.target), embedded)
    }

    /// Hosts of one that is not embedded which another one takes that is.
    fn shared(&self, left: &VirtualService, document: &Document, all: &Document) -> Vec<Diagnostic> {
        let full = |service: &VirtualService| -> Vec<String> {
            service.hosts.iter().map(|host| resolve(host, &service.namespace, &all.domain)).collect()
        };
        let takes = |own: &str, host: &str| own == host || own.strip_prefix('*').is_some_and(|end| host.ends_with(end));
        let mut found = vec![];
        for host in full(left) {
            let found_in = document.virtual_services.iter().find(|own| full(own).iter().any(|own| takes(own, &host)));
            let Some(own) = found_in else { continue };
            let message =
                format!("`{}` is not embedded and has the host `{host}`, which `{}` takes and is", id(left), id(own));
            let help = format!("annotate both with `{}: \"false\"`, or none of them", owned::EMBED);
            let manifest = self
                .manifests
                .of(Kind::VirtualService)
                .find(|manifest| manifest.namespace == own.namespace && manifest.name == own.name);
            let path = Path::root().field("spec").field("hosts");
            found.push(manifest.map_or_else(
                || Diagnostic::unplaced(message.as_str()).help(help.as_str()),
                |manifest| manifest.error(&path, &message).help(help.as_str()),
            ));
        }
        found
    }
}

/// Form (b): tags, and nothing that routes.
struct Tagging<'a> {
    target: &'a Target,
    /// Hosts of `HTTPRoute`s.
    routes: &'a BTreeSet<String>,
}

impl Tagging<'_> {
    fn only(&self, listener: &Listener<'_>) -> Result<Configured, Vec<Diagnostic>> {
        let mut document = listener.document.clone();
        let own: BTreeSet<_> = hosts(&document).into_iter().chain(self.routes.iter().cloned()).collect();
        for (index, tag) in document.tags.iter_mut().enumerate().filter(|(_, tag)| tag.hosts.is_empty()) {
            if own.is_empty() {
                let message = format!("no VirtualService and no HTTPRoute says for which hosts `{}` is", tag.header);
                let help = "write the tag's `hosts`";
                return Err(vec![match listener.place(&format!("tags[{index}]")) {
                    Some((place, field)) => Diagnostic::error(place, message).field(field).help(help),
                    None => Diagnostic::unplaced(message).help(help),
                }]);
            }
            tag.hosts = own.iter().cloned().collect();
        }
        document.virtual_services.clear();
        document.services.clear();
        document.on_unmatched = OnUnmatched::Continue;
        document.faults = FaultCarrier::Filter;
        let ports = ports(&document.proxy, self.target);
        finished(listener, document, ports, vec![])
    }
}

fn finished(
    listener: &Listener<'_>,
    mut document: Document,
    ports: BTreeSet<u16>,
    embedded: Vec<String>,
) -> Result<Configured, Vec<Diagnostic>> {
    // The filter strips by itself, though an EnvoyFilter does before it: that is for the versions that were tested, and a
    // connection that is older than a change of it keeps the old list.
    document.control_headers = ControlHeaders::Remove;
    let policy = compile(&document).map_err(|errors| {
        let told = |error: &switchyard_filter::Error| match listener.place(&error.path) {
            Some((place, field)) => Diagnostic::error(place, error.message.as_str()).field(field),
            None => Diagnostic::unplaced(error.message.as_str()).field(error.path.as_str()),
        };
        errors.iter().map(told).collect::<Vec<_>>()
    })?;
    let stripped = listener.stripped_tags().map(ToOwned::to_owned).collect();
    Ok(Configured { ports, matched: BTreeSet::new(), document, policy, stripped, embedded })
}

/// The ports that a configuration is for.
fn ports(proxy: &Proxy, target: &Target) -> BTreeSet<u16> {
    match target.place {
        Place::Waypoint => BTreeSet::new(),
        _ => proxy.port.into_iter().collect(),
    }
}

fn id(service: &VirtualService) -> String {
    format!("{}/{}", service.namespace, service.name)
}

/// The hosts of a document's VirtualServices, by their full names.
fn hosts(document: &Document) -> Vec<String> {
    let services = document.virtual_services.iter();
    services.flat_map(|one| one.hosts.iter().map(|host| resolve(host, &one.namespace, &document.domain))).collect()
}

/// `sourceLabels` of rules that are embedded, which the selection does not tell: they would hold for some of the
/// workloads.
fn hanging_on_labels(model: &Model<'_>, target: &Target) -> Vec<Diagnostic> {
    let mut found = vec![];
    for (manifest, written) in model.virtual_services() {
        for (rule, http) in written.http.iter().enumerate() {
            for (block, matches) in http.matches.iter().enumerate().filter(|(_, block)| block.gateways.is_empty()) {
                let open = |(key, _): &(&String, &String)| !target.labels.contains_key(*key);
                let Some((key, value)) = matches.source_labels.iter().find(open) else { continue };
                let path = Path::root()
                    .field("spec")
                    .join(&Path::parse(&format!("http[{rule}].match[{block}].sourceLabels")).0);
                let message = format!("whether a workload has `{key}: {value}` is not told by the selection");
                found.push(
                    manifest
                        .error(&path, &message)
                        .help(format!("select by this label too: `--workload {}/{key}=…`", target.namespace)),
                );
            }
        }
    }
    found
}

/// The hosts of the target's `HTTPRoute`s, which are not read otherwise.
fn http_route_hosts(manifests: &Manifests, options: &Options, target: &Target) -> BTreeSet<String> {
    let routes = manifests
        .unread
        .iter()
        .filter(|manifest| manifest.kind_name == "HTTPRoute" && manifest.api_version.starts_with(GATEWAY_API));
    routes.flat_map(|route| hosts_of_route(route, options, target)).collect()
}

/// The hosts of an `HTTPRoute` at a target.
pub fn hosts_of_route(route: &Manifest, options: &Options, target: &Target) -> Vec<String> {
    let items =
        |field: &str| route.node.get("spec").and_then(|spec| spec.get(field)).map(Node::items).unwrap_or_default();
    let field = |node: &Node, name: &str| node.get(name).and_then(Node::as_str).map(ToOwned::to_owned);
    let mut hosts = vec![];
    for parent in items("parentRefs") {
        let Some(name) = field(parent, "name") else { continue };
        let namespace = field(parent, "namespace").unwrap_or_else(|| route.namespace.clone());
        match field(parent, "kind").as_deref() {
            // In the mesh a route is for the Services that it names.
            Some("Service") if !target.is_gateway() => {
                hosts.push(format!("{name}.{namespace}.svc.{}", options.domain));
            }
            Some("Gateway") | None if target.gateways.contains(&format!("{namespace}/{name}")) => {
                let named: Vec<_> =
                    items("hostnames").iter().filter_map(|host| host.as_str().map(Into::into)).collect();
                hosts.extend(if named.is_empty() { vec!["*".to_owned()] } else { named });
            }
            _ => {}
        }
    }
    hosts
}

/// Without what is no wonder in a mesh: Istio knows endpoints that manifests do not tell, and other proxies have their own
/// Gateways.
fn of_mesh(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.retain(|one| !matches!(one.code, "no-endpoints" | "unselected-gateway"));
    found
}
