use super::*;

use crate::diagnostic::human;

fn input(name: &str, text: &str) -> Input {
    Input { name: name.into(), bytes: text.as_bytes().to_vec() }
}

fn manifests(text: &str) -> Manifests {
    match read_sources(vec![input("policy.yaml", text)], None) {
        Ok(manifests) => manifests,
        Err(ReadError::Invalid(errors)) => panic!("{}", human(&errors, false)),
        Err(ReadError::Open(_)) => unreachable!("nothing is opened"),
    }
}

fn errors(inputs: Vec<Input>) -> Vec<Diagnostic> {
    match read_sources(inputs, None) {
        Err(ReadError::Invalid(errors)) => errors,
        other => panic!("{other:?}"),
    }
}

/// Every error in short.
fn short(errors: &[Diagnostic]) -> String {
    let line = |d: &Diagnostic| {
        let place = d.place.as_ref().map(ToString::to_string).unwrap_or_default();
        let help = d.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        let also: String = d.also.iter().map(|(place, why)| format!(" [{why}: {place}]")).collect::<Vec<_>>().concat();
        format!("{place} {}: {}{help}{also}", d.field, d.message)
    };
    errors.iter().map(line).collect::<Vec<_>>().join("\n")
}

const SERVED: &str = r#"
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: catalogdetail
  namespace: workshop
  uid: 6b3a
  resourceVersion: "12"
  generation: 3
  creationTimestamp: "2026-01-02T03:04:05Z"
  labels: {app.kubernetes.io/name: catalog}
  annotations: {note: hi}
  managedFields: [{manager: kubectl}]
spec:
  hosts: [catalogdetail]
  http: [{route: [{destination: {host: catalogdetail}}]}]
status: {observedGeneration: "3"}
---
---
apiVersion: v1
kind: List
items:
- apiVersion: networking.istio.io/v1
  kind: DestinationRule
  metadata: {name: catalogdetail}
  spec:
    host: catalogdetail
    subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: "2"}}]
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: catalogdetail, extra: 1}, data: 1}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntryList
items:
- apiVersion: networking.istio.io/v1
  kind: ServiceEntry
  metadata: {name: catalogdetail, creationTimestamp: null}
  spec:
    hosts: [catalogdetail.workshop.svc.cluster.local]
    location: MESH_INTERNAL
    resolution: STATIC
    ports: [{number: 3000, name: http, protocol: HTTP}]
    endpoints:
    - {address: 127.0.0.1, ports: {http: 3001}, labels: {version: v1}, locality: eu/a, weight: 2}
"#;

#[test]
fn manifests_are_found_in_documents_and_lists() {
    let read = manifests(SERVED);
    assert_eq!(read.namespace, "workshop", "the one that is written");
    assert_eq!(
        read.all.iter().map(|m| (m.kind, m.to_string())).collect::<Vec<_>>(),
        [
            (Kind::VirtualService, "VirtualService workshop/catalogdetail".to_owned()),
            (Kind::DestinationRule, "DestinationRule workshop/catalogdetail".to_owned()),
            (Kind::ServiceEntry, "ServiceEntry workshop/catalogdetail".to_owned()),
        ]
    );
    let service = &read.all[0];
    assert_eq!(service.creation_timestamp, "2026-01-02T03:04:05Z");
    assert_eq!(service.labels["app.kubernetes.io/name"], "catalog");
    assert_eq!(service.annotations["note"], "hi");
    assert_eq!(service.name_place().to_string(), "policy.yaml:5:9");
    assert_eq!(read.all[2].creation_timestamp, "");
    assert_eq!(read.of(Kind::ServiceEntry).count(), 1);
    assert_eq!(read.unread_kinds(), BTreeMap::from([(("apps/v1".into(), "Deployment".into()), 1)]));
    assert_eq!(read.refused(&BTreeSet::new()), []);
}

