//! Where the Envoy binary and the released .wasm are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The Envoy to test with: `ENVOY_BIN`, else the pinned one, which `tests/tools/envoy.sh` installs at first use.
pub fn envoy_binary() -> Result<PathBuf, String> {
    match std::env::var_os("ENVOY_BIN").filter(|path| !path.is_empty()) {
        Some(path) => Ok(path.into()),
        None => install(&[]),
    }
}

/// Envoy in one of the versions that are pinned in `tests/tools`, `1.36.2` say; installed at first use.
pub fn envoy_binary_of(version: &str) -> Result<PathBuf, String> {
    install(&[version])
}

fn install(arguments: &[&str]) -> Result<PathBuf, String> {
    script("envoy.sh", arguments)
}

/// What a script of `tests/tools` prints: a path. Errors: what it says, when it fails.
pub(crate) fn script(name: &str, arguments: &[&str]) -> Result<PathBuf, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(name);
    let output = Command::new(&script)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{}` does not start: {error}", script.display()))?;
    if !output.status.success() {
        return Err(format!("`tests/tools/{name}`: {}", String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()))
}

/// The filter as it runs in Envoy, built by `make wasm`.
///
/// # Panics
/// When it is not built, or not of the last build; the message says how to build it.
pub fn released_wasm() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above this crate");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    let wasm = target.join("switchyard_filter.wasm");
    assert!(wasm.is_file(), "`{}` is missing; build it with `make wasm`", wasm.display());
    let time = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    let built = target.join("wasm32-wasip1/wasm/switchyard_filter.wasm");
    assert!(time(&built) <= time(&wasm), "`{}` is newer than `{}`; run `make wasm`", built.display(), wasm.display());
    wasm
}
