use super::*;

use crate::diagnostic::human;
use crate::manifest::{Input, read_sources};
use switchyard_filter::document::{ControlHeaders, OnUnmatched};

/// Two versions of a service, in namespace `workshop`.
pub(super) const SERVICES: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: catalogdetail, namespace: workshop}
spec:
  hosts: [catalogdetail.workshop.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 3000, name: http, protocol: HTTP, targetPort: 3001}]
  endpoints:
  - {address: 127.0.0.1, ports: {http: 3002}, labels: {version: v1}}
  - {address: 127.0.0.1, labels: {version: v2, zone: a}, weight: 3}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: catalogdetail, namespace: workshop}
spec:
  host: catalogdetail
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
";

const ROUTES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: catalogdetail, namespace: workshop}
spec:
  hosts: [catalogdetail]
  http:
  - name: internal
    match: [{headers: {user-type: {exact: internal}}}]
    route: [{destination: {host: catalogdetail, subset: v2}}]
  - name: rest
    route:
    - {destination: {host: catalogdetail, subset: v1}, weight: 90}
    - {destination: {host: catalogdetail, subset: v2}, weight: 10}
";

const POLICY: &str = "
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: rollout, namespace: workshop}
spec:
  seed: rollout-7
  tags:
  - header: user-type
    split: [{value: internal, weight: 30}, {value: external, weight: 70}]
  sticky: [{virtualService: catalogdetail, rule: rest, by: {httpCookie: {name: uid}}}]
";

pub(super) fn manifests(texts: &[&str]) -> Manifests {
    let texts = texts.iter().enumerate().map(|(at, text)| Input {
        name: format!("{}.yaml", char::from(b'a' + u8::try_from(at).unwrap_or(25))),
        bytes: text.trim_start().as_bytes().to_vec(),
    });
    read_sources(texts.collect(), None).unwrap_or_else(|error| panic!("{error:?}"))
}

/// What is said of these files (`a.yaml`, `b.yaml`, …), warnings too.
fn said(texts: &[&str]) -> String {
    let manifests = manifests(texts);
    let said = match Model::new(&manifests, &Options::default()) {
        Ok(model) => model.warnings().to_vec(),
        Err(said) => said,
    };
    human(&said, false)
}

/// The same, a line each: severity, place and message.
pub(super) fn told(texts: &[&str]) -> Vec<String> {
    let manifests = manifests(texts);
    let said = match Model::new(&manifests, &Options::default()) {
        Ok(model) => model.warnings().to_vec(),
        Err(said) => said,
    };
    let line = |found: &Diagnostic| {
        let severity = if found.is_error() { "error" } else { "warning" };
        let place = found.place.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{severity} {place}: {}", found.message)
    };
    said.iter().map(line).collect()
}

