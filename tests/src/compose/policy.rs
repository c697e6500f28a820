//! The policy that is in force: what `switchyard generate --dynamic` makes of manifests, where Envoy watches it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The manifests of `make demo`.
const MANIFESTS: &str = "/demo/manifests";
/// `envoy/demo`: where the services are, and the scenarios.
const COMPOSE: &str = "/demo/compose";
/// The filter, as the image brings it.
const WASM: &str = "/usr/local/lib/switchyard_filter.wasm";
/// What Envoy watches.
const WATCHED: &str = "/etc/switchyard";
/// Where Envoy serves the mesh, and its admin interface: on all addresses of its container.
const LISTEN: &str = "0.0.0.0:10000";
const ADMIN: &str = "0.0.0.0:9901";

/// Manifests that are applied together.
#[derive(Clone, Debug)]
pub struct Policy {
    files: Vec<PathBuf>,
}

impl Policy {
    /// The policy of `make demo`, and these scenarios with it.
    pub fn demo(scenarios: &[&str]) -> Self {
        let mut policy = Self::of(scenarios);
        for name in ["switchyard-policy.yaml", "virtual-service.yaml"] {
            policy.files.push(Path::new(MANIFESTS).join(name));
        }
        policy
    }

    /// The services and their subsets, with these scenarios: files of `envoy/demo/scenarios`.
    pub fn of(scenarios: &[&str]) -> Self {
        let mut files =
            vec![Path::new(COMPOSE).join("endpoints.yaml"), Path::new(MANIFESTS).join("destination-rule.yaml")];
        files.extend(scenarios.iter().map(|name| Path::new(COMPOSE).join("scenarios").join(name)));
        Self { files }
    }

    /// Puts it in force: the files that Envoy watches are changed, and Envoy has taken them, if it runs in the network of
    /// this process. Errors: the policy is invalid, Envoy refuses it or does not take it.
    pub async fn apply(&self) -> Result<(), String> {
        let wasm = Path::new(WATCHED).join("switchyard_filter.wasm");
        let mut arguments: Vec<OsString> = vec!["generate".into()];
        arguments.extend(self.files.iter().map(OsString::from));
        arguments.extend(["--target", "envoy", "--dynamic", "--listen", LISTEN, "--admin", ADMIN].map(Into::into));
        arguments.extend(["--wasm".into(), wasm.into(), "--out".into(), WATCHED.into()]);
        let output = tokio::process::Command::new("switchyard")
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| format!("`switchyard` does not start: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(format!("`switchyard generate` failed\n{said}")) }
    }

    /// Writes all that Envoy needs to start with it, the filter too.
    pub async fn write_first(&self) -> Result<(), String> {
        let wasm = Path::new(WATCHED).join("switchyard_filter.wasm");
        fs::copy(WASM, &wasm).map_err(|error| format!("cannot copy `{WASM}` to `{}`: {error}", wasm.display()))?;
        self.apply().await
    }
}
