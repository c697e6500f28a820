//! Sets of manifests with the proxy that clusters are made for.

use super::proxy::Proxy;
use super::{rule, service, wrong};
use crate::rng::Rng;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Manifests and a proxy.
#[derive(Clone, Debug)]
pub struct Set {
    /// What it is called where it differs.
    pub name: String,
    /// The manifests.
    pub manifests: Vec<Value>,
    /// The proxy.
    pub proxy: Proxy,
    /// The folder of certificates.
    pub certs: PathBuf,
    /// Fields of the mesh's configuration; null: Istio's defaults. Sets that are judged together have the same.
    pub mesh: Value,
}

/// What random parts of a set know of it.
#[derive(Debug)]
pub struct World<'a> {
    /// The number of the set, which is part of every host and namespace.
    pub number: usize,
    /// The proxy.
    pub proxy: &'a Proxy,
    /// The folder of certificates.
    pub certs: &'a Path,
}

impl World<'_> {
    /// The namespace of most services.
    pub fn home(&self) -> String {
        format!("h{}-ns", self.number)
    }

    /// A namespace: of services, of the proxy, another one, Istio's root.
    pub fn namespace(&self, rng: &mut Rng) -> String {
        match rng.below(10) {
            0..=4 => self.home(),
            5..=7 => self.proxy.namespace.clone(),
            8 => format!("o{}-ns", self.number),
            _ => "istio-system".to_owned(),
        }
    }

    /// A manifest of Istio's, with a name that no other set has.
    pub fn manifest(&self, kind: &str, name: &str, namespace: &str, spec: &Value) -> Value {
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": kind,
            "metadata": {"name": format!("s{}-{name}", self.number), "namespace": namespace}, "spec": spec,
        })
    }
}

impl Set {
    /// The set `number` of a seed.
    pub fn new(seed: u64, number: usize, certs: &Path) -> Self {
        let proxy = Proxy::new(seed, number);
        let mut rng = Rng::of(seed, number);
        let world = World { number, proxy: &proxy, certs };
        let mut manifests = service::manifests(&mut rng, &world);
        rule::manifests(&mut rng, &world, &mut manifests);
        if number % 6 == 5 {
            wrong::make(&mut rng, &world, &mut manifests);
        }
        if proxy.is_gateway {
            let server = json!({"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]});
            let spec = json!({"selector": {"app": "front"}, "servers": [server]});
            manifests.push(world.manifest("Gateway", "gateway", &proxy.namespace, &spec));
        }
        Self { name: format!("set {number}"), manifests, proxy, certs: certs.to_owned(), mesh: Value::Null }
    }

    /// The hosts of its ServiceEntries and Services.
    pub fn hosts(&self) -> BTreeSet<String> {
        let hosts =
            self.manifests.iter().flat_map(|manifest| manifest["spec"]["hosts"].as_array().into_iter().flatten());
        let services = self.services().filter_map(|service| {
            let named = |field: &str| service["metadata"][field].as_str();
            Some(format!("{}.{}.svc.cluster.local", named("name")?, named("namespace")?))
        });
        hosts.filter_map(|host| host.as_str().map(str::to_owned)).chain(services).collect()
    }

    /// Its Services: istiod reads them of an API server only.
    pub fn services(&self) -> impl Iterator<Item = &Value> {
        self.manifests.iter().filter(|manifest| manifest["kind"] == "Service")
    }

    /// Whether its proxy waits for secrets of Kubernetes: istiod, which has none here, never answers, and Envoy asks for
    /// endpoints after 15 s without.
    pub fn waits_for_secrets(&self) -> bool {
        self.proxy.is_gateway && self.manifests.iter().any(|manifest| manifest.to_string().contains("credentialName"))
    }

    /// As a file: the manifests, and before them what the proxy is.
    pub fn to_yaml(&self) -> String {
        let Proxy { namespace, labels, locality, is_gateway } = &self.proxy;
        let mut text = format!(
            "# {}: namespace {namespace}, labels {labels:?}, locality `{locality}`, {}\n",
            self.name,
            if *is_gateway { "a gateway" } else { "a sidecar" }
        );
        if !self.mesh.is_null() {
            text.extend(["# the mesh: ", &self.mesh.to_string(), "\n"]);
        }
        for manifest in &self.manifests {
            text += "---\n";
            text += &switchyard_envoy::bootstrap::to_yaml(manifest);
        }
        text
    }
}
