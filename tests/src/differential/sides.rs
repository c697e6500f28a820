//! The two sides: Istio's own proxies, and the Envoy that we generate, both with the same manifests and the same Envoy.

use super::compare::Pair;
use super::probe::Probe;
use super::seen::Seen;
use super::upstream::Recorder;
use super::world::{Entry, GATEWAY_PORTS, HOME, LABELS, MESH_PORT, MESH_PORTS};
use crate::generated::{configure, manager};
use crate::harness::{Client, Envoy, Launch, envoy_binary_of, released_wasm};
use crate::istio::{ENVOY, IstioEnvoy, Istiod, Proxy};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use switchyard_envoy::bootstrap::{Settings, generate};
use switchyard_envoy::diagnostic::Diagnostic;
use switchyard_envoy::manifest::{Input, Manifests, read_sources};
use switchyard_envoy::translate::{Model, Options};

/// One filter for a whole run.
static WASM: LazyLock<PathBuf> = LazyLock::new(released_wasm);

/// Both sides, running.
#[derive(Debug)]
pub struct Sides {
    _istiod: Istiod,
    proxies: Vec<IstioEnvoy>,
    ours: Envoy,
    addresses: BTreeMap<Entry, (SocketAddr, SocketAddr)>,
}

impl Sides {
    /// Starts both with these manifests, for requests to these entries. Errors: either refuses them.
    pub async fn start(manifests: &[Value], entries: &[Entry]) -> Result<Self, String> {
        let mut planned = Vec::new();
        if entries.contains(&Entry::Mesh) {
            planned.push(Proxy::sidecar("front", HOME, MESH_PORTS).labelled(labels(&LABELS)));
        }
        let ports: Vec<u16> = GATEWAY_PORTS.iter().map(|(port, _)| *port).collect();
        let ports: Vec<u16> = ports.into_iter().filter(|port| entries.contains(&Entry::Gateway(*port))).collect();
        if !ports.is_empty() {
            planned.push(Proxy::gateway("edge", HOME, ports).labelled(labels(&[("istio", "gw")])));
        }
        let mut all = manifests.to_vec();
        all.extend(planned.iter().flat_map(Proxy::manifests));
        let istiod = Istiod::start(&all).await?;
        let mut proxies = Vec::new();
        for proxy in &planned {
            proxies.push(istiod.run(proxy).await?);
        }
        let (ours, listeners) = start_ours(manifests).await?;
        let mut addresses = BTreeMap::new();
        for entry in entries {
            let port = match entry {
                Entry::Mesh => MESH_PORT,
                Entry::Gateway(port) => *port,
            };
            let kind = usize::from(matches!(entry, Entry::Gateway(_)) && entries.contains(&Entry::Mesh));
            let proxy = planned.get(kind).ok_or("no proxy")?;
            let own = listeners
                .get(&entry.listener())
                .ok_or_else(|| format!("we have no listener `{}`", entry.listener()))?;
            addresses.insert(*entry, (proxy.address(port)?, *own));
        }
        Ok(Self { _istiod: istiod, proxies, ours, addresses })
    }

    /// Clients of every entry.
    pub fn clients(&self) -> Clients {
        let client = |address: &SocketAddr| Client::new(*address).patience(Duration::from_secs(20));
        Clients(self.addresses.iter().map(|(entry, (istio, ours))| (*entry, (client(istio), client(ours)))).collect())
    }

    /// One request to both sides, with so much time for mirrors to arrive. Errors: no such entry.
    pub async fn ask(
        &self,
        clients: &mut Clients,
        recorder: &Recorder,
        probe: &Probe,
        mirrors: Duration,
    ) -> Result<Pair, String> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let id = format!("alone-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut pair = clients.send(probe, &id).await?;
        tokio::time::sleep(mirrors).await;
        collect(recorder, &mut pair, &id);
        Ok(pair)
    }

    /// The logs' last lines.
    pub fn logs(&self) -> String {
        let mut logs: Vec<String> = self.proxies.iter().map(|proxy| proxy.envoy().log_tail()).collect();
        logs.push(self.ours.log_tail());
        logs.join("\n")
    }

    /// Ends all.
    pub async fn stop(self) -> Result<(), String> {
        for proxy in self.proxies {
            proxy.stop().await?;
        }
        self.ours.stop().await
    }
}

