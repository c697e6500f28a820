//! What no request reaches: hosts that nobody has, VirtualServices behind others, rules behind a catch-all
//! (istio.md 1.1).

use super::gateway::MESH;
use super::virtual_service::Routed;
use super::{Listener, Model, Notes, spec};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::Manifest;
use crate::yaml::Path;
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::compile::{resolve, resolve_gateway};
use switchyard_filter::document::HttpMatchRequest;

/// Notes hosts that nobody has, and gateways that serve none of a VirtualService's hosts.
pub fn hosts(model: &Model<'_>, notes: &mut Notes) {
    let domain = &model.options.domain;
    let services: BTreeSet<_> = model.services.keys().chain(&model.aliases).map(String::as_str).collect();
    for routed in &model.routed {
        let Some(manifest) = model.manifests.all.get(routed.manifest) else { continue };
        let serving: BTreeSet<&str> = model.edges.iter().flat_map(|edge| edge.serving(routed, domain)).collect();
        for (index, gateway) in routed.written.gateways.iter().enumerate() {
            let full = resolve_gateway(gateway, &manifest.namespace);
            if !serving.contains(full.as_str()) && model.edges.iter().any(|edge| edge.servers.has(&full)) {
                unserved(routed, manifest, index, &full, notes);
            }
        }
        if !routed.gateways.contains(MESH) {
            continue;
        }
        // A name that a gateway of it serves need not be a service.
        let served: BTreeSet<_> =
            model.edges.iter().flat_map(|edge| edge.hosts(routed, domain)).map(|(host, _)| host).collect();
        for (index, written) in routed.written.hosts.iter().enumerate() {
            let host = resolve(written, &manifest.namespace, domain);
            if !served.contains(&host) {
                let path = spec(&format!("hosts[{index}]"));
                notes.all.extend(unknown(manifest, &path, written, &host, &services, "ServiceEntry or Service"));
            }
        }
    }
    let mut all = services;
    let routed: Vec<_> = model
        .routed
        .iter()
        .flat_map(|routed| routed.written.hosts.iter().map(|host| resolve(host, &routed.written.namespace, domain)))
        .collect();
    all.extend(routed.iter().map(String::as_str));
    for (index, at, tag) in model.policies.tags() {
        let Some(manifest) = model.manifests.all.get(*index) else { continue };
        for (host, written) in tag.hosts.iter().enumerate() {
            let full = resolve(written, &manifest.namespace, domain);
            let path = spec(&format!("tags[{at}].hosts[{host}]"));
            notes.all.extend(unknown(manifest, &path, written, &full, &all, "ServiceEntry, Service or VirtualService"));
        }
    }
}

/// A host that is no known one. Wildcards may be for hosts to come, and addresses have no name.
fn unknown(
    manifest: &Manifest,
    path: &Path,
    written: &str,
    host: &str,
    known: &BTreeSet<&str>,
    who: &str,
) -> Option<Diagnostic> {
    // Wildcards stand together: what begins with `*` is before `+`.
    let mut wildcards = known.range("*".."+").filter_map(|known| known.strip_prefix('*'));
    let covered = known.contains(host) || wildcards.any(|suffix| host.ends_with(suffix) && host.len() > suffix.len());
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    if host.contains('*') || host.is_empty() || address || covered {
        return None;
    }
    let meant = if written == host { String::new() } else { format!(", which `{written}` means here") };
    let mut found = manifest.warning(path, &format!("no {who} has the host `{host}`{meant}")).code("unknown-host");
    // What was written short is compared and suggested short.
    let suffix = host.strip_prefix(&written.to_ascii_lowercase()).unwrap_or_default();
    found.help = did_you_mean(written, known.iter().filter_map(|known| known.strip_suffix(suffix)));
    Some(found)
}

/// A gateway that a VirtualService is bound to in vain.
fn unserved(routed: &Routed, manifest: &Manifest, index: usize, full: &str, notes: &mut Notes) {
    let message =
        format!("the Gateway `{full}` serves none of these hosts to this namespace: no request comes from it");
    notes.push(manifest.warning(&spec(&format!("gateways[{index}]")), &message).code("unserved-gateway").help(
        format!(
            "`{}/{}` has {}",
            manifest.namespace,
            manifest.name,
            routed.written.hosts.iter().map(|host| format!("`{host}`")).collect::<Vec<_>>().join(", ")
        ),
    ));
}

