//! istiod as a child process, on a folder of manifests.

use super::ROOT;
use super::envoy::IstioEnvoy;
use super::proxy::Proxy;
use crate::harness::folder::Folder;
use crate::harness::keeper::{self, Kept};
use crate::harness::tools::script;
use crate::harness::{Client, free_port};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long it may take until it serves: it takes 0.2 s alone with few manifests, 1 s with 400 VirtualServices.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long it may then say that there is no service. One start of six never does what it has read (its registry starts
/// to listen after the files were told, and nobody tells them again); the others do within 0.03 s.
const EMPTY: Duration = Duration::from_millis(400);
/// How often it is started at most.
const STARTS: usize = 10;
/// Lines of its log that errors quote.
const TAIL: usize = 15;

/// istiod: `PILOT_DISCOVERY_BIN`, else the pinned one, which `tests/tools/istiod.sh` builds at first use (minutes).
/// Errors: what the script says; without Go on the PATH it cannot build.
pub fn binary() -> Result<PathBuf, String> {
    static BINARY: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| script("istiod.sh", &[]));
    BINARY.clone()
}

/// istiod in a folder that has its `mesh.yaml`, for stock Envoys; where it reads manifests is still to be added.
pub(crate) fn command(binary: &Path, folder: &Path, serving: &Serving) -> Command {
    let mut command = keeper::command(binary);
    command
        .current_dir(folder)
        .envs([
            // Filters that stock Envoy does not have.
            ("PILOT_ENABLE_ALPN_FILTER", "false"),
            ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
            ("PILOT_ENABLE_TELEMETRY_LABEL", "false"),
            // Nobody else changes anything: no need to wait for more.
            ("PILOT_DEBOUNCE_AFTER", "20ms"),
            ("POD_NAMESPACE", ROOT),
            ("POD_NAME", "istiod-test"),
            ("CLUSTER_ID", "Kubernetes"),
        ])
        .args(["discovery", "--meshConfig", "mesh.yaml", "--networksConfig", "/nonexistent"])
        .args(["--domain", "cluster.local", "--httpsAddr", "", "--ctrlz_port", "0"])
        .args(["--httpAddr", &serving.http.to_string(), "--grpcAddr", &serving.grpc.to_string()])
        .args(["--monitoringAddr", &serving.monitoring.to_string()]);
    command
}

/// Where an istiod listens: free ports of 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Serving {
    /// Its debug interface.
    pub http: SocketAddr,
    /// xDS in plain text.
    pub grpc: SocketAddr,
    monitoring: SocketAddr,
}

impl Serving {
    pub fn somewhere() -> Self {
        let local = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        Self { http: local(), grpc: local(), monitoring: local() }
    }

    /// `GET path` of the debug interface, `/debug/registryz` say. Errors: no answer, another status than 200, no JSON.
    pub async fn debug(&self, path: &str) -> Result<Value, String> {
        let response = Client::new(self.http).get("istiod", path).await?;
        match response.status {
            200 => response.json(),
            status => Err(format!("istiod's `{path}` answers {status}: {}", response.text())),
        }
    }
}

/// A running istiod. A drop kills it, and so does the end of this process.
#[derive(Debug)]
pub struct Istiod {
    process: Kept,
    stuck: usize,
    serving: Serving,
    version: AtomicU64,
    // Manifests, mesh configuration and log; removed after the process has ended, since fields are dropped in order.
    folder: Folder,
}

impl Istiod {
    /// Starts it with these manifests (JSON objects) and waits until it has read them. Each needs a namespace; kinds that
    /// are not Istio's, Service among them, istiod skips.
    ///
    /// Errors: no binary, manifests that Istio's validation refuses (`istiod refuses: …`), 10 starts of which none read
    /// the folder.
    pub async fn start(manifests: &[Value]) -> Result<Self, String> {
        Self::start_in(&Value::Null, manifests).await
    }

