//! Two plugins of ours, as they are generated, in one cluster: which of them `check --applied` says meet.

use super::{checked, generated};

/// A Service of the mesh, a Gateway of Istio's, one of Kubernetes' and a waypoint, with the VirtualServices of each.
const MESH: &str = "
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: demo}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system}
spec: {selector: {istio: ingressgateway}, ports: [{name: http, port: 80, targetPort: 8080}, {name: https, port: 443, targetPort: 8443}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: demo}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example.com]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: demo}
spec: {hosts: [shop, shop.example.com], gateways: [edge, mesh], http: [{name: all, route: [{destination: {host: shop}}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: demo}
spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: front, namespace: demo}
spec: {hosts: [front.example.com], gateways: [front], http: [{name: all, route: [{destination: {host: shop}}]}]}
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: rollout, namespace: demo}
spec: {tags: [{header: user-type, hosts: ['*'], split: [{value: new, weight: 30}, {value: old, weight: 70}]}], seed: a}
";

/// What is said of two that are generated of the same manifests, each under a name of its own.
fn two_of(manifests: &str, one: &[&str], other: &[&str]) -> Vec<String> {
    two_edited(manifests, one, other, |text| text)
}

/// The same, after a change of the second one.
fn two_edited(manifests: &str, one: &[&str], other: &[&str], change: impl Fn(String) -> String) -> Vec<String> {
    let named = |name: &str, arguments: &[&str]| generated(manifests, &[&["--name", name], arguments].concat());
    let all = checked(&[manifests, &named("one", one), &change(named("two", other))]);
    all.into_iter().filter(|line| line.contains("two-switchyards")).collect()
}

fn error(one: &str, other: &str) -> [String; 1] {
    [format!(
        "error two-switchyards metadata.name: `WasmPlugin {other}` decides for workloads for which `WasmPlugin {one}` does too: requests are decided twice"
    )]
}

fn warning(one: &str, other: &str) -> [String; 1] {
    [format!(
        "warning two-switchyards metadata.name: `WasmPlugin {other}` decides for workloads for which `WasmPlugin {one}` may do too: where one has the labels of both, requests are decided twice"
    )]
}

/// Istio takes those of the proxy's own namespace and of the root one.
#[test]
fn what_lies_in_the_root_namespace_meets_what_it_surely_selects() {
    let two = |one: &[&str], other: &[&str]| two_of(MESH, one, other);
    let gateway = ["--gateway", "demo/edge"];
    assert_eq!(two(&gateway, &["--namespace", "demo"]), [""; 0]);
    assert_eq!(two(&["--namespace", "demo"], &gateway), [""; 0]);
    let labels = |labels: &'static str| ["--workload", labels];
    assert_eq!(
        two(&labels("istio-system/app=front,version=v1"), &labels("demo/app=front")),
        warning("istio-system/one", "demo/two")
    );
    assert_eq!(
        two(&labels("istio-system/app=front"), &labels("demo/app=front,version=v1")),
        error("istio-system/one", "demo/two")
    );
    assert_eq!(two(&labels("istio-system/app=front"), &labels("demo/app=back")), [""; 0]);
    // Within one namespace it is the other way round too.
    assert_eq!(two(&labels("demo/app=front,version=v1"), &labels("demo/app=front")), error("demo/one", "demo/two"));
    assert_eq!(two(&labels("demo/app=front"), &["--namespace", "demo"]), error("demo/one", "demo/two"));
}

/// A proxy that is none of the Gateway API ignores what targets something, a waypoint all else.
#[test]
fn what_targets_something_meets_what_targets_the_same() {
    let waypoint = MESH.replace("gatewayClassName: istio,", "gatewayClassName: istio-waypoint,");
    let tags = |target: &'static str| ["--via", "tags", "--target-ref", target];
    let labels = ["--via", "tags", "--workload", "demo/app=front"];
    assert_eq!(two_of(MESH, &labels, &tags("demo/Service/shop")), [""; 0]);
    assert_eq!(two_of(MESH, &["--namespace", "demo"], &tags("demo/Service/shop")), [""; 0]);
    assert_eq!(two_of(&waypoint, &["--via", "tags", "--namespace", "demo"], &tags("demo/Gateway/front")), [""; 0]);
    assert_eq!(two_of(MESH, &["--target-ref", "demo/Gateway/front"], &tags("demo/Service/shop")), [""; 0]);
    // A gateway of Kubernetes' takes what has a selector too: all of its namespace, or by its labels.
    let front = ["--target-ref", "demo/Gateway/front"];
    assert_eq!(two_of(MESH, &["--namespace", "demo"], &front), error("demo/one", "demo/two"));
    assert_eq!(two_of(MESH, &front, &front), error("demo/one", "demo/two"));
    let shop = tags("demo/Service/shop");
    assert_eq!(two_of(MESH, &shop, &tags("demo/Service/cart")), [""; 0]);
    assert_eq!(two_of(MESH, &shop, &shop), error("demo/one", "demo/two"));
    let also =
        |text: String| text.replace("      name: shop\n", "      name: shop\n    - kind: Service\n      name: cart\n");
    assert_eq!(two_edited(MESH, &shop, &shop, also), error("demo/one", "demo/two"));
    let core = |text: String| text.replace("group: \"\"", "group: core");
    assert_eq!(two_edited(MESH, &shop, &shop, core), error("demo/one", "demo/two"));
    let other = |text: String| text.replace("kind: Service\n", "kind: ServiceEntry\n");
    assert_eq!(two_edited(MESH, &shop, &shop, other), [""; 0]);
}

/// Of the HTTPS servers of a port each has routes of its own, and an EnvoyFilter turns its filter off on those of others.
#[test]
fn two_gateways_that_end_tls_on_one_port_do_not_meet() {
    let both = |arguments: [&str; 2]| two_of(TWO_HTTPS, &["--gateway", "demo/edge"], &arguments);
    assert_eq!(both(["--gateway", "demo/other"]), [""; 0]);
    let all = ["--workload", "istio-system/istio=ingressgateway"];
    assert_eq!(both(all), error("istio-system/one", "istio-system/two"));
    let found = |manifests: &str| two_of(manifests, &["--gateway", "demo/edge"], &["--gateway", "demo/other"]);
    // Plain servers of a port have their routes together.
    let plain = TWO_HTTPS
        .replace("HTTPS}, tls: {mode: SIMPLE, credentialName: a}", "HTTP}")
        .replace("HTTPS}, tls: {mode: SIMPLE, credentialName: b}", "HTTP}");
    assert_eq!(found(&plain), error("istio-system/one", "istio-system/two"));
    // Which it is that runs is the port's, where a rule asks for the port.
    let by_port = TWO_HTTPS.replace("{name: all, route", "{name: all, match: [{port: 443}], route");
    assert_eq!(found(&by_port), [""; 0]);
    // What says so may have been edited.
    let edited = |text: String| text.replacen("disabled: true", "disabled: false", 1);
    let edited = two_edited(TWO_HTTPS, &["--gateway", "demo/edge"], &["--gateway", "demo/other"], edited);
    assert_eq!(edited, error("istio-system/one", "istio-system/two"));
}

const TWO_HTTPS: &str = "
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: demo}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system}
spec: {selector: {istio: ingressgateway}, ports: [{name: https, port: 443, targetPort: 8443}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 443, name: a, protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: a}, hosts: [shop.example.com]}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: other, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 443, name: b, protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: b}, hosts: [other.example.com]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: demo}
spec: {hosts: [shop.example.com], gateways: [edge], http: [{name: all, route: [{destination: {host: shop}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: other, namespace: demo}
spec: {hosts: [other.example.com], gateways: [other], http: [{name: all, route: [{destination: {host: shop}}]}]}
";

/// Two lists that were put together, as of `-A` and of `-n`, may both have it.
#[test]
fn what_is_there_twice_does_not_meet_itself() {
    let plugins = generated(MESH, &["--namespace", "demo"]);
    assert_eq!(checked(&[MESH, &plugins, &plugins]), [""; 0]);
    let other = plugins.replace("FAIL_OPEN", "FAIL_CLOSE");
    assert_eq!(
        checked(&[MESH, &plugins, &other]),
        ["error invalid-field metadata.name: `WasmPlugin demo/switchyard` is written twice"]
    );
}