/// Notes rules of a listener that come too late: another VirtualService has the host, or a rule before takes
/// everything.
pub fn rules(listener: &Listener<'_>, owners: &[(&Routed, &Manifest)], domain: &str, notes: &mut Notes) {
    let policy = &listener.policy;
    let owner = |rule: usize| policy.rules().get(rule).map(|rule| rule.virtual_service_index);
    if listener.is_mesh() {
        let winners: BTreeMap<_, _> = policy
            .hosts()
            .iter()
            .filter_map(|(host, virtual_host)| Some((host.into_owned(), owner(virtual_host.routes.first()?.rule)?)))
            .collect();
        let alive: BTreeSet<_> = policy.rules().iter().map(|rule| rule.virtual_service_index).collect();
        for (own, (routed, manifest)) in owners.iter().enumerate() {
            // Without a rule for this proxy it does not exist, which is told.
            if !alive.contains(&own) {
                continue;
            }
            for (index, host) in routed.written.hosts.iter().enumerate() {
                let host = resolve(host, &manifest.namespace, domain);
                let winner = winners.get(&host).filter(|winner| **winner != own);
                let Some((_, first)) = winner.and_then(|winner| owners.get(*winner)) else { continue };
                let message = format!(
                    "these rules have no effect for `{host}`: the VirtualService `{}/{}` comes first and has it alone",
                    first.namespace, first.name
                );
                let found = manifest.warning(&spec(&format!("hosts[{index}]")), &message).code("duplicate-host");
                let found = found.help("in the mesh the oldest counts, then the first by name: join their rules");
                notes.push(found.also(first.name_place(), "this one counts"));
            }
        }
    }
    for (own, (rule, block)) in catch_alls(listener, owners) {
        let Some((routed, manifest)) = owners.get(own) else { continue };
        let block = block.map_or(0, |block| block + 1);
        let first = &routed.written.http.get(rule);
        let Some(first) = first else { continue };
        let name = if first.name.is_empty() { format!("http[{rule}]") } else { first.name.clone() };
        let message = format!("no request comes here: the rule `{name}` before takes every one");
        let before = manifest.place(&spec(&format!("http[{rule}]")));
        let blocks = (block.max(1)..first.matches.len()).map(|block| format!("http[{rule}].match[{block}]"));
        let later = (rule + 1..routed.written.http.len()).map(|rule| format!("http[{rule}]"));
        for at in blocks.chain(later) {
            let found = manifest.warning(&spec(&at), &message).code("unreachable-rule");
            notes.push(found.also(before.clone(), "takes every request"));
        }
    }
}

/// The first rule and block of each VirtualService, by its place, that takes every request wherever it is served.
fn catch_alls(listener: &Listener<'_>, owners: &[(&Routed, &Manifest)]) -> BTreeMap<usize, (usize, Option<usize>)> {
    let mut first = BTreeMap::new();
    for route in listener.policy.hosts().iter().flat_map(|(_, host)| host.routes.iter()) {
        let Some(rule) = listener.policy.rules().get(route.rule).filter(|_| route.block.is_catch_all()) else {
            continue;
        };
        let own = rule.virtual_service_index;
        let written = owners.get(own).and_then(|(routed, _)| routed.written.http.get(rule.index));
        let block = |index| written.is_some_and(|rule| rule.matches.get(index).is_some_and(is_everywhere));
        if route.index.is_none_or(block) {
            let found = (rule.index, route.index);
            first.entry(own).and_modify(|first| *first = found.min(*first)).or_insert(found);
        }
    }
    first
}

/// Whether a block is meant for every listener.
fn is_everywhere(block: &HttpMatchRequest) -> bool {
    block.port.is_none()
        && block.gateways.is_empty()
        && block.source_labels.is_empty()
        && block.source_namespace.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SERVICES, told};

    fn virtual_service(name: &str, hosts: &str, gateways: &str, rules: &str) -> String {
        format!(
            "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: workshop}}
spec:
  hosts: [{hosts}]
  gateways: [{gateways}]
  http: [{rules}]
"
        )
    }

    const ROUTE: &str = "route: [{destination: {host: catalogdetail}}]";

    const EDGE: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: workshop}
