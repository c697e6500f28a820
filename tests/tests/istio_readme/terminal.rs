//! A terminal in a checkout, with kubectl, skopeo and `switchyard` on the PATH, and one's own registry.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use switchyard_tests::chain::Chain;
use switchyard_tests::harness::released_wasm;
use switchyard_tests::rollout::Ended;
use tempfile::TempDir;
use tokio::process::Command;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The registry that README has people replace by theirs.
const EXAMPLE: &str = "registry.example.com";
/// And where, beside the commands.
const IMAGE: &str = "components/image/image.yaml";
/// The one command that needs a kubelet, which is not here: what is printed is what the pod's proxy wrote, and everything
/// behind the pipe runs as it is written. Any other `kubectl logs` fails, as it should.
const LOGS: &str = "logs deployment/productcatalog -n workshop -c istio-proxy";

/// Where commands are typed.
pub struct Terminal {
    folder: TempDir,
    path: String,
    registry: String,
    kubeconfig: PathBuf,
}

impl Terminal {
    /// Makes the checkout: `manifests/` is a copy with one's own registry where README says, the image is where `make image`
    /// writes it.
    pub fn open(chain: &Chain) -> Self {
        let folder = TempDir::with_prefix("switchyard-readme-").unwrap();
        let url = chain.missing_image("none");
        let registry = url.trim_start_matches("oci://").split('/').next().unwrap().to_owned();
        for made in ["bin", "home/.config/containers", "target"] {
            std::fs::create_dir_all(folder.path().join(made)).unwrap();
        }
        let manifests = folder.path().join("manifests");
        copy(&Path::new(REPOSITORY).join("manifests"), &manifests);
        let image = manifests.join(IMAGE);
        let own = std::fs::read_to_string(&image).unwrap().replace(EXAMPLE, &registry);
        std::fs::write(image, own).unwrap();
        symlink(
            released_wasm().parent().unwrap().join("switchyard-image"),
            folder.path().join("target/switchyard-image"),
        )
        .unwrap();
        let bin = folder.path().join("bin");
        symlink(env!("CARGO_BIN_EXE_switchyard-in-tests"), bin.join("switchyard")).unwrap();
        if let Some(skopeo) = std::env::var_os("SKOPEO_BIN").filter(|path| !path.is_empty()) {
            symlink(skopeo, bin.join("skopeo")).unwrap();
        }
        // This machine's registry speaks no TLS.
        let containers = folder.path().join("home/.config/containers");
        let insecure = format!("[[registry]]\nlocation = \"{registry}\"\ninsecure = true\n");
        std::fs::write(containers.join("registries.conf"), insecure).unwrap();
        std::fs::write(containers.join("policy.json"), r#"{"default": [{"type": "insecureAcceptAnything"}]}"#).unwrap();
        let kubectl = Path::new(REPOSITORY).join("tests/tools/kubernetes.sh");
        let output = std::process::Command::new(kubectl).arg("kubectl").output().unwrap();
        let kubectl = String::from_utf8(output.stdout).unwrap();
        let script = format!(
            "#!/bin/sh\nif [ \"$*\" = '{LOGS}' ]; then exec cat '{}'; fi\nexec '{}' \"$@\"\n",
            folder.path().join("log").display(),
            kubectl.trim()
        );
        std::fs::write(bin.join("kubectl"), script).unwrap();
        std::fs::set_permissions(bin.join("kubectl"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        Self { folder, path, registry, kubeconfig: chain.kubeconfig() }
    }

    /// Says what the proxy of productcatalog wrote until now.
    pub fn logged(&self, log: &str) {
        std::fs::write(self.folder.path().join("log"), log).unwrap();
    }

    /// A text of README with one's own registry in it.
    pub fn own(&self, text: &str) -> String {
        text.replace(EXAMPLE, &self.registry)
    }

    /// Runs a line by a shell that fails where a part of a pipe does. `make` runs where the sources are: cargo tells
    /// workspaces apart by their folders, and would build all of this one anew.
    pub async fn run(&self, line: &str) -> Ended {
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", &self.own(line)]).env("PATH", &self.path);
        command.stdin(Stdio::null()).env("NO_COLOR", "1").env("COLUMNS", "120");
        if line.starts_with("make ") {
            command.current_dir(REPOSITORY);
            // What cargo and make tell those whom they call is not for a build of its own.
            for (name, _) in std::env::vars() {
                let of_cargo = name.starts_with("CARGO_") && name != "CARGO_HOME" && name != "CARGO_TARGET_DIR";
                if of_cargo || name.starts_with("MAKE") || name == "MFLAGS" {
                    command.env_remove(name);
                }
            }
        } else {
            command.current_dir(self.folder.path()).env("HOME", self.folder.path().join("home"));
            command.env("KUBECONFIG", &self.kubeconfig);
        }
        let output = command.kill_on_drop(true).output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code(),
            written: text(&output.stdout).lines().map(str::to_owned).collect(),
            said: text(&output.stderr),
        }
    }
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(path, to).unwrap();
        }
    }
}
