//! Manifests to the filter's configuration: by the generator, and as a person would write it by hand.

use super::spec::{ErrorSpec, ProxySpec};
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::path::Path;
use switchyard_envoy::bootstrap::{Settings, generate};
use switchyard_envoy::diagnostic::{Diagnostic, human};
use switchyard_envoy::manifest::{Input, Kind, Manifest, Manifests, ReadError, read_sources};
use switchyard_envoy::translate::{Model, Options};
use switchyard_filter::document::{ControlHeaders, Document, Proxy};

/// What `check` says of manifests, and what it makes of them.
pub struct Translated {
    /// The document of the listener that the case is about.
    pub document: Result<Value, Vec<ErrorSpec>>,
    /// What a person would write as `pluginConfig` in place of the manifests; `None` where they cannot be read.
    pub by_hand: Option<Value>,
}

/// Translates the manifests of a file.
pub fn translate(file: &str, text: &str, proxy: &ProxySpec) -> Translated {
    let input = Input { name: file.into(), bytes: text.into() };
    let namespace = Some(proxy.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let manifests = match read_sources(vec![input], namespace) {
        Ok(manifests) => manifests,
        Err(ReadError::Invalid(diagnostics)) => return Translated { document: Err(said(diagnostics)), by_hand: None },
        Err(error) => {
            let error = ErrorSpec { field: String::new(), message: error.to_string() };
            return Translated { document: Err(vec![error]), by_hand: None };
        }
    };
    let document = document(&manifests, proxy).map_err(said);
    Translated { document, by_hand: Some(by_hand(&manifests, proxy)) }
}

/// The generator's document, but for a listener that stands alone: the filter removes control headers by itself.
fn document(manifests: &Manifests, proxy: &ProxySpec) -> Result<Value, Vec<Diagnostic>> {
    let model = Model::new(manifests, &options(proxy))?;
    let listener = model.listener(&pick(&model, proxy)?)?;
    let document = Document { control_headers: ControlHeaders::Remove, ..listener.document };
    serde_json::to_value(&document).map_err(|error| vec![unplaced(error.to_string())])
}

/// How a case's manifests are translated.
pub fn options(proxy: &ProxySpec) -> Options {
    Options { mesh_port: proxy.port.filter(|_| proxy.gateway.is_empty()), ..Options::default() }
}

/// The listener that a case is about. Errors: there is none.
pub fn pick(model: &Model<'_>, proxy: &ProxySpec) -> Result<Proxy, Vec<Diagnostic>> {
    if proxy.gateway.is_empty() {
        return Ok(model.mesh());
    }
    let serves = |listener: &Proxy| {
        listener.gateways.contains(&proxy.gateway) && proxy.port.is_none_or(|port| listener.port == Some(port))
    };
    let found = model.listeners().into_iter().find(serves);
    found.ok_or_else(|| vec![unplaced(format!("no listener of the gateway `{}`", proxy.gateway))])
}

fn unplaced(message: String) -> Diagnostic {
    Diagnostic::unplaced(message)
}

/// What is told, as a case writes it; warnings are no errors.
fn said(diagnostics: Vec<Diagnostic>) -> Vec<ErrorSpec> {
    let errors = diagnostics.into_iter().filter(Diagnostic::is_error);
    errors.map(|found| ErrorSpec { field: found.field, message: found.message }).collect()
}

/// What the generator writes for the listener of a case, and the names of its clusters. Errors: what it says.
pub fn bootstrap(file: &str, text: &str, proxy: &ProxySpec, wasm: &Path) -> Result<(Value, Vec<String>), String> {
    let told = |diagnostics: Vec<Diagnostic>| human(&diagnostics, false);
    let input = Input { name: file.into(), bytes: text.into() };
    let namespace = Some(proxy.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let manifests = read_sources(vec![input], namespace).map_err(|error| error.to_string())?;
    let model = Model::new(&manifests, &options(proxy)).map_err(told)?;
    let name = model.listener(&pick(&model, proxy).map_err(told)?).map_err(told)?.name;
    let settings = Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 10000)),
        edge: [127, 0, 0, 1].into(),
        admin: SocketAddr::from(([127, 0, 0, 1], 9901)),
        wasm: wasm.into(),
        record: None,
        record_all_headers: false,
        trusted_hops: 0,
    };
    let generated = generate(&model, &settings).map_err(told)?.bootstrap;
    let resources = &generated["static_resources"];
    let list = |name: &str| resources[name].as_array().cloned().unwrap_or_default();
    let listener = list("listeners").into_iter().find(|listener| listener["name"] == name.as_str());
    let clusters = list("clusters").iter().filter_map(|cluster| Some(cluster["name"].as_str()?.to_owned())).collect();
    Ok((listener.ok_or_else(|| format!("no listener `{name}`"))?, clusters))
}

fn by_hand(manifests: &Manifests, proxy: &ProxySpec) -> Value {
    let mut document = Map::new();
    document.insert("namespace".into(), json!(manifests.namespace));
    let gateway = if proxy.gateway.is_empty() { "mesh" } else { &proxy.gateway };
    document.insert("proxy".into(), json!({"gateways": [gateway], "port": proxy.port}));
    let services = manifests.of(Kind::ServiceEntry).flat_map(services).collect();
    document.insert("services".into(), Value::Array(services));
    let mut virtual_services: Vec<Value> = manifests.of(Kind::VirtualService).map(virtual_service).collect();
    for policy in manifests.of(Kind::SwitchyardPolicy) {
        let Value::Object(mut spec) = policy.spec() else { continue };
        for sticky in spec.remove("sticky").as_ref().and_then(Value::as_array).into_iter().flatten() {
            for vs in virtual_services.iter_mut().filter(|vs| vs["name"] == sticky["virtualService"]) {
                let rules = vs.get_mut("http").and_then(Value::as_array_mut).into_iter().flatten();
                for rule in rules.filter(|rule| rule["name"] == sticky["rule"]) {
                    rule["stickyBy"] = sticky["by"].clone();
                }
            }
        }
        document.extend(spec);
    }
    document.insert("virtualServices".into(), Value::Array(virtual_services));
    Value::Object(document)
}

fn virtual_service(manifest: &Manifest) -> Value {
    let mut spec = manifest.spec();
    spec["name"] = json!(manifest.name);
    spec["namespace"] = json!(manifest.namespace);
    if !manifest.creation_timestamp.is_empty() {
        spec["creationTimestamp"] = json!(manifest.creation_timestamp);
    }
    spec
}

fn services(manifest: &Manifest) -> Vec<Value> {
    let spec = manifest.spec();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let ports: Vec<Value> = list(&spec["ports"]).iter().map(|port| port["number"].clone()).collect();
    list(&spec["hosts"]).into_iter().map(|host| json!({"host": host, "ports": ports})).collect()
}
