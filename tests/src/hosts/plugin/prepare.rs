//! A case as it is applied: its manifests with stubs, and what `generate --target istio` writes beside them.

use crate::case::CaseFile;
use crate::case::translate::options;
use crate::hosts::envoy::{http_filters, revealing};
use crate::hosts::istio::plain::{Plain, any};
use crate::istio::{Kind, ROOT};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use switchyard_envoy::diagnostic::{Diagnostic, human};
use switchyard_envoy::istio::{Code, Selection, Settings, Url, Via, generate};
use switchyard_envoy::manifest::{Input, Manifests, read_sources};
use switchyard_envoy::yaml;

/// What a stub answers: nothing else does.
const STUB: u16 = 599;

/// Where requests go that no route of Istio's takes, so that one sees what the filter left of them.
const FALLBACK: &str = "fallback";

/// Labels of every proxy here: `generate` wants to know what `sourceLabels` look at.
const LABELS: [(&str, &str); 1] = [("app", "front")];

/// A case that can be applied.
pub struct Prepared {
    /// Its proxy, and its manifests with stubs and with what was generated.
    pub plain: Plain,
    /// The pluginConfig of each WasmPlugin, by the name that it has in Envoy.
    pub plugins: BTreeMap<String, Value>,
    /// Whether the policy only observes.
    pub observes: bool,
    /// Whether it is of plain Istio vocabulary.
    pub is_plain: bool,
}

/// Why a case is not applied.
pub enum Unprepared {
    /// It says nothing of the plugin in Istio.
    NotHere(String),
    /// It had to be refused, and was.
    Refused,
    /// It should run, or be refused.
    Wrong(String),
}

impl Prepared {
    /// What an Envoy must have in common with another one, to run their cases one after the other.
    pub fn shared_by(&self) -> String {
        let proxy = &self.plain.proxy;
        format!("{:?} {} {:?}", proxy.kind, proxy.namespace, proxy.labels)
    }

    /// Everything that istiod is told, with this upstream behind every service and for what nobody takes.
    pub fn at_upstream(&self, port: u16) -> Vec<Value> {
        let mut all = self.plain.at_upstream(port);
        all.push(self.observing(port));
        all
    }

    /// Shows what the filter decides, as the host `envoy` does, and adds what takes the rest.
    fn observing(&self, port: u16) -> Value {
        let context = match self.plain.proxy.kind {
            Kind::Sidecar => "SIDECAR_OUTBOUND",
            Kind::Gateway => "GATEWAY",
        };
        let patch = |apply_to: &str, mut at: Value, operation: &str, value: Value| {
            at["context"] = json!(context);
            json!({"applyTo": apply_to, "match": at, "patch": {"operation": operation, "value": value}})
        };
        let fault = json!({"listener": {"filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager",
            "subFilter": {"name": "envoy.filters.http.fault"}}}}});
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        let fallback = json!({
            "name": FALLBACK, "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": FALLBACK, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
        });
        let to_fallback = json!({"name": FALLBACK, "match": {"prefix": ""}, "route": {"cluster": FALLBACK}});
        let mut patches = vec![
            patch("HTTP_FILTER", fault, "INSERT_BEFORE", revealing()),
            patch("CLUSTER", json!({}), "ADD", fallback),
            patch(
                "CLUSTER",
                json!({}),
                "MERGE",
                json!({"typed_extension_protocol_options": http_filters("%UPSTREAM_CLUSTER_RAW%")}),
            ),
        ];
        if self.plain.proxy.kind == Kind::Sidecar {
            let nobodys = json!({"routeConfiguration": {"vhost": {"name": "block_all"}}});
            patches.push(patch("HTTP_ROUTE", nobodys, "INSERT_FIRST", to_fallback));
        } else if !takes_all(&self.plain.manifests) {
            // Where no VirtualService is bound to a port, Istio has such a virtual host of its own.
            let table = json!({"routeConfiguration": {"name": format!("http.{}", self.plain.port)}});
            let host = json!({"name": FALLBACK, "domains": ["*"], "routes": [to_fallback]});
            patches.push(patch("VIRTUAL_HOST", table, "ADD", host));
        }
        json!({
            "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
            "metadata": {"name": "switchyard-observing", "namespace": ROOT},
            // Before what is generated, whose route is then put before the fallback's.
            "spec": {"priority": -10, "configPatches": patches},
        })
    }
}