#[test]
fn specs_are_read_by_kind() {
    let read = manifests(SERVED);
    let rule: DestinationRule = read.all[1].read_spec().expect("rule");
    assert_eq!(rule.subsets[1].labels["version"], "2");
    let entry: ServiceEntry = read.all[2].read_spec().expect("entry");
    assert_eq!(entry.resolution, Resolution::Static);
    assert_eq!(entry.location, Location::MeshInternal);
    assert_eq!((entry.endpoints[0].ports["http"], entry.endpoints[0].weight), (3001, 2));

    let text = "
apiVersion: v1
kind: Service
metadata: {name: catalogdetail}
spec:
  type: ClusterIP
  clusterIP: 10.0.0.1
  selector: {app: catalogdetail}
  ports: [{name: http, port: 3000, targetPort: web, protocol: TCP}, {port: 9000, targetPort: 9001}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*', shop/www.example.com]}]
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: rollout, annotations: {config.kubernetes.io/local-config: 'true'}}
spec:
  seed: rollout-7
  tags: [{header: user-type, split: [{value: internal, weight: 30}, {value: external, weight: 70}]}]
  sticky: [{virtualService: catalogdetail, rule: rest, by: {httpCookie: {name: uid}}}]
";
    let read = manifests(text);
    assert_eq!(read.namespace, "default", "none is written");
    let service: Service = read.all[0].read_spec().expect("service");
    assert_eq!(service.ports.iter().map(|port| port.port).collect::<Vec<_>>(), [3000, 9000]);
    let gateway: Gateway = read.all[1].read_spec().expect("gateway");
    assert_eq!(gateway.servers[0].port.number, 8080);
    let policy: SwitchyardPolicy = read.all[2].read_spec().expect("policy");
    assert_eq!(policy.tags[0].split[0].weight, 30);
    assert_eq!(policy.sticky[0].by.http_cookie.as_ref().map(|cookie| cookie.name.as_str()), Some("uid"));
}

#[test]
fn every_field_that_is_not_known_is_told() {
    let text = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a}
spec:
  host: a
  subset: [{name: v1}]
  trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {}}}
  workloadselector: {}
  subsets: [{name: v1, label: {version: v1}}, {labels: {version: 2}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a}
spec:
  hosts: a.example.com
  resolution: static
  ports: [{number: 70000, protocol: HTTP}]
  endpoints: [{adress: 127.0.0.1, network: n1}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a}
spec:
  servers:
  - {port: {number: http, name: http, protocol: HTTPS}, tls: {mode: SIMPLE}}
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: a}
spec:
  mode: on
  tag: []
  sticky: [{virtualservice: a}]
---
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {port: 80}
---
apiVersion: v1
kind: Service
metadata: {name: b}
";
    let read = manifests(text);
    let mut all = vec![];
    all.extend(read.all[0].read_spec::<DestinationRule>().expect_err("wrong"));
    all.extend(read.all[1].read_spec::<ServiceEntry>().expect_err("wrong"));
    all.extend(read.all[2].read_spec::<Gateway>().expect_err("wrong"));
    all.extend(read.all[3].read_spec::<SwitchyardPolicy>().expect_err("wrong"));
    all.extend(read.all[4].read_spec::<Service>().expect_err("wrong"));
    all.extend(read.all[5].read_spec::<Service>().expect_err("wrong"));
    sort(&mut all);
    insta::assert_snapshot!(short(&all), @r#"
    policy.yaml:7:3 subset: unknown field `subset`, did you mean `subsets`?
    policy.yaml:8:34 trafficPolicy.loadBalancer.zoneAwareLbSetting: `zoneAwareLbSetting` is not supported yet
    policy.yaml:9:3 workloadselector: unknown field `workloadselector`, did you mean `workloadSelector`?
    policy.yaml:10:24 subsets[0].label: unknown field `label`, did you mean `labels`?
    policy.yaml:10:48 subsets[1]: `name` is missing
    policy.yaml:10:66 subsets[1].labels.version: expected a string, found the number `2` (quote it: `"2"`)
    policy.yaml:16:10 hosts: expected a list, found the string `a.example.com`
    policy.yaml:17:15 resolution: expected one of `NONE`, `STATIC`, `DNS`, `DNS_ROUND_ROBIN`, found the string `static`
    policy.yaml:18:12 ports[0]: `name` is missing
    policy.yaml:18:20 ports[0].number: `70000` is out of range: 0 to 65535
    policy.yaml:19:16 endpoints[0]: `address` is missing
    policy.yaml:19:16 endpoints[0].adress: unknown field `adress`, did you mean `address`?
    policy.yaml:26:6 servers[0]: `hosts` is missing
    policy.yaml:26:21 servers[0].port.number: expected a whole number, found the string `http`
    policy.yaml:32:9 mode: expected one of `enforce`, `observe`, found `true`
    policy.yaml:33:3 tag: unknown field `tag`, did you mean `tags`?
    policy.yaml:34:13 sticky[0]: `by` is missing
    policy.yaml:34:13 sticky[0]: `rule` is missing
    policy.yaml:34:13 sticky[0]: `virtualService` is missing
    policy.yaml:34:13 sticky[0].virtualservice: unknown field `virtualservice`, did you mean `virtualService`?
    policy.yaml:39:8 port: unknown field `port`, did you mean `ports`?
    policy.yaml:41:1 spec: `spec` is missing
    "#);
}

