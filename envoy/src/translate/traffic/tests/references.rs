//! References that lead nowhere, with the name that was probably meant.

use super::{HOST, check_each, resource, said};

/// A DestinationRule of [`HOST`] with subsets, and a Gateway.
const BESIDE: &str = "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: subsets, namespace: shop}
spec: {host: a.example, subsets: [{name: stable, labels: {app: a}}, {name: v2}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart.shop.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 81, name: more, protocol: HTTP}]
  endpoints: [{address: 10.0.1.1}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec: {servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*']}]}
";

#[test]
fn what_a_virtual_service_names_and_nobody_gives_is_told_with_what_is_near() {
    let routes = |written: &str| {
        said(&[&resource("VirtualService", &format!("{{hosts: [a.example], {written}}}")), HOST, BESIDE])
    };
    check_each(
        "
http: [{route: [{destination: {host: a.example}}]}]
http: [{route: [{destination: {host: a.exmaple}}]}]
  error a.yaml:4:65: no ServiceEntry or Service has the host `a.exmaple`; did you mean `a.example`?
http: [{route: [{destination: {host: crat}}]}]
  error a.yaml:4:65: no ServiceEntry or Service has the host `crat.shop.svc.cluster.local`, which `crat` means here; did you mean `cart`?
http: [{route: [{destination: {host: cart.shop}}]}]
  error a.yaml:4:65: no ServiceEntry or Service has the host `cart.shop`; did you mean `cart.shop.svc.cluster.local`?
http: [{route: [{destination: {host: nobody.test}}]}]
  error a.yaml:4:65: no ServiceEntry or Service has the host `nobody.test`; give its manifest too, or say that it is elsewhere: `--allow-missing`
http: [{route: [{destination: {host: a.example, subset: stabel}}]}]
  error a.yaml:4:84: no DestinationRule gives `a.example` a subset `stabel`; did you mean `stable`?
http: [{route: [{destination: {host: a.example, subset: v3}}]}]
  error a.yaml:4:84: no DestinationRule gives `a.example` a subset `v3`; did you mean `v2`?
http: [{route: [{destination: {host: a.example, subset: canary}}]}]
  error a.yaml:4:84: no DestinationRule gives `a.example` a subset `canary`; it has `stable`, `v2`
http: [{route: [{destination: {host: cart, subset: v1, port: {number: 80}}}]}]
  error a.yaml:4:79: no DestinationRule gives `cart.shop.svc.cluster.local` a subset `v1`; it has no subsets
http: [{route: [{destination: {host: a.example, port: {number: 81}}}]}]
  error a.yaml:4:91: `a.example` has no port `81`; it has `80`
http: [{route: [{destination: {host: cart, port: {number: 82}}}]}]
  error a.yaml:4:86: `cart.shop.svc.cluster.local` has no port `82`; it has `80`, `81`
http: [{route: [{destination: {host: a.example}}], mirror: {host: a.exmaple}}]
  error a.yaml:4:94: no ServiceEntry or Service has the host `a.exmaple`; did you mean `a.example`?
http: [{route: [{destination: {host: a.example}}], mirrors: [{destination: {host: a.example, subset: stabel}}]}]
  error a.yaml:4:129: no DestinationRule gives `a.example` a subset `stabel`; did you mean `stable`?
http: [{delegate: {name: nobody}}]
  error a.yaml:4:53: there is no delegate `shop/nobody`; give its manifest too, or say that it is elsewhere: `--allow-missing`
gateways: [edge], http: [{route: [{destination: {host: a.example}}]}]
gateways: [egde], http: [{route: [{destination: {host: a.example}}]}]
  error a.yaml:4:39: there is no Gateway `shop/egde`; did you mean `shop/edge`?
gateways: [mesh, shop/edges], http: [{route: [{destination: {host: a.example}}]}]
  error a.yaml:4:45: there is no Gateway `shop/edges`; did you mean `shop/edge`?
gateways: [other/front], http: [{route: [{destination: {host: a.example}}]}]
  error a.yaml:4:39: there is no Gateway `other/front`; give its manifest too, or say that it is elsewhere: `--allow-missing`
gateways: [edge], http: [{match: [{gateways: [egde]}], route: [{destination: {host: a.example}}]}]
  warning a.yaml:4:63: `gateways` names none that this VirtualService is bound to: it never holds; there is `shop/edge`
  error a.yaml:4:74: there is no Gateway `shop/egde`; did you mean `shop/edge`?
",
        routes,
    );
}

#[test]
fn hosts_of_destination_rules_that_nobody_gives_are_told_with_what_is_near() {
    let host = |written: &str| said(&[&resource("DestinationRule", &format!("{{host: {written}}}")), HOST, BESIDE]);
    check_each(
        "
cart
crat
  error a.yaml:4:14: no ServiceEntry or Service has the host `crat.shop.svc.cluster.local`; did you mean `cart.shop.svc.cluster.local`?
cart.shop
  error a.yaml:4:14: no ServiceEntry or Service has the host `cart.shop`; did you mean `cart.shop.svc.cluster.local`?
a.exmaple
  error a.yaml:4:14: no ServiceEntry or Service has the host `a.exmaple`; did you mean `a.example`?
nobody.test
  error a.yaml:4:14: no ServiceEntry or Service has the host `nobody.test`; give its manifest too, or say that it is elsewhere: `--allow-missing`
'*.test'
  warning a.yaml:4:14: no ServiceEntry or Service has the host `*.test`
",
        host,
    );
}
