//! What is switched off before any request comes: selectors that hold on no listener that is served (istio.md 1.3).

use super::gateway::MESH;
use super::selector::selects;
use super::{Around, Model, Notes, spec};
use crate::manifest::Manifest;
use switchyard_filter::compile::resolve_gateway;
use switchyard_filter::document::{HttpMatchRequest, Proxy};

/// Notes every match block that no listener has.
pub fn check(model: &Model<'_>, notes: &mut Notes) {
    let listeners = model.listeners();
    for routed in &model.routed {
        let Some(manifest) = model.manifests.all.get(routed.manifest) else { continue };
        let home: Vec<_> = listeners
            .iter()
            .filter(|proxy| proxy.gateways.iter().any(|gateway| routed.gateways.contains(gateway)))
            .collect();
        for (rule, http) in routed.written.http.iter().enumerate() {
            for (block, matches) in http.matches.iter().enumerate() {
                let at = format!("http[{rule}].match[{block}]");
                let owner = match model.options.around {
                    Around::Mesh => Owner::InMesh,
                    _ => Owner::VirtualService,
                };
                one(manifest, &at, matches, &home, owner, notes);
            }
        }
    }
    let everywhere: Vec<_> = listeners.iter().collect();
    for (index, at, tag) in model.policies.tags() {
        let Some(manifest) = model.manifests.all.get(*index) else { continue };
        for (rule, written) in tag.rules.iter().enumerate() {
            for (block, matches) in written.matches.iter().enumerate() {
                let at = format!("tags[{at}].rules[{rule}].match[{block}]");
                one(manifest, &at, matches, &everywhere, Owner::Tag, notes);
            }
        }
    }
}

/// What a match block belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    VirtualService,
    /// A VirtualService in a proxy of Istio, which has a listener for each port.
    InMesh,
    Tag,
}

fn one(manifest: &Manifest, at: &str, block: &HttpMatchRequest, home: &[&Proxy], owner: Owner, notes: &mut Notes) {
    // Where there is no listener, its gateways are missing: that is told.
    let Some(own) = home.first().map(|proxy| proxy.namespace.as_str()) else { return };
    let path = |field: &str| spec(&format!("{at}.{field}"));
    let mut left = home.to_vec();
    if block.gateways.is_empty() {
        let holds = |proxy: &&Proxy| selects(&block.source_labels, &proxy.labels);
        if !home.iter().any(holds) {
            let message = "`sourceLabels` never hold here: the proxy has no labels, and no option gives it some yet";
            notes.push(manifest.warning(&path("sourceLabels"), message).code("dormant-match"));
        }
        if !block.source_namespace.is_empty() && block.source_namespace != own {
            let message = format!(
                "`sourceNamespace: {}` never holds here: the proxy's namespace is `{own}`",
                block.source_namespace
            );
            notes.push(manifest.warning(&path("sourceNamespace"), &message).code("dormant-match"));
        }
    } else {
        let named: Vec<_> = block.gateways.iter().map(|name| resolve_gateway(name, &manifest.namespace)).collect();
        left.retain(|proxy| named.iter().any(|name| proxy.gateways.contains(name)));
        if left.is_empty() {
            let message = match owner {
                Owner::VirtualService | Owner::InMesh => {
                    "`gateways` names none that this VirtualService is bound to: it never holds"
                }
                Owner::Tag => "`gateways` names none that is served: it never holds",
            };
            notes.push(
                manifest
                    .warning(&path("gateways"), message)
                    .code("dormant-match")
                    .help(format!("there is {}", gateways(home))),
            );
            return;
        }
    }
    let Some(port) = block.port.filter(|port| *port != 0) else { return };
    if left.iter().any(|proxy| proxy.port == Some(port)) {
        return;
    }
    let served: Vec<_> = left.iter().filter_map(|proxy| Some(format!("`{}`", proxy.port?))).collect();
    let is_mesh = left.iter().any(|proxy| proxy.gateways.iter().any(|gateway| gateway == MESH));
    notes.push(if is_mesh && owner == Owner::VirtualService {
        // One listener serves the mesh: what Istio does on this port would be gone without a word.
        let message = format!(
            "`port: {port}` never holds: the mesh is one listener here, which stands for port {}",
            served.join(", ")
        );
        manifest.error(&path("port"), &message).code("dormant-match").help(
            "leave `port` out and tell the rules apart by host, or bind the VirtualService to a Gateway of that port; \
             the mesh's port is the one that all known services have, else 80",
        )
    } else {
        let message = format!("`port: {port}` never holds: it is served on port {}", served.join(", "));
        manifest.warning(&path("port"), &message).code("dormant-match")
    });
}