#[test]
fn manifests_become_one_document_for_the_mesh() {
    let manifests = manifests(&[SERVICES, ROUTES, POLICY]);
    let model = Model::new(&manifests, &Options::default()).expect("right");
    assert_eq!(model.warnings(), []);
    let listeners = model.listeners();
    assert_eq!(listeners.len(), 1);
    let listener = model.listener(&listeners[0]).expect("right");
    assert_eq!((listener.name.as_str(), listener.port()), ("mesh", 3000), "the port that all services have");
    insta::assert_snapshot!(serde_json::to_string_pretty(&listener.document).expect("json"), @r#"
    {
      "namespace": "workshop",
      "domain": "cluster.local",
      "proxy": {
        "namespace": "workshop",
        "gateways": [
          "mesh"
        ],
        "port": 3000
      },
      "seed": "rollout-7",
      "tags": [
        {
          "header": "user-type",
          "split": [
            {
              "value": "internal",
              "weight": 30
            },
            {
              "value": "external",
              "weight": 70
            }
          ]
        }
      ],
      "virtualServices": [
        {
          "name": "catalogdetail",
          "namespace": "workshop",
          "hosts": [
            "catalogdetail"
          ],
          "http": [
            {
              "name": "internal",
              "match": [
                {
                  "headers": {
                    "user-type": {
                      "exact": "internal"
                    }
                  }
                }
              ],
              "route": [
                {
                  "destination": {
                    "host": "catalogdetail",
                    "subset": "v2"
                  }
                }
              ]
            },
            {
              "name": "rest",
              "route": [
                {
                  "destination": {
                    "host": "catalogdetail",
                    "subset": "v1"
                  },
                  "weight": 90
                },
                {
                  "destination": {
                    "host": "catalogdetail",
                    "subset": "v2"
                  },
                  "weight": 10
                }
              ],
              "stickyBy": {
                "httpCookie": {
                  "name": "uid"
                }
              }
            }
          ]
        }
      ],
      "services": [
        {
          "host": "catalogdetail.workshop.svc.cluster.local",
          "ports": [
            3000
          ],
          "subsets": [
            {
              "name": "v1"
            },
            {
              "name": "v2"
            }
          ]
        }
      ],
      "onUnmatched": "notFound",
      "controlHeaders": "stripped",
      "faults": "envoy",
      "accessLog": "decision"
    }
    "#);
    assert_eq!(listener.stripped_tags().collect::<Vec<_>>(), ["user-type"]);

    let place = |field: &str| {
        let (place, field) = listener.place(field).expect("known");
        format!("{place} {field}")
    };
    assert_eq!(place("virtualServices[0].http[1].route[0].weight"), "b.yaml:12:64 http[1].route[0].weight");
    assert_eq!(
        place("virtualServices[0].http[1].stickyBy.httpCookie.name"),
        "c.yaml:9:80 sticky[0].by.httpCookie.name"
    );
    assert_eq!(place("virtualServices[0].name"), "b.yaml:3:18 metadata.name");
    assert_eq!(place("tags[0].split[1].value"), "c.yaml:8:52 tags[0].split[1].value");
    assert_eq!(place("services[0].subsets[1].name"), "a.yaml:17:55 subsets[1].name");
    assert_eq!(place("seed"), "c.yaml:5:9 seed");
}

#[test]
fn a_plain_document_leaves_everything_to_the_filter() {
    let manifests = manifests(&[SERVICES, ROUTES, POLICY]);
    let options = Options { around: Around::Nothing, ..Options::default() };
    let model = Model::new(&manifests, &options).expect("right");
    let listener = model.listener(&model.mesh()).expect("right");
    assert_eq!(listener.document.control_headers, ControlHeaders::Remove);
    assert_eq!(listener.document.on_unmatched, OnUnmatched::Continue);
}

#[test]
fn endpoints_and_subsets_are_known() {
    let manifests = manifests(&[SERVICES, ROUTES]);
    let model = Model::new(&manifests, &Options::default()).expect("right");
    let known = &model.services()["catalogdetail.workshop.svc.cluster.local"];
    let of = |subset: usize| -> Vec<_> {
        known
            .endpoints_of(Some(&known.subsets[subset]))
            .map(|endpoint| (endpoint.ports[&3000], endpoint.weight))
            .collect()
    };
    assert_eq!((of(0), of(1)), (vec![(3002, 1)], vec![(3001, 3)]));
    assert_eq!(known.endpoints_of(None).count(), 2);
}

#[test]
fn errors_of_the_compiler_come_back_at_their_line() {
    let routes = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: catalogdetail, namespace: workshop, creationTimestamp: yesterday}
spec:
  hosts: [catalogdetail, 'a*']
  name: catalogdetail
  http:
  - match: [{uri: {regex: '('}}, {headers: {a.b: {exact: yes}}}]
    route:
    - {destination: {host: catalogdetail, subset: v1}, weight: 0}
    - {destination: {host: catalogdetail, subset: v2}}
    stickyBy: {useSourceIp: true}
";
    let again = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: other, namespace: workshop, creationTimestamp: yesterday}
spec:
  hosts: [other, 'a*']
  http:
  - match: [{uri: {regex: '('}}]
    route:
    - {destination: {host: catalogdetail, subset: v1}, weight: 0}
    - {destination: {host: catalogdetail, subset: v2}}
";
    let policy = "
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: rollout, namespace: workshop}
spec:
  tags:
  - {header: x-envoy-a, split: [{value: a, weight: 1}]}
  - {header: a, split: [{value: a, weight: -1}]}
