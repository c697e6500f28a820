//! A part of the chain: a child process with its log in a file.

use crate::harness::envoy::tail;
use crate::harness::keeper::Kept;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often something is asked whether it is there yet.
const STEP: Duration = Duration::from_millis(50);

/// A running child. A drop kills it, and so does the end of this process.
#[derive(Debug)]
pub struct Process {
    name: String,
    kept: Kept,
    log: PathBuf,
}

impl Process {
    /// Starts a command of [`crate::harness::keeper::command`]; what it writes goes to `NAME.log` in the folder. Errors: no
    /// such program.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self, String> {
        let log = folder.join(format!("{name}.log"));
        // Who opens /dev/stdout anew, as Envoy does for an access log, has a position of its own.
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|error| format!("`{}`: {error}", log.display()))?;
        let errors = output.try_clone().map_err(|error| format!("`{}`: {error}", log.display()))?;
        command.stdout(Stdio::from(output)).stderr(Stdio::from(errors));
        let kept = Kept::start(command).map_err(|error| format!("`{name}` does not start: {error}"))?;
        Ok(Self { name: name.into(), kept, log })
    }

    /// The process id, which is that of its process group too.
    pub fn id(&self) -> u32 {
        self.kept.id()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.kept.ended()
    }

    /// Waits until it ends by itself. Errors: it lives on, for so long.
    pub async fn wait_ended(&mut self, patience: Duration) -> Result<ExitStatus, String> {
        self.kept.wait(patience).await.ok_or_else(|| format!("{} lives after {patience:?}", self.name))
    }

    /// All that it wrote to stdout and stderr.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines of it.
    pub fn log_tail(&self) -> String {
        tail(&self.log())
    }

    /// Waits until the condition gives something else than an error. Errors: the process ends before; the condition's last
    /// error, when patience ends; both with the last lines of its log.
    pub async fn until<T>(
        &mut self,
        patience: Duration,
        condition: impl AsyncFn() -> Result<T, String>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + patience;
        loop {
            let why = match condition().await {
                Ok(value) => return Ok(value),
                Err(why) => why,
            };
            if let Some(status) = self.ended() {
                return Err(format!("{} ended with {status}\n{}", self.name, self.log_tail()));
            }
            if Instant::now() > deadline {
                return Err(format!("{} after {patience:?}: {why}\n{}", self.name, self.log_tail()));
            }
            tokio::time::sleep(STEP).await;
        }
    }
}

/// Asks until the answer is no error, for so long; then the last error is it.
pub async fn eventually<T>(patience: Duration, condition: impl AsyncFn() -> Result<T, String>) -> Result<T, String> {
    let deadline = Instant::now() + patience;
    loop {
        match condition().await {
            Ok(value) => return Ok(value),
            Err(why) if Instant::now() > deadline => return Err(format!("after {patience:?}: {why}")),
            Err(_) => tokio::time::sleep(STEP).await,
        }
    }
}
