//! The programs of the chain: each named by a variable, else what a script of `tests/tools` builds, else that of the PATH.

use crate::harness::tools::script;
use std::env;
use std::path::PathBuf;

/// A program of Debian's packages: the variable, else that of the PATH.
pub fn installed(program: &str, variable: &str) -> Result<PathBuf, String> {
    if let Some(named) = env::var_os(variable).filter(|path| !path.is_empty()) {
        return Ok(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.ok_or_else(|| {
        format!("no `{program}` on the PATH; run `tests/tools/debian.sh` to install it, or name one in {variable}")
    })
}

/// kube-apiserver, built at first use (7 minutes).
pub fn api_server() -> Result<PathBuf, String> {
    script("kubernetes.sh", &["kube-apiserver"])
}

/// kubectl, built at first use.
pub fn kubectl() -> Result<PathBuf, String> {
    script("kubernetes.sh", &["kubectl"])
}

/// istio-agent, built at first use.
pub fn agent() -> Result<PathBuf, String> {
    script("pilot-agent.sh", &[])
}

/// The folder with Istio's CRDs, those of the Gateway API, and Istio's bootstrap of Envoy.
pub fn istio_files() -> Result<PathBuf, String> {
    script("istio-files.sh", &[])
}