";
    insta::assert_snapshot!(said(&[SERVICES, routes, again, policy]), @r#"
    error: unknown field `name`
     --> b.yaml:6:3
      |
    6 |   name: catalogdetail
      |   ^^^^ name
      |
      = help: write it under `metadata`

    error: expected a string, found the boolean `yes`
     --> b.yaml:8:58
      |
    8 |   - match: [{uri: {regex: '('}}, {headers: {a.b: {exact: yes}}}]
      |                                                          ^^^ http[0].match[1].headers["a.b"].exact
      |
      = help: quote it: `"yes"`

    error: unknown field `stickyBy`: a VirtualService has none
      --> b.yaml:12:5
       |
    12 |     stickyBy: {useSourceIp: true}
       |     ^^^^^^^^ http[0].stickyBy
       |
       = help: write it under `sticky` of a SwitchyardPolicy

    error: `yesterday` is no time: write `2026-01-31T12:00:00Z`
     --> c.yaml:3:65
      |
    3 | metadata: {name: other, namespace: workshop, creationTimestamp: yesterday}
      |                                                                 ^^^^^^^^^ metadata.creationTimestamp

    warning: no ServiceEntry or Service has the host `other.workshop.svc.cluster.local`, which `other` means here
     --> c.yaml:5:11
      |
    5 |   hosts: [other, 'a*']
      |           ^^^^^ hosts[0]

    error: `a*` is no host: a `*` can only be the whole first label
     --> c.yaml:5:18
      |
    5 |   hosts: [other, 'a*']
      |                  ^^^^ hosts[1]

    error: regex `(` is not valid at character 1: unclosed group
     --> c.yaml:7:27
      |
    7 |   - match: [{uri: {regex: '('}}]
      |                           ^^^ http[0].match[0].uri.regex

    error: the sum of all weights is 0: give one destination at least 1
     --> c.yaml:8:5
      |
    8 |     route:
      |     ^^^^^ http[0].route

    error: `x-envoy-a`: `x-envoy-` headers are Envoy's own and cannot be tags
     --> d.yaml:6:14
      |
    6 |   - {header: x-envoy-a, split: [{value: a, weight: 1}]}
      |              ^^^^^^^^^ tags[0].header

    error: the sum of all weights is 0: give one at least 1
     --> d.yaml:7:17
      |
    7 |   - {header: a, split: [{value: a, weight: -1}]}
      |                 ^^^^^ tags[1].split

    error: `-1` is negative
     --> d.yaml:7:44
      |
    7 |   - {header: a, split: [{value: a, weight: -1}]}
      |                                            ^^ tags[1].split[0].weight
    "#);
}

#[test]
fn what_is_missing_is_told_with_what_is_near() {
    let routes = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: catalogdetail, namespace: workshop}
spec:
  hosts: [catalogdetail]
  gateways: [mesh, edge]
  http:
  - route:
    - {destination: {host: catalogdetial}}
    - {destination: {host: catalogdetail, subset: v3}, weight: 1}
    - {destination: {host: catalogdetail, subset: canary, port: {number: 80}}, weight: 1}
    - {destination: {host: catalogdetail, port: {number: 80}}, weight: 1}
    - {destination: {host: www.example.com}, weight: 1}