/// Whether a virtual host takes every host, beside which there can be no other.
fn takes_all(manifests: &[Value]) -> bool {
    let of = |kind: &'static str| manifests.iter().filter(move |one| one["kind"] == kind).map(|one| &one["spec"]);
    let all = |spec: &Value| {
        let mut hosts = spec["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str);
        hosts.any(|host| host == "*" || host.ends_with("/*"))
    };
    of("VirtualService").any(all) && of("Gateway").any(|spec| spec["servers"].as_array().into_iter().flatten().any(all))
}

/// What is applied for a case.
pub fn prepare(case: &CaseFile, wasm: &Path) -> Result<Prepared, Unprepared> {
    if case.lowered.refused {
        return refused(case, wasm);
    }
    let (mut plain, ours) = any(case).map_err(Unprepared::NotHere)?;
    let selector = selector(&mut plain.manifests, &case.spec.proxy.gateway);
    let labels = if plain.proxy.kind == Kind::Gateway { selector } else { pairs(&LABELS) };
    plain.proxy = plain.proxy.labelled(labels);
    let generated = generated(case, wasm).map_err(|said| {
        if said.iter().any(|one| one.message.starts_with("nothing here is for")) {
            return Unprepared::NotHere("it leaves nothing to the plugin".into());
        }
        Unprepared::Wrong(format!("`generate --target istio` refuses it: {}", human(&said, false)))
    })?;
    let plugins: BTreeMap<String, Value> = generated
        .iter()
        .filter(|one| one["kind"] == "WasmPlugin")
        .map(|one| {
            let text = |field: &str| one["metadata"][field].as_str().unwrap_or_default();
            let name = format!("extensions.istio.io/wasmplugin/{}.{}", text("namespace"), text("name"));
            (name, one["spec"]["pluginConfig"].clone())
        })
        .collect();
    let observes = plugins.values().any(|config| config["mode"] == "observe");
    if observes {
        // It leaves every request to Istio, whose routes by default show what the filter left of it.
        plain.manifests.retain(|one| one["kind"] != "VirtualService");
    }
    plain.manifests.iter_mut().for_each(stub);
    plain.manifests.extend(generated);
    Ok(Prepared { plain, plugins, observes, is_plain: ours.is_empty() })
}

/// Errors: always; how the case fared that must be refused.
fn refused(case: &CaseFile, wasm: &Path) -> Result<Prepared, Unprepared> {
    match generated(case, wasm) {
        Err(_) => Err(Unprepared::Refused),
        Ok(_) => Err(Unprepared::NotHere("it is refused for what Istio does by itself".into())),
    }
}

/// A VirtualService that routes nothing. One that is not embedded stays what it is.
fn stub(manifest: &mut Value) {
    let is_left = manifest["metadata"]["annotations"]["switchyard.dev/embed"] == "false";
    if manifest["kind"] == "VirtualService" && !is_left && manifest["spec"]["http"].is_array() {
        manifest["spec"]["http"] = json!([{"name": "stub", "directResponse": {"status": STUB}}]);
    }
}

/// The labels by which Gateways select the proxy. Those that select every proxy get them written: `generate` asks for some.
fn selector(manifests: &mut [Value], gateway: &str) -> BTreeMap<String, String> {
    let gateways = || manifests.iter().filter(|one| one["kind"] == "Gateway");
    let own = gateways().find(|one| {
        let text = |field: &str| one["metadata"][field].as_str().unwrap_or_default();
        format!("{}/{}", text("namespace"), text("name")) == gateway
    });
    let own = own.and_then(|one| one["spec"]["selector"].as_object()).filter(|labels| !labels.is_empty());
    let labels = own.map_or_else(
        || pairs(&[("istio", "ingressgateway")]),
        |own| own.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
    );
    for one in manifests.iter_mut().filter(|one| one["kind"] == "Gateway") {
        if one["spec"]["selector"].as_object().is_none_or(serde_json::Map::is_empty) && one["spec"].is_object() {
            one["spec"]["selector"] = json!(labels);
        }
    }
    labels
}

/// What `generate --target istio` writes. Errors: what it says.
fn generated(case: &CaseFile, wasm: &Path) -> Result<Vec<Value>, Vec<Diagnostic>> {
    let written = read(case.lowered.name.clone(), case.manifests.clone(), case)?;
    let mut labels = pairs(&LABELS);
    let manifests = if case.spec.proxy.gateway.is_empty() {
        written
    } else {
        let namespaced = written.all.iter().chain(&written.unread).map(|manifest| {
            let mut value = manifest.node.to_json();
            value["metadata"]["namespace"] = json!(manifest.namespace);
            value
        });
        let mut selecting: Vec<Value> = namespaced.collect();
        labels = selector(&mut selecting, &case.spec.proxy.gateway);
        let text: Vec<String> = selecting.iter().map(Value::to_string).collect();
        read(case.lowered.name.clone(), text.join("\n---\n"), case)?
    };
    let unplaced = |error: String| vec![Diagnostic::unplaced(error)];
    let selection = if case.spec.proxy.gateway.is_empty() {
        Selection::Workload { namespace: manifests.namespace.clone(), labels }
    } else if manifests.of(switchyard_envoy::manifest::Kind::Gateway).count() > 1 {
        // Istio has all of them on these pods, and one plugin decides for all.
        Selection::Workload { namespace: ROOT.into(), labels }
    } else {
        Selection::gateway(&case.spec.proxy.gateway).map_err(unplaced)?
    };
    let url = Url::parse(&format!("file://{}", wasm.display())).map_err(unplaced)?;
    let settings = Settings {
        via: Via::ClusterHeader,
        selection,
        name: "switchyard".into(),
        root_namespace: ROOT.into(),
        code: Code { url, sha256: None, pull_secret: None },
        fail_strategy: None,
        phase: None,
    };
    let text = generate(&manifests, &options(&case.spec.proxy), &settings)?.text;
    let (documents, problems) = yaml::load(&text);
    if let Some(problem) = problems.first() {
        return Err(unplaced(format!("generated YAML: {}", problem.message)));
    }
    Ok(documents.iter().map(yaml::Node::to_json).filter(|document| !document.is_null()).collect())
}

fn read(name: String, text: String, case: &CaseFile) -> Result<Manifests, Vec<Diagnostic>> {
    let namespace = Some(case.spec.proxy.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let input = Input { name, bytes: text.into() };
    read_sources(vec![input], namespace).map_err(|error| vec![Diagnostic::unplaced(format!("{error}: {error:?}"))])
}

fn pairs(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
