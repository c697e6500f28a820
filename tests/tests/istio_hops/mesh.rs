//! The mesh that is asked: a gateway, productcatalog behind its sidecar, two versions of catalogdetail, and a service that no
//! policy names.

use super::app::{self, CALL};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use switchyard_envoy::istio::{Code, ROOT_NAMESPACE, Selection, Settings, Url, Via, generate};
use switchyard_envoy::manifest::{Input, read_sources};
use switchyard_envoy::translate::Options;
use switchyard_envoy::yaml;
use switchyard_tests::chain::{Chain, Running, eventually, service};
use switchyard_tests::harness::{App, Client, Echo, Request, Response, latin1};
use switchyard_tests::istio::Proxy;

/// How long a change may take from kubectl to Envoy: 2 s alone.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long the rules of `/slow…` delay.
pub const DELAY: Duration = Duration::from_secs(2);
/// The host of productcatalog at the gateway.
pub const CATALOG: &str = "catalog.example.com";
/// The host of catalogdetail at the gateway.
pub const DETAIL: &str = "detail.example.com";
/// A host at the gateway that no policy names.
pub const OUTSIDE: &str = "outside.example.com";

/// In which form the filter is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Decides,
    Tags,
}

/// Everything that runs.
pub struct Mesh {
    pub chain: &'static Chain,
    pub namespace: String,
    pub v1: Echo,
    pub v2: Echo,
    pub elsewhere: Echo,
    pub gateway: Running,
    pub sidecar: Running,
    /// Where the sidecar takes what others send to productcatalog.
    pub inbound: SocketAddr,
    pub plugins: [Value; 2],
    pub app: App,
}

impl Mesh {
    /// Applies the manifests and what is generated for both proxies, and starts these.
    pub async fn start(word: &str, form: Form) -> Self {
        let chain = Chain::shared().await.unwrap();
        let namespace = chain.namespace(word).await.unwrap();
        let url = chain.image(word).await.unwrap();
        let echo = |name: &str| Echo::named(name).at(([0, 0, 0, 0], 0).into()).obeying().recording().start();
        let (v1, v2) = (echo("v1").await.unwrap(), echo("v2").await.unwrap());
        let elsewhere = echo("elsewhere").await.unwrap();
        let app = app::start().await;
        let gateway = Proxy::gateway("gateway", &namespace, [80]).labelled([("hops".into(), namespace.clone())]);
        let mut sidecar =
            Proxy::sidecar("productcatalog", &namespace, [3000]).labelled([("app".into(), "productcatalog".into())]);
        let inbound = sidecar.inbound(app.address.port());
        app.behind(sidecar.address(3000).unwrap());

        let versions = [("v1", v1.address().port()), ("v2", v2.address().port())];
        let mut catalog = service("productcatalog", &namespace, 5000, &[("v1", inbound.port())]);
        catalog["spec"]["endpoints"][0]["address"] = json!(inbound.ip().to_string());
        let mut manifests = policy(&namespace);
        manifests.push(service("catalogdetail", &namespace, 3000, &versions));
        manifests.push(catalog);
        let selectors = [("hops", &*namespace), ("app", "productcatalog")];
        let mut resources = Vec::new();
        for ((name, trust), selector) in [("edge", false), ("mesh", true)].into_iter().zip(selectors) {
            let all = [&*manifests, &[tagging(&namespace, trust)]].concat();
            resources.extend(generated(&namespace, &all, name, &[selector], &url, form));
        }
        let plugins = ["edge", "mesh"].map(|name| {
            let named = |one: &&Value| one["kind"] == "WasmPlugin" && one["metadata"]["name"] == name;
            resources.iter().find(named).expect("one plugin for each proxy").clone()
        });
        manifests.push(service("elsewhere", &namespace, 3000, &[("v1", elsewhere.address().port())]));
        // Nobody signs certificates in this chain, and an inbound port that may be asked over mTLS waits for one.
        let mut plain = object("PeerAuthentication", "default", &namespace, &json!({"mtls": {"mode": "DISABLE"}}));
        plain["apiVersion"] = json!("security.istio.io/v1");
        manifests.push(plain);
        if form == Form::Decides {
            manifests.push(keeping_ids(&namespace));
        }
        let outside = json!({"hosts": [OUTSIDE], "gateways": ["edge"], "http":
            [{"name": "outside", "route": [{"destination": {"host": "elsewhere"}}]}]});
        manifests.push(object("VirtualService", "outside", &namespace, &outside));
        chain.apply_all(&[manifests, resources].concat()).await.unwrap();
        let (gateway, sidecar) =
            tokio::try_join!(chain.agent(&gateway).start(), chain.agent(&sidecar).start()).unwrap();
        let mesh = Self { chain, namespace, v1, v2, elsewhere, gateway, sidecar, inbound, plugins, app };
        for (plugin, running) in mesh.plugins.iter().zip([&mesh.gateway, &mesh.sidecar]) {
            let name = format!("{}/{}", mesh.namespace, plugin["metadata"]["name"].as_str().unwrap());
            running.wait_plugin(&name, &plugin["spec"]["pluginConfig"]).await.unwrap();
        }
        let ready = async || match mesh.edge(&Request::new("GET", CATALOG, "/")).await.status {
            200 => Ok(()),
            status => Err(format!(
                "productcatalog answers {status}: {}",
                mesh.sidecar.admin().get("/listeners").await?.text()
            )),
        };
        eventually(PATIENCE, ready).await.unwrap_or_else(|why| panic!("{why}\n{}", mesh.sidecar.log_tail()));
        mesh
    }

