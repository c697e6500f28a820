//! VirtualServices whose rules ask for the gateway, on a port that several Gateways share.
//!
//! To the filter the gateways of a port are one proxy. Istio makes the routes of a VirtualService anew for each Gateway
//! whose server has the host, and appends them server by server (`buildGatewayHTTPRouteConfig`, read in 1.29.1). So such
//! a VirtualService is there once for each Gateway here, each time with the hosts that this one serves.

use super::super::virtual_service::Routed;
use super::edge::Edge;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::compile::resolve_gateway;

/// The VirtualServices of an edge, with those whose rules are not the same for all of its gateways once for each.
///
/// The first keeps the name. The others are named `<name>.<gateway's namespace>.<gateway>`, since the filter takes each
/// name once: they draw and count by themselves.
pub fn split<'a>(edge: &Edge, routed: &[&'a Routed], domain: &str) -> Vec<Cow<'a, Routed>> {
    if edge.servers.gateways().len() < 2 {
        return routed.iter().copied().map(Cow::Borrowed).collect();
    }
    let delegates: BTreeMap<_, _> =
        routed.iter().filter(|one| one.is_delegate()).map(|one| (one.name(), *one)).collect();
    let mut names: BTreeSet<_> = routed.iter().map(|one| own(one.name())).collect();
    let mut all = vec![];
    for one in routed {
        let asked: BTreeSet<String> = std::iter::once(*one)
            .chain(one.delegations().filter_map(|(_, name)| delegates.get(&name).copied()))
            .flat_map(asked)
            .collect();
        let groups = groups(edge, one, &asked, domain);
        if groups.len() < 2 {
            all.push(Cow::Borrowed(*one));
            continue;
        }
        for (place, group) in groups.into_iter().enumerate() {
            let mut copy = (*one).clone();
            if place > 0 {
                let gateway = group.first().map(|gateway| gateway.replace('/', ".")).unwrap_or_default();
                let first = format!("{}.{gateway}", one.written.name);
                let numbered = (2..).map(|number| format!("{first}.{number}"));
                let mut free = std::iter::once(first.clone()).chain(numbered);
                let free = free.find(|name| names.insert((one.written.namespace.clone(), name.clone())));
                copy.written.name = free.unwrap_or(first);
            }
            copy.gateways = group.into_iter().collect();
            all.push(Cow::Owned(copy));
        }
    }
    all
}

fn own((namespace, name): (&str, &str)) -> (String, String) {
    (namespace.to_owned(), name.to_owned())
}

/// The gateways that rules ask for.
fn asked(routed: &Routed) -> impl Iterator<Item = String> {
    let blocks = routed.written.http.iter().flat_map(|http| &http.matches);
    blocks.flat_map(|block| &block.gateways).map(|gateway| resolve_gateway(gateway, &routed.written.namespace))
}

/// The gateways that serve it here, in Istio's order: each that is asked for alone, the others together.
fn groups(edge: &Edge, routed: &Routed, asked: &BTreeSet<String>, domain: &str) -> Vec<Vec<String>> {
    if routed.is_delegate() || asked.is_empty() {
        return vec![];
    }
    let serving = edge.serving(routed, domain);
    let (mut seen, mut groups, mut others) = (BTreeSet::new(), vec![], None);
    for gateway in edge.servers.iter().map(|server| &server.gateway) {
        if !serving.contains(gateway.as_str()) || !seen.insert(gateway) {
            continue;
        }
        let place = match others {
            Some(place) if !asked.contains(gateway) => place,
            _ => {
                groups.push(vec![]);
                groups.len() - 1
            }
        };
        if !asked.contains(gateway) {
            others = Some(place);
        }
        if let Some(group) = groups.get_mut(place) {
            group.push(gateway.clone());
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use crate::translate::tests::{SERVICES, manifests};
    use crate::translate::{Model, Options};

    const GATEWAYS: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: alpha}
spec: {servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test, both.test]}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: beta}
spec: {servers: [{port: {number: 80, name: b, protocol: HTTP}, hosts: [b.test, both.test]}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gamma}
spec: {servers: [{port: {number: 80, name: c, protocol: HTTP}, hosts: [c.test]}]}
";

    /// Name, hosts and gateways of each VirtualService on port 80.
    fn served(rules: &str, more: &str) -> Vec<String> {
        let routes = format!(
            "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop, namespace: workshop}}
spec:
  hosts: [a.test, b.test, c.test, both.test]
  gateways: [alpha, beta, gamma]
  http: [{rules}]
"
        );
        let manifests =
            manifests(&[SERVICES, &GATEWAYS.replace("{name: ", "{namespace: workshop, name: "), &routes, more]);
        let model = Model::new(&manifests, &Options::default()).expect("right");
        let served = model.served();
        let listener = model.listener(served.last().expect("a gateway")).expect("right");
        let all = listener.document.virtual_services.iter();
        all.map(|one| format!("{} | {} | {}", one.name, one.hosts.join(","), one.gateways.join(","))).collect()
    }

    const ROUTE: &str = "route: [{destination: {host: catalogdetail, subset: v1}}]";

    #[test]
    fn a_virtual_service_whose_rules_ask_for_the_gateway_is_there_once_for_each() {
        assert_eq!(
            served(&format!("{{match: [{{gateways: [beta]}}], {ROUTE}}}, {{{ROUTE}}}"), ""),
            [
                // The gateways that no rule asks for are alike.
                "shop | a.test,both.test,c.test | workshop/alpha,workshop/gamma",
                "shop.workshop.beta | b.test,both.test | workshop/beta",
            ]
        );
    }

    #[test]
    fn one_whose_rules_do_not_is_there_once() {
        let once = ["shop | a.test,both.test,b.test,c.test | workshop/alpha,workshop/beta,workshop/gamma"];
        for block in ["{uri: {prefix: /a}}", "{gateways: [mesh], uri: {prefix: /a}}, {uri: {prefix: /b}}"] {
            assert_eq!(served(&format!("{{match: [{block}], {ROUTE}}}"), ""), once, "{block}");
        }
    }

    #[test]
    fn delegates_ask_too_and_a_taken_name_is_left_alone() {
        let more = format!(
            "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: leaf, namespace: workshop}}
spec: {{http: [{{match: [{{gateways: [gamma]}}], {ROUTE}}}]}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop.workshop.gamma, namespace: workshop}}
spec: {{hosts: [c.test], gateways: [gamma], http: [{{match: [{{uri: {{prefix: /c}}}}], {ROUTE}}}]}}
"
        );
        assert_eq!(
            served(&format!("{{match: [{{uri: {{prefix: /a}}}}], delegate: {{name: leaf}}}}, {{{ROUTE}}}"), &more),
            [
                "shop | a.test,both.test,b.test | workshop/alpha,workshop/beta",
                "shop.workshop.gamma.2 | c.test | workshop/gamma",
                "leaf |  | ",
                "shop.workshop.gamma | c.test | workshop/gamma",
            ]
        );
    }
}
