//! What the generator makes of manifests, to be changed by a test and started; and what replay says of its recording.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde_json::Value;
use switchyard_envoy::bootstrap::{Settings, generate, parts, to_yaml};
use switchyard_envoy::diagnostic::{Diagnostic, human};
use switchyard_envoy::manifest::{Input, Manifests, read_sources};
use switchyard_envoy::translate::{Around, Model, Options};
use switchyard_filter::document::AccessLog;
use switchyard_host_sim::replay::report::ReplayReport;
use switchyard_host_sim::replay::{Side, replay};

use crate::harness::{Envoy, Launch, released_wasm};

/// Manifests, and the Envoy to make of them.
#[derive(Debug)]
pub struct Site {
    manifests: Manifests,
    /// Which Envoy: the mesh and the admin interface listen on ports of Envoy's choice, nothing is recorded.
    pub settings: Settings,
    /// For which proxy: where it is, its labels, its certificates. What stands around the filter, and what that tells the
    /// access log, is each form's own.
    pub options: Options,
}

impl Site {
    /// These manifests, YAML of several documents. Errors: they cannot be read.
    pub fn new(manifests: &str) -> Result<Self, String> {
        let input = Input { name: "manifests.yaml".into(), bytes: manifests.into() };
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Ok(Self {
            manifests: read_sources(vec![input], None).map_err(|error| format!("{error}: {error:?}"))?,
            settings: Settings {
                listen: any,
                edge: any.ip(),
                admin: any,
                wasm: released_wasm(),
                record: None,
                record_all_headers: false,
                trusted_hops: 0,
            },
            options: Options::default(),
        })
    }

    /// The site with a recording, of the headers that the policy reads or of all.
    #[must_use]
    pub fn record(mut self, file: impl Into<PathBuf>, all_headers: bool) -> Self {
        self.settings.record = Some(file.into());
        self.settings.record_all_headers = all_headers;
        self
    }

    /// The site behind so many proxies that are trusted.
    #[must_use]
    pub fn trusted_hops(mut self, hops: u32) -> Self {
        self.settings.trusted_hops = hops;
        self
    }

    /// The manifests, resolved. Errors: what `check` says.
    pub fn model(&self, around: Around) -> Result<Model<'_>, String> {
        let access_log = if self.settings.record.is_some() { AccessLog::Draws } else { AccessLog::Decision };
        let options = Options { around, access_log, ..self.options.clone() };
        Model::new(&self.manifests, &options).map_err(|said| told(&said))
    }

    /// What `generate` writes. Errors: what it says.
    pub fn bootstrap(&self) -> Result<Bootstrap, String> {
        let generated = generate(&self.model(Around::Bootstrap)?, &self.settings).map_err(|said| told(&said))?;
        Ok(Bootstrap { value: generated.bootstrap, warnings: generated.warnings })
    }

    /// What `generate --parts` writes, by file name. Errors: what it says.
    pub fn parts(&self) -> Result<BTreeMap<String, Value>, String> {
        let parts = parts(&self.model(Around::Parts)?, &self.settings).map_err(|said| told(&said))?;
        Ok(parts.into_iter().collect())
    }

    /// Replays a recording under the policy of these manifests. Errors: the file is of no use.
    pub fn replay(&self, file: &Path) -> Result<Replayed, String> {
        let model = self.model(Around::Bootstrap)?;
        let listeners: Result<Vec<_>, _> = model.served().iter().map(|served| model.listener(served)).collect();
        let listeners = listeners.map_err(|said| told(&said))?;
        let sides: Vec<_> =
            listeners.iter().map(|listener| Side { listener: &listener.name, policy: &listener.policy }).collect();
        let (mut lines, mut warnings) = (Vec::new(), Vec::new());
        let report =
            replay(&sides, &[file.display().to_string()], Some(&mut lines), &ProgressBar::hidden(), &mut |warning| {
                warnings.push(warning);
            })
            .map_err(|error| error.to_string())?;
        if !warnings.is_empty() {
            return Err(warnings.join("\n"));
        }
        let lines = serde_json::Deserializer::from_slice(&lines).into_iter::<Value>();
        Ok(Replayed { report, decisions: lines.collect::<Result<_, _>>().map_err(|error| error.to_string())? })
    }
}

/// What replay says of a recording.
#[derive(Debug)]
pub struct Replayed {
    /// The report.
    pub report: ReplayReport,
    /// A decision for each request, in the order in which the requests ended.
    pub decisions: Vec<Value>,
}

/// A generated bootstrap.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// All of it, in Envoy's own field names.
    pub value: Value,
    /// What `generate` warns of.
    pub warnings: Vec<String>,
}