    /// Points both plugins, which are `FAIL_OPEN`, at an image that is not there.
    pub async fn without_image(&mut self) {
        let mut plugins = self.plugins.clone();
        for plugin in &mut plugins {
            assert_eq!(plugin["spec"]["failStrategy"], "FAIL_OPEN");
            plugin["spec"]["url"] = json!(self.chain.missing_image("nowhere"));
        }
        self.chain.apply_all(&plugins).await.unwrap();
        for (plugin, running) in plugins.iter().zip([&self.gateway, &self.sidecar]) {
            let name = format!("{}/{}", self.namespace, plugin["metadata"]["name"].as_str().unwrap());
            let replaced = async || match running.extension(&name).await?.unwrap_or_default()["@type"].as_str() {
                Some(kind) if kind.ends_with("rbac.v3.RBAC") => Ok(()),
                kind => Err(format!("the plugin is {kind:?}")),
            };
            eventually(PATIENCE, replaced).await.unwrap();
        }
    }

    /// Deletes both plugins; what else was applied stays.
    pub async fn without_plugins(&mut self) {
        self.chain.kubectl(&["delete", "wasmplugin", "-n", &self.namespace, "edge", "mesh"]).await.unwrap();
        for running in [&mut self.gateway, &mut self.sidecar] {
            running.synced(self.chain).await.unwrap();
        }
    }

    /// Sends a request to the gateway.
    pub async fn edge(&self, request: &Request) -> Seen {
        send(self.gateway.client(80).unwrap(), request).await
    }

    /// Sends a request to the sidecar as its workload does.
    pub async fn outbound(&self, request: &Request) -> Seen {
        send(self.sidecar.client(3000).unwrap(), request).await
    }

    /// catalogdetail in the mesh.
    pub fn detail(&self) -> String {
        format!("catalogdetail.{}.svc.cluster.local:3000", self.namespace)
    }

    /// A request that productcatalog hands on to catalogdetail.
    pub fn through(&self, path: &str) -> Request {
        Request::new("GET", CATALOG, path).header(CALL, self.detail())
    }

    /// Istio's name of a subset's cluster.
    pub fn cluster(&self, subset: &str) -> String {
        format!("outbound|3000|{subset}|catalogdetail.{}.svc.cluster.local", self.namespace)
    }
}

/// What became of a request.
#[derive(Debug)]
pub struct Seen {
    pub status: u16,
    pub cluster: String,
    pub route: String,
    pub flags: String,
    pub took: Duration,
    /// What the upstream answered: its name, the path and the headers that it saw, and what it called.
    pub body: Value,
}

impl Seen {
    fn new(response: &Response, took: Duration) -> Self {
        let told =
            |name: &str| response.header(name).next().map(latin1).filter(|value| value != "-").unwrap_or_default();
        let (cluster, route, flags) = (told("x-seen-cluster"), told("x-seen-route"), told("x-seen-flags"));
        Self { status: response.status, cluster, route, flags, took, body: response.json().unwrap_or_default() }
    }

    /// The values of a header that the upstream saw.
    pub fn header(&self, name: &str) -> Vec<&str> {
        values(&self.body, name)
    }
}

/// The values of a header in an answer of an upstream.
pub fn values<'a>(answer: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = answer["headers"].as_array().into_iter().flatten();
    headers.filter(|header| header[0] == *name).filter_map(|header| header[1].as_str()).collect()
}

pub async fn send(mut client: Client, request: &Request) -> Seen {
    let started = Instant::now();
    let response = client.send(request).await.unwrap_or_else(|why| panic!("{why}: {request:?}"));
    Seen::new(&response, started.elapsed())
}

