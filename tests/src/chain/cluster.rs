//! A Kubernetes API server without nodes, on an etcd of its own, with Istio's CRDs (istio.md 5.6).

use super::process::{Process, eventually};
use super::tools;
use crate::harness::{free_port, keeper};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How long each part may take until it serves: the API server takes 5 to 10 s alone.
const PATIENCE: Duration = Duration::from_mins(2);
/// The token of the one user, who may do everything.
const TOKEN: &str = "switchyard-chain";

/// A running API server and what it stores in.
#[derive(Debug)]
pub struct Cluster {
    api: Process,
    _etcd: Process,
    kubectl: PathBuf,
    folder: PathBuf,
}

impl Cluster {
    /// Starts both in this folder and waits until the API server knows Istio's kinds. `rbac`: whether roles are asked.
    /// Errors: what is missing or fails.
    pub async fn start(folder: &Path, rbac: bool) -> Result<Self, String> {
        let (etcd, at) = etcd(folder).await?;
        let (api, server) = api_server(folder, &at, if rbac { "RBAC" } else { "AlwaysAllow" })?;
        let cluster = Self { api, _etcd: etcd, kubectl: tools::kubectl()?, folder: folder.to_owned() };
        put(&cluster.kubeconfig(), &kubeconfig(&server).to_string())?;
        cluster.wait_until_ready().await?;
        let files = tools::istio_files()?;
        for crds in ["istio-crds.yaml", "gateway-api-crds.yaml"] {
            let crds = files.join(crds).display().to_string();
            // Too big for the annotation of a client-side apply.
            cluster.kubectl(&["apply", "--server-side", "-f", &crds]).await?;
        }
        cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).await?;
        Ok(cluster)
    }

    async fn wait_until_ready(&self) -> Result<(), String> {
        let ready = async || self.kubectl(&["get", "--raw", "/readyz"]).await;
        let api = eventually(PATIENCE, ready).await;
        // `default` is made by the API server itself, a moment later.
        let made = async || self.kubectl(&["get", "namespace", "default"]).await;
        match api.map(|_| ()) {
            Ok(()) => eventually(PATIENCE, made).await.map(|_| ()),
            Err(why) => Err(format!("the API server is not ready {why}\n{}", self.api.log_tail())),
        }
    }

    /// How to reach it: the file for `kubectl --kubeconfig`.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Runs kubectl at the top of the repository; its stdout. Errors: what it says.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.kubectl_with(arguments, "").await
    }

    /// [`Self::kubectl`] with this input: for `-f -`.
    pub async fn kubectl_with(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut command = keeper::command(&self.kubectl);
        command
            .current_dir(repository)
            .env("KUBECONFIG", self.kubeconfig())
            // Where it keeps what it knows of the API.
            .env("HOME", &self.folder)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("`{}` does not start: {error}", self.kubectl.display()))?;
        let mut stdin = child.stdin.take().ok_or("kubectl takes no input")?;
        let writing = async {
            // One that ends without reading says why itself.
            let _ = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
        };
        let (output, ()) = tokio::join!(child.wait_with_output(), writing);
        let output = output.map_err(|error| format!("kubectl: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("kubectl {}: {}", arguments.join(" "), said.trim_end()))
    }
}

async fn etcd(folder: &Path) -> Result<(Process, String), String> {
    let url = || format!("http://127.0.0.1:{}", free_port());
    let (clients, peers) = (url(), url());
    let mut command = keeper::command(&tools::installed("etcd", "ETCD_BIN")?);
    command
        .current_dir(folder)
        .args(["--data-dir", "etcd", "--listen-client-urls", &clients, "--advertise-client-urls", &clients])
        .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
        .args(["--initial-cluster", &format!("default={peers}")]);
    let mut process = Process::start("etcd", command, folder)?;
    let address = clients.trim_start_matches("http://").to_owned();
    process.until(PATIENCE, async || connect(&address).await).await?;
    Ok((process, clients))
}

fn api_server(folder: &Path, etcd: &str, authorization: &str) -> Result<(Process, String), String> {
    let key = rcgen::KeyPair::generate().map_err(|error| format!("no key: {error}"))?;
    put(&folder.join("accounts.key"), &key.serialize_pem())?;
    put(&folder.join("accounts.pub"), &key.public_key_pem())?;
    put(&folder.join("tokens.csv"), &format!("{TOKEN},admin,admin,system:masters\n"))?;
    let port = free_port().to_string();
    let mut command = keeper::command(&tools::api_server()?);
    command
        .current_dir(folder)
        .args(["--etcd-servers", etcd, "--secure-port", &port, "--cert-dir", "certificates"])
        .args(["--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"])
        .args(["--service-account-issuer", "https://kubernetes.default.svc"])
        .args(["--service-account-key-file", "accounts.pub", "--service-account-signing-key-file", "accounts.key"])
        .args(["--service-cluster-ip-range", "10.96.0.0/16", "--token-auth-file", "tokens.csv"])
        // Nobody makes the accounts that this plugin waits for.
        .args(["--authorization-mode", authorization, "--disable-admission-plugins", "ServiceAccount"]);
    let process = Process::start("kube-apiserver", command, folder)?;
    Ok((process, format!("https://127.0.0.1:{port}")))
}

fn kubeconfig(server: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "chain",
        // Its certificate is made at its start, by itself.
        "clusters": [{"name": "chain", "cluster": {"server": server, "insecure-skip-tls-verify": true}}],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
        "contexts": [{"name": "chain", "context": {"cluster": "chain", "user": "admin"}}],
    })
}

/// Whether somebody listens there.
pub(super) async fn connect(address: &str) -> Result<(), String> {
    tokio::net::TcpStream::connect(address)
        .await
        .map(|_| ())
        .map_err(|error| format!("no connection to {address}: {error}"))
}

pub(super) fn put(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("`{}`: {error}", path.display()))
}