fn gateways(home: &[&Proxy]) -> String {
    let mut names: Vec<_> =
        home.iter().flat_map(|proxy| &proxy.gateways).map(|gateway| format!("`{gateway}`")).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SERVICES, told};

    const EDGE: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: workshop}
spec: {selector: {a: b}, servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*']}]}
";

    fn routed(gateways: &str, block: &str) -> String {
        format!(
            "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: a, namespace: workshop}}
spec:
  hosts: [catalogdetail]
  gateways: [{gateways}]
  http: [{{match: [{{{block}}}], route: [{{destination: {{host: catalogdetail}}}}]}}]
"
        )
    }

    #[test]
    fn the_mesh_is_one_listener_so_another_port_is_refused() {
        let wrong = "error c.yaml:7:26: `port: 9001` never holds: the mesh is one listener here, which stands for port";
        for (gateways, block, expected) in [
            ("mesh", "port: 3000", None),
            ("mesh", "port: 9001", Some(format!("{wrong} `3000`"))),
            ("'mesh', edge", "port: 8080", None),
            ("mesh, edge", "port: 9001", Some(format!("{wrong} `3000`, `8080`"))),
            ("mesh, edge", "gateways: [mesh], port: 8080", Some(format!("{} `3000`", wrong.replace(":26", ":44")))),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|said| said.replace("9001", &block[block.len() - 4..])).collect();
            assert_eq!(told(&[SERVICES, EDGE, &routed(gateways, block)]), expected, "{gateways} {block}");
        }
    }

    #[test]
    fn what_never_holds_is_a_warning_where_it_is_written() {
        for (gateways, block, expected) in [
            ("edge", "port: 80", Some("port: 80` never holds: it is served on port `8080`")),
            ("edge", "port: 8080", None),
            (
                "edge",
                "gateways: [mesh]",
                Some("gateways` names none that this VirtualService is bound to: it never holds"),
            ),
            ("edge", "gateways: [edge]", None),
            (
                "mesh",
                "sourceNamespace: other",
                Some("sourceNamespace: other` never holds here: the proxy's namespace is `workshop`"),
            ),
            ("mesh", "sourceNamespace: workshop", None),
            (
                "mesh",
                "sourceLabels: {a: b}",
                Some("sourceLabels` never hold here: the proxy has no labels, and no option gives it some yet"),
            ),
            // Not looked at beside `gateways`, as in Istio.
            ("mesh", "gateways: [mesh], sourceLabels: {a: b}, sourceNamespace: other", None),
        ] {
            let said = told(&[SERVICES, EDGE, &routed(gateways, block)]);
            let said: Vec<_> =
                said.iter().map(|said| said.split_once(": `").map_or("", |(_, message)| message)).collect();
            assert_eq!(said, expected.into_iter().collect::<Vec<_>>(), "{gateways} {block}");
        }
    }

    #[test]
    fn a_rule_of_a_tag_that_never_holds_is_a_warning() {
        let policy = "
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: a, namespace: workshop}
spec:
  tags:
  - header: tier
    rules:
    - {match: [{port: 8080, sourceIp: [10.0.0.0/8]}, {port: 81, sourceIp: [10.0.0.0/8]}], value: a}
    - {match: [{gateways: [other], sourceIp: [10.0.0.0/8]}], value: b}
";
        assert_eq!(
            told(&[SERVICES, EDGE, &routed("mesh, edge", ""), policy]),
            [
                "warning d.yaml:8:61: `port: 81` never holds: it is served on port `3000`, `8080`",
                "warning d.yaml:9:17: `gateways` names none that is served: it never holds",
            ]
        );
    }

    #[test]
    fn gateways_of_one_port_are_for_the_same_proxies() {
        let other = EDGE.replace("name: edge", "name: other");
        assert_eq!(told(&[SERVICES, EDGE, &other]), [""; 0]);
        let message = "error c.yaml:4:52: the Gateways `workshop/edge` and `workshop/other` share port 8080, which is \
                       one listener here, and select other proxies";
        assert_eq!(told(&[SERVICES, EDGE, &other.replace("a: b", "a: c")]), [message]);
    }
}
