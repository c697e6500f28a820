//! The workshop of `manifests/` in a mesh: what people do with `kubectl`, and what kubelet would make of it.

use super::productcatalog;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use switchyard_tests::chain::Chain;
use switchyard_tests::harness::{App, Client, Echo, Request, Response};
use switchyard_tests::istio::{Kind, Proxy};
use switchyard_tests::{chain, harness};
use tempfile::TempDir;

/// The account that may roll Switchyard out.
pub const DEPLOYER: &str = "system:serviceaccount:switchyard-system:switchyard-deployer";
/// The port of the gateway's pods, which its Service has behind 80.
pub const LISTENS: u16 = 8080;
pub const MANIFESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests");

/// A mesh with the workshop in it.
pub struct Workshop {
    pub chain: &'static Chain,
    pub v1: Echo,
    pub v2: [Echo; 2],
    pub productcatalog: App,
    url: String,
    folder: TempDir,
}

/// Its proxies.
pub struct Proxies {
    pub gateway: chain::Running,
    pub sidecar: chain::Running,
}

impl Workshop {
    /// Applies the base, with upstreams in the place of its pods.
    pub async fn start() -> Result<Self, String> {
        let chain = Chain::shared().await?;
        let url = chain.image("0.1.0").await?;
        let echo = |name: &str| Echo::named(name).at(([0, 0, 0, 0], 0).into()).obeying().start();
        let (v1, v2) = (echo("v1").await?, [echo("v2-a").await?, echo("v2-b").await?]);
        let productcatalog = productcatalog::start().await?;
        chain.kubectl(&["apply", "-k", "manifests/base", "--validate=strict"]).await?;
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let workshop = Self { chain, v1, v2, productcatalog, url, folder };
        let Self { v1, v2: [a, b], productcatalog, .. } = &workshop;
        let pods = [("v1", v1), ("v2", a), ("v2", b)].map(|(version, echo)| ("catalogdetail", version, echo.address()));
        let pods = pods.into_iter().chain([("productcatalog", "v1", productcatalog.address)]);
        // A Service selects WorkloadEntries as it selects pods, and these may be on this machine.
        let entries: Vec<Value> = (1..)
            .zip(pods)
            .map(|(number, (app, version, address))| {
                json!({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
                    "metadata": {"name": format!("{app}-{number}"), "namespace": "workshop"},
                    "spec": {"address": format!("127.4.0.{number}"), "ports": {"http": address.port()},
                        "labels": {"app": app, "version": version}}})
            })
            .collect();
        chain.apply_all(&entries).await?;
        Ok(workshop)
    }

    /// `kubectl apply -k` of an overlay, as somebody, with the image of this registry: by an overlay of one's own.
    pub async fn apply(&self, overlay: &str, account: &str) -> Result<(), String> {
        self.apply_with(overlay, account, &[]).await
    }

    /// [`Self::apply`], with more arguments.
    pub async fn apply_with(&self, overlay: &str, account: &str, more: &[&str]) -> Result<(), String> {
        let folder = self.folder.path().join(overlay);
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        // As the component does.
        let places = ["/spec/url", "/metadata/annotations/switchyard.dev~1url"];
        let patch: Value =
            places.iter().map(|path| json!({"op": "replace", "path": path, "value": self.url})).collect();
        let kustomization = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
            "resources": [relative(&folder, &Path::new(MANIFESTS).join("overlays").join(overlay))],
            "patches": [{"target": {"kind": "WasmPlugin"}, "patch": patch.to_string()}],
        });
        fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).map_err(|error| error.to_string())?;
        let folder = folder.display().to_string();
        let arguments = ["apply", "-k", &folder, "--validate=strict", "--as", account];
        self.chain.kubectl(&[&arguments, more].concat()).await.map(|_| ())
    }

    /// Starts a proxy for each Deployment with a client in it, as its pod template says.
    pub async fn proxies(&self) -> Result<Proxies, String> {
        let gateway = Proxy::gateway("workshop-gateway", "workshop-ingress", [LISTENS]);
        let sidecar = Proxy::sidecar("productcatalog", "workshop", [3000, 5000]);
        let gateway = self.pod("workshop-gateway", gateway);
        let sidecar = self.pod("productcatalog", sidecar);
        let (gateway, sidecar) = tokio::try_join!(gateway, sidecar)?;
        Ok(Proxies { gateway, sidecar })
    }

    /// Starts a proxy as the Deployment's pod template says now.
    pub async fn pod(&self, deployment: &str, proxy: Proxy) -> Result<chain::Running, String> {
        let deployment = self.get("deployment", &proxy.namespace, deployment).await?;
        let metadata = &deployment["spec"]["template"]["metadata"];
        let strings = |field: &str| {
            let pairs = metadata[field].as_object().into_iter().flatten();
            pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect::<Vec<_>>()
        };
        let proxy = proxy.labelled(strings("labels"));
        if proxy.kind == Kind::Gateway {
            // Of what is no pod istiod learns so whose it is, and where it listens.
            let entry = json!({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
                "metadata": {"name": proxy.name, "namespace": proxy.namespace},
                "spec": {"address": proxy.ip(), "labels": proxy.labels}});
            self.chain.apply_all(&[entry]).await?;
        }
        let start = strings("annotations")
            .iter()
            .fold(self.chain.agent(&proxy), |start, (name, value)| start.annotation(name, value));
        start.start().await
    }

    /// An object as the API server has it.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Value, String> {
        let json = self.chain.kubectl(&["get", kind, "-n", namespace, name, "-o", "json"]).await?;
        serde_json::from_str(&json).map_err(|error| error.to_string())
    }

    /// Waits until both proxies have what was applied, the plugin's configuration too.
    pub async fn synced(&self, proxies: &mut Proxies) -> Result<(), String> {
        for running in [&mut proxies.gateway, &mut proxies.sidecar] {
            running.synced(self.chain).await?;
            let namespace = running.proxy().namespace.clone();
            let plugin = self.get("wasmplugin", &namespace, "switchyard").await?;
            running.wait_plugin(&format!("{namespace}/switchyard"), &plugin["spec"]["pluginConfig"]).await?;
        }
        Ok(())
    }

    /// Exit code and output of `switchyard check --applied`, with what the API server has.
    pub async fn drift(&self) -> Result<(Option<i32>, String), String> {
        let kinds = "wasmplugin,envoyfilter,virtualservice,destinationrule";
        let file = self.folder.path().join("applied.yaml");
        let applied = self.chain.kubectl(&["get", kinds, "-A", "-o", "yaml"]).await?;
        fs::write(&file, applied).map_err(|error| error.to_string())?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard-in-tests"));
        let output = command.args(["check", "--applied"]).arg(file).env("NO_COLOR", "1").output();
        let output = output.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok((output.status.code(), said))
    }

    /// How many requests the upstreams got: v1, v2.
    pub fn counts(&self) -> (u64, u64) {
        (self.v1.count(), self.v2.iter().map(Echo::count).sum())
    }
}

