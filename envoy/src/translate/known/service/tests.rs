use super::super::super::tests::{manifests, told};
use super::super::super::{Model, Options};
use super::super::Endpoint;
use super::Resolve;

const LIST: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: shop, namespace: demo}
  spec:
    clusterIP: 10.96.0.7
    ports: [{name: http, port: 80, targetPort: web}, {name: grpc, port: 90, targetPort: 9090}]
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: shop-1, namespace: demo, labels: {kubernetes.io/service-name: shop}, generation: 3}
  addressType: IPv4
  ports: [{name: http, port: 8080, protocol: TCP}, {name: grpc, port: 9090, protocol: TCP}]
  endpoints:
  - {addresses: [10.0.0.2], conditions: {ready: true, serving: true, terminating: false}, zone: eu-a, nodeName: n1}
  - {addresses: [10.0.0.1], targetRef: {kind: Pod, name: shop-a}}
  - {addresses: [10.0.0.3], conditions: {ready: false}}
  - {addresses: [10.0.0.4], conditions: {ready: true, terminating: true}}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: shop-2, namespace: demo, labels: {kubernetes.io/service-name: shop}}
  addressType: IPv4
  ports: [{name: http, port: 8081}]
  endpoints: [{addresses: [10.0.0.5]}]
";

#[test]
fn a_services_slices_are_its_endpoints_each_with_the_ports_of_its_slice() {
    let manifests = manifests(&[LIST]);
    let model = Model::new(&manifests, &Options::default()).unwrap_or_else(|said| panic!("{said:?}"));
    let known = &model.services()["shop.demo.svc.cluster.local"];
    assert_eq!(known.resolve, Resolve::Static);
    let shown: Vec<_> =
        known.endpoints.iter().map(|endpoint| format!("{} {:?}", endpoint.address, endpoint.ports)).collect();
    // Also one that is about to end, while it is ready.
    let both = "{80: 8080, 90: 9090}";
    let expected = [
        format!("10.0.0.1 {both}"),
        format!("10.0.0.2 {both}"),
        format!("10.0.0.4 {both}"),
        "10.0.0.5 {80: 8081}".into(),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_service_of_which_no_endpoint_is_ready_and_a_slice_of_no_service_are_told() {
    let none = LIST
        .replace("{ready: true, serving", "{ready: false, serving")
        .replace("  - {addresses: [10.0.0.1], targetRef: {kind: Pod, name: shop-a}}\n", "")
        .replace("  - {addresses: [10.0.0.4], conditions: {ready: true, terminating: true}}\n", "")
        .replace("{addresses: [10.0.0.5]}", "");
    assert_eq!(
        told(&[&none]),
        ["warning a.yaml:6:20: no endpoint of `shop.demo.svc.cluster.local` is ready: requests to it get 503"]
    );
    let other =
        LIST.replace("labels: {kubernetes.io/service-name: shop}}", "labels: {kubernetes.io/service-name: shpo}}");
    assert_eq!(told(&[&other]), ["warning a.yaml:22:82: there is no Service `demo/shpo`"]);
}

/// Host, and its endpoints with their ports, of one that is known.
fn shown(model: &Model<'_>, host: &str) -> Vec<String> {
    let known = &model.services()[host];
    let one = |endpoint: &Endpoint| format!("{} {:?} {}", endpoint.address, endpoint.ports, endpoint.locality);
    known.endpoints.iter().map(one).collect()
}

/// Seen in istiod 1.29.1: the Service's ports, with the endpoints of both, by the names of ports.
#[test]
fn a_service_entry_with_a_services_host_adds_endpoints_and_no_port() {
    let entry = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vms, namespace: demo}
spec:
  hosts: [shop.demo.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 88, name: more, protocol: HTTP}]
  endpoints: [{address: 10.3.0.1, ports: {http: 8088}}]
";
    assert_eq!(
        told(&[LIST, entry]),
        ["warning b.yaml:5:11: the Service `demo/shop` has this host: its ports count, and not 88"]
    );
    let all = manifests(&[LIST, entry]);
    let model = Model::new(&all, &Options::default()).unwrap_or_else(|said| panic!("{said:?}"));
    let known = &model.services()["shop.demo.svc.cluster.local"];
    assert_eq!(known.ports.iter().map(|port| port.number).collect::<Vec<_>>(), [80, 90]);
    assert_eq!(shown(&model, "shop.demo.svc.cluster.local").last().map(String::as_str), Some("10.3.0.1 {80: 8088} "));
    // Of another namespace than the Service and the proxy it has no effect.
    let elsewhere = entry.replace("namespace: demo", "namespace: other");
    let said = told(&[LIST, &elsewhere]);
    assert_eq!(said, ["warning b.yaml:5:11: the Service `demo/shop` has this host: this has no effect"]);
}

/// As istiod's `serviceInstanceFromWorkloadInstance`.
#[test]
fn a_service_has_the_workload_entries_that_it_selects() {
    let text = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: vms, namespace: demo}
  spec:
    selector: {app: vm}
    ports: [{name: http, port: 80, targetPort: 8080}, {name: web, port: 81, targetPort: own}, {name: same, port: 82}]
- apiVersion: networking.istio.io/v1
  kind: WorkloadEntry
  metadata: {name: vm1, namespace: demo}
  spec: {address: 10.2.0.1, labels: {app: vm, version: v1}, locality: eu/a, serviceAccount: vm}
- apiVersion: networking.istio.io/v1
  kind: WorkloadEntry
  metadata: {name: vm2, namespace: demo}
  spec: {address: 10.2.0.2, labels: {app: vm}, ports: {http: 9080, own: 9081}}
