//! Gateways in tests: a folder per case, and Envoys that serve them.

use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use switchyard_envoy::bootstrap::{Settings, generate, to_yaml};
use switchyard_envoy::diagnostic::human;
use switchyard_envoy::manifest::{Input, read_sources};
use switchyard_envoy::translate::{Model, Options};

use crate::harness::{Envoy, Launch, released_wasm};

/// Which Envoy is made of manifests.
#[derive(Clone, Debug)]
pub struct Gateways {
    /// YAML of several documents.
    pub manifests: String,
    /// The proxy's namespace; that of the manifests by default.
    pub namespace: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The folder of certificates, `--certs`.
    pub certs: Option<std::path::PathBuf>,
    /// The filter's file.
    pub wasm: std::path::PathBuf,
    /// The address of gateways.
    pub edge: IpAddr,
    /// Proxies in front that are trusted.
    pub trusted_hops: u32,
}

impl Gateways {
    /// These manifests on 127.0.0.1, with the released filter.
    pub fn new(manifests: impl Into<String>) -> Self {
        Self {
            manifests: manifests.into(),
            namespace: None,
            labels: BTreeMap::new(),
            certs: None,
            wasm: released_wasm(),
            edge: Ipv4Addr::LOCALHOST.into(),
            trusted_hops: 0,
        }
    }

    /// With credentials of this folder.
    #[must_use]
    pub fn certs(mut self, folder: &Path) -> Self {
        self.certs = Some(folder.to_owned());
        self
    }

    /// What `generate` writes. Errors: what it says.
    pub fn bootstrap(&self) -> Result<Value, String> {
        let input = Input { name: "manifests.yaml".into(), bytes: self.manifests.clone().into_bytes() };
        let manifests =
            read_sources(vec![input], self.namespace.as_deref()).map_err(|error| format!("{error}: {error:?}"))?;
        let options = Options { labels: self.labels.clone(), certs: self.certs.clone(), ..Options::default() };
        let model = Model::new(&manifests, &options).map_err(|said| human(&said, false))?;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let settings = Settings {
            listen: any,
            edge: self.edge,
            admin: any,
            wasm: self.wasm.clone(),
            record: None,
            record_all_headers: false,
            trusted_hops: self.trusted_hops,
        };
        Ok(generate(&model, &settings).map_err(|said| human(&said, false))?.bootstrap)
    }

    /// Starts an Envoy with it. Errors: what `generate` says, and Envoy.
    pub async fn start(&self) -> Result<Envoy, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let file = folder.path().join("envoy.yaml");
        std::fs::write(&file, to_yaml(&self.bootstrap()?)).map_err(|error| error.to_string())?;
        // Envoy reads the file once.
        Launch::new(file).start().await
    }
}
