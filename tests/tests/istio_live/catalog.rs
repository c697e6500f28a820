//! A service in two versions in a mesh, its policy, and what people type to change it.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use switchyard_envoy::yaml;
use switchyard_tests::chain::{Chain, Running, Setup, eventually, service};
use switchyard_tests::harness::{Client, Echo, Request};
use switchyard_tests::istio::Proxy;
use switchyard_tests::rollout::Ended;
use switchyard_tests::rollout::load::{Load, Seen, failures};
use switchyard_tests::rollout::manifests::HOST;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// How long a change may take from kubectl to Envoy: 2 s alone.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Clients with a connection each, users of each of them, and clients whose answers take long.
const CLIENTS: usize = 6;
const USERS: usize = 50;
const SLOW: usize = 2;
const LONG: Duration = Duration::from_millis(1500);
/// How long a client waits before each request: kubectl and istiod share the machine.
const PAUSE: Duration = Duration::from_millis(3);
/// Users who ask all the time, those of the slow clients left out.
pub const ALL: usize = CLIENTS * USERS;

/// The chain of all tests here; its mesh has what README says about observing.
pub async fn chain() -> &'static Chain {
    static CHAIN: OnceCell<Chain> = OnceCell::const_new();
    let mesh = super::observed::mesh();
    CHAIN.get_or_init(async || Chain::start(&Setup { mesh, ..Setup::default() }).await.unwrap()).await
}

/// A namespace with a service `catalog` of two versions.
pub struct Catalog {
    pub chain: &'static Chain,
    pub namespace: String,
    _upstreams: [Echo; 2],
    url: String,
    edge: String,
    entry: Value,
    folder: TempDir,
}

impl Catalog {
    /// In a new namespace of exactly this name: choices are drawn with it, and are to be the same in every run.
    pub async fn new(namespace: &str) -> Self {
        let chain = chain().await;
        chain.kubectl(&["create", "namespace", namespace]).await.unwrap();
        let echo = async |name: &str| Echo::named(name).at(([0, 0, 0, 0], 0).into()).obeying().start().await.unwrap();
        let (v1, v2) = (echo("v1").await, echo("v2").await);
        let entry = service("catalog", namespace, 80, &[("v1", v1.address().port()), ("v2", v2.address().port())]);
        let url = chain.image(namespace).await.unwrap();
        let (edge, namespace) = (format!("{namespace}/edge={namespace}"), namespace.into());
        Self { chain, namespace, _upstreams: [v1, v2], url, edge, entry, folder: TempDir::new().unwrap() }
    }

