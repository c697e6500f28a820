//! Proxies of the chain, and how they are started.

use super::Chain;
use super::cluster::put;
use super::process::Process;
use super::running::Running;
use super::tools;
use crate::harness::{Admin, envoy_binary_of, free_port, keeper};
use crate::istio::{ENVOY, Proxy};
use serde_json::json;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Gives the agent a `/var/lib/istio/data` of its own, where it keeps the modules that it fetches (the path is fixed, and
/// without it every fetch fails): a mount that nobody else sees, for root or by a user namespace. Where neither is allowed,
/// the folder of the machine serves all agents, if there is one.
const LAUNCH: &str = r#"
inside='private=$1; shift
if [ -d /var/lib/istio/data ]; then mount --bind "$private" /var/lib/istio/data
else mkdir -p "$private/istio/data" && mount --bind "$private" /var/lib; fi || exit 1
setpriv --pdeathsig KILL true 2>/dev/null && exec setpriv --pdeathsig KILL "$@"
exec "$@"'
if unshare --mount true 2>/dev/null; then exec unshare --mount sh -c "$inside" sh "$@"; fi
user='unshare --user --map-root-user --mount'
if $user true 2>/dev/null; then exec $user sh -c "$inside" sh "$@"; fi
if [ -w /var/lib/istio/data ]; then shift; exec "$@"; fi
echo 'error: this user may not mount anything; make /var/lib/istio/data and let this user write there' >&2
exit 1
"#;

/// How a proxy is to run; of [`Chain::agent`] and [`Chain::stock`].
#[derive(Debug)]
pub struct Start<'a> {
    chain: &'a Chain,
    proxy: Proxy,
    agent: bool,
    envoy: String,
    log_level: String,
    workers: u32,
    annotations: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    waiting: bool,
}

impl<'a> Start<'a> {
    pub(super) fn new(chain: &'a Chain, proxy: &Proxy, agent: bool) -> Self {
        Self {
            chain,
            proxy: proxy.clone(),
            agent,
            envoy: ENVOY.into(),
            log_level: "warning".into(),
            workers: 1,
            annotations: Vec::new(),
            environment: Vec::new(),
            waiting: true,
        }
    }

    /// Another Envoy than that of Istio 1.29, 1.37.0: one that `tests/tools/envoy.sh` knows. 1.37.0 dies when the first Wasm
    /// reaches it while it runs (istio.md 5.6): the WasmPlugin is to be there before, or this is to be `1.40.0`.
    #[must_use]
    pub fn envoy(mut self, version: &str) -> Self {
        self.envoy = version.into();
        self
    }

    /// Envoy's log level.
    #[must_use]
    pub fn log_level(mut self, level: &str) -> Self {
        self.log_level = level.into();
        self
    }

    /// How many workers Envoy has: each takes a change by itself. 1 unless it is said.
    #[must_use]
    pub fn workers(mut self, count: u32) -> Self {
        self.workers = count;
        self
    }

