//! A running Envoy that `switchyard generate --dynamic` changes, as people run it, and users who notice or do not.

#![expect(clippy::missing_panics_doc, reason = "what a test needs of the machine is there, or the test ends")]

pub mod load;
pub mod manifests;
pub mod steps;

use crate::harness::{Envoy, Launch, free_port, released_wasm};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A folder that Envoy watches, and the manifests that it is made from.
#[derive(Debug)]
pub struct Live {
    command: PathBuf,
    folder: TempDir,
    listen: SocketAddr,
    admin: SocketAddr,
    wasm: PathBuf,
}

/// How a call of the command ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// The files that were written, without the folder, in order.
    pub written: Vec<String>,
    /// stderr.
    pub said: String,
}

impl Live {
    /// An empty folder; `command` is the `switchyard` to run.
    pub fn new(command: &str) -> Self {
        let port = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let folder = TempDir::with_prefix("switchyard-live-").expect("a temporary folder");
        Self { command: command.into(), folder, listen: port(), admin: port(), wasm: released_wasm() }
    }

    /// The same folder, with another admin interface.
    pub fn at(&mut self, admin: SocketAddr) -> &Self {
        self.admin = admin;
        self
    }

    /// Where the mesh is served.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// A file that Envoy watches, or what it was started with.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("live").join(name)
    }

    /// The text of [`Self::path`].
    pub fn text(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
    }

    /// Moves a text over a file, as somebody would who does not use the command.
    pub fn overwrite(&self, name: &str, text: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).and_then(|()| fs::rename(&new, self.path(name))).expect("the folder can be written");
    }

    /// The call that makes the folder say what these manifests say.
    pub fn command(&self, manifests: &str, wasm: Option<&Path>) -> Command {
        let file = self.folder.path().join("manifests.yaml");
        fs::write(&file, manifests).expect("the folder can be written");
        let mut command = Command::new(&self.command);
        command.arg("generate").arg(file).args(["--target", "envoy", "--dynamic", "--out"]).arg(self.path(""));
        command.args(["--listen", &self.listen.to_string(), "--admin", &self.admin.to_string(), "--wasm"]);
        command.arg(wasm.unwrap_or(&self.wasm)).env("NO_COLOR", "1").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs [`Self::command`] to its end.
    pub async fn generate(&self, manifests: &str) -> Ended {
        self.ended(self.command(manifests, None).spawn().expect("the command starts")).await
    }

    /// [`Self::generate`] with another filter.
    pub async fn generate_with(&self, manifests: &str, wasm: &Path) -> Ended {
        self.ended(self.command(manifests, Some(wasm)).spawn().expect("the command starts")).await
    }

    /// Waits for a call's end.
    pub async fn ended(&self, call: Child) -> Ended {
        let output = call.wait_with_output().await.expect("the command ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let folder = self.path("").display().to_string();
        let written = text(&output.stdout);
        let written = written.lines().map(|line| line.strip_prefix(&folder).unwrap_or(line).to_owned());
        Ended { code: output.status.code(), written: written.collect(), said: text(&output.stderr) }
    }

    /// A module that is none of ours: Envoy refuses it, the command does not look into it.
    pub fn foreign_module(&self) -> PathBuf {
        let path = self.folder.path().join("foreign.wasm");
        fs::write(&path, b"\0asm\x01\0\0\0").expect("the folder can be written");
        path
    }

    /// The Envoy of this folder, with its log in a file.
    pub fn launch(&self) -> Launch {
        let log = self.folder.path().join("log").display().to_string();
        Launch::new(self.path("envoy.yaml")).concurrency(2).argument("--log-path").argument(log)
    }

    /// Starts [`Self::launch`].
    pub async fn start(&self) -> Envoy {
        self.launch().start().await.unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Ended {
    /// The call, which did what it was asked for.
    #[must_use]
    pub fn well(self) -> Self {
        self.assert_well();
        self
    }

    /// It did what it was asked for.
    pub fn assert_well(&self) {
        assert_eq!(self.code, Some(0), "{}", self.said);
    }
}