impl Bootstrap {
    /// A listener.
    ///
    /// # Panics
    /// When there is none of this name.
    pub fn listener(&mut self, name: &str) -> &mut Value {
        let listeners = self.value["static_resources"]["listeners"].as_array_mut().expect("listeners");
        let found = listeners.iter_mut().find(|listener| listener["name"] == name);
        found.unwrap_or_else(|| panic!("no listener `{name}`"))
    }

    /// Adds a copy of a listener with a name of its own, on a port of Envoy's choice, changed by `change`.
    ///
    /// # Panics
    /// When there is none of this name.
    pub fn variant(&mut self, of: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut listener = self.listener(of).clone();
        listener["name"] = name.into();
        listener["address"]["socket_address"]["port_value"] = 0.into();
        change(manager(&mut listener));
        self.value["static_resources"]["listeners"].as_array_mut().expect("listeners").push(listener);
    }

    /// Writes it as `generate` does. Errors: the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), String> {
        std::fs::write(file, to_yaml(&self.value)).map_err(|error| format!("`{}`: {error}", file.display()))
    }

    /// Starts an Envoy with it. Errors: Envoy refuses it.
    pub async fn start(&self) -> Result<Envoy, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let file = folder.path().join("envoy.yaml");
        self.write(&file)?;
        // Envoy reads the file once.
        Launch::new(file).start().await
    }
}

/// The connection manager of a listener.
pub fn manager(listener: &mut Value) -> &mut Value {
    &mut listener["filter_chains"][0]["filters"][0]["typed_config"]
}

fn filter(manager: &mut Value) -> &mut Value {
    let filters = manager["http_filters"].as_array_mut().expect("http_filters");
    filters.iter_mut().find(|filter| filter["name"] == "switchyard").expect("our filter")
}

/// Changes the configuration of our filter in a connection manager.
///
/// # Panics
/// When it has no filter of ours.
pub fn configure(manager: &mut Value, change: impl FnOnce(&mut Value)) {
    let text = &mut filter(manager)["typed_config"]["config"]["configuration"]["value"];
    let mut document = serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
    change(&mut document);
    *text = document.to_string().into();
}

/// Takes our filter out of a connection manager.
///
/// # Panics
/// When it has no filters.
pub fn bypass(manager: &mut Value) {
    manager["http_filters"].as_array_mut().expect("http_filters").retain(|filter| filter["name"] != "switchyard");
}

/// Puts the generated parts of a listener into one that was written by hand: filters before the router, the route before
/// the others.
///
/// # Panics
/// When there are no parts for a listener of this name, or it has no filters and routes.
pub fn insert(listener: &mut Value, parts: &BTreeMap<String, Value>, name: &str) {
    let manager = manager(listener);
    let part = |part: &str| parts[&format!("{name}-{part}.yaml")].clone();
    let before = |place: &mut Value, first: &Value| {
        let list = place.as_array_mut().expect("a list");
        list.splice(..0, first.as_array().expect("a list").clone());
    };
    before(&mut manager["http_filters"], &part("http-filters")["http_filters"]);
    before(&mut manager["route_config"]["virtual_hosts"][0]["routes"], &part("routes")["routes"]);
    manager["early_header_mutation_extensions"] =
        part("early-header-mutation")["early_header_mutation_extensions"].clone();
}

/// A service `name` of the namespace `workshop` on port 3000: each subset with the upstream that is its only endpoint.
pub fn service(name: &str, subsets: &[(&str, SocketAddr)]) -> String {
    let list = |one: &dyn Fn(&str, SocketAddr) -> String| {
        subsets.iter().map(|(subset, at)| one(subset, *at)).collect::<Vec<_>>().join(", ")
    };
    let endpoints = list(&|subset, at| {
        format!("{{address: {}, ports: {{http: {}}}, labels: {{version: {subset}}}}}", at.ip(), at.port())
    });
    let subsets = list(&|subset, _| format!("{{name: {subset}, labels: {{version: {subset}}}}}"));
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: workshop}}
spec:
  hosts: [{name}.workshop.svc.cluster.local]
  resolution: STATIC
  ports: [{{number: 3000, name: http, protocol: HTTP}}]
  endpoints: [{endpoints}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}, namespace: workshop}}
spec: {{host: {name}, subsets: [{subsets}]}}
"
    )
}

/// A gateway `name` of the namespace `workshop` that serves every host on this port.
pub fn gateway(name: &str, port: u16) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: workshop}}
spec: {{servers: [{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ['*']}}]}}
"
    )
}

/// Values of a header in what an [`Echo`](crate::harness::Echo) answered, in order; `name` in lower case.
pub fn echoed<'a>(said: &'a Value, name: &str) -> Vec<&'a str> {
    let lines = said["headers"].as_array().into_iter().flatten();
    lines.filter(|line| line[0] == name).filter_map(|line| line[1].as_str()).collect()
}

fn told(said: &[Diagnostic]) -> String {
    human(said, false)
}
