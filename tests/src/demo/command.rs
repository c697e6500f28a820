//! Calls of the command `switchyard`, the one that was built with the demo.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What a call printed and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The root of the workspace.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Runs `switchyard ARGUMENTS` in the root of the workspace, so that `manifests/demo` is told as people know it; it dies
/// with this future. Errors: it does not start.
pub async fn call(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Said, String> {
    let program = program()?;
    let output = tokio::process::Command::new(&program)
        .args(arguments)
        .current_dir(Path::new(ROOT))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("`{}` does not start: {error}", program.display()))?;
    Ok(Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// [`call`], where any other end than exit code 0 is an error; gives standard output.
pub async fn expect(arguments: &[OsString]) -> Result<String, String> {
    let said = call(arguments).await?;
    if said.code == Some(0) {
        return Ok(said.out);
    }
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    Err(format!("`switchyard {}` ended with {:?}\n{}{}", words.join(" "), said.code, said.out, said.err))
}

/// What `SWITCHYARD_BIN` names, else the one beside the demo itself or beside the folder of a test's program.
fn program() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("SWITCHYARD_BIN").filter(|path| !path.is_empty()) {
        return Ok(named.into());
    }
    let own = std::env::current_exe().map_err(|error| format!("no path of this program: {error}"))?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("switchyard")).find(|path| path.is_file());
    found.ok_or_else(|| format!("no `switchyard` beside `{}`; build both with `make demo`", own.display()))
}

/// Arguments of different types as one list.
macro_rules! arguments {
    ($($argument:expr),* $(,)?) => { vec![$(std::ffi::OsString::from($argument)),*] };
}
pub(super) use arguments;
