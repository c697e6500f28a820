//! The folder of processes, which goes when this process goes.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A temporary folder that is removed on drop, and also when this process ends without one: a chain that all tests of a
/// binary share is a static, which is never dropped, and Ctrl-C drops nothing. A small shell waits for the end of its input,
/// which the kernel closes in any case.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    janitor: Child,
}

impl Folder {
    /// Makes one whose name begins like this. Errors: no room in the temporary folder, no `sh`.
    pub fn new(prefix: &str) -> Result<Self, String> {
        let path = TempDir::with_prefix(prefix).map_err(|error| format!("no folder: {error}"))?.keep();
        // What writes into it may take a moment to die.
        let script = "trap '' INT TERM HUP; read -r _; n=0; \
            while ! rm -rf \"$1\" 2>/dev/null && [ $n -lt 50 ]; do n=$((n + 1)); sleep 0.1; done";
        let janitor = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&path)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("`sh` does not start: {error}"))?;
        Ok(Self { path, janitor })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new folder in it. Errors: one of that name is there.
    pub fn within(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.path.join(name);
        std::fs::create_dir(&path).map_err(|error| format!("`{}`: {error}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        // It fails only when it has ended already.
        let _ = self.janitor.wait();
    }
}
