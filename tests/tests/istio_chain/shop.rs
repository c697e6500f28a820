//! A service in two versions behind a gateway, and the plugin that chooses between them.

use serde_json::{Value, json};
use std::time::Duration;
use switchyard_tests::chain::{Chain, Running, eventually, service};
use switchyard_tests::harness::{Echo, Request};
use switchyard_tests::istio::Proxy;

/// How long a change may take from kubectl to Envoy: 2 s alone.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What every test has: a namespace with the service `shop` in two versions and a Gateway that selects one gateway.
pub struct Shop<'a> {
    pub chain: &'a Chain,
    pub namespace: String,
    pub upstream: Echo,
}

impl Shop<'static> {
    /// In a new namespace of the shared chain.
    pub async fn new(word: &str) -> Self {
        let chain = Chain::shared().await.unwrap();
        let namespace = chain.namespace(word).await.unwrap();
        let upstream = Echo::named("shop").at(([0, 0, 0, 0], 0).into()).recording().start().await.unwrap();
        let port = upstream.address().port();
        let shop = Self { chain, namespace, upstream };
        let mut manifests = shop.routes();
        manifests.push(service("shop", &shop.namespace, 80, &[("v1", port), ("v2", port)]));
        chain.apply_all(&manifests).await.unwrap();
        shop
    }
}

impl Shop<'_> {
    /// A manifest of Istio's networking in this namespace.
    pub fn object(&self, kind: &str, name: &str, spec: &Value) -> Value {
        json!({"apiVersion": "networking.istio.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec})
    }

    /// Istio's own routes send everything to v1, so that only the plugin can choose v2.
    pub fn routes(&self) -> Vec<Value> {
        let version = |name: &str| json!({"name": name, "labels": {"version": name}});
        vec![
            self.object("DestinationRule", "shop", &json!({"host": "shop", "subsets": [version("v1"), version("v2")]})),
            self.object(
                "Gateway",
                "edge",
                &json!({"selector": {"shop": self.namespace}, "servers":
                    [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}),
            ),
            self.object(
                "VirtualService",
                "shop",
                &json!({"hosts": ["*"], "gateways": ["edge"],
                    "http": [{"name": "istio", "route": [{"destination": {"host": "shop", "subset": "v1"}}]}]}),
            ),
        ]
    }

    /// A gateway that the Gateway selects.
    pub fn gateway(&self, name: &str) -> Proxy {
        Proxy::gateway(name, &self.namespace, [80]).labelled([("shop".into(), self.namespace.clone())])
    }

    /// A configuration that tags everybody with this value and sends everything to v2.
    pub fn configuration(&self, tag: &str) -> Value {
        json!({
            "namespace": self.namespace,
            "proxy": {"namespace": self.namespace, "gateways": [format!("{}/edge", self.namespace)], "port": 80},
            "tags": [{"header": "user-type", "hosts": ["*"], "split": [{"value": tag, "weight": 100}]}],
            "virtualServices": [{"name": "shop", "namespace": self.namespace, "hosts": ["*"],
                "gateways": [format!("{}/edge", self.namespace)],
                "http": [{"name": "ours", "route": [{"destination": {"host": "shop", "subset": "v2"}}]}]}],
            "services": [{"host": format!("shop.{}.svc.cluster.local", self.namespace), "ports": [80],
                "subsets": [{"name": "v1"}, {"name": "v2"}]}],
        })
    }

    /// The WasmPlugin, and the EnvoyFilter with the route of what it decides (istio.md 5.0).
    pub fn plugin(&self, url: &str, configuration: &Value, more: &[(&str, &str)]) -> [Value; 2] {
        let labels = json!({"shop": self.namespace});
        let mut spec = json!({"selector": {"matchLabels": labels}, "url": url, "failStrategy": "FAIL_CLOSE",
            "pluginConfig": configuration});
        for (field, value) in more {
            spec[*field] = json!(value);
        }
        let route = json!({
            "name": "switchyard",
            "match": {"prefix": "/", "headers": [{"name": "x-switchyard-cluster", "present_match": true}]},
            "route": {"cluster_header": "x-switchyard-cluster", "timeout": "0s",
                "request_mirror_policies": [{"cluster_header": "x-switchyard-mirror-1"}]},
            "request_headers_to_remove": ["x-switchyard-cluster"],
        });
        let filter = json!({"workloadSelector": {"labels": labels}, "configPatches": [{
            "applyTo": "HTTP_ROUTE",
            "match": {"context": "GATEWAY", "routeConfiguration": {"vhost": {}}},
            "patch": {"operation": "INSERT_FIRST", "value": route},
        }]});
        let mut plugin = self.object("WasmPlugin", "switchyard", &spec);
        plugin["apiVersion"] = json!("extensions.istio.io/v1alpha1");
        let mut filter = self.object("EnvoyFilter", "switchyard", &filter);
        filter["apiVersion"] = json!("networking.istio.io/v1alpha3");
        [plugin, filter]
    }

    /// Applies [`Self::plugin`].
    pub async fn apply(&self, url: &str, configuration: &Value, more: &[(&str, &str)]) {
        self.chain.apply_all(&self.plugin(url, configuration, more)).await.unwrap();
    }

    /// Status, cluster and tag of a request.
    pub async fn ask(&self, gateway: &Running) -> Result<(u16, Option<String>, Option<String>), String> {
        let mut client = gateway.client(80)?;
        let seen = gateway.send(&mut client, &self.upstream, &Request::new("GET", "shop.example.com", "/")).await?;
        let tag = seen.upstream.iter().flat_map(|one| &one.headers).find(|(name, _)| name == "user-type");
        Ok((seen.status, seen.cluster, tag.map(|(_, value)| value.clone())))
    }

    /// Waits until requests are answered with this status and, when they reach an upstream, this tag.
    pub async fn until(&self, gateway: &Running, status: u16, tag: Option<&str>) {
        let asked = async || {
            let seen = self.ask(gateway).await?;
            if seen.0 == status && seen.2.as_deref() == tag { Ok(()) } else { Err(format!("{seen:?}")) }
        };
        eventually(PATIENCE, asked).await.unwrap_or_else(|why| panic!("{why}\n{}", gateway.log_tail()));
    }

    /// Istio's name of a subset's cluster.
    pub fn cluster(&self, subset: &str) -> String {
        format!("outbound|80|{subset}|shop.{}.svc.cluster.local", self.namespace)
    }
}
