//! Pods: what Kubernetes' controllers and a kubelet make of Deployments, as far as proxies go.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use switchyard_tests::chain::{Chain, Running};
use switchyard_tests::harness::{Echo, Request, latin1};
use switchyard_tests::istio::Proxy;

/// The host and port of catalogdetail in the mesh, of its path, and of the gateway.
pub const MESH: &str = "catalogdetail.workshop.svc.cluster.local:3000";
pub const EDGE: &str = "detail.example.com";
pub const PATH: &str = "/catalogDetail";

/// A pod that serves.
struct Pod {
    /// Its Deployment's `spec.template.metadata` when it was made.
    template: Value,
    proxy: Running,
}

/// All of them.
pub struct Pods<'a> {
    chain: &'a Chain,
    serving: BTreeMap<String, Pod>,
    made: u32,
    upstreams: Vec<Echo>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub status: u16,
    /// Envoy's route: `decided` is the filter's.
    pub route: String,
    pub cluster: String,
    /// The tag `user-type` that the upstream saw.
    pub tag: Option<String>,
}

impl<'a> Pods<'a> {
    pub fn new(chain: &'a Chain) -> Self {
        Self { chain, serving: BTreeMap::new(), made: 0, upstreams: Vec::new() }
    }

    /// Starts what the workloads of the base are, where its Services find them: a Service selects `WorkloadEntries` as it
    /// selects pods, and these may be on this machine.
    pub async fn workloads(&mut self) {
        let mut entries = Vec::new();
        let all = [("catalogdetail", "v1"), ("catalogdetail", "v2"), ("productcatalog", "v1")];
        for (number, (app, version)) in (1..).zip(all) {
            let echo = Echo::named(format!("{app}-{version}")).at(([0, 0, 0, 0], 0).into()).start().await.unwrap();
            entries.push(json!({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
                "metadata": {"name": format!("{app}-{version}"), "namespace": "workshop"},
                "spec": {"address": format!("127.4.0.{number}"), "ports": {"http": echo.address().port()},
                    "labels": {"app": app, "version": version}}}));
            self.upstreams.push(echo);
        }
        self.chain.apply_all(&entries).await.unwrap();
    }

    /// Replaces the pods of Deployments whose template is another one now: new ones start, then old ones end, and the
    /// Deployments' status says so. v2 of catalogdetail has a status alone: nobody asks what it calls.
    pub async fn roll(&mut self) -> Vec<String> {
        let all = self.chain.kubectl(&["get", "deployment", "-A", "-o", "json"]).await.unwrap();
        let all: Value = serde_json::from_str(&all).unwrap();
        let mut rolled = Vec::new();
        for deployment in all["items"].as_array().unwrap() {
            let (name, template) = (text(&deployment["metadata"]["name"]), &deployment["spec"]["template"]["metadata"]);
            if self.serving.get(name).is_none_or(|pod| pod.template != *template) {
                let ports: &[u16] = match name {
                    "productcatalog" | "catalogdetail-v1" => &[3000],
                    // The port of its pods, which its Service has behind 80.
                    "workshop-gateway" => &[8080],
                    _ => &[],
                };
                if !ports.is_empty() {
                    let namespace = text(&deployment["metadata"]["namespace"]);
                    let proxy = self.start(name, namespace, ports, template).await;
                    let old = self.serving.insert(name.into(), Pod { template: template.clone(), proxy });
                    if let Some(old) = old {
                        self.end(old).await;
                    }
                    rolled.push(name.to_owned());
                }
            }
            if deployment["status"]["observedGeneration"] != deployment["metadata"]["generation"] {
                self.tell(deployment).await;
            }
        }
        rolled.sort();
        rolled
    }