- apiVersion: networking.istio.io/v1
  kind: WorkloadEntry
  metadata: {name: vm3, namespace: other}
  spec: {address: 10.2.0.3, labels: {app: vm}}
";
    let all = manifests(&[text]);
    let options = Options::default();
    let model = Model::new(&all, &options).unwrap_or_else(|said| panic!("{said:?}"));
    let host = "vms.demo.svc.cluster.local";
    assert_eq!(shown(&model, host), ["10.2.0.1 {80: 8080, 82: 82} eu/a", "10.2.0.2 {80: 9080, 81: 9081, 82: 82} "]);
    assert_eq!(model.services()[host].subject_alt_names, ["spiffe://cluster.local/ns/demo/sa/vm"]);
}

#[test]
fn another_name_for_a_host_is_no_destination_and_routes_follow_it() {
    let text = "
apiVersion: v1
kind: Service
metadata: {name: ext, namespace: demo}
spec: {type: ExternalName, externalName: A.example.com., ports: [{name: http, port: 8000}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a, namespace: demo}
spec:
  hosts: [a.example.com]
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 8000, name: more, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: demo}
spec: {hosts: [shop.example.com], http: [{route: [{destination: {host: ext}}]}]}
";
    let all = manifests(&[text]);
    let model = Model::new(&all, &Options::default()).unwrap_or_else(|said| panic!("{said:?}"));
    assert_eq!(model.services().keys().collect::<Vec<_>>(), ["a.example.com"]);
    let (_, written) = model.virtual_services().next().expect("one");
    let to = &written.http[0].route[0].destination;
    assert_eq!((to.host.as_str(), to.port.as_ref().map(|port| port.number)), ("a.example.com", Some(8000)));
    assert_eq!(written.hosts, ["shop.example.com"]);
    // Who calls the alias has the rules of what it stands for, unless the alias has its own.
    for (hosts, expected) in [
        ("[a.example.com]", vec!["a.example.com", "ext.demo.svc.cluster.local"]),
        ("[a.example.com, ext]", vec!["a.example.com", "ext"]),
        ("[ext]", vec!["ext"]),
    ] {
        let all = manifests(&[&text.replace("hosts: [shop.example.com]", &format!("hosts: {hosts}"))]);
        let model = Model::new(&all, &Options::default()).unwrap_or_else(|said| panic!("{said:?}"));
        assert_eq!(model.warnings(), [], "{hosts}");
        assert_eq!(model.virtual_services().next().expect("one").1.hosts, expected);
    }
    assert_eq!(
        told(&[&text.replace("hosts: [a.example.com]", "hosts: [b.example.com]")]),
        [
            "warning a.yaml:17:16: no ServiceEntry or Service has the host `shop.example.com`",
            "error a.yaml:17:72: no ServiceEntry or Service has the host `a.example.com`"
        ]
    );
}

/// Seen in istiod 1.29.1, each of them.
#[test]
fn what_a_service_says_of_its_callers_and_endpoints_counts() {
    let text = |annotations: &str, spec: &str| {
        LIST.replace(
            "metadata: {name: shop, namespace: demo}\n",
            &format!("metadata: {{name: shop, namespace: demo, annotations: {{{annotations}}}}}\n"),
        )
        .replace("    clusterIP: 10.96.0.7\n", &format!("    {spec}\n"))
    };
    let host = "shop.demo.svc.cluster.local";
    let model = |text: &str, options: &Options, look: &dyn Fn(Option<&super::Known>)| {
        let all = manifests(&[text]);
        let model = Model::new(&all, options).unwrap_or_else(|said| panic!("{said:?}"));
        look(model.services().get(host));
    };
    let options = Options::default();
    let accounts =
        "alpha.istio.io/kubernetes-serviceaccounts: acc1, alpha.istio.io/canonical-serviceaccounts: 'spiffe://x/y'";
    model(&text(accounts, "clusterIP: 10.96.0.7"), &options, &|known| {
        let names = ["spiffe://cluster.local/ns/demo/sa/acc1", "spiffe://x/y"];
        assert_eq!(known.expect("it is there").subject_alt_names, names);
    });
    for hidden in ["'~'", "other"] {
        let text = text(&format!("networking.istio.io/exportTo: {hidden}"), "clusterIP: 10.96.0.7");
        model(&text, &options, &|known| assert_eq!(known, None));
    }
    let at = |node: &str| Options {
        labels: [("kubernetes.io/hostname".to_owned(), node.to_owned())].into(),
        ..Options::default()
    };
    let count = |expected: usize| {
        move |known: Option<&super::Known>| assert_eq!(known.expect("it is there").endpoints.len(), expected)
    };
    model(&text("", "internalTrafficPolicy: Local"), &at("n1"), &count(1));
    model(&text("", "internalTrafficPolicy: Local"), &options, &count(4));
    let distribution = |expected: Option<usize>| {
        move |known: Option<&super::Known>| {
            let own = known.expect("it is there").distribution.as_ref();
            assert_eq!(own.map(|own| own.failover_priority.len()), expected);
        }
    };
    model(&text("", "trafficDistribution: PreferClose"), &options, &distribution(Some(3)));
    model(&text("", "trafficDistribution: PreferSameNode"), &options, &distribution(Some(5)));
    model(&text("networking.istio.io/traffic-distribution: preferClose", ""), &options, &distribution(Some(3)));
    model(&text("", ""), &options, &distribution(None));
    assert_eq!(
        told(&[&LIST.replace("name: grpc, port: 90,", "name: grpc, port: 80,")]),
        ["error a.yaml:9:73: the port `80` is listed twice"]
    );
}
