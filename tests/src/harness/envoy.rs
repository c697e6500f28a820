//! A real Envoy as a child process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::admin::Admin;
use super::client::Response;
use super::folder::Folder;
use super::keeper::{self, Kept};
use super::tools::envoy_binary;

/// How long Envoy may take until it is ready: it takes 0.3 s alone, and tests share two cores with a compiler.
const READY: Duration = Duration::from_secs(30);
/// How long it may take to end by itself before it is killed.
const GOODBYE: Duration = Duration::from_secs(5);
/// Lines of Envoy's log that errors quote.
const TAIL: usize = 25;

/// What to start; see [`Launch::new`].
#[derive(Clone, Debug)]
pub struct Launch {
    config: PathBuf,
    binary: Option<PathBuf>,
    concurrency: u32,
    log_level: String,
    arguments: Vec<String>,
}

impl Launch {
    /// Envoy with this configuration file, one worker, logging from `warning` on. The file must have an admin address;
    /// its port, and those of listeners, may be 0.
    pub fn new(config: impl Into<PathBuf>) -> Self {
        Self { config: config.into(), binary: None, concurrency: 1, log_level: "warning".into(), arguments: Vec::new() }
    }

    /// Another binary than [`envoy_binary`].
    #[must_use]
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// So many workers, 1 or more.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Envoy's `--log-level`: `trace` to `off`. That of one component is an [`Self::argument`]:
    /// `--component-log-level`, then `wasm:debug`.
    #[must_use]
    pub fn log_level(mut self, level: impl Into<String>) -> Self {
        self.log_level = level.into();
        self
    }

    /// One more command-line argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts it and waits until it is ready. Errors: no binary, a configuration that it refuses, no `/ready` within
    /// 30 s; they end with the last lines of its log.
    pub async fn start(self) -> Result<Envoy, String> {
        let binary = self.binary.map_or_else(envoy_binary, Ok)?;
        let folder = Folder::new("switchyard-envoy-")?;
        let log = folder.path().join("envoy.log");
        let admin = folder.path().join("admin");
        let output = File::create(&log).map_err(|error| format!("`{}`: {error}", log.display()))?;
        let errors = output.try_clone().map_err(|error| format!("`{}`: {error}", log.display()))?;
        let mut command = keeper::command(&binary);
        command
            // Without hot restart there is no shared memory, which a killed Envoy would leave behind in /dev/shm.
            .args(["--disable-hot-restart", "--use-dynamic-base-id", "--concurrency", &self.concurrency.to_string()])
            .args(["--log-level", &self.log_level, "--config-path"])
            .arg(&self.config)
            .arg("--admin-address-path")
            .arg(&admin)
            .args(&self.arguments)
            .stdout(Stdio::from(output))
            .stderr(Stdio::from(errors));
        let process =
            Kept::start(command).map_err(|error| format!("`{}` does not start: {error}", binary.display()))?;
        // The address is not known yet; port 0 is nobody's.
        let mut envoy = Envoy { process, admin: SocketAddr::from(([127, 0, 0, 1], 0)), log, _folder: folder };
        match envoy.wait_until_ready(&admin).await {
            Ok(()) => Ok(envoy),
            Err(error) => Err(format!("envoy with `{}` {error}\n{}", self.config.display(), envoy.log_tail())),
        }
    }
}

/// A running Envoy that is ready. A drop kills it, and so does the end of this process, however it comes (see
/// `keeper`); [`Envoy::stop`] lets it write its access logs to the end.
#[derive(Debug)]
pub struct Envoy {
    process: Kept,
    admin: SocketAddr,
    log: PathBuf,
    // The log lies in it; removed after the process has ended, since fields are dropped in order.
    _folder: Folder,
}

impl Envoy {
    /// [`Launch::start`] with one worker and the Envoy of [`envoy_binary`].
    pub async fn start(config: impl Into<PathBuf>) -> Result<Self, String> {
        Launch::new(config).start().await
    }

    /// Where the admin interface listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// [`Admin::listener`].
    pub async fn listener(&self, name: &str) -> Result<SocketAddr, String> {
        Admin(self.admin).listener(name).await
    }

    /// [`Admin::get`].
    pub async fn admin_get(&self, path: &str) -> Result<Response, String> {
        Admin(self.admin).get(path).await
    }

    /// [`Admin::post`].
    pub async fn admin_post(&self, path: &str) -> Result<Response, String> {
        Admin(self.admin).post(path).await
    }

    /// [`Admin::stats`].
    pub async fn stats(&self, filter: &str) -> Result<BTreeMap<String, u64>, String> {
        Admin(self.admin).stats(filter).await
    }

    /// The last lines of what Envoy wrote to stdout and stderr.
    pub fn log_tail(&self) -> String {
        tail(&self.log())
    }

    /// All that Envoy wrote to stdout and stderr.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Asks Envoy to end, which writes what is left of the access logs, and waits for it; after 5 s it is killed, which
    /// is an error.
    pub async fn stop(mut self) -> Result<(), String> {
        self.admin_post("/quitquitquit").await?;
        match self.process.wait(GOODBYE).await {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("envoy ended with {status}\n{}", self.log_tail())),
            None => Err(format!("envoy did not end within {GOODBYE:?}\n{}", self.log_tail())),
        }
    }

    async fn wait_until_ready(&mut self, admin: &Path) -> Result<(), String> {
        let deadline = Instant::now() + READY;
        loop {
            if let Some(status) = self.process.ended() {
                return Err(format!("ended with {status} instead of getting ready"));
            }
            // Envoy writes the file when the admin interface listens.
            if let Some(address) = fs::read_to_string(admin).ok().and_then(|text| text.trim().parse().ok()) {
                self.admin = address;
                if self.admin_get("/ready").await.is_ok() {
                    return Ok(());
                }
            }
            if Instant::now() > deadline {
                return Err(format!("is not ready after {READY:?}"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Whether Envoy takes this configuration file (`--mode validate`, which runs our `on_configure` too: envoy.md 5.4).
/// Errors: what Envoy says against it.
pub async fn validate(config: &Path) -> Result<(), String> {
    validate_with(&envoy_binary()?, config).await
}

/// [`validate`] with this Envoy.
pub async fn validate_with(binary: &Path, config: &Path) -> Result<(), String> {
    let mut command = keeper::command(binary);
    command
        .args(["--mode", "validate", "--disable-hot-restart", "--log-level", "warning", "--config-path"])
        .arg(config);
    let mut command = tokio::process::Command::from(command);
    let output = tokio::time::timeout(READY, command.kill_on_drop(true).output())
        .await
        .map_err(|_| format!("envoy did not validate `{}` within {READY:?}", config.display()))?
        .map_err(|error| format!("`{}` does not start: {error}", binary.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("envoy refuses `{}`:\n{}", config.display(), tail(&String::from_utf8_lossy(&said))))
}

/// The last lines of a log, blank ones left out.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n")
}
