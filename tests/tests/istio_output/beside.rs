//! What is in the cluster beside what was embedded: what of it `check --applied` misses in a plugin, and what it does not.

use super::{checked, checked_in, generated};
use switchyard_envoy::translate::{DefaultExport, Mesh};

/// A Gateway whose wildcard is embedded, a VirtualService for a host that it does not serve, and one in the mesh.
const EDGE: &str = "
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: demo}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system}
spec: {selector: {istio: ingressgateway}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: demo}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*.example.com']}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wide, namespace: demo}
spec: {hosts: ['*.example.com'], gateways: [edge], http: [{name: all, route: [{destination: {host: shop}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: passed, namespace: demo}
spec: {hosts: [a.example.org], gateways: [edge], http: [{name: all, directResponse: {status: 418}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: demo}
spec: {hosts: [shop], http: [{name: all, route: [{destination: {host: shop}}]}]}
";

/// What is said at the gateway, or in the mesh, of what is generated of these manifests, once they are others.
fn changed(arguments: &[&str], change: impl Fn(&str) -> String) -> Vec<String> {
    let plugins = generated(EDGE, arguments);
    let live = change(EDGE);
    assert_ne!(live, EDGE);
    checked(&[&live, &plugins])
}

const GATEWAY: [&str; 2] = ["--gateway", "demo/edge"];
const MESH: [&str; 2] = ["--namespace", "demo"];

#[test]
fn of_one_of_which_nothing_is_embedded_hosts_gateways_and_exports_are_known() {
    let told = [
        "error drifted metadata.name: requests for `new.example.com` of `VirtualService demo/passed` are taken by `*.example.com` of `demo/wide`, which `WasmPlugin istio-system/switchyard-demo.edge` embeds: in Istio the more exact host wins",
    ];
    assert_eq!(changed(&GATEWAY, |text| text.replace("a.example.org", "new.example.com")), told);
    // What it does is not embedded.
    assert_eq!(changed(&GATEWAY, |text| text.replace("418", "419")), [""; 0]);
    assert_eq!(changed(&MESH, |text| text.replace("a.example.org", "new.example.com")), [""; 0]);
    // A DestinationRule of the same name is another thing.
    let rule = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: new, namespace: demo}\nspec: {host: shop}\n";
    let plugins = generated(&format!("{EDGE}{rule}"), &MESH);
    let new = EDGE.replace("name: passed", "name: new").replace("a.example.org], gateways: [edge]", "shop]");
    assert_eq!(
        checked(&[&new, rule, &plugins]),
        [
            "error drifted metadata.name: `VirtualService demo/new` would be embedded in `WasmPlugin demo/switchyard` and is not"
        ]
    );
}

#[test]
fn one_that_is_left_to_istio_shares_no_host_with_one_that_is_embedded() {
    let beside = |plugin: &[&str], namespace: &str, spec: &str| {
        let left = format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: left, namespace: {namespace}, annotations: {{switchyard.dev/embed: \"false\"}}}}\n\
             spec: {{{spec}, http: [{{match: [{{uri: {{prefix: /a}}}}], directResponse: {{status: 418}}}}]}}\n"
        );
        changed(plugin, |text| format!("{text}{left}"))
    };
    let told = |host: &str, taker: &str, plugin: &str| {
        [format!(
            "error drifted metadata.name: `VirtualService demo/left` is not embedded and has the host `{host}`, which `{taker}` takes and is, in `WasmPlugin {plugin}`"
        )]
    };
    assert_eq!(
        beside(&GATEWAY, "demo", "gateways: [edge], hosts: ['*.example.com']"),
        told("*.example.com", "demo/wide", "istio-system/switchyard-demo.edge")
    );
    assert_eq!(
        beside(&MESH, "demo", "hosts: [shop]"),
        told("shop.demo.svc.cluster.local", "demo/shop", "demo/switchyard")
    );
    assert_eq!(beside(&GATEWAY, "demo", "gateways: [edge], hosts: [b.example.org]"), [""; 0]);
    assert_eq!(beside(&MESH, "other", "hosts: [shop]"), [""; 0]);
}

#[test]
fn what_istio_never_uses_there_is_not_missed() {
    let rule = |namespace: &str, spec: &str, arguments: &[&str]| {
        let rule = format!(
            "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: new, namespace: {namespace}}}\n\
             spec: {{{spec}, host: shop.demo.svc.cluster.local, trafficPolicy: {{loadBalancer: {{consistentHash: {{useSourceIp: true}}}}}}}}\n"
        );
        let found = changed(arguments, |text| format!("{text}{rule}"));
        found.iter().filter(|line| line.contains("has requests hashed by would be embedded")).count()
    };
    let at_gateway = |namespace, spec| rule(namespace, spec, &GATEWAY);
    // The destination's namespace, the root one, a third one.
    assert_eq!(at_gateway("demo", "exportTo: ['*']"), 1);
    assert_eq!(at_gateway("istio-system", "exportTo: ['*']"), 1);
    assert_eq!(at_gateway("other", "exportTo: ['*']"), 0);
    // For the destination's own callers.
    let of_client = ["--workload", "demo/app=front"];
    assert_eq!(rule("demo", "exportTo: ['.']", &of_client), 1);
    assert_eq!(rule("istio-system", "exportTo: ['.']", &of_client), 0);
    assert_eq!(rule("istio-system", "exportTo: [demo]", &of_client), 1);
    for (labels, missed) in [("app: front", 1), ("app: back", 0), ("version: v1", 0)] {
        let selector = format!("workloadSelector: {{matchLabels: {{{labels}}}}}");
        assert_eq!(rule("demo", &selector, &of_client), missed, "{labels}");
        assert_eq!(rule("istio-system", &selector, &of_client), 0, "{labels}");
    }
}

#[test]
fn what_the_mesh_says_of_exports_counts() {
    let private = || DefaultExport::of(vec![".".into()]);
    let mesh = Mesh { virtual_services: private(), destination_rules: private(), ..Mesh::default() };
    let plugins = generated(EDGE, &MESH);
    for (kind, spec) in [
        ("VirtualService", "hosts: [shop.demo.svc.cluster.local], http: [{directResponse: {status: 418}}]"),
        (
            "DestinationRule",
            "host: shop.demo.svc.cluster.local, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}",
        ),
    ] {
        for (namespace, more, missed) in
            [("istio-system", "", false), ("istio-system", "exportTo: ['*'], ", true), ("demo", "", true)]
        {
            let new = format!(
                "---\napiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: new, namespace: {namespace}}}\nspec: {{{more}{spec}}}\n"
            );
            let all = [EDGE, &new, &plugins];
            assert_eq!(checked_in(&mesh, &all).len(), usize::from(missed), "{new}");
            assert_eq!(checked(&all).len(), 1, "{new}");
        }
    }
}

#[test]
fn a_delegate_that_came_later_is_missed() {
    let delegating = EDGE.replace(
        "{hosts: [shop], http: [{name: all, route: [{destination: {host: shop}}]}]}",
        "{hosts: [shop], http: [{name: a, match: [{uri: {prefix: /a}}], delegate: {name: leaf, namespace: team}}, {name: all, route: [{destination: {host: shop}}]}]}",
    );
    let plugins = generated(&delegating, &["--namespace", "demo", "--allow-missing"]);
    let leaf = |more: &str| {
        let leaf = format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: leaf, namespace: team}}\nspec: {{{more}http: [{{name: l, directResponse: {{status: 418}}}}]}}\n"
        );
        checked(&[&delegating, &leaf, &plugins])
    };
    let told = "error drifted metadata.name: the delegate `VirtualService team/leaf` of `demo/shop`, which `WasmPlugin demo/switchyard` embeds, is not embedded";
    assert_eq!(leaf(""), [told]);
    assert_eq!(leaf("exportTo: [demo], "), [told]);
    assert_eq!(leaf("exportTo: ['.'], "), [""; 0]);
    assert_eq!(leaf("hosts: [leaf.example.com], "), [""; 0]);
    assert_eq!(checked(&[&delegating, &plugins]), [""; 0]);
}

/// As `kubectl get wasmplugin,virtualservice,destinationrule` prints them, in a mesh that is as it was generated.
#[test]
fn without_any_envoy_filter_it_is_a_warning_that_they_were_not_looked_at() {
    let plugins = generated(EDGE, &MESH);
    let (_, plugin) = plugins.rsplit_once("---\n").unwrap();
    assert_eq!(
        checked(&[EDGE, plugin]),
        [
            "warning drifted metadata.name: EnvoyFilters were not looked at, since there is none here: `EnvoyFilter demo/switchyard`, which `WasmPlugin demo/switchyard` needs, was not asked for or is gone"
        ]
    );
    let another =
        "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: a, namespace: demo}\nspec: {}\n";
    assert_eq!(
        checked(&[EDGE, plugin, another]),
        [
            "error drifted metadata.name: `EnvoyFilter demo/switchyard`, which `WasmPlugin demo/switchyard` needs, is gone"
        ]
    );
}

/// Kustomize's `namePrefix` changes no text in patches.
#[test]
fn a_plugin_that_was_renamed_runs_where_its_envoy_filter_keeps_it_off() {
    let https =
        EDGE.replace("protocol: HTTP}, hosts", "protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: a}, hosts");
    let renamed = |text: &str| text.replace("  name: switchyard-demo.edge\n", "  name: prod-switchyard-demo.edge\n");
    let plugins = generated(&https, &GATEWAY);
    assert_eq!(checked(&[&https, &plugins]), [""; 0]);
    assert_eq!(
        checked(&[&https, &renamed(&plugins)]),
        [
            "error drifted metadata.name: `WasmPlugin istio-system/prod-switchyard-demo.edge` was generated as `istio-system/switchyard-demo.edge`, and `EnvoyFilter istio-system/prod-switchyard-demo.edge` keeps it off the routes of other Gateways by that name: it runs there"
        ]
    );
    // Where no patch names it, it may have any name.
    assert_eq!(checked(&[EDGE, &renamed(&generated(EDGE, &GATEWAY))]), [""; 0]);
}
