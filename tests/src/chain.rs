//! Istio itself, without a node: etcd, a Kubernetes API server with Istio's CRDs and those of the Gateway API, istiod on it,
//! an OCI registry with our image, and as many istio-agents and Envoys as a test wants (`reference/istio.md` 5.6). From
//! `kubectl apply` to a decided request everything is real; only kubelet and pods are missing.
//!
//! ```no_run
//! # async fn example() -> Result<(), String> {
//! use serde_json::json;
//! use switchyard_tests::chain::{self, Chain};
//! use switchyard_tests::harness::{Echo, Request};
//! use switchyard_tests::istio::Proxy;
//!
//! // One chain per test binary (10 s until it serves), one namespace per test: nothing ever leaves a namespace again, since
//! // nobody deletes its content. What is meshwide (the root namespace, `mtls`) needs a chain of its own: `Chain::start`.
//! let chain = Chain::shared().await?;
//! let namespace = chain.namespace("example").await?; // `example-1`
//! let url = chain.image("example").await?; // `oci://127.0.0.1:PORT/switchyard:example`
//!
//! // Upstreams are endpoints of ServiceEntries: Echoes at 127.0.0.1, each at its own address in the mesh.
//! let v1 = Echo::named("v1").at(([0, 0, 0, 0], 0).into()).recording().start().await?;
//! chain.apply_all(&[chain::service("shop", &namespace, 80, &[("v1", v1.address().port())])]).await?;
//! chain.apply("apiVersion: networking.istio.io/v1\nkind: …").await?; // YAML, by `--validate=strict`
//! chain.kubectl(&["apply", "-k", "manifests/overlays/canary"]).await?; // at the top of the repository
//!
//! // A proxy is planned, then started; what makes its listeners is applied with it. Its ports are those of Gateways or of
//! // services, and it really listens at free ones. Labels that a Gateway selects hold in every namespace: make them unique.
//! let plan = Proxy::gateway("gw", &namespace, [80]).labelled([("istio".into(), namespace.clone())]);
//! let mut gateway = chain.agent(&plan).envoy("1.40.0").start().await?; // istio-agent and Envoy: `oci://`, mTLS
//! let plan = Proxy::sidecar("caller", &namespace, [80]);
//! let sidecar = chain.stock(&plan).start().await?; // Envoy alone, cheaper: `file://` only
//!
//! gateway.synced(chain).await?; // it has all that was applied until now
//! let mut client = gateway.client(80)?;
//! let seen = gateway.send(&mut client, &v1, &Request::new("GET", "shop.example.com", "/")).await?;
//! assert_eq!(seen.cluster.as_deref(), Some("outbound|80|v1|shop.example-1.svc.cluster.local"));
//! gateway.wait_plugin(&format!("{namespace}/switchyard"), &json!({})).await?; // a new pluginConfig is in force
//! # Ok(()) }
//! ```
//!
//! What is waited for has a deadline, and an error quotes the log of who failed. Everything ends with its value: a drop kills
//! agents and their Envoys, and the end of this process, however it comes, kills all and removes the folder.
//!
//! Programs are pinned and built at first use (`tests/tools/{kubernetes,istiod,pilot-agent}.sh`), or named by
//! `KUBE_APISERVER_BIN`, `KUBECTL_BIN`, `PILOT_DISCOVERY_BIN`, `PILOT_AGENT_BIN`; those of Debian are on the PATH
//! (`tests/tools/debian.sh`), or named by `ETCD_BIN`, `DOCKER_REGISTRY_BIN`, `SKOPEO_BIN`.

pub mod addresses;
mod cluster;
mod control;
mod identity;
mod process;
mod registry;
mod running;
mod start;
pub(crate) mod tools;

pub use control::Control;
pub use process::eventually;
pub use registry::image;
pub use running::Running;
pub use start::Start;

use crate::harness::folder::Folder;
use crate::istio::{Proxy, ROOT, revealing};
use cluster::Cluster;
use registry::Registry;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::OnceCell;

/// How a chain is to be.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// istiod signs certificates and proxies use them between themselves (auto-mTLS); a stock Envoy has none.
    pub mtls: bool,
    /// Fields of the mesh configuration, beside those of this harness.
    pub mesh: Value,
    /// Variables of istiod.
    pub istiod: Vec<(String, String)>,
    /// Accounts that kubectl names by `--as` may do what roles say; else everybody may do everything.
    pub rbac: bool,
}

/// A running chain. A drop ends it.
#[derive(Debug)]
pub struct Chain {
    mtls: bool,
    count: AtomicU64,
    control: Control,
    cluster: Cluster,
    registry: Registry,
    // Removed after the processes have ended, since fields are dropped in order.
    folder: Folder,
}

impl Chain {
    /// Starts one. Errors: a program that is missing, or ends, or does not serve in time.
    pub async fn start(setup: &Setup) -> Result<Self, String> {
        let folder = Folder::new("switchyard-chain-")?;
        let (at, store) = (folder.within("cluster")?, folder.within("registry")?);
        let (cluster, registry) = tokio::try_join!(Cluster::start(&at, setup.rbac), Registry::start(&store))?;
        cluster.kubectl(&["create", "namespace", ROOT]).await?;
        let control = Control::start(&folder.within("istiod")?, &cluster, setup).await?;
        folder.within("proxies")?;
        Ok(Self { mtls: setup.mtls, count: AtomicU64::new(0), control, cluster, registry, folder })
    }