    async fn start(&mut self, name: &str, namespace: &str, ports: &[u16], template: &Value) -> Running {
        self.made += 1;
        let pod = format!("{name}-{}", self.made);
        let proxy = match name {
            "workshop-gateway" => Proxy::gateway(&pod, namespace, ports.iter().copied()),
            _ => Proxy::sidecar(&pod, namespace, ports.iter().copied()),
        };
        let pairs = |field: &str| {
            let pairs = template[field].as_object().into_iter().flatten();
            pairs.map(|(key, value)| (key.clone(), text(value).to_owned())).collect::<Vec<_>>()
        };
        let proxy = proxy.labelled(pairs("labels"));
        let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]},
            "metadata": {"name": pod, "namespace": namespace, "labels": proxy.labels, "annotations": template["annotations"]}});
        self.chain.apply_all(&[object]).await.unwrap();
        let start = pairs("annotations")
            .iter()
            .fold(self.chain.agent(&proxy), |start, (name, value)| start.annotation(name, value));
        start.start().await.unwrap_or_else(|why| panic!("{pod}: {why}"))
    }

    /// Ends a pod. Whatever was applied meanwhile, its Envoy lived until now: one up to 1.37.0 dies of the first Wasm that
    /// reaches it while it runs, which is why README has new pods rolled.
    async fn end(&self, mut pod: Pod) {
        assert_eq!(pod.proxy.ended(), None, "{}", pod.proxy.log_tail());
        let Proxy { name, namespace, .. } = pod.proxy.proxy();
        let delete = ["delete", "pod", "-n", namespace, name, "--force", "--wait=false"];
        self.chain.kubectl(&delete).await.unwrap();
    }

    /// The status that `kubectl rollout status` waits for.
    async fn tell(&self, deployment: &Value) {
        let [name, namespace] = ["name", "namespace"].map(|field| text(&deployment["metadata"][field]));
        let status = json!({"status": {"observedGeneration": deployment["metadata"]["generation"], "replicas": 1,
            "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}});
        let patch = ["patch", "deployment", name, "-n", namespace, "--subresource=status", "--type=merge", "-p"];
        self.chain.kubectl(&[&patch[..], &[&status.to_string()]].concat()).await.unwrap();
    }

    /// The proxy of a Deployment's pod.
    pub fn proxy(&self, deployment: &str) -> &Running {
        &self.serving[deployment].proxy
    }

    /// Waits until the proxy has all that was applied, and of the WasmPlugin `switchyard` of its namespace the
    /// configuration that the API server has.
    pub async fn synced(&mut self, deployment: &str) {
        let chain = self.chain;
        let pod = self.serving.get_mut(deployment).unwrap();
        pod.proxy.synced(chain).await.unwrap();
        let namespace = pod.proxy.proxy().namespace.clone();
        let plugin = chain.kubectl(&["get", "wasmplugin", "-n", &namespace, "switchyard", "-o", "json"]).await.unwrap();
        let plugin: Value = serde_json::from_str(&plugin).unwrap();
        let name = format!("{namespace}/switchyard");
        pod.proxy.wait_plugin(&name, &plugin["spec"]["pluginConfig"]).await.unwrap();
        // A change of listeners is in force a moment after it was taken.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }

    /// Sends a request through the proxy of a Deployment, over a connection of its own: as its workload does, or to the
    /// gateway.
    pub async fn ask(&self, deployment: &str, request: &Request) -> Seen {
        let proxy = self.proxy(deployment);
        let port = proxy.proxy().ports().next().unwrap();
        let response = proxy.client(port).unwrap().send(request).await.unwrap();
        let told = |name: &str| response.header(name).next().map(latin1).unwrap_or_default();
        let (route, cluster) = (told("x-seen-route"), told("x-seen-cluster"));
        let body = response.json().unwrap_or_default();
        let headers = body["headers"].as_array().into_iter().flatten();
        let tag = headers.clone().find(|header| header[0] == "user-type").map(|header| text(&header[1]).to_owned());
        Seen { status: response.status, route, cluster, tag }
    }
}

/// A request of a user.
pub fn user(host: &str, path: &str, number: usize) -> Request {
    Request::new("GET", host, path).header("cookie", format!("uid=user-{number}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
