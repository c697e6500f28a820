//! What a case is to Istio: its manifests and its proxy; or why it is none of plain Istio vocabulary.

use crate::case::CaseFile;
use crate::istio::{Proxy, to_upstream};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use switchyard_envoy::manifest::{Input, Manifest, read_sources};

/// Settings of a `SwitchyardPolicy` that change nothing of what Istio would do: which share a user belongs to, by what
/// means a fault is injected, what is counted.
const NEUTRAL: [&str; 4] = ["faults", "maxDelayed", "metrics", "seed"];

/// A case as Istio runs it.
pub struct Plain {
    /// What istiod is told, the proxy's listeners not among it.
    pub manifests: Vec<Value>,
    /// The proxy that decides.
    pub proxy: Proxy,
    /// The port of its policy that requests come to.
    pub port: u16,
    /// Whether a rule without a name was given the one that we tell, `http[0]`.
    pub numbered: bool,
}

impl Plain {
    /// Everything that istiod is told, with this upstream behind every service.
    pub fn at_upstream(&self, port: u16) -> Vec<Value> {
        let mut manifests = self.manifests.clone();
        to_upstream(&mut manifests, port);
        manifests.extend(self.proxy.manifests());
        manifests
    }
}

/// What Istio knows of a case, plain or not, and what of it is ours alone. Errors: Istio cannot run it.
pub fn any(case: &CaseFile) -> Result<(Plain, BTreeSet<String>), String> {
    let input = Input { name: case.lowered.name.clone(), bytes: case.manifests.as_str().into() };
    let namespace = Some(case.spec.proxy.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let read = read_sources(vec![input], namespace).map_err(|_| "manifests that cannot be read".to_owned())?;
    let mut manifests = Vec::new();
    let mut ours = BTreeSet::new();
    for manifest in read.all.iter().chain(&read.unread) {
        if manifest.api_version.starts_with("switchyard.dev/") {
            let spec = manifest.spec();
            let set = spec.as_object().into_iter().flatten().map(|(name, _)| name.clone());
            // What is wrong with a policy is nothing to Istio.
            let counts = |name: &String| {
                // A gateway of Istio knows nothing but 404 for a host that nobody names.
                let as_istio = name == "onUnmatched" && !case.spec.proxy.gateway.is_empty();
                case.lowered.refused || !(as_istio || NEUTRAL.contains(&name.as_str()))
            };
            ours.extend(set.filter(counts));
        } else {
            manifests.push(json(manifest));
        }
    }
    if case.manifests.contains("stickyBy") {
        ours.insert("stickyBy".into());
    }
    // Where a delegate is merged in, the names of both make the route's, and a place counts only beside another place.
    let has = |field: &str| manifests.iter().any(|one| rules(one).any(|rule| rule.get(field).is_some()));
    let numbered = !(has("delegate") && has("name"));
    if numbered && !case.lowered.refused {
        manifests.iter_mut().for_each(number);
    }
    let (proxy, port) = proxy(case, &read.namespace, &mut manifests)?;
    Ok((Plain { manifests, proxy, port, numbered }, ours))
}

/// The document with its namespace.
fn json(manifest: &Manifest) -> Value {
    let mut value = manifest.node.to_json();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("namespace".into(), json!(manifest.namespace));
    }
    value
}

fn rules(manifest: &Value) -> impl Iterator<Item = &Value> {
    let http = manifest["spec"]["http"].as_array().filter(|_| manifest["kind"] == "VirtualService");
    http.into_iter().flatten()
}

/// Gives each rule without a name the one that we tell.
fn number(manifest: &mut Value) {
    if manifest["kind"] != "VirtualService" {
        return;
    }
    let http = manifest.get_mut("spec").and_then(|spec| spec.get_mut("http")).and_then(Value::as_array_mut);
    for (index, rule) in http.into_iter().flatten().enumerate() {
        if let Some(rule) = rule.as_object_mut()
            && rule.get("name").and_then(Value::as_str).is_none_or(str::is_empty)
        {
            rule.insert("name".into(), json!(format!("http[{index}]")));
        }
    }
}