#[test]
fn what_every_manifest_needs_is_told_where_it_is_missing() {
    let text = "
kind: VirtualService
metadata: {name: a}
---
apiVersion: networking.istio.io/v1
metadata: {name: a}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {namespace: a, labels: {version: 1}, anotations: {}}
sepc: {}
---
apiVersion: networking.istio.io/v1
kind: VirtualServices
metadata: {name: a}
---
apiVersion: networking.istio.io/v7
kind: Gateway
metadata: {name: yes}
---
[1, 2]
---
just words
---
apiVersion: v1
kind: List
items: {a: 1}
---
apiVersion: v1
kind: Service
metadata: [a]
---
a: 1
a: 2
";
    insta::assert_snapshot!(short(&errors(vec![input("policy.yaml", text)])), @r#"
    policy.yaml:2:1 apiVersion: `apiVersion` is missing
    policy.yaml:5:1 kind: `kind` is missing
    policy.yaml:10:1 metadata.name: `metadata.name` is missing
    policy.yaml:10:44 metadata.labels.version: expected a string, found the number `1` (quote it: `"1"`)
    policy.yaml:10:48 metadata.anotations: unknown field `anotations`, did you mean `annotations`?
    policy.yaml:11:1 sepc: unknown field `sepc`, did you mean `spec`?
    policy.yaml:14:7 kind: unknown kind `VirtualServices` of `networking.istio.io` (did you mean `VirtualService`?)
    policy.yaml:17:13 apiVersion: `networking.istio.io/v7` is no version of Gateway that is read (write `networking.istio.io/v1`)
    policy.yaml:19:18 metadata.name: expected a string, found the boolean `yes` (quote it: `"yes"`)
    policy.yaml:21:2 : expected a manifest, found a list
    policy.yaml:23:1 : expected a manifest, found the string `just words`
    policy.yaml:27:1 items: expected a list, found an object
    policy.yaml:31:1 metadata.name: `metadata.name` is missing
    policy.yaml:34:1 : the key `a` is written twice [first written here: policy.yaml:33:1]
    "#);
}

#[test]
fn one_name_twice_is_an_error_that_names_both_places() {
    let one = |namespace: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: edge{namespace}}}\nspec: {{servers: []}}\n"
        )
    };
    let inputs = vec![
        input("a.yaml", &one("")),
        input("b.yaml", &one(", namespace: shop")),
        input("c.yaml", &one(", namespace: other")),
        input("d.yaml", &one(", namespace: default")),
    ];
    insta::assert_snapshot!(human(&errors(inputs), false), @r#"
    error: `Gateway default/edge` is written twice
     --> d.yaml:3:18
      |
    3 | metadata: {name: edge, namespace: default}
      |                  ^^^^ metadata.name
      |
     ::: a.yaml:3:18
      |
    3 | metadata: {name: edge}
      |                  ---- first written here
    "#);
}

/// At its place and once, whatever namespaces others have.
#[test]
fn what_is_no_namespace_is_told_where_it_is_written() {
    let service = |namespace: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: {namespace}}}\nspec: {{ports: [{{port: 80}}]}}\n"
        )
    };
    let told = "policy.yaml:3:32 metadata.namespace: `Shop_1` is no namespace (write lower-case letters, digits and `-`, at most 63)";
    for text in [service("Shop_1"), format!("{}---\n{}", service("Shop_1"), service("demo"))] {
        assert_eq!(short(&errors(vec![input("policy.yaml", &text)])).trim(), told);
    }
}