    fn object(&self, kind: &str, name: &str, spec: &Value) -> Value {
        json!({"apiVersion": "networking.istio.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec})
    }

    /// What is applied: the service, its subsets, a Gateway, and a VirtualService `catalog` there and in the mesh, for
    /// this namespace: others have the same host.
    pub fn manifests(&self, http: &Value) -> Vec<Value> {
        let version = |name: &str| json!({"name": name, "labels": {"version": name}});
        vec![
            self.entry.clone(),
            self.object(
                "DestinationRule",
                "catalog",
                &json!({"host": "catalog", "subsets": [version("v1"), version("v2")]}),
            ),
            self.object(
                "Gateway",
                "edge",
                &json!({"selector": {"edge": self.namespace}, "servers":
                    [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}),
            ),
            self.object(
                "VirtualService",
                "catalog",
                &json!({"hosts": [HOST], "gateways": ["edge", "mesh"], "exportTo": ["."], "http": http}),
            ),
        ]
    }

    /// Applies, in this mode, one rule that rewrites, half to each version, and a tag.
    pub async fn apply_rewriting(&self, mode: &str) {
        let http = json!([{"name": "rule", "match": [{"uri": {"exact": "/"}}], "rewrite": {"uri": "/rewritten"}, "route": [
            {"destination": {"host": "catalog", "subset": "v1"}, "weight": 50},
            {"destination": {"host": "catalog", "subset": "v2"}, "weight": 50}]}]);
        let tags = json!([{"header": "user-type", "split": [{"value": "all", "weight": 100}]}]);
        self.apply(&self.manifests(&http), &self.policy(&json!({"tags": tags, "mode": mode}))).await;
    }

    /// What only `switchyard` reads, with these fields more.
    pub fn policy(&self, more: &Value) -> Value {
        let mut spec = json!({"seed": "catalog-rollout"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut policy = self.object("SwitchyardPolicy", "catalog", &spec);
        policy["apiVersion"] = json!("switchyard.dev/v1alpha1");
        policy["metadata"]["annotations"] = json!({"config.kubernetes.io/local-config": "true"});
        policy
    }

    /// Runs `switchyard generate --target istio` on manifests and a policy. What it wrote is [`Self::resources`].
    pub async fn generate(&self, manifests: &[Value], policy: &Value, selection: &[&str]) -> Ended {
        let file = |name: &str, all: &[Value]| {
            let text: Vec<String> = all.iter().map(Value::to_string).collect();
            let path = self.folder.path().join(name);
            std::fs::write(&path, text.join("\n---\n")).unwrap();
            path.display().to_string()
        };
        let (manifests, policy) =
            (file("manifests.yaml", manifests), file("policy.yaml", std::slice::from_ref(policy)));
        let out = self.folder.path().display().to_string();
        let arguments = ["generate", &manifests, &policy, "--target", "istio", "--url", &self.url, "--out", &out];
        switchyard(&[&arguments, selection].concat(), "").await
    }

    /// The file that was generated.
    pub fn resources(&self) -> PathBuf {
        self.folder.path().join("istio.yaml")
    }

    /// Generates for the gateway and applies manifests and resources.
    pub async fn apply(&self, manifests: &[Value], policy: &Value) {
        self.apply_for(manifests, policy, &self.edge()).await;
    }

    /// What selects the gateway, by its labels: by the name of its Gateway, all of the mesh would be searched for it.
    pub fn edge(&self) -> [&str; 2] {
        ["--workload", &self.edge]
    }

    /// [`Self::apply`] for other proxies.
    pub async fn apply_for(&self, manifests: &[Value], policy: &Value, selection: &[&str]) {
        self.generate(manifests, policy, selection).await.assert_well();
        let (manifests, resources) = (self.folder.path().join("manifests.yaml"), self.resources());
        let files = ["-f", text(&manifests), "-f", text(&resources)];
        self.chain.kubectl(&[&["apply", "--validate=strict"], &files[..]].concat()).await.unwrap();
    }

    /// The pluginConfig that was generated.
    pub fn plugin_config(&self) -> Value {
        let text = std::fs::read_to_string(self.resources()).unwrap();
        let mut resources = yaml::load(&text).0.iter().map(yaml::Node::to_json).collect::<Vec<_>>();
        let plugin = resources.iter_mut().find(|one| one["kind"] == "WasmPlugin").expect("a WasmPlugin");
        plugin["spec"]["pluginConfig"].take()
    }

    /// Waits until what was generated is in force there; since when it is.
    pub async fn in_force(&self, proxy: &Running) -> Instant {
        proxy.wait_plugin(&format!("{}/switchyard", self.namespace), &self.plugin_config()).await.unwrap();
        Instant::now()
    }

    /// Starts a gateway that the Gateway selects, with the Envoy of Istio 1.29: the plugin is to be there before.
    pub async fn gateway(&self) -> Running {
        let proxy = Proxy::gateway("gw", &self.namespace, [80]).labelled([("edge".into(), self.namespace.clone())]);
        self.chain.agent(&proxy).workers(2).start().await.unwrap()
    }

    /// Status, upstream and what it saw of a tag.
    pub async fn ask(&self, client: &mut Client, request: &Request) -> Answer {
        let response = client.send(request).await.unwrap();
        let told = |name: &str| {
            let value = response.header(name).next().map(|value| String::from_utf8_lossy(value).into_owned());
            value.filter(|value| value != "-")
        };
        let body = response.json().unwrap_or_default();
        let headers = body["headers"].as_array().into_iter().flatten();
        let tag = headers.clone().find(|one| one[0] == "user-type").and_then(|one| one[1].as_str());
        Answer {
            status: response.status,
            upstream: body["upstream"].as_str().unwrap_or_default().to_owned(),
            tag: tag.map(str::to_owned),
            route: told("x-seen-route").unwrap_or_default(),
            cluster: told("x-seen-cluster").unwrap_or_default(),
        }
    }

    /// Istio's name of a subset's cluster.
    pub fn cluster(&self, subset: &str) -> String {
        format!("outbound|80|{subset}|catalog.{}.svc.cluster.local", self.namespace)
    }

    /// Replaces numbers of the VirtualService, as a controller of progressive delivery does.
    pub async fn patch_weights(&self, rule: usize, weights: &[u32]) {
        let operations = weights.iter().enumerate().map(|(index, weight)| {
            json!({"op": "replace", "path": format!("/spec/http/{rule}/route/{index}/weight"), "value": weight})
        });
        let patch = operations.collect::<Value>().to_string();
        let arguments = ["patch", "virtualservice", "catalog", "-n", &self.namespace, "--type=json", "-p", &patch];
        self.chain.kubectl(&arguments).await.unwrap();
    }

    /// What README says to type to learn of drift, in this scope (`-A`, say).
    pub async fn drift(&self, scope: &[&str]) -> Ended {
        let kinds = "wasmplugin,envoyfilter,virtualservice,destinationrule";
        let live = self.chain.kubectl(&[&["get", kinds, "-o", "yaml"], scope].concat()).await.unwrap();
        switchyard(&["check", "--applied", "-"], &live).await
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Who answered; empty where nobody did.
    pub upstream: String,
    pub tag: Option<String>,
    /// Envoy's route and cluster.
    pub route: String,
    pub cluster: String,
}

/// Users of both kinds, told apart by `x-user` or by the cookie `uid`, of whom so many percent go to v2.
pub fn shares(share: u32) -> Value {
    let route = json!([
        {"destination": {"host": "catalog", "subset": "v1"}, "weight": 100 - share},
        {"destination": {"host": "catalog", "subset": "v2"}, "weight": share},
    ]);
    json!([
        {"name": "by-header", "match": [{"headers": {"x-user": {"regex": ".+"}}}], "route": route},
        {"name": "by-cookie", "route": route},
    ])
}

/// Each of them keeps its version.
pub fn sticky() -> Value {
    json!([
        {"virtualService": "catalog", "rule": "by-header", "by": {"httpHeaderName": "x-user"}},
        {"virtualService": "catalog", "rule": "by-cookie", "by": {"httpCookie": {"name": "uid"}}},
    ])
}

/// A request of a user.
pub fn request(path: &str, user: usize) -> Request {
    Request::new("GET", HOST, path).header("cookie", format!("uid=u{user}"))
}

/// Users who ask all the time at a port.
pub fn load(proxy: &Running, port: u16) -> Load {
    Load::paced(proxy.proxy().address(port).unwrap(), CLIENTS, USERS, SLOW, LONG, PAUSE)
}

/// Nothing failed; tells how many did not.
pub fn assert_none_failed(what: &str, seen: &[Seen]) {
    let failed = failures(seen);
    assert!(failed.is_empty(), "{what}: of {} requests {failed:?}", seen.len());
    let slowest = seen.iter().filter(|one| !one.is_long).map(|one| one.took).max().unwrap_or_default();
    println!("{what}: {} requests, none failed, {slowest:?} at most", seen.len());
}

/// Waits until a request, on a connection of its own, has such an answer; how long that took.
pub async fn until(catalog: &Catalog, proxy: &Running, request: &Request, good: impl Fn(&Answer) -> bool) -> Duration {
    let started = Instant::now();
    let asked = async || {
        let answer = catalog.ask(&mut proxy.client(80)?, request).await;
        if good(&answer) { Ok(()) } else { Err(format!("{answer:?}")) }
    };
    eventually(PATIENCE, asked).await.unwrap();
    started.elapsed()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Runs our command with this input.
pub async fn switchyard(arguments: &[&str], input: &str) -> Ended {
    run(env!("CARGO_BIN_EXE_switchyard-in-tests"), arguments, input).await
}

/// Runs a command with this input.
pub async fn run(program: &str, arguments: &[&str], input: &str) -> Ended {
    let mut command = Command::new(program);
    command.args(arguments).env("NO_COLOR", "1").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = async {
        // One that ends without reading says why itself.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), writing);
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code(),
        written: text(&output.stdout).lines().map(str::to_owned).collect(),
        said: text(&output.stderr),
    }
}