/// The proxy that a case is about, and the port of its listener.
fn proxy(case: &CaseFile, namespace: &str, manifests: &mut [Value]) -> Result<(Proxy, u16), String> {
    let wanted = &case.spec.proxy;
    let labels = case.lowered.document.as_ref().map_or(Value::Null, |document| document["proxy"]["labels"].clone());
    let labels = pairs(&labels);
    let hops = u32::from(case.lowered.requests.iter().any(|request| request.has_source_address));
    let (mut proxy, port) = if wanted.gateway.is_empty() {
        let ports = service_ports(manifests);
        // As `switchyard generate` takes it: that of all services where they agree.
        let agreed = if ports.len() == 1 { ports.first().copied() } else { None };
        let port = wanted.port.or(agreed).unwrap_or(80);
        // A sidecar knows the clusters of those ports alone at which it listens.
        (Proxy::sidecar("front", namespace, ports.into_iter().chain([port])), port)
    } else {
        let (port, selector) = gateway(&wanted.gateway, wanted.port, manifests)?;
        (Proxy::gateway("front", namespace, [port]).labelled(selector), port)
    };
    proxy.trusted_hops = hops;
    Ok((proxy.labelled(labels), port))
}

/// The ports of all services.
fn service_ports(manifests: &[Value]) -> BTreeSet<u16> {
    let mut found = BTreeSet::new();
    for one in manifests {
        let field = match one["kind"].as_str() {
            Some("ServiceEntry") => "number",
            Some("Service") => "port",
            _ => continue,
        };
        let ports = one["spec"]["ports"].as_array().into_iter().flatten();
        found.extend(ports.filter_map(|port| u16::try_from(port[field].as_u64()?).ok()));
    }
    found
}

/// The port and the selector of a Gateway. Servers that need a certificate, which istiod has from no one here, are taken
/// out where the case is not about them.
fn gateway(name: &str, port: Option<u16>, manifests: &mut [Value]) -> Result<(u16, BTreeMap<String, String>), String> {
    let is_tls = |server: &Value| {
        let tls = server["tls"].as_object();
        tls.is_some_and(|tls| tls.get("httpsRedirect") != Some(&json!(true)) || tls.len() > 1)
            || matches!(server["port"]["protocol"].as_str(), Some("HTTPS" | "TLS"))
    };
    let (mut found, mut selector) = (None, BTreeMap::new());
    for manifest in manifests.iter_mut().filter(|one| one["kind"] == "Gateway") {
        let own = format!(
            "{}/{}",
            manifest["metadata"]["namespace"].as_str().unwrap_or_default(),
            manifest["metadata"]["name"].as_str().unwrap_or_default()
        );
        let servers = manifest.get_mut("spec").and_then(|spec| spec.get_mut("servers")).and_then(Value::as_array_mut);
        let Some(servers) = servers else { continue };
        if own == name {
            let number = |server: &Value| u16::try_from(server["port"]["number"].as_u64()?).ok();
            let serving = servers.iter().filter(|server| port.is_none() || number(server) == port);
            found = serving.filter_map(|server| Some((number(server)?, is_tls(server)))).min();
        }
        servers.retain(|server| !is_tls(server));
        if own == name {
            selector = pairs(&manifest["spec"]["selector"]);
        }
    }
    manifests_without_servers(manifests);
    match found {
        Some((port, false)) => Ok((port, selector)),
        Some((_, true)) => Err("a listener with a certificate".into()),
        None => Err(format!("a gateway that is not there (`{name}`)")),
    }
}

/// Istio refuses a Gateway without servers: one that had only such with a certificate is for nobody.
fn manifests_without_servers(manifests: &mut [Value]) {
    for one in manifests.iter_mut().filter(|one| one["kind"] == "Gateway") {
        if one["spec"]["servers"].as_array().is_some_and(Vec::is_empty) {
            one["kind"] = json!("GatewayWithoutServers");
        }
    }
}

fn pairs(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
