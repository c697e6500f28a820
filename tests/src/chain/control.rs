//! istiod on the API server.

use super::Setup;
use super::cluster::{Cluster, connect, put};
use super::process::Process;
use crate::harness::free_port;
use crate::istio::{ROOT, Serving, binary, command};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// How long it may take until it serves: 1 s alone.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running istiod.
#[derive(Debug)]
pub struct Control {
    process: Process,
    serving: Serving,
    secure: Option<SocketAddr>,
}

impl Control {
    /// Starts it in this folder and waits until it serves. Errors: what it says.
    pub async fn start(folder: &Path, cluster: &Cluster, setup: &Setup) -> Result<Self, String> {
        let serving = Serving::somewhere();
        let secure = setup.mtls.then(|| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let mut mesh = json!({
            "rootNamespace": ROOT,
            "enableAutoMtls": setup.mtls,
            "enableTracing": false,
            "trustDomain": "cluster.local",
            "defaultConfig": {"discoveryAddress": secure.unwrap_or(serving.grpc).to_string(), "concurrency": 1},
        });
        if let (Value::Object(mesh), Value::Object(more)) = (&mut mesh, &setup.mesh) {
            mesh.extend(more.clone());
        }
        put(&folder.join("mesh.yaml"), &mesh.to_string())?;
        let mut command = command(&binary()?, folder, &serving);
        command.arg("--kubeconfig").arg(cluster.kubeconfig());
        // Deployments of gateways, by templates that come with an installation.
        command.env("PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER", "false");
        match secure {
            Some(secure) => command.args(["--secureGRPCAddr", &secure.to_string()]),
            None => command.env("ENABLE_CA_SERVER", "false").args(["--secureGRPCAddr", ""]),
        };
        command.envs(setup.istiod.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start("istiod", command, folder)?;
        let address = secure.unwrap_or(serving.grpc).to_string();
        process.until(PATIENCE, async || connect(&address).await).await?;
        Ok(Self { process, serving, secure })
    }

    /// Where it serves xDS in plain text.
    pub fn grpc(&self) -> SocketAddr {
        self.serving.grpc
    }

    /// Where it serves xDS and signs certificates, over TLS; `None` without a CA.
    pub fn secure(&self) -> Option<SocketAddr> {
        self.secure
    }

    /// `GET path` of its debug interface, `/debug/syncz` say. Errors: no answer, another status than 200, no JSON.
    pub async fn debug(&self, path: &str) -> Result<Value, String> {
        self.serving.debug(path).await
    }

    /// All that it wrote to stdout and stderr.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What it is sending to this proxy, or sent without hearing that it was taken; `None` when all was answered. A proxy
    /// that refuses something has answered. Errors: it knows no such proxy.
    pub(super) async fn sending(&self, proxy: &str) -> Result<Option<String>, String> {
        let all = self.debug("/debug/syncz").await?;
        let known = all.as_array().into_iter().flatten().find(|one| one["proxy"] == proxy);
        let known = known.ok_or_else(|| format!("istiod knows no proxy `{proxy}`"))?;
        let resources = known["resources"].as_object().into_iter().flatten();
        let pending = resources.filter(|(_, one)| one["sent"] != one["acked"] && one["lastError"].is_null());
        Ok(pending.map(|(kind, _)| kind.clone()).next())
    }
}