    /// An annotation of the agent's pod; `sidecar.istio.io/statsInclusionPrefixes`, say.
    #[must_use]
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.push((name.into(), value.into()));
        self
    }

    /// A variable of the agent.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Does not wait for listeners and routes, only for Envoy's admin interface: for proxies that are not to get any.
    #[must_use]
    pub fn unready(mut self) -> Self {
        self.waiting = false;
        self
    }

    /// Applies what makes the proxy's listeners, starts it, and waits until it has listeners, routes and endpoints. Errors:
    /// it has not within a minute, with the last lines of its log; no such Envoy.
    pub async fn start(self) -> Result<Running, String> {
        self.chain.apply_all(&self.proxy.manifests()).await?;
        // A waypoint has no routes that could be marked.
        let revealed =
            if self.proxy.node_type() == "waypoint" { None } else { Some(self.chain.reveal(&self.proxy).await?) };
        let folder = self.chain.proxy_folder(&self.proxy)?;
        let admin = Admin(SocketAddr::from(([127, 0, 0, 1], free_port())));
        let envoy = envoy_binary_of(&self.envoy)?;
        let command = if self.agent {
            self.agent_command(&folder, &envoy, admin).await?
        } else {
            self.stock_command(&folder, &envoy, admin)?
        };
        let process = Process::start(&self.proxy.name, command, &folder)?;
        let mut running = Running::new(self.proxy, admin, process);
        running.wait_until_alive().await?;
        if let Some(revealed) = revealed.filter(|_| self.waiting) {
            running.wait_for(self.chain, &revealed).await?;
        }
        Ok(running)
    }

    fn stock_command(&self, folder: &Path, envoy: &Path, admin: Admin) -> Result<Command, String> {
        if self.chain.is_mtls() {
            return Err("a stock Envoy has no certificates; start an agent in a chain with mTLS".into());
        }
        let mut bootstrap = self.proxy.bootstrap(self.chain.istiod().grpc());
        bootstrap["admin"]["address"]["socket_address"]["port_value"] = json!(admin.0.port());
        put(&folder.join("envoy.json"), &bootstrap.to_string())?;
        let mut command = keeper::command(envoy);
        command
            .current_dir(folder)
            .args(["--disable-hot-restart", "--concurrency", &self.workers.to_string(), "--config-path", "envoy.json"])
            .args(["--log-level", &self.log_level]);
        Ok(command)
    }

    /// What the agent makes Envoy's bootstrap of.
    fn template(&self, folder: &Path) -> Result<PathBuf, String> {
        let template = tools::istio_files()?.join("envoy_bootstrap.json");
        if self.proxy.node_type() == "waypoint" { without_metadata_discovery(&template, folder) } else { Ok(template) }
    }

    async fn agent_command(&self, folder: &Path, envoy: &Path, admin: Admin) -> Result<Command, String> {
        let Proxy { name, namespace, labels, .. } = &self.proxy;
        for part in ["data", "envoy", "etc/istio/pod"] {
            fs::create_dir_all(folder.join(part)).map_err(|error| error.to_string())?;
        }
        put(&folder.join("etc/istio/pod/annotations"), &downward(&self.annotations))?;
        let istiod = self.chain.istiod();
        let mut config = json!({
            "discoveryAddress": istiod.secure().unwrap_or(istiod.grpc()).to_string(), "concurrency": self.workers,
            "binaryPath": mortal(envoy, folder)?, "configPath": folder.join("envoy"),
            "proxyAdminPort": admin.0.port(), "statusPort": free_port(), "terminationDrainDuration": "1s",
        });
        let mut command = keeper::command(Path::new("sh"));
        command
            .current_dir(folder)
            .args(["-c", LAUNCH, "sh"])
            .arg(folder.join("data"))
            .arg(tools::agent()?)
            .args(["proxy", self.proxy.node_type()])
            .args(["--domain", &format!("{namespace}.svc.cluster.local"), "--proxyLogLevel", &self.log_level])
            .arg("--templateFile")
            .arg(self.template(folder)?)
            .envs([("POD_NAME", &**name), ("POD_NAMESPACE", namespace), ("INSTANCE_IP", self.proxy.ip())])
            .envs([("ISTIO_META_NAMESPACE", &**namespace), ("ISTIO_META_CLUSTER_ID", "Kubernetes")])
            .envs([("ISTIO_META_WORKLOAD_NAME", &**name), ("SERVICE_ACCOUNT", name)])
            .envs([("ISTIO_META_ISTIO_VERSION", "1.29.1"), ("ISTIO_META_INTERCEPTION_MODE", "NONE")])
            .envs([("PILOT_CERT_PROVIDER", "istiod"), ("WASM_INSECURE_REGISTRIES", "*")])
            .env("ISTIO_METAJSON_LABELS", json!(labels).to_string())
            // Else each agent asks three clouds for itself, and one that answered would set the proxy's locality.
            .env("CLOUD_PLATFORM", "none")
            // Several agents on one machine.
            .env("ENVOY_STATUS_PORT", free_port().to_string())
            .env("ENVOY_PROMETHEUS_PORT", free_port().to_string());
        if let Some(secure) = istiod.secure() {
            let root = self.chain.identity(&self.proxy, folder).await?;
            command.env("CA_ROOT_CA", &root).env("XDS_ROOT_CA", &root).env("CA_ADDR", secure.to_string());
        } else {
            config["controlPlaneAuthPolicy"] = json!("NONE");
            command.envs([("CA_ROOT_CA", "SYSTEM"), ("XDS_ROOT_CA", "SYSTEM")]);
        }
        command
            .env("PROXY_CONFIG", config.to_string())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

/// Istio's bootstrap without what a waypoint learns of its peers by, which stock Envoy does not have.
fn without_metadata_discovery(template: &Path, folder: &Path) -> Result<PathBuf, String> {
    let text = fs::read_to_string(template).map_err(|error| format!("`{}`: {error}", template.display()))?;
    let (asked, never) = ("{{- if .metadata_discovery }}", "{{- if false }}");
    if !text.contains(asked) {
        return Err(format!("`{}` has no `{asked}`", template.display()));
    }
    let path = folder.join("envoy_bootstrap.json");
    put(&path, &text.replace(asked, never))?;
    Ok(path)
}

/// Kubernetes' file of annotations.
fn downward(annotations: &[(String, String)]) -> String {
    annotations.iter().fold(String::new(), |file, (name, value)| file + name + "=" + &json!(value).to_string() + "\n")
}

/// An Envoy that dies with the agent that starts it: a killed agent would leave it behind.
fn mortal(envoy: &Path, folder: &Path) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("envoy.sh");
    let envoy = envoy.display();
    put(
        &path,
        &format!(
            "#!/bin/sh\nsetpriv --pdeathsig KILL true 2>/dev/null && exec setpriv --pdeathsig KILL '{envoy}' \"$@\"\nexec '{envoy}' \"$@\"\n"
        ),
    )?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    Ok(path)
}