#[test]
fn the_namespace_is_the_commands_else_the_one_that_is_written_else_default() {
    let one = |name: &str, namespace: &str| {
        let text = format!("{{apiVersion: v1, kind: Service, metadata: {{name: {name}{namespace}}}, spec: {{}}}}");
        input("a.yaml", &text)
    };
    let namespaces = |inputs: Vec<Input>, given| {
        let read = read_sources(inputs, given).expect("right");
        let mut all: Vec<_> = read.all.iter().map(|manifest| manifest.namespace.clone()).collect();
        all.insert(0, read.namespace);
        all.join(" ")
    };
    let (none, shop, other) = (one("a", ""), one("b", ", namespace: shop"), one("c", ", namespace: other"));
    assert_eq!(namespaces(vec![none.clone()], None), "default default");
    assert_eq!(namespaces(vec![none.clone(), shop.clone()], None), "shop shop shop");
    assert_eq!(namespaces(vec![none.clone(), shop.clone(), other], None), "default default shop other");
    assert_eq!(namespaces(vec![none, shop], Some("mine")), "mine mine shop");
}

#[test]
fn what_the_mesh_would_do_and_envoy_would_not_is_refused() {
    let lost = [
        ("security.istio.io/v1", "AuthorizationPolicy", "requests that it denies would be let through"),
        ("security.istio.io/v1", "RequestAuthentication", "tokens would not be checked"),
        ("security.istio.io/v1beta1", "PeerAuthentication", "plaintext callers would be let in"),
        ("networking.istio.io/v1alpha3", "EnvoyFilter", "its patches would be missing"),
        ("networking.istio.io/v1", "Sidecar", "hosts that it hides would be reachable"),
    ];
    for (api_version, kind, why) in lost {
        let text =
            format!("\napiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a, namespace: shop}}\nspec: {{}}\n");
        let read = manifests(&text);
        assert_eq!(read.all, []);
        let instead = match kind {
            "EnvoyFilter" => "where it sets a header, write a tag of a SwitchyardPolicy; else ",
            _ => "",
        };
        let help = format!("{instead}leave it out, or say that it does not matter here: `--ignore-kind {kind}`");
        let expected = format!("policy.yaml:3:7 kind: `{kind} shop/a` would not be in force: {why} ({help})");
        assert_eq!(short(&read.refused(&BTreeSet::new())), expected);
        assert_eq!(read.refused(&BTreeSet::from([kind.to_owned()])), []);
        assert_eq!(read.refused(&BTreeSet::from(["VirtualService".to_owned()])).len(), 1, "{kind}");
    }
}

#[test]
fn kinds_that_are_not_read_are_listed_once_each() {
    let of = |kind: &str, name: &str| format!("\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n---");
    let read = manifests(&[of("Deployment", "a"), of("DaemonSet", "a"), of("Deployment", "b")].concat());
    let expected = [("DaemonSet", 1), ("Deployment", 2)].map(|(kind, count)| (("apps/v1".into(), kind.into()), count));
    assert_eq!(read.unread_kinds(), BTreeMap::from(expected));
    assert_eq!(read.refused(&BTreeSet::new()), []);
}

#[test]
fn a_case_needs_no_name() {
    let read = manifests("kind: Case\nspec: {requests: []}\n---\nkind: Case\nspec: {requests: []}\n");
    assert_eq!(read.of(Kind::Case).count(), 2);
}

#[test]
fn bytes_that_are_not_utf8_are_told_with_their_place() {
    let bad = Input { name: "bad.yaml".into(), bytes: b"kind: Gateway\n# caf\xe9\n".to_vec() };
    let byte_order_mark = Input { name: "bom.yaml".into(), bytes: b"\xef\xbb\xbfkind: Case\n".to_vec() };
    let utf16 = Input { name: "utf16.yaml".into(), bytes: b"\xff\xfek\0".to_vec() };
    insta::assert_snapshot!(human(&errors(vec![bad, byte_order_mark, utf16]), false), @r#"
    error: unreadable YAML: not UTF-8
     --> bad.yaml:2:6
      |
    2 | # caf�
      |      ^
      |
      = help: save the file as UTF-8

    error: unreadable YAML: not UTF-8
     --> utf16.yaml:1:1
      |
    1 | ��k␀
      | ^
      |
      = help: save the file as UTF-8
    "#);
}

#[test]
fn files_that_cannot_be_opened_are_another_error_than_wrong_ones() {
    let error = read(&["/nowhere.yaml".into()], None, &mut std::io::empty()).expect_err("nothing there");
    assert_eq!(error.to_string(), "cannot open `/nowhere.yaml`: no such file or folder");
    let mut stdin: &[u8] = b"kind: [";
    let error = read(&["-".into()], None, &mut stdin).expect_err("unreadable");
    let ReadError::Invalid(errors) = error else { panic!("{error}") };
    assert_eq!(short(&errors), "<stdin>:1:7 : unreadable YAML: unclosed bracket '['");
}
