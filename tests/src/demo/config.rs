//! Envoy's configuration: what `switchyard generate` wrote, with its listener where it can be changed while Envoy runs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use switchyard_envoy::yaml;

use super::command::{self, arguments};
use super::rival;
use crate::harness::{free_port, released_wasm};

/// Where everything of one Envoy is.
#[derive(Debug)]
pub struct Site {
    folder: PathBuf,
    listen: SocketAddr,
    admin: SocketAddr,
    rival: u16,
}

/// What one policy becomes.
#[derive(Debug)]
pub struct Generated {
    /// The bootstrap without listeners.
    bootstrap: Value,
    /// Both listeners, as a file that Envoy watches holds them.
    listeners: Value,
}

impl Site {
    /// A site in this folder, on free ports.
    pub fn new(folder: &Path) -> Self {
        let address = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        Self { folder: folder.to_owned(), listen: address(), admin: address(), rival: free_port() }
    }

    /// The manifests of this policy.
    pub fn manifests(&self, policy: &str) -> PathBuf {
        self.folder.join(policy).join("manifests")
    }

    /// The traffic that was recorded under this policy.
    pub fn record(&self, policy: &str) -> PathBuf {
        self.folder.join(policy).join("traffic.json")
    }

    /// Envoy's bootstrap.
    pub fn bootstrap(&self) -> PathBuf {
        self.folder.join("envoy.json")
    }

    /// The listeners, which Envoy takes anew whenever this file is replaced.
    fn listeners(&self) -> PathBuf {
        self.folder.join("listeners.json")
    }

    /// Runs `switchyard generate` on the manifests of this policy and puts the other listener beside ours. Errors: it
    /// fails, or what it wrote is not built as expected.
    pub async fn generate(&self, policy: &str, weights: [u8; 2]) -> Result<Generated, String> {
        let out = self.folder.join(policy).join("envoy");
        let mut call = arguments!["generate", self.manifests(policy), "--target", "envoy", "--out", &out];
        call.extend(arguments!["--listen", self.listen.to_string(), "--admin", self.admin.to_string()]);
        call.extend(arguments!["--wasm", released_wasm(), "--record", self.record(policy)]);
        command::expect(&call).await?;

        let mut bootstrap = read_yaml(&out.join("envoy.yaml"))?;
        let listeners = bootstrap["static_resources"].as_object_mut().and_then(|fields| fields.remove("listeners"));
        let [mut ours] = listeners
            .and_then(|value| serde_json::from_value::<[Value; 1]>(value).ok())
            .ok_or("not exactly one listener in the generated bootstrap")?;
        let record = self.folder.join(policy).join("usual.json");
        let mut usual = rival::listener(&ours, self.rival, weights, &record.to_string_lossy())?;
        for listener in [&mut ours, &mut usual] {
            listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        }
        // Envoy wants to have a name where it takes configuration in parts, even from a file.
        if bootstrap["node"].is_null() {
            bootstrap["node"] = json!({"id": "demo", "cluster": "demo"});
        }
        bootstrap["dynamic_resources"] =
            json!({"lds_config": {"resource_api_version": "V3", "path_config_source": {"path": self.listeners()}}});
        Ok(Generated { bootstrap, listeners: json!({"version_info": policy, "resources": [ours, usual]}) })
    }

    /// Writes what Envoy starts with.
    pub fn write(&self, generated: &Generated) -> Result<(), String> {
        self.change(generated)?;
        write(&self.bootstrap(), &generated.bootstrap)
    }

    /// Replaces the listeners, in one step, as Envoy's file watch wants it (envoy.md 5.4).
    pub fn change(&self, generated: &Generated) -> Result<(), String> {
        let new = self.folder.join("listeners.new");
        write(&new, &generated.listeners)?;
        fs::rename(&new, self.listeners()).map_err(|error| format!("`{}`: {error}", new.display()))
    }

    /// Where ours and the other listen.
    pub fn addresses(&self) -> (SocketAddr, SocketAddr) {
        (self.listen, SocketAddr::new(self.listen.ip(), self.rival))
    }
}

impl Generated {
    /// Whether the other policy changes listeners alone, which is what is swapped here.
    pub fn has_same_bootstrap(&self, other: &Self) -> bool {
        self.bootstrap == other.bootstrap
    }
}

fn read_yaml(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let (documents, problems) = yaml::load(&text);
    match (&documents[..], &problems[..]) {
        ([document], []) => Ok(document.to_json()),
        (_, [problem, ..]) => Err(format!("`{}`: {}", path.display(), problem.message)),
        _ => Err(format!("`{}`: not exactly one document", path.display())),
    }
}

fn write(path: &Path, value: &Value) -> Result<(), String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    fs::write(path, text).map_err(|error| format!("`{}`: {error}", path.display()))
}