pub fn object(kind: &str, name: &str, namespace: &str, spec: &Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

/// What both plugins are made of, beside the services.
fn policy(namespace: &str) -> Vec<Value> {
    let version = |name: &str| json!({"name": name, "labels": {"version": name}});
    let to = |subset: &str| json!([{"destination": {"host": "catalogdetail", "subset": subset}}]);
    let catalog = json!([{"destination": {"host": "productcatalog"}}]);
    let internal = json!({"user-type": {"exact": "internal"}});
    let delay = json!({"delay": {"fixedDelay": format!("{}s", DELAY.as_secs()), "percentage": {"value": 100}}});
    vec![
        object(
            "Gateway",
            "edge",
            namespace,
            &json!({"selector": {"hops": namespace}, "servers":
                [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}),
        ),
        object(
            "DestinationRule",
            "catalogdetail",
            namespace,
            &json!({"host": "catalogdetail", "subsets": [version("v1"), version("v2")]}),
        ),
        object(
            "VirtualService",
            "productcatalog",
            namespace,
            &json!({"hosts": [CATALOG], "gateways": ["edge"], "http": [
                {"name": "slow-edge", "match": [{"uri": {"prefix": "/slow-edge"}, "headers": internal}],
                    "fault": delay, "route": catalog},
                {"name": "from-admin", "match": [{"uri": {"prefix": "/admin/open/"}}],
                    "rewrite": {"uri": "/open/"}, "route": catalog},
                {"name": "to-admin", "match": [{"uri": {"prefix": "/innocent/"}}],
                    "rewrite": {"uri": "/admin/"}, "route": catalog},
                {"name": "rest", "route": catalog}]}),
        ),
        object(
            "VirtualService",
            "catalogdetail",
            namespace,
            &json!({"hosts": ["catalogdetail", DETAIL], "gateways": ["mesh", "edge"], "http": [
                {"name": "slow", "match": [{"uri": {"prefix": "/slow-both"}, "headers": internal}],
                    "fault": delay, "route": to("v1")},
                {"name": "to-admin", "match": [{"uri": {"prefix": "/innocent/"}}],
                    "rewrite": {"uri": "/admin/"}, "route": to("v1")},
                {"name": "from-admin", "match": [{"uri": {"prefix": "/admin/"}}],
                    "rewrite": {"uri": "/open/"}, "route": to("v1")},
                {"name": "internal", "match": [{"headers": internal}], "route": to("v2")},
                {"name": "rest", "route": to("v1")}]}),
        ),
    ]
}

/// What makes a gateway keep the request ids of clients, as some do for their traces: for others than private addresses Envoy
/// makes its own, and what is generated is to do so for all.
fn keeping_ids(namespace: &str) -> Value {
    let manager = "envoy.filters.network.http_connection_manager";
    let kept = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "preserve_external_request_id": true,
    });
    json!({
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
        "metadata": {"name": "keeping-ids", "namespace": namespace},
        "spec": {"workloadSelector": {"labels": {"hops": namespace}}, "configPatches": [{
            "applyTo": "NETWORK_FILTER",
            "match": {"context": "GATEWAY", "listener": {"filterChain": {"filter": {"name": manager}}}},
            "patch": {"operation": "MERGE", "value": {"name": manager, "typed_config": kept}},
        }]},
    })
}

/// A policy that tags guests, staff, an office, and the rest by chance.
fn tagging(namespace: &str, trust: bool) -> Value {
    let tag = json!({"header": "user-type", "trustClient": trust,
        "rules": [
            {"match": [{"headers": {"x-role": {"exact": "staff"}}}], "value": "internal"},
            {"match": [{"sourceIp": ["10.20.0.0/16"]}], "value": "internal"},
            {"match": [{"headers": {"x-role": {"exact": "guest"}}}], "value": "external"}],
        "split": [{"value": "internal", "weight": 30}, {"value": "external", "weight": 70}]});
    let mut policy = object("SwitchyardPolicy", "hops", namespace, &json!({"tags": [tag]}));
    policy["apiVersion"] = json!("switchyard.dev/v1alpha1");
    policy
}

/// What `switchyard generate --target istio` makes of these manifests for the proxies that a label selects.
pub fn generated(
    namespace: &str,
    manifests: &[Value],
    name: &str,
    labels: &[(&str, &str)],
    url: &str,
    form: Form,
) -> Vec<Value> {
    let text: Vec<String> = manifests.iter().map(Value::to_string).collect();
    let input = Input { name: "manifests.yaml".into(), bytes: text.join("\n---\n").into_bytes() };
    let manifests = read_sources(vec![input], Some(namespace)).unwrap();
    let settings = Settings {
        via: if form == Form::Decides { Via::ClusterHeader } else { Via::Tags },
        selection: Selection::Workload {
            namespace: namespace.to_owned(),
            labels: labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect(),
        },
        name: name.into(),
        root_namespace: ROOT_NAMESPACE.into(),
        code: Code { url: Url::parse(url).unwrap(), sha256: None, pull_secret: None },
        fail_strategy: None,
        phase: None,
    };
    let text = generate(&manifests, &Options::default(), &settings).unwrap().text;
    let documents = yaml::load(&text).0;
    documents.iter().map(yaml::Node::to_json).filter(Value::is_object).collect()
}