    /// The one that all tests of this process share, without mTLS. Errors: as [`Self::start`], the same for all.
    pub async fn shared() -> Result<&'static Self, String> {
        static SHARED: OnceCell<Result<Chain, String>> = OnceCell::const_new();
        SHARED.get_or_init(async || Self::start(&Setup::default()).await).await.as_ref().map_err(Clone::clone)
    }

    /// Makes a namespace whose name begins with this word; its full name. Errors: what kubectl says.
    pub async fn namespace(&self, word: &str) -> Result<String, String> {
        let name = format!("{word}-{}", self.next());
        self.cluster.kubectl(&["create", "namespace", &name]).await?;
        Ok(name)
    }

    /// Runs kubectl at the top of the repository; its stdout. Errors: what it says.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.cluster.kubectl(arguments).await
    }

    /// Applies this YAML with `--validate=strict`. Errors: what kubectl says.
    pub async fn apply(&self, yaml: &str) -> Result<(), String> {
        self.cluster.kubectl_with(&["apply", "--validate=strict", "-f", "-"], yaml).await.map(|_| ())
    }

    /// Applies these manifests with `--validate=strict`, in one go. Errors: what kubectl says.
    pub async fn apply_all(&self, manifests: &[Value]) -> Result<(), String> {
        // JSON is YAML.
        let all: Vec<String> = manifests.iter().map(Value::to_string).collect();
        self.apply(&all.join("\n---\n")).await
    }

    /// Deletes what this YAML names, at once: there is no kubelet that would let go of pods. Errors: what kubectl says.
    pub async fn delete(&self, yaml: &str) -> Result<(), String> {
        let arguments = ["delete", "--ignore-not-found", "--force", "--grace-period=0", "-f", "-"];
        self.cluster.kubectl_with(&arguments, yaml).await.map(|_| ())
    }

    /// How to reach the API server: the file for `kubectl --kubeconfig`.
    pub fn kubeconfig(&self) -> PathBuf {
        self.cluster.kubeconfig()
    }

    /// istiod.
    pub fn istiod(&self) -> &Control {
        &self.control
    }

    /// Pushes our image, of the released .wasm, under this tag. Returns what a WasmPlugin's `url` says. Errors: what skopeo
    /// says.
    pub async fn image(&self, tag: &str) -> Result<String, String> {
        self.registry.push_ours(tag).await
    }

    /// Pushes another image, the layout of [`image`], under this tag; an image that was there is replaced. Returns what a
    /// WasmPlugin's `url` says. Errors: what skopeo says.
    pub async fn push(&self, layout: &Path, tag: &str) -> Result<String, String> {
        self.registry.push(layout, tag).await
    }

    /// A `url` at the registry under which nothing was pushed.
    pub fn missing_image(&self, tag: &str) -> String {
        self.registry.url(tag)
    }

    /// A proxy by istio-agent, with Istio's own bootstrap and an Envoy.
    pub fn agent(&self, proxy: &Proxy) -> Start<'_> {
        Start::new(self, proxy, true)
    }

    /// A proxy that is an Envoy alone: modules by `file://` only, no certificates.
    pub fn stock(&self, proxy: &Proxy) -> Start<'_> {
        Start::new(self, proxy, false)
    }

    fn is_mtls(&self) -> bool {
        self.mtls
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A folder for a start of this proxy.
    fn proxy_folder(&self, proxy: &Proxy) -> Result<PathBuf, String> {
        self.folder.within(&format!("proxies/{}-{}", proxy.name, self.next()))
    }

    /// Has a proxy tell the client what became of its request ([`crate::istio::Exchange`]), and mark its routes with what is
    /// returned. Nothing of it has a part in routing.
    async fn reveal(&self, proxy: &Proxy) -> Result<String, String> {
        let mark = format!("m{}", self.next());
        let mut filter = revealing(&mark);
        filter["metadata"] = json!({"name": format!("switchyard-reveal-{}", proxy.name), "namespace": proxy.namespace});
        filter["spec"]["workloadSelector"] = proxy.selector();
        self.apply_all(&[filter]).await?;
        Ok(mark)
    }
}

/// A service `NAME.NAMESPACE.svc.cluster.local` with one HTTP port and an endpoint for each version, labelled with it, at
/// this port of this machine. Endpoints have addresses of their own, since istiod tells them apart by these: upstreams are
/// to listen on 0.0.0.0.
pub fn service(name: &str, namespace: &str, port: u16, versions: &[(&str, u16)]) -> Value {
    let endpoints = versions.iter().map(|(version, real)| {
        let address = addresses::next().to_string();
        json!({"address": address, "ports": {"http": real}, "labels": {"app": name, "version": version}})
    });
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "hosts": [format!("{name}.{namespace}.svc.cluster.local")],
            "location": "MESH_INTERNAL", "resolution": "STATIC",
            "ports": [{"number": port, "name": "http", "protocol": "HTTP"}],
            "endpoints": endpoints.collect::<Value>(),
        },
    })
}
