//! VirtualServices of other Gateways of the same pods, of which `check --applied` says that a plugin takes their requests.

use super::{checked, generated};

fn service(name: &str, host: &str, gateway: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, namespace: demo}}\n\
         spec: {{hosts: ['{host}'], gateways: [{gateway}], http: [{{name: all, route: [{{destination: {{host: shop}}}}]}}]}}\n"
    )
}

fn gateway(name: &str, port: u16, host: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: demo}}\n\
         spec: {{selector: {{istio: ingressgateway}}, servers: [{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ['{host}']}}]}}\n"
    )
}

const SERVICES: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: shop, namespace: demo}\n\
    spec: {ports: [{name: http, port: 80}]}\n---\napiVersion: v1\nkind: Service\n\
    metadata: {name: gates, namespace: istio-system}\n\
    spec: {selector: {istio: ingressgateway}, ports: [{name: http, port: 80, targetPort: 8080}]}\n";

/// What is said of another Gateway and its VirtualService, which came after the plugin.
fn beside(port: u16, host: &str) -> Vec<String> {
    let own = [SERVICES, &gateway("a", 80, "*.example.com"), &service("wide", "*", "a")].join("---\n");
    let plugin = generated(&own, &["--gateway", "demo/a"]);
    checked(&[&own, &plugin, &gateway("b", port, "*"), &service("b", host, "b")])
}

#[test]
fn hosts_of_other_gateways_that_a_plugin_takes_are_told() {
    let told = [
        "error drifted metadata.name: requests for `b.example.com` of `VirtualService demo/b` come to the same port, and `*.example.com` of `demo/wide` takes them: in Istio the more exact host wins (`WasmPlugin istio-system/switchyard-demo.a` embeds it)",
    ];
    assert_eq!(beside(80, "b.example.com"), told);
    // The port of the pods that the Service sends port 80 to.
    assert_eq!(beside(8080, "b.example.com"), told);
    assert_eq!(beside(8081, "b.example.com"), [""; 0]);
    assert_eq!(beside(80, "b.example.org"), [""; 0]);
    let same = beside(80, "*.example.com");
    assert!(same.len() == 1 && same[0].contains("in Istio the rules of both count"), "{same:?}");
    // More than the plugin has: the rest of it is Istio's.
    assert_eq!(beside(80, "*"), [""; 0]);
}