spec: {servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*.example.com']}]}
";

    #[test]
    fn hosts_that_nobody_has_are_warnings() {
        let hosts = "catalogdetial, api.example.com, '*.example.org', 10.0.0.1, catalogdetail";
        let rule = format!("{{{ROUTE}}}");
        let said = |gateways: &str| told(&[SERVICES, EDGE, &virtual_service("a", hosts, gateways, &rule)]);
        let typo = "warning c.yaml:5:11: no ServiceEntry or Service has the host \
                    `catalogdetial.workshop.svc.cluster.local`, which `catalogdetial` means here";
        let outside = "warning c.yaml:5:26: no ServiceEntry or Service has the host `api.example.com`";
        assert_eq!(said("mesh"), [typo, outside]);
        assert_eq!(said("mesh, edge"), [typo], "the gateway serves the other");
        assert_eq!(said("edge"), [""; 0]);
    }

    #[test]
    fn hosts_of_tags_that_nobody_has_are_warnings() {
        let policy = "
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: a, namespace: workshop}
spec:
  tags:
  - {header: tier, hosts: [catalogdetail, shop.example.com, 'b.example.com', '*.example.org'], split: [{value: a, weight: 1}]}
";
        let routes = virtual_service("a", "'*.example.com', catalogdetail", "mesh", &format!("{{{ROUTE}}}"));
        let said = told(&[SERVICES, &routes, &policy.replace("b.example.com", "b.example.net")]);
        let message = "no ServiceEntry, Service or VirtualService has the host `b.example.net`";
        assert_eq!(said, [format!("warning c.yaml:6:61: {message}")]);
    }

    #[test]
    fn a_gateway_that_serves_none_of_the_hosts_is_a_warning() {
        let routes = virtual_service("a", "www.example.org", "edge", &format!("{{{ROUTE}}}"));
        let message =
            "the Gateway `workshop/edge` serves none of these hosts to this namespace: no request comes from it";
        assert_eq!(told(&[SERVICES, EDGE, &routes]), [format!("warning c.yaml:6:14: {message}")]);
        assert_eq!(told(&[SERVICES, EDGE, &routes.replace(".org", ".com")]), [""; 0]);
    }

    #[test]
    fn the_second_of_a_host_in_the_mesh_is_a_warning() {
        let rule = format!("{{{ROUTE}}}");
        let [a, b] = ["a", "b"].map(|name| virtual_service(name, "catalogdetail", "mesh", &rule));
        let message = "these rules have no effect for `catalogdetail.workshop.svc.cluster.local`: \
                       the VirtualService `workshop/a` comes first and has it alone";
        assert_eq!(told(&[SERVICES, &b, &a]), [format!("warning b.yaml:5:11: {message}")]);
        let older = b.replace("name: b,", "name: b, creationTimestamp: '2026-01-01T00:00:00Z',");
        let newer = a.replace("name: a,", "name: a, creationTimestamp: '2026-01-02T00:00:00Z',");
        let said = format!("warning c.yaml:5:11: {}", message.replace("workshop/a", "workshop/b"));
        assert_eq!(told(&[SERVICES, &older, &newer]), [said]);
        let edges = [&a, &b].map(|text| text.replace("mesh", "edge").replace("[catalogdetail]", "[a.example.com]"));
        assert_eq!(told(&[SERVICES, EDGE, &edges[0], &edges[1]]), [""; 0], "their rules follow each other");
    }

    #[test]
    fn rules_behind_a_catch_all_are_warnings() {
        let rules = format!(
            "{{match: [{{uri: {{prefix: /a}}}}], {ROUTE}}}, {{name: all, match: [{{uri: {{prefix: /}}}}, {{uri: {{exact: /b}}}}], {ROUTE}}}, {{{ROUTE}}}"
        );
        let said = told(&[SERVICES, &virtual_service("a", "catalogdetail", "mesh", &rules)]);
        let message = "no request comes here: the rule `all` before takes every one";
        let places: Vec<_> = said.iter().map(|said| said.strip_suffix(message)).collect();
        assert_eq!(places, [Some("warning b.yaml:7:130: "), Some("warning b.yaml:7:199: ")]);
        // Only on one of its listeners: it takes nothing from the other.
        let bound = rules.replace("{uri: {prefix: /}}", "{gateways: [mesh]}");
        let said = told(&[SERVICES, EDGE, &virtual_service("a", "a.example.com, catalogdetail", "mesh, edge", &bound)]);
        assert_eq!(said, [""; 0]);
    }
}
