//! A running proxy of the chain.

use super::Chain;
use super::process::{Process, eventually};
use crate::harness::{Admin, Client, Echo, Request};
use crate::istio::{Exchange, Proxy, Routes, dump, missing};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long Envoy may take until it lives, and until it has all that was applied: 1 s each, alone.
const PATIENCE: Duration = Duration::from_mins(1);

/// A gateway or sidecar: istio-agent with its Envoy, or an Envoy alone. A drop kills both.
#[derive(Debug)]
pub struct Running {
    proxy: Proxy,
    admin: Admin,
    process: Process,
}

impl Running {
    pub(super) fn new(proxy: Proxy, admin: Admin, process: Process) -> Self {
        Self { proxy, admin, process }
    }

    /// What it is in the mesh.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// The id of its process, which is that of its process group too: the agent's, or Envoy's.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its Envoy's admin interface.
    pub fn admin(&self) -> Admin {
        self.admin
    }

    /// [`Admin::stats`]. Under an agent, Istio's bootstrap hides most of them: see
    /// `sidecar.istio.io/statsInclusionPrefixes`.
    pub async fn stats(&self, filter: &str) -> Result<BTreeMap<String, u64>, String> {
        self.admin.stats(filter).await
    }

    /// A client of the listener of a policy's port. Errors: the proxy was planned without it.
    pub fn client(&self, port: u16) -> Result<Client, String> {
        Ok(Client::new(self.proxy.address(port)?))
    }

    /// Sends a request and tells what became of it; see [`crate::istio::IstioEnvoy::send`].
    pub async fn send(&self, client: &mut Client, upstream: &Echo, request: &Request) -> Result<Exchange, String> {
        let response = client.send(request).await?;
        Exchange::new(response, upstream.received())
    }

    /// A resource of Envoy's `/config_dump`: `dynamic_active_clusters`, say.
    pub async fn dump(&self, resource: &str) -> Result<Value, String> {
        dump(self.admin, resource).await
    }

    /// Its routes.
    pub async fn routes(&self) -> Result<Routes, String> {
        Ok(Routes::read(&self.dump("dynamic_route_configs").await?))
    }

    /// What stands in the place of the WasmPlugin `namespace/name` as JSON of Envoy: a Wasm filter, or the RBAC filter that
    /// the agent puts there when it cannot fetch the module. `None`: nothing was delivered.
    pub async fn extension(&self, plugin: &str) -> Result<Option<Value>, String> {
        let name = format!("extensions.istio.io/wasmplugin/{}", plugin.replace('/', "."));
        let all = self.dump("ecds_filters").await?;
        let filters = all["configs"].as_array().into_iter().flatten().map(|one| &one["ecds_filter"]);
        let found = filters.into_iter().find(|filter| filter["name"] == *name);
        Ok(found.map(|filter| filter["typed_config"].clone()))
    }

    /// The pluginConfig that is in force of the WasmPlugin `namespace/name`; `None` where none is.
    pub async fn plugin_config(&self, plugin: &str) -> Result<Option<Value>, String> {
        let extension = self.extension(plugin).await?.unwrap_or_default();
        let text = extension["config"]["configuration"]["value"].as_str();
        text.map(|text| serde_json::from_str(text).map_err(|error| format!("pluginConfig `{text}`: {error}")))
            .transpose()
    }

    /// Waits until the pluginConfig of `namespace/name` is this one, whose numbers may have become floats (istio.md 4.2).
    /// Errors: it is not after a minute.
    pub async fn wait_plugin(&self, plugin: &str, config: &Value) -> Result<(), String> {
        eventually(PATIENCE, async || match self.plugin_config(plugin).await? {
            Some(found) if equal(&found, config) => Ok(()),
            found => Err(format!("the plugin `{plugin}` has the configuration {found:?}")),
        })
        .await
        .map_err(|error| format!("{error}\n{}", self.process.log_tail()))
    }

    /// Waits until it has all that was applied before this call: applies a mark, and waits until Envoy's routes carry it and
    /// istiod heard of all that it sent that it was taken or refused. Errors: it has not after a minute.
    pub async fn synced(&mut self, chain: &Chain) -> Result<(), String> {
        let mark = chain.reveal(&self.proxy).await?;
        self.wait_for(chain, &mark).await
    }

    pub(super) async fn wait_for(&mut self, chain: &Chain, mark: &str) -> Result<(), String> {
        let id = format!("{}.{}", self.proxy.name, self.proxy.namespace);
        let Self { proxy, admin, process } = self;
        let has_all = async || match missing(*admin, proxy, mark).await? {
            Some(missing) => Err(format!("it has not {missing}")),
            None => match chain.istiod().sending(&id).await? {
                Some(kind) => Err(format!("istiod waits for an answer to {kind}")),
                None => Ok(()),
            },
        };
        process.until(PATIENCE, has_all).await
    }

    pub(super) async fn wait_until_alive(&mut self) -> Result<(), String> {
        let Self { admin, process, .. } = self;
        process.until(PATIENCE, async || admin.get("/server_info").await.map(|_| ())).await
    }

    /// How Envoy ended (under an agent: how the agent did, which ends with it); `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Waits until it ends by itself. Errors: it lives on, for so long.
    pub async fn wait_ended(&mut self, patience: Duration) -> Result<ExitStatus, String> {
        self.process.wait_ended(patience).await
    }

    /// All that it wrote, the agent's and Envoy's lines.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The last lines of it.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.process.ended().is_none() {
            // The Envoy of an agent is in its process group.
            let group = format!("-{}", self.process.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        }
    }
}

/// Whether two JSON values are the same, numbers by value.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| equal(value, other)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plugin_configuration_is_the_same_with_floats() {
        assert!(equal(&json!({"a": [1, {"b": 70.0}]}), &json!({"a": [1.0, {"b": 70}]})));
        assert!(!equal(&json!({"a": [1]}), &json!({"a": [1, 2]})));
        assert!(!equal(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
        assert!(!equal(&json!({"a": 1}), &json!({"a": "1"})));
    }
}
