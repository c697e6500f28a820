//! An OCI registry, and our image in it.

use super::cluster::{connect, put};
use super::process::Process;
use super::tools;
use crate::harness::{free_port, keeper, released_wasm};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::sync::OnceCell;

const PATIENCE: Duration = Duration::from_secs(30);

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    _process: Process,
    address: String,
    layout: PathBuf,
    // The image, written once.
    image: OnceCell<()>,
}

impl Registry {
    /// Starts it in this folder, empty. Errors: what it says.
    pub async fn start(folder: &Path) -> Result<Self, String> {
        let address = format!("127.0.0.1:{}", free_port());
        let config = json!({
            "version": "0.1", "log": {"level": "warn", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": folder.join("registry")}},
            "http": {"addr": address},
        });
        put(&folder.join("registry.yaml"), &config.to_string())?;
        let mut command = keeper::command(&tools::installed("docker-registry", "DOCKER_REGISTRY_BIN")?);
        command.current_dir(folder).args(["serve", "registry.yaml"]);
        let mut process = Process::start("docker-registry", command, folder)?;
        process.until(PATIENCE, async || connect(&address).await).await?;
        Ok(Self { _process: process, address, layout: folder.join("image"), image: OnceCell::new() })
    }

    /// Pushes the image layout in this folder, as [`image`] writes it, under `switchyard:TAG`. Returns what a WasmPlugin's
    /// `url` says. Errors: what skopeo says.
    pub async fn push(&self, layout: &Path, tag: &str) -> Result<String, String> {
        let url = self.url(tag);
        let mut command = keeper::command(&tools::installed("skopeo", "SKOPEO_BIN")?);
        command
            .args(["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"])
            .arg(format!("oci:{}", layout.display()))
            .arg(url.replace("oci://", "docker://"));
        run(command, "skopeo").await?;
        Ok(url)
    }

    /// What a WasmPlugin's `url` says of an image under this tag, pushed or not.
    pub fn url(&self, tag: &str) -> String {
        format!("oci://{}/switchyard:{tag}", self.address)
    }

    /// Pushes the image of the released .wasm.
    pub async fn push_ours(&self, tag: &str) -> Result<String, String> {
        self.image.get_or_try_init(async || image(&released_wasm(), &self.layout).await.map(|_| ())).await?;
        self.push(&self.layout, tag).await
    }
}

/// Writes the image of a .wasm as `make image` does, an image layout in the folder `out`, which is replaced. Returns its
/// digest, `sha256:…`. Errors: what `tests/tools/image.sh` says.
pub async fn image(wasm: &Path, out: &Path) -> Result<String, String> {
    let mut command = keeper::command(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/image.sh"));
    command.arg(wasm).arg(out);
    Ok(run(command, "image.sh").await?.trim_end().to_owned())
}

async fn run(mut command: std::process::Command, name: &str) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("`{name}` does not start: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim_end()))
}