fn labels(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Connections to every entry of both sides.
#[derive(Debug)]
pub struct Clients(BTreeMap<Entry, (Client, Client)>);

impl Clients {
    /// One request to both sides, at once. What arrived at the upstream is added by [`collect`]. Errors: no such entry.
    pub async fn send(&mut self, probe: &Probe, id: &str) -> Result<Pair, String> {
        let (istio, ours) = self.0.get_mut(&probe.entry).ok_or_else(|| format!("no entry {:?}", probe.entry))?;
        let (istio, ours) = tokio::join!(one(istio, probe, format!("{id}i")), one(ours, probe, format!("{id}o")));
        Ok(Pair { probe: probe.clone(), istio, ours })
    }
}

async fn one(client: &mut Client, probe: &Probe, id: String) -> Seen {
    let start = Instant::now();
    let response = client.send(&probe.request(&id)).await;
    Seen::new(response, start.elapsed())
}

/// Adds what arrived at the upstream.
pub fn collect(recorder: &Recorder, pair: &mut Pair, id: &str) {
    pair.istio.arrived(recorder.take(&format!("{id}i")));
    pair.ours.arrived(recorder.take(&format!("{id}o")));
}

fn read(manifests: &[Value]) -> Result<Manifests, Vec<String>> {
    let text: Vec<String> = manifests.iter().map(Value::to_string).collect();
    let input = Input { name: "policy.yaml".into(), bytes: text.join("\n---\n").into() };
    read_sources(vec![input], Some(HOME)).map_err(|error| vec![format!("{error}: {error:?}")])
}

fn options() -> Options {
    Options { allow_missing: true, mesh_port: Some(MESH_PORT), ..Options::default() }
}

/// What we have against manifests: every error.
pub fn refusals(manifests: &[Value]) -> Vec<String> {
    let manifests = match read(manifests) {
        Ok(manifests) => manifests,
        Err(errors) => return errors,
    };
    match Model::new(&manifests, &options()) {
        Ok(_) => Vec::new(),
        Err(said) => errors(&said),
    }
}

fn errors(said: &[Diagnostic]) -> Vec<String> {
    said.iter().filter(|one| one.is_error()).map(|one| format!("{}: {}", one.field, one.message)).collect()
}

/// Our Envoy, and where its listeners are.
async fn start_ours(manifests: &[Value]) -> Result<(Envoy, BTreeMap<String, SocketAddr>), String> {
    let bootstrap = bootstrap(manifests)?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("envoy.json");
    std::fs::write(&file, bootstrap.to_string()).map_err(|error| error.to_string())?;
    // Envoy reads the file once.
    let envoy = Launch::new(file).binary(envoy_binary_of(ENVOY)?).start().await?;
    let said = envoy.admin_get("/listeners?format=json").await?.json()?;
    let mut listeners = BTreeMap::new();
    for one in said["listener_statuses"].as_array().into_iter().flatten() {
        let port =
            one["local_address"]["socket_address"]["port_value"].as_u64().and_then(|port| u16::try_from(port).ok());
        if let (Some(name), Some(port)) = (one["name"].as_str(), port) {
            listeners.insert(name.to_owned(), SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        }
    }
    Ok((envoy, listeners))
}

/// What `generate` writes, with listeners on ports of Envoy's choice, and a filter that tells what was decided.
fn bootstrap(manifests: &[Value]) -> Result<Value, String> {
    let manifests = read(manifests).map_err(|errors| errors.join("\n"))?;
    let told = |said: Vec<Diagnostic>| errors(&said).join("\n");
    let model = Model::new(&manifests, &options()).map_err(told)?;
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let settings = Settings {
        listen: any,
        edge: any.ip(),
        admin: any,
        wasm: WASM.clone(),
        record: None,
        record_all_headers: false,
        trusted_hops: 0,
    };
    let mut bootstrap = generate(&model, &settings).map_err(told)?.bootstrap;
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().into_iter().flatten() {
        listener["address"]["socket_address"]["port_value"] = json!(0);
        let is_mesh = listener["name"] == Entry::Mesh.listener().as_str();
        let manager = manager(listener);
        if is_mesh {
            // The generator knows no workload's labels; a plugin's configuration has them.
            configure(manager, |document| document["proxy"]["labels"] = LABELS.into_iter().collect());
        }
        manager["access_log"] = json!([]);
        let filters = manager["http_filters"].as_array_mut().ok_or("no http_filters")?;
        filters.insert(filters.len().saturating_sub(1), revealing());
    }
    Ok(bootstrap)
}

/// Tells the client which rule was taken and what Envoy made of it, as [`crate::istio::Istiod`] has Istio's proxies do.
fn revealing() -> Value {
    let set = |name: &str, value: &str| json!({"append": {"header": {"key": format!("x-seen-{name}"), "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}});
    let mutations = [
        set("rule", "%FILTER_STATE(wasm.switchyard_rule:PLAIN)%"),
        set("cluster", "%UPSTREAM_CLUSTER_RAW%"),
        set("details", "%RESPONSE_CODE_DETAILS%"),
        set("flags", "%RESPONSE_FLAGS%"),
    ];
    json!({"name": "revealing", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"response_mutations": mutations},
    }})
}
