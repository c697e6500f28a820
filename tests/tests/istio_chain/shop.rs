//! A service in two versions behind a gateway, and the plugin that chooses between them.

use serde_json::{Value, json};
use std::time::Duration;
use switchyard_envoy::istio::{Code, FailStrategy, ROOT_NAMESPACE, Selection, Settings, Url, Via, generate};
use switchyard_envoy::manifest::{Input, read_sources};
use switchyard_envoy::translate::Options;
use switchyard_envoy::yaml;
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

    /// What `switchyard generate --target istio` makes of these manifests for the gateway, with other `spec` fields of the
    /// WasmPlugin; `FAIL_CLOSE` shows whether it runs.
    pub fn generated(&self, manifests: &[Value], url: &str, more: &[(&str, &str)]) -> Vec<Value> {
        // By its pods: of a Gateway alone nobody knows in which namespace they are.
        let labels = [("shop".to_owned(), self.namespace.clone())].into();
        let selection = Selection::Workload { namespace: self.namespace.clone(), labels };
        let strategy = Some(FailStrategy::Close);
        let mut resources = generated(manifests, &self.namespace, Via::ClusterHeader, selection, strategy, url);
        let plugin = plugin_of(&mut resources);
        for (field, value) in more {
            plugin["spec"][*field] = json!(value);
        }
        resources
    }

    /// [`Self::generated`] of a policy that tags everybody with this value and goes by these rules.
    pub fn policy(&self, url: &str, tag: &str, http: &Value, more: &[(&str, &str)]) -> Vec<Value> {
        let mut manifests = self.routes();
        let rules = manifests.iter_mut().find(|one| one["kind"] == "VirtualService").unwrap();
        rules["spec"]["http"] = http.clone();
        manifests.push(service("shop", &self.namespace, 80, &[("v1", 1), ("v2", 2)]));
        let tags = json!([{"header": "user-type", "hosts": ["*"], "split": [{"value": tag, "weight": 100}]}]);
        let mut policy = self.object("SwitchyardPolicy", "shop", &json!({"tags": tags}));
        policy["apiVersion"] = json!("switchyard.dev/v1alpha1");
        policy["metadata"]["annotations"] = json!({"config.kubernetes.io/local-config": "true"});
        manifests.push(policy);
        self.generated(&manifests, url, more)
    }

    /// Applies what tags everybody with this value and sends everything to v2, where Istio's own route is to v1.
    pub async fn apply(&self, url: &str, tag: &str, more: &[(&str, &str)]) {
        self.chain.apply_all(&self.policy(url, tag, &all_to_v2(), more)).await.unwrap();
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

/// What `switchyard generate --target istio` makes of these manifests.
pub fn generated(
    manifests: &[Value],
    namespace: &str,
    via: Via,
    selection: Selection,
    fail_strategy: Option<FailStrategy>,
    url: &str,
) -> Vec<Value> {
    let text: Vec<String> = manifests.iter().map(Value::to_string).collect();
    let input = Input { name: "manifests.yaml".into(), bytes: text.join("\n---\n").into_bytes() };
    let manifests = read_sources(vec![input], Some(namespace)).unwrap();
    let settings = Settings {
        via,
        selection,
        name: "switchyard".into(),
        root_namespace: ROOT_NAMESPACE.into(),
        code: Code { url: Url::parse(url).unwrap(), sha256: None, pull_secret: None },
        fail_strategy,
        phase: None,
    };
    let text = generate(&manifests, &Options::default(), &settings).unwrap().text;
    let mut resources: Vec<Value> = yaml::load(&text).0.iter().map(yaml::Node::to_json).collect();
    resources.retain(Value::is_object);
    resources
}

/// Rules that send everything to v2.
pub fn all_to_v2() -> Value {
    json!([{"name": "ours", "route": [{"destination": {"host": "shop", "subset": "v2"}}]}])
}

/// The WasmPlugin among resources.
pub fn plugin_of(resources: &mut [Value]) -> &mut Value {
    resources.iter_mut().find(|one| one["kind"] == "WasmPlugin").expect("a WasmPlugin")
}
