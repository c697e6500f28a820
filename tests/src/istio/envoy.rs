//! A stock Envoy that istiod configures.

use super::ENVOY;
use super::exchange::Exchange;
use super::istiod::Istiod;
use super::proxy::Proxy;
use super::routes::Routes;
use super::sync::{dump, missing};
use crate::harness::folder::Folder;
use crate::harness::{Admin, Client, Echo, Envoy, Launch, Request, envoy_binary_of};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How long manifests may take to reach a running Envoy: 0.2 s alone.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running proxy of Istio. A drop kills it.
#[derive(Debug)]
pub struct IstioEnvoy {
    envoy: Envoy,
    proxy: Proxy,
    _folder: Folder,
}

impl IstioEnvoy {
    pub(super) async fn start(istiod: &Istiod, proxy: &Proxy) -> Result<Self, String> {
        let folder = Folder::new("switchyard-proxy-")?;
        let config = folder.path().join("envoy.json");
        std::fs::write(&config, proxy.bootstrap(istiod.grpc()).to_string()).map_err(|error| error.to_string())?;
        let envoy = Launch::new(&config).binary(binary()?).start().await?;
        let running = Self { envoy, proxy: proxy.clone(), _folder: folder };
        running.wait_synced(&istiod.version()).await?;
        Ok(running)
    }

    /// Waits until it has all of the manifests of this version: routes and listeners of it, no cluster without endpoints.
    /// Errors: it has not after 20 s; a listener that Envoy refuses.
    pub async fn wait_synced(&self, version: &str) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match missing(Admin(self.envoy.admin()), &self.proxy, version).await? {
                None => return Ok(()),
                Some(missing) if Instant::now() > deadline => {
                    return Err(format!(
                        "proxy `{}` has not {missing} after {PATIENCE:?}\n{}",
                        self.proxy.name,
                        self.envoy.log_tail()
                    ));
                }
                Some(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// A resource of `/config_dump`.
    pub async fn dump(&self, resource: &str) -> Result<Value, String> {
        dump(Admin(self.envoy.admin()), resource).await
    }

    /// Its routes.
    pub async fn routes(&self) -> Result<Routes, String> {
        Ok(Routes::read(&self.dump("dynamic_route_configs").await?))
    }

    /// The Envoy itself: log, statistics, admin interface.
    pub fn envoy(&self) -> &Envoy {
        &self.envoy
    }

    /// A client of the listener of a policy's port; use several for requests at a time. Errors: the proxy was planned
    /// without it.
    pub fn client(&self, port: u16) -> Result<Client, String> {
        Ok(Client::new(self.proxy.address(port)?))
    }

    /// Sends a request and tells what became of it. The upstream must be [recording](crate::harness::EchoBuilder::recording),
    /// and nobody else may use it meanwhile; where copies are mirrored, they may arrive later than the response.
    /// Errors: no response.
    pub async fn send(&self, client: &mut Client, upstream: &Echo, request: &Request) -> Result<Exchange, String> {
        let response = client.send(request).await?;
        Exchange::new(response, upstream.received())
    }

    /// Ends it. Errors: it does not end by itself.
    pub async fn stop(self) -> Result<(), String> {
        self.envoy.stop().await
    }
}

/// The pinned Envoy, looked for once.
fn binary() -> Result<PathBuf, String> {
    static BINARY: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| envoy_binary_of(ENVOY));
    BINARY.clone()
}