";
    insta::assert_snapshot!(said(&[SERVICES, routes]), @r#"
    error: there is no Gateway `workshop/edge`
     --> b.yaml:6:20
      |
    6 |   gateways: [mesh, edge]
      |                    ^^^^ gateways[1]
      |
      = help: give its manifest too, or say that it is elsewhere: `--allow-missing`

    error: no ServiceEntry or Service has the host `catalogdetial.workshop.svc.cluster.local`, which `catalogdetial` means here
     --> b.yaml:9:28
      |
    9 |     - {destination: {host: catalogdetial}}
      |                            ^^^^^^^^^^^^^ http[0].route[0].destination.host
      |
      = help: did you mean `catalogdetail`?

    error: no DestinationRule gives `catalogdetail.workshop.svc.cluster.local` a subset `v3`
      --> b.yaml:10:51
       |
    10 |     - {destination: {host: catalogdetail, subset: v3}, weight: 1}
       |                                                   ^^ http[0].route[1].destination.subset
       |
       = help: did you mean `v1`?

    error: no DestinationRule gives `catalogdetail.workshop.svc.cluster.local` a subset `canary`
      --> b.yaml:11:51
       |
    11 |     - {destination: {host: catalogdetail, subset: canary, port: {number: 80}}, weight: 1}
       |                                                   ^^^^^^ http[0].route[2].destination.subset
       |
       = help: it has `v1`, `v2`

    error: `catalogdetail.workshop.svc.cluster.local` has no port `80`
      --> b.yaml:11:74
       |
    11 |     - {destination: {host: catalogdetail, subset: canary, port: {number: 80}}, weight: 1}
       |                                                                          ^^ http[0].route[2].destination.port.number
       |
       = help: it has `3000`

    error: `catalogdetail.workshop.svc.cluster.local` has no port `80`
      --> b.yaml:12:58
       |
    12 |     - {destination: {host: catalogdetail, port: {number: 80}}, weight: 1}
       |                                                          ^^ http[0].route[3].destination.port.number
       |
       = help: it has `3000`

    error: no ServiceEntry or Service has the host `www.example.com`
      --> b.yaml:13:28
       |
    13 |     - {destination: {host: www.example.com}, weight: 1}
       |                            ^^^^^^^^^^^^^^^ http[0].route[4].destination.host
       |
       = help: give its manifest too, or say that it is elsewhere: `--allow-missing`
    "#);
    let manifests = manifests(&[SERVICES, routes]);
    let model = Model::new(&manifests, &Options { allow_missing: true, ..Options::default() }).expect("warnings");
    insta::assert_snapshot!(human(model.warnings(), false), @r#"
    warning: there is no Gateway `workshop/edge`
     --> b.yaml:6:20
      |
    6 |   gateways: [mesh, edge]
      |                    ^^^^ gateways[1]

    warning: no ServiceEntry or Service has the host `catalogdetial.workshop.svc.cluster.local`, which `catalogdetial` means here
     --> b.yaml:9:28
      |
    9 |     - {destination: {host: catalogdetial}}
      |                            ^^^^^^^^^^^^^ http[0].route[0].destination.host
      |
      = help: did you mean `catalogdetail`?

    warning: no DestinationRule gives `catalogdetail.workshop.svc.cluster.local` a subset `v3`
      --> b.yaml:10:51
       |
    10 |     - {destination: {host: catalogdetail, subset: v3}, weight: 1}
       |                                                   ^^ http[0].route[1].destination.subset
       |
       = help: did you mean `v1`?

    warning: no DestinationRule gives `catalogdetail.workshop.svc.cluster.local` a subset `canary`
      --> b.yaml:11:51
       |
    11 |     - {destination: {host: catalogdetail, subset: canary, port: {number: 80}}, weight: 1}
       |                                                   ^^^^^^ http[0].route[2].destination.subset
       |
       = help: it has `v1`, `v2`

    warning: `catalogdetail.workshop.svc.cluster.local` has no port `80`
      --> b.yaml:11:74
       |
    11 |     - {destination: {host: catalogdetail, subset: canary, port: {number: 80}}, weight: 1}
       |                                                                          ^^ http[0].route[2].destination.port.number
       |
       = help: it has `3000`

    warning: `catalogdetail.workshop.svc.cluster.local` has no port `80`
      --> b.yaml:12:58
       |
    12 |     - {destination: {host: catalogdetail, port: {number: 80}}, weight: 1}
       |                                                          ^^ http[0].route[3].destination.port.number
       |
       = help: it has `3000`

    warning: no ServiceEntry or Service has the host `www.example.com`
      --> b.yaml:13:28
       |
    13 |     - {destination: {host: www.example.com}, weight: 1}
       |                            ^^^^^^^^^^^^^^^ http[0].route[4].destination.host
    "#);
}

#[test]
fn a_host_of_several_ports_wants_one_named() {
    let service = "
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {ports: [{port: 8080}, {port: 9090, name: grpc}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - route: [{destination: {host: shop}}]
";
    insta::assert_snapshot!(said(&[service]), @r#"
    error: `shop.default.svc.cluster.local` has several ports and not the listener's `80`: name one
      --> a.yaml:12:14
       |
    12 |   - route: [{destination: {host: shop}}]
       |              ^^^^^^^^^^^ http[0].route[0].destination
       |
       = help: write `port: {number: …}`; it has `8080`, `9090`
    "#);
}

#[test]
fn policies_are_merged_and_must_agree() {
    let second = "
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: another, namespace: shop}
spec:
  seed: rollout-8
  mode: observe
  tags: [{header: User_Type, hosts: [cart], split: [{value: a, weight: 1}]}, {header: tier, hosts: [cart], split: [{value: a, weight: 1}]}]
  sticky:
  - {virtualService: workshop/catalogdetail, rule: rest, by: {useSourceIp: true}}
  - {virtualService: workshop/catalogdetail, rule: internal, by: {useSourceIp: true}}
  - {virtualService: workshop/catalogdetail, rule: rets, by: {useSourceIp: true}}
  - {virtualService: workshop/catalogdetial, rule: rest, by: {useSourceIp: true}}
  - {virtualService: catalogdetail, rule: rest, by: {useSourceIp: true}}
";
    insta::assert_snapshot!(said(&[SERVICES, ROUTES, POLICY, second]), @r#"
    error: `seed` is set otherwise by another SwitchyardPolicy
     --> c.yaml:5:9
      |
    5 |   seed: rollout-7
      |         ^^^^^^^^^ seed
      |
     ::: d.yaml:5:9
      |
    5 |   seed: rollout-8
      |         --------- first set here

    error: `user-type` is tagged twice (case, `-` and `_` are alike)
     --> c.yaml:7:13
      |
    7 |   - header: user-type
      |             ^^^^^^^^^ tags[0].header
      |
     ::: d.yaml:7:19
      |
    7 |   tags: [{header: User_Type, hosts: [cart], split: [{value: a, weight: 1}]}, {header: tier, hosts: [cart], split: [{value: a, weight:...
      |                   --------- first tagged here

    error: the rule `rest` of `workshop/catalogdetail` is made sticky twice
     --> c.yaml:9:50
      |
    9 |   sticky: [{virtualService: catalogdetail, rule: rest, by: {httpCookie: {name: uid}}}]
      |                                                  ^^^^ sticky[0].rule
      |
     ::: d.yaml:9:52
      |
    9 |   - {virtualService: workshop/catalogdetail, rule: rest, by: {useSourceIp: true}}
      |                                                    ---- first made sticky here

    warning: under `mode: observe` the filter routes nothing, and the generated Envoy has no routes of its own: every request gets 404
     --> d.yaml:6:9
      |
    6 |   mode: observe
      |         ^^^^^^^ mode
      |
      = help: use the parts of `generate --parts` in an Envoy that has routes

    warning: no ServiceEntry, Service or VirtualService has the host `cart.shop.svc.cluster.local`
     --> d.yaml:7:38
      |
    7 |   tags: [{header: User_Type, hosts: [cart], split: [{value: a, weight: 1}]}, {header: tier, hosts: [cart], split: [{value: a, weight:...
      |                                      ^^^^ tags[0].hosts[0]

    warning: no ServiceEntry, Service or VirtualService has the host `cart.shop.svc.cluster.local`
     --> d.yaml:7:101
      |
    7 |   tags: [{header: User_Type, hosts: [cart], split: [{value: a, weight: 1}]}, {header: tier, hosts: [cart], split: [{value: a, weight:...
      |                                                                                                     ^^^^ tags[1].hosts[0]

    warning: the rule `internal` of `workshop/catalogdetail` has one destination: nothing to be sticky about
      --> d.yaml:10:52
       |
    10 |   - {virtualService: workshop/catalogdetail, rule: internal, by: {useSourceIp: true}}
       |                                                    ^^^^^^^^ sticky[1].rule

    error: `workshop/catalogdetail` has no rule `rets`
      --> d.yaml:11:52
       |
    11 |   - {virtualService: workshop/catalogdetail, rule: rets, by: {useSourceIp: true}}
       |                                                    ^^^^ sticky[2].rule
       |
       = help: did you mean `rest`?

    error: there is no VirtualService `workshop/catalogdetial`
      --> d.yaml:12:22
       |
    12 |   - {virtualService: workshop/catalogdetial, rule: rest, by: {useSourceIp: true}}
       |                      ^^^^^^^^^^^^^^^^^^^^^^ sticky[3].virtualService
       |
       = help: did you mean `workshop/catalogdetail`?

    error: there is no VirtualService `shop/catalogdetail`
      --> d.yaml:13:22
       |
    13 |   - {virtualService: catalogdetail, rule: rest, by: {useSourceIp: true}}
       |                      ^^^^^^^^^^^^^ sticky[4].virtualService
    "#);
}

#[test]
fn tags_of_two_policies_are_in_order_of_their_names() {
    let tag = |namespace: &str, name: &str, header: &str| {
        format!(
            "apiVersion: switchyard.dev/v1alpha1\nkind: SwitchyardPolicy\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             spec: {{tags: [{{header: {header}, hosts: [cart], split: [{{value: a, weight: 1}}]}}]}}\n"
        )
    };
    let manifests = manifests(&[&tag("b", "a", "third"), &tag("a", "z", "second"), &tag("a", "b", "first")]);
    let model = Model::new(&manifests, &Options::default()).expect("right");
    let listener = model.listener(&model.mesh()).expect("right");
    let tags: Vec<_> = listener.document.tags.iter().map(|tag| (tag.header.as_str(), tag.hosts[0].as_str())).collect();
    let cart = |namespace: &str| format!("cart.{namespace}.svc.cluster.local");
    assert_eq!(tags, [("first", &*cart("a")), ("second", &*cart("a")), ("third", &*cart("b"))]);
}

#[test]
fn a_tag_for_some_hosts_is_left_to_the_filter() {
    let more = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: other, namespace: workshop}
spec:
  hosts: [other.example.com]
  http: [{route: [{destination: {host: catalogdetail}}]}]
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: tier, namespace: workshop}
spec:
  tags:
  - {header: tier, hosts: [catalogdetail], split: [{value: a, weight: 1}]}
";
    let manifests = manifests(&[SERVICES, ROUTES, POLICY, more]);
    let model = Model::new(&manifests, &Options::default()).expect("right");
    let listener = model.listener(&model.mesh()).expect("right");
    assert_eq!(
        listener.stripped_tags().collect::<Vec<_>>(),
        ["user-type"],
        "`tier` of other.example.com is a client's"
    );
    assert_eq!(listener.document.control_headers, ControlHeaders::Remove);
}

#[test]
fn each_gateway_port_is_a_listener_of_the_hosts_that_meet() {
    let edge = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: workshop}
spec:
  servers:
  - {port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*.example.com', ./api.example.org]}
  - {port: {number: 8081, name: more, protocol: HTTP}, hosts: [other/*]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge, namespace: workshop}
spec:
  hosts: [www.example.com, '*.example.org', catalogdetail]
  gateways: [edge]
  http: [{route: [{destination: {host: catalogdetail}}]}]
";
    let manifests = manifests(&[SERVICES, edge]);
    let model = Model::new(&manifests, &Options::default()).expect("right");
    let listeners = model.listeners();
    assert_eq!(listeners.iter().map(|proxy| proxy.port).collect::<Vec<_>>(), [Some(8080), Some(8081)], "no mesh");
    let first = model.listener(&listeners[0]).expect("right");
    assert_eq!(first.name, "gateway-8080");
    assert_eq!(first.document.virtual_services[0].hosts, ["www.example.com", "api.example.org"]);
    assert_eq!(first.document.proxy.gateways, ["workshop/edge"]);
    let second = model.listener(&listeners[1]).expect("right");
    assert_eq!(second.document.virtual_services, [], "another namespace's only");
}

#[test]
fn what_cannot_be_done_yet_is_refused_by_name() {
    let texts = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a}
spec: {servers: [{port: {number: 0, name: tls, protocol: HTTPS}, hosts: []}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: b}
spec: {servers: [{port: {number: 80, name: http, protocol: http}, hosts: ['*']}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: c}
spec: {servers: [{port: {number: 80, name: http, protocol: http}, hosts: ['*']}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: ['*']
  gateways: [b, c]
  http: [{match: [{gateways: [b]}], route: [{destination: {host: a.example.com}}]}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a}
spec:
  hosts: [a.example.com, '*.example.com']
  resolution: DNS
  ports: [{number: 80, name: a}, {number: 80, name: a}, {number: 0, name: b}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: b}
spec:
  hosts: [A.example.com, b.example.com]
  resolution: STATIC
  ports: [{number: 80, name: http}]
  endpoints: [{address: b, ports: {htpp: 1}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: c}
spec: {hosts: [c.example.com]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: d}
spec:
  hosts: [d.example.com]
  resolution: DNS_ROUND_ROBIN
  ports: [{number: 80, name: http}]
  endpoints: [{address: a}, {address: b}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: nothing}
";
    insta::assert_snapshot!(said(&[texts]), @r#"
    error: a server for `HTTPS` needs `tls`
     --> a.yaml:4:19
      |
    4 | spec: {servers: [{port: {number: 0, name: tls, protocol: HTTPS}, hosts: []}]}
      |                   ^^^^ servers[0]
      |
      = help: write `tls: {mode: SIMPLE, credentialName: NAME}`, or `protocol: HTTP`

    error: `0` is out of range: 1 to 65535
     --> a.yaml:4:34
      |
    4 | spec: {servers: [{port: {number: 0, name: tls, protocol: HTTPS}, hosts: []}]}
      |                                  ^ servers[0].port.number

    error: `hosts` is empty: name a host, or `*`
     --> a.yaml:4:66
      |
    4 | spec: {servers: [{port: {number: 0, name: tls, protocol: HTTPS}, hosts: []}]}
      |                                                                  ^^^^^ servers[0].hosts

    error: `*.example.com` cannot be resolved: it is no name
      --> a.yaml:28:26
       |
    28 |   hosts: [a.example.com, '*.example.com']
       |                          ^^^^^^^^^^^^^^^ hosts[1]
       |
       = help: list its `endpoints`

    error: several hosts need ports with a `protocol`
      --> a.yaml:30:12
       |
    30 |   ports: [{number: 80, name: a}, {number: 80, name: a}, {number: 0, name: b}]
       |            ^^^^^^ ports[0]
       |
       = help: write `protocol: HTTP`, by which hosts can be told apart

    error: the port `80` is listed twice
      --> a.yaml:30:43
       |
    30 |   ports: [{number: 80, name: a}, {number: 80, name: a}, {number: 0, name: b}]
       |                                           ^^ ports[1].number

    error: the port `a` is listed twice
      --> a.yaml:30:53
       |
    30 |   ports: [{number: 80, name: a}, {number: 80, name: a}, {number: 0, name: b}]
       |                                                     ^ ports[1].name

    error: `0` is out of range: 1 to 65535
      --> a.yaml:30:66
       |
    30 |   ports: [{number: 80, name: a}, {number: 80, name: a}, {number: 0, name: b}]
       |                                                                  ^ ports[2].number

    error: several hosts need ports with a `protocol`
      --> a.yaml:38:12
       |
    38 |   ports: [{number: 80, name: http}]
       |            ^^^^^^ ports[0]
       |
       = help: write `protocol: HTTP`, by which hosts can be told apart

    error: `b` is no IP address
      --> a.yaml:39:25
       |
    39 |   endpoints: [{address: b, ports: {htpp: 1}}]
       |                         ^ endpoints[0].address
       |
       = help: names need `resolution: DNS`

    error: unknown port `htpp`
      --> a.yaml:39:42
       |
    39 |   endpoints: [{address: b, ports: {htpp: 1}}]
       |                                          ^ endpoints[0].ports.htpp
       |
       = help: did you mean `http`?

    warning: a ServiceEntry without `ports` makes no cluster: nothing can be sent to its hosts
      --> a.yaml:44:1
       |
    44 | spec: {hosts: [c.example.com]}
       | ^^^^ spec
       |
       = help: write the `ports` of its hosts

    warning: `resolution: NONE` goes to the address that a captured connection was meant for: nothing captures here, and requests get 503
      --> a.yaml:44:8
       |
    44 | spec: {hosts: [c.example.com]}
       |        ^^^^^ hosts
       |
       = help: write `resolution: STATIC` or `DNS`, unless the Envoy has an `original_dst` listener filter

    error: `resolution: DNS_ROUND_ROBIN` takes one endpoint
      --> a.yaml:53:30
       |
    53 |   endpoints: [{address: a}, {address: b}]
       |                              ^^^^^^^ endpoints[1]
       |
       = help: write `resolution: DNS`

    error: `spec` is missing
      --> a.yaml:55:1
       |
    55 | apiVersion: networking.istio.io/v1
       | ^^^^^^^^^^ spec
    "#);
}

#[test]
fn rules_and_subsets_without_effect_are_warnings() {
    let rules = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: elsewhere, namespace: other}
spec: {host: catalogdetail.workshop.svc.cluster.local, subsets: [{name: v9}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: typo, namespace: workshop}
spec: {host: catalogdetial, subsets: [{name: v9}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: more, namespace: workshop}
spec: {host: catalogdetail, subsets: [{name: v3, labels: {version: v3}}, {name: v1}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: workshop}
spec: {ports: [{port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: workshop}
spec: {host: cart, subsets: [{name: v1, labels: {version: v1}}, {name: v1}]}
";
    // The other namespace makes the proxy's `default`, so that of the host counts.
    insta::assert_snapshot!(said(&[SERVICES, rules]), @r#"
    warning: this DestinationRule has no effect: others count for `catalogdetail.workshop.svc.cluster.local`
     --> b.yaml:4:14
      |
    4 | spec: {host: catalogdetail.workshop.svc.cluster.local, subsets: [{name: v9}]}
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ host
      |
      = help: rules of the proxy's namespace `default` come first, then those of the host's, `workshop`

    error: no ServiceEntry or Service has the host `catalogdetial.workshop.svc.cluster.local`
     --> b.yaml:9:14
      |
    9 | spec: {host: catalogdetial, subsets: [{name: v9}]}
      |              ^^^^^^^^^^^^^ host
      |
      = help: did you mean `catalogdetail.workshop.svc.cluster.local`?

    warning: no endpoint of `catalogdetail.workshop.svc.cluster.local` belongs to the subset `v3`: requests to it get 503
      --> b.yaml:14:46
       |
    14 | spec: {host: catalogdetail, subsets: [{name: v3, labels: {version: v3}}, {name: v1}]}
       |                                              ^^ subsets[0].name

    warning: this subset has no effect: the DestinationRule `workshop/catalogdetail` comes first and has a `v1` too
      --> b.yaml:14:81
       |
    14 | spec: {host: catalogdetail, subsets: [{name: v3, labels: {version: v3}}, {name: v1}]}
       |                                                                                 ^^ subsets[1].name
       |
      ::: a.yaml:17:20
       |
    17 |   subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
       |                    -- this one counts

    warning: no endpoint of `cart.workshop.svc.cluster.local` belongs to the subset `v1`: requests to it get 503
      --> b.yaml:24:37
       |
    24 | spec: {host: cart, subsets: [{name: v1, labels: {version: v1}}, {name: v1}]}
       |                                     ^^ subsets[0].name
       |
       = help: labels are those of pods: give EndpointSlices and Pods too, as `kubectl get -o yaml` prints them

    error: the subset `v1` is listed twice
      --> b.yaml:24:72
       |
    24 | spec: {host: cart, subsets: [{name: v1, labels: {version: v1}}, {name: v1}]}
       |                                                                        ^^ subsets[1].name
    "#);
}

#[test]
fn a_tag_that_a_client_can_give_itself_is_a_warning() {
    let policy = "
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: rollout, namespace: workshop}
spec:
  tags:
  - header: user-type
    rules:
    - {match: [{sourceIp: [10.0.0.0/8], headers: {x-debug: {exact: '1'}}}], value: internal}
    - {match: [{sourceIp: [10.0.0.0/8]}, {headers: {x-debug: {exact: '1'}}}], value: internal}
    - {value: external}
  # What the filter has tagged is nothing that a client sends.
  - header: tier
    rules: [{match: [{headers: {user-type: {exact: internal}}}], value: gold}]
";
    insta::assert_snapshot!(said(&[SERVICES, ROUTES, policy]), @r#"
    warning: any client can give itself `user-type: internal`: this asks only for what it sends
     --> c.yaml:9:43
      |
    9 |     - {match: [{sourceIp: [10.0.0.0/8]}, {headers: {x-debug: {exact: '1'}}}], value: internal}
      |                                           ^^^^^^^ tags[0].rules[1].match[1]
      |
      = help: ask for `sourceIp` or `peer` too, unless the tag gives no rights
    "#);
}