/// The way from one folder to another, as kustomize wants it.
fn relative(from: &Path, to: &Path) -> String {
    let (from, to) = (from.canonicalize().unwrap(), to.canonicalize().unwrap());
    let common = from.components().zip(to.components()).take_while(|(one, other)| one == other).count();
    let mut way = "../".repeat(from.components().count() - common);
    let rest: Vec<_> = to.components().skip(common).map(|part| part.as_os_str().to_string_lossy()).collect();
    let _ = write!(way, "{}", rest.join("/"));
    way
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Seen {
    pub status: u16,
    /// Envoy's cluster, whether a VirtualService's own route took it (else our inserted one, or none), and response flags.
    pub cluster: Option<String>,
    pub by_istio: bool,
    pub flags: String,
    /// Which upstream answered, the path that it saw, and the headers.
    pub upstream: Option<String>,
    pub path: Option<String>,
    pub headers: BTreeMap<String, Vec<String>>,
    /// The cookie `uid` that the client was given.
    pub uid: Option<String>,
    pub took: Duration,
    /// What productcatalog heard from catalogdetail.
    pub called: Value,
}

impl Seen {
    fn new(response: &Response, took: Duration) -> Self {
        let told = |name: &str| response.header(name).next().map(harness::latin1).filter(|value| value != "-");
        let body = response.json().unwrap_or_default();
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for header in body["headers"].as_array().into_iter().flatten() {
            let text = |index: usize| header[index].as_str().unwrap_or_default().to_owned();
            headers.entry(text(0)).or_default().push(text(1));
        }
        let uid = response
            .header("set-cookie")
            .map(harness::latin1)
            .find_map(|cookie| Some(cookie.strip_prefix("uid=")?.split(';').next()?.trim_matches('"').to_owned()));
        Self {
            status: response.status,
            cluster: told("x-seen-cluster"),
            by_istio: told("x-seen-virtual-service").is_some(),
            flags: told("x-seen-flags").unwrap_or_default(),
            upstream: body["upstream"].as_str().map(str::to_owned),
            path: body["path"].as_str().map(str::to_owned),
            headers,
            uid,
            took,
            called: body["called"].clone(),
        }
    }

    /// The subset of catalogdetail that it went to.
    pub fn subset(&self) -> &str {
        self.cluster.as_deref().and_then(|cluster| cluster.split('|').nth(2)).unwrap_or_default()
    }

    /// The one value of a header that the upstream saw; empty for none.
    pub fn header(&self, name: &str) -> &str {
        match self.headers.get(name).map(Vec::as_slice) {
            None => "",
            Some([one]) => one,
            Some(more) => panic!("`{name}` came {} times: {more:?}", more.len()),
        }
    }
}

/// Sends one request.
pub async fn send(client: &mut Client, request: &Request) -> Seen {
    let started = Instant::now();
    let response = client.send(request).await.unwrap();
    Seen::new(&response, started.elapsed())
}

/// Sends these over ten connections; in their order.
pub async fn send_all(proxy: &chain::Running, port: u16, requests: Vec<Request>) -> Vec<Seen> {
    let mut lanes: Vec<Vec<(usize, Request)>> = vec![Vec::new(); 10];
    for (number, request) in requests.into_iter().enumerate() {
        lanes[number % 10].push((number, request));
    }
    let mut tasks = tokio::task::JoinSet::new();
    for lane in lanes {
        let mut client = proxy.client(port).unwrap();
        tasks.spawn(async move {
            let mut seen = Vec::new();
            for (number, request) in lane {
                seen.push((number, send(&mut client, &request).await));
            }
            seen
        });
    }
    let mut seen: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    seen.sort_by_key(|(number, _)| *number);
    seen.into_iter().map(|(_, seen)| seen).collect()
}

/// How many percent of these hold.
pub fn percent<'a>(seen: impl IntoIterator<Item = &'a Seen>, holds: impl Fn(&Seen) -> bool) -> f64 {
    let (mut all, mut good) = (0.0, 0.0);
    for one in seen {
        all += 1.0;
        good += f64::from(u8::from(holds(one)));
    }
    100.0 * good / all
}

/// Asserts a share in percent, with so much to either side for chance.
pub fn assert_share(what: &str, share: f64, wanted: f64, slack: f64) {
    assert!((share - wanted).abs() <= slack, "{what}: {share:.1} %, not {wanted} % (±{slack})");
}
