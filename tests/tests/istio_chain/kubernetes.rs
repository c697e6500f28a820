//! Services and Gateways as Kubernetes has them, and the workloads behind them, which no kubelet runs.

use serde_json::{Value, json};
use switchyard_tests::chain::{Chain, addresses};
use switchyard_tests::harness::Echo;
use switchyard_tests::istio::{GATEWAY_NAME, Proxy};

/// Two versions of a workload, and the Services `shop`, `shop-v1` and `shop-v2`.
pub struct Versions {
    pub v1: Echo,
    pub v2: Echo,
}

impl Versions {
    /// Both versions, at any address.
    pub async fn start() -> Self {
        let echo = async |name: &str| {
            Echo::named(name).at(([0, 0, 0, 0], 0).into()).recording().obeying().start().await.unwrap()
        };
        Self { v1: echo("v1").await, v2: echo("v2").await }
    }

    /// What a cluster has of them, with subsets for VirtualServices.
    pub fn manifests(&self, namespace: &str) -> Vec<Value> {
        let mut all = vec![service(namespace, "shop", &json!({"app": "shop"}), &json!([{"name": "http", "port": 80}]))];
        let mut subsets = vec![];
        for (version, echo) in [("v1", &self.v1), ("v2", &self.v2)] {
            let labels = json!({"app": "shop", "version": version});
            let name = format!("shop-{version}");
            all.push(service(namespace, &name, &labels, &json!([{"name": "http", "port": 80}])));
            // Endpoints of a Service must not be at 127.0.0.0/8, those of Istio's may (istio.md 5.6).
            all.push(object(
                "networking.istio.io/v1",
                "WorkloadEntry",
                &name,
                namespace,
                &json!({"address": addresses::next().to_string(), "labels": labels, "ports": {"http": echo.address().port()}}),
            ));
            subsets.push(json!({"name": version, "labels": {"version": version}}));
        }
        let rule = json!({"host": "shop", "subsets": subsets});
        all.push(object("networking.istio.io/v1", "DestinationRule", "shop", namespace, &rule));
        all
    }
}

/// A resource with a spec.
pub fn object(version: &str, kind: &str, name: &str, namespace: &str, spec: &Value) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

/// A Service of pods with these labels.
pub fn service(namespace: &str, name: &str, selector: &Value, ports: &Value) -> Value {
    object("v1", "Service", name, namespace, &json!({"selector": selector, "ports": ports}))
}

/// An HTTPRoute of these parents.
pub fn http_route(namespace: &str, name: &str, parents: &Value, rules: &Value) -> Value {
    let spec = json!({"parentRefs": parents, "rules": rules});
    object("gateway.networking.k8s.io/v1", "HTTPRoute", name, namespace, &spec)
}

/// A Gateway `front` of the Gateway API with a listener for `*.example.com` at port 80, the Service that istiod would make for
/// it, and its proxy.
pub fn gateway(namespace: &str) -> (Vec<Value>, Proxy) {
    let listeners = json!([{"name": "http", "port": 80, "protocol": "HTTP", "hostname": "*.example.com"}]);
    let spec = json!({"gatewayClassName": "istio", "listeners": listeners});
    let proxy = Proxy::gateway("front", namespace, [80]).labelled([(GATEWAY_NAME.into(), "front".into())]);
    let labels = json!({ GATEWAY_NAME: "front" });
    let entry = json!({"address": proxy.ip(), "labels": labels});
    let manifests = vec![
        object("gateway.networking.k8s.io/v1", "Gateway", "front", namespace, &spec),
        service(namespace, "front-istio", &labels, &json!([{"name": "http", "port": 80}])),
        // Of what is no pod istiod learns so whose it is.
        object("networking.istio.io/v1", "WorkloadEntry", "front", namespace, &entry),
    ];
    (manifests, proxy)
}

/// A policy that tags staff, and others by these shares.
pub fn policy(namespace: &str, tag: &Value) -> Value {
    object("switchyard.dev/v1alpha1", "SwitchyardPolicy", "rollout", namespace, &json!({"tags": [tag]}))
}

/// Applies these but for what only `switchyard` reads.
pub async fn apply(chain: &Chain, manifests: &[Value]) {
    let istios: Vec<Value> = manifests.iter().filter(|one| one["kind"] != "SwitchyardPolicy").cloned().collect();
    chain.apply_all(&istios).await.unwrap();
}
