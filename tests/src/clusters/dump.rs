//! Envoys that are only asked what they were told. They need not get ready: secrets of istio-agent never come, and names
//! may not resolve.

use crate::harness::keeper::{self, Kept};
use crate::harness::{Client, envoy_binary_of};
use crate::istio::ENVOY;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long one may take until its admin interface answers, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running Envoy; killed on drop.
#[derive(Debug)]
pub struct Dumped {
    process: Kept,
    // Its files; removed after the process has ended, since fields are dropped in order.
    folder: TempDir,
}

impl Dumped {
    /// Starts the Envoy that Istio 1.29 is built on. It knows the addresses of names, or it would ask for endpoints only when
    /// nobody has told it where they are: 20 s, and the first clusters are those that are resolved. Errors: no binary.
    pub fn start(bootstrap: &Value, names: &BTreeSet<String>) -> Result<Self, String> {
        static BINARY: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| envoy_binary_of(ENVOY));
        let binary = BINARY.clone()?;
        let folder = TempDir::with_prefix("switchyard-dump-").map_err(|error| error.to_string())?;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("envoy.json"), bootstrap.to_string()).map_err(|error| error.to_string())?;
        let hosts: Vec<String> = names.iter().map(|name| format!("127.0.0.1 {name}")).collect();
        fs::write(path("hosts"), hosts.join("\n")).map_err(|error| error.to_string())?;
        let log = File::create(path("log")).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = keeper::command(&binary);
        command
            .args(["--disable-hot-restart", "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"])
            .arg("--config-path")
            .arg(path("envoy.json"))
            .arg("--admin-address-path")
            .arg(path("admin"))
            // In place of `/etc/hosts`, for c-ares.
            .env("CARES_HOSTS", path("hosts"))
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors));
        let process = Kept::start(command).map_err(|error| error.to_string())?;
        Ok(Self { process, folder })
    }

    /// Its `/config_dump`, endpoints included. Errors: it ended, with the last lines of its log; no answer.
    pub async fn dump(&mut self) -> Result<Value, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let admin = fs::read_to_string(self.folder.path().join("admin")).ok();
            if let Some(address) = admin.and_then(|text| text.trim().parse().ok()) {
                let answer = Client::new(address).get("admin", "/config_dump?include_eds").await;
                if let Ok(response) = answer {
                    return response.json();
                }
            }
            let ended = self.process.ended();
            if ended.is_some() || Instant::now() > deadline {
                let end = ended.map_or_else(|| format!("no answer in {PATIENCE:?}"), |status| status.to_string());
                return Err(format!("envoy, {end}, says:\n{}", self.text()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it wrote of what went wrong, without a trace of its stack.
    pub fn log(&self) -> String {
        let wrong = |line: &&str| line.contains("[critical]") || line.contains("rejected");
        self.text().lines().filter(wrong).collect::<Vec<_>>().join("\n")
    }

    fn text(&self) -> String {
        let text = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }
}