    /// The same in a mesh whose configuration has these fields, in place of the harness's own.
    pub async fn start_in(mesh: &Value, manifests: &[Value]) -> Result<Self, String> {
        let binary = binary()?;
        let mut last = String::new();
        for stuck in 0..STARTS {
            let mut istiod = Self::launch(&binary, mesh, manifests)?;
            istiod.stuck = stuck;
            match istiod.wait_until_read().await {
                Ok(()) => return Ok(istiod),
                Err(Start::Refused(said)) => return Err(format!("istiod refuses: {said}")),
                Err(Start::Stuck(why)) => last = format!("{why}\n{}", istiod.log_tail()),
            }
        }
        Err(format!("istiod did not get ready in {STARTS} starts: {last}"))
    }

    /// Replaces all manifests and waits until istiod has read them; a running proxy has them within a second or so: see
    /// [`IstioEnvoy::wait_synced`], which takes the version that is returned.
    ///
    /// Errors: manifests that Istio's validation refuses (`istiod refuses: …`), which change nothing.
    pub async fn apply(&self, manifests: &[Value]) -> Result<String, String> {
        let version = version(self.version.load(Ordering::Relaxed) + 1);
        let said_before = self.log().len();
        write(self.folder.path(), manifests, &version)?;
        let marker = marker(&version);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if lists(&self.debug("/debug/registryz").await?, &marker) {
                self.version.fetch_add(1, Ordering::Relaxed);
                return Ok(version);
            }
            let log = self.log();
            let said = log.get(said_before..).unwrap_or_default();
            if let Some(said) = said.lines().find(|line| line.contains("unable to reload")) {
                return Err(format!("istiod refuses: {said}"));
            }
            if Instant::now() > deadline {
                return Err(format!("istiod has not read its manifests after {PATIENCE:?}\n{}", self.log_tail()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The version of the manifests in force.
    pub fn version(&self) -> String {
        version(self.version.load(Ordering::Relaxed))
    }

    /// Starts the Envoy of a proxy, whose [`Proxy::manifests`] must be among those of istiod, and waits until it has its
    /// listeners, routes and endpoints. Errors: it has not within 30 s; what Envoy says.
    pub async fn run(&self, proxy: &Proxy) -> Result<IstioEnvoy, String> {
        IstioEnvoy::start(self, proxy).await
    }

    /// How many starts before this one never got to know any service, and were given up.
    pub fn stuck(&self) -> usize {
        self.stuck
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it serves xDS.
    pub fn grpc(&self) -> SocketAddr {
        self.serving.grpc
    }

    /// `GET path` of its debug interface, `/debug/registryz` say. Errors: no answer, another status than 200, no JSON.
    pub async fn debug(&self, path: &str) -> Result<Value, String> {
        self.serving.debug(path).await
    }

    /// All that it wrote to stdout and stderr.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap_or_default()).into_owned()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n")
    }

    fn launch(binary: &Path, mesh_fields: &Value, manifests: &[Value]) -> Result<Self, String> {
        let folder = Folder::new("switchyard-istiod-")?;
        let path = folder.path();
        let serving = Serving::somewhere();
        fs::create_dir(path.join("config")).map_err(|error| error.to_string())?;
        let version = AtomicU64::new(1);
        write(path, manifests, &self::version(1))?;
        let mut mesh = json!({
            "rootNamespace": ROOT,
            "enableAutoMtls": false,
            "enableTracing": false,
            "trustDomain": "cluster.local",
            // What belongs to no service is answered instead of being sent who knows where.
            "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
            "defaultConfig": {"discoveryAddress": serving.grpc.to_string(), "concurrency": 1},
        });
        for (field, value) in mesh_fields.as_object().into_iter().flatten() {
            mesh[field.as_str()] = value.clone();
        }
        put(&path.join("mesh.yaml"), &mesh.to_string())?;
        let log = File::create(path.join("log")).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = command(binary, path, &serving);
        command
            .env("ENABLE_CA_SERVER", "false")
            .args(["--registries=", "--configDir", "config", "--secureGRPCAddr", ""])
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors));
        let process =
            Kept::start(command).map_err(|error| format!("`{}` does not start: {error}", binary.display()))?;
        Ok(Self { process, stuck: 0, serving, version, folder })
    }

    async fn wait_until_read(&mut self) -> Result<(), Start> {
        let deadline = Instant::now() + PATIENCE;
        let marker = marker(&self.version());
        let mut serving: Option<Instant> = None;
        loop {
            if let Some(status) = self.process.ended() {
                let log = self.log();
                let said = log.lines().rfind(|line| line.contains("Error:") || line.contains("failed to create"));
                return match said {
                    Some(said) => Err(Start::Refused(said.into())),
                    None => Err(Start::Stuck(format!("istiod ended with {status}"))),
                };
            }
            // It serves when it has read the folder; its debug interface answers before.
            if tokio::net::TcpStream::connect(self.serving.grpc).await.is_ok() {
                let since = serving.get_or_insert_with(Instant::now).elapsed();
                if self.debug("/debug/registryz").await.is_ok_and(|services| lists(&services, &marker)) {
                    return Ok(());
                }
                if since > EMPTY {
                    return Err(Start::Stuck("istiod serves, and knows no service of its folder".into()));
                }
            }
            if Instant::now() > deadline {
                return Err(Start::Stuck(format!("istiod does not serve after {PATIENCE:?}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Why a start came to nothing.
enum Start {
    /// The manifests are wrong.
    Refused(String),
    /// Try again.
    Stuck(String),
}

fn version(number: u64) -> String {
    format!("v{number}")
}

/// A service that tells which manifests istiod has read. It is exported to nobody: proxies never hear of it.
fn marker(version: &str) -> String {
    format!("{version}.marker.switchyard.internal")
}

fn lists(services: &Value, host: &str) -> bool {
    services.as_array().into_iter().flatten().any(|service| service["hostname"] == host)
}

/// Writes the manifests as one file, whole at once, with what this harness needs among them.
fn write(folder: &Path, manifests: &[Value], version: &str) -> Result<(), String> {
    let marker = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": "marker", "namespace": "switchyard-marker"},
        "spec": {"hosts": [marker(version)], "exportTo": ["."], "resolution": "NONE",
            "ports": [{"number": 1, "name": "http", "protocol": "HTTP"}]},
    });
    let all: Vec<String> = manifests.iter().chain([&marker, &revealing(version)]).map(Value::to_string).collect();
    // JSON is YAML; a folder is watched, so the file comes into it by a rename.
    let scratch = folder.join("manifests.new");
    put(&scratch, &all.join("\n---\n"))?;
    fs::rename(&scratch, folder.join("config/manifests.yaml")).map_err(|error| error.to_string())
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("`{}`: {error}", path.display()))
}

/// Tells the client which route took its request and where it went, and each route table which manifests it is of.
/// Nothing of it has a part in routing.
pub(crate) fn revealing(version: &str) -> Value {
    let set = |name: &str, value: &str| json!({"append": {"header": {"key": format!("{}{name}", super::exchange::SEEN), "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}});
    let mutations = [
        set("route", "%ROUTE_NAME%"),
        set("virtual-service", "%METADATA(ROUTE:istio:config)%"),
        set("cluster", "%UPSTREAM_CLUSTER_RAW%"),
        set("details", "%RESPONSE_CODE_DETAILS%"),
        set("flags", "%RESPONSE_FLAGS%"),
        // As the router leaves them: an upstream that refuses a path cannot tell it.
        set("path", "%REQ(:PATH)%"),
        set("authority", "%REQ(:AUTHORITY)%"),
    ];
    let filter = json!({"name": "revealing", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"response_mutations": mutations},
    }});
    let patches: Vec<Value> = ["GATEWAY", "SIDECAR_OUTBOUND"]
        .into_iter()
        .flat_map(|context| {
            let filters = json!({"filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager",
                "subFilter": {"name": "envoy.filters.http.router"}}}});
            [
                json!({"applyTo": "HTTP_FILTER", "match": {"context": context, "listener": filters},
                    "patch": {"operation": "INSERT_BEFORE", "value": filter}}),
                json!({"applyTo": "ROUTE_CONFIGURATION", "match": {"context": context},
                    "patch": {"operation": "MERGE", "value": {"response_headers_to_add":
                        [{"header": {"key": super::exchange::VERSION, "value": version}}]}}}),
            ]
        })
        .collect();
    json!({
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
        "metadata": {"name": "switchyard-revealing", "namespace": ROOT},
        "spec": {"configPatches": patches},
    })
}
