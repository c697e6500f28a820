//! What stands behind the services: one upstream for each workload that a ServiceEntry lists.

use crate::harness::Echo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use switchyard_envoy::manifest::Manifests;

/// Running workloads, by name.
#[derive(Debug, Default)]
pub struct Workloads {
    all: BTreeMap<String, Echo>,
}

impl Workloads {
    /// Starts what the ServiceEntries list and does not run yet, and gives the manifests with these addresses in place
    /// of theirs.
    ///
    /// A workload is named `app-version` after its labels, without them after the host. Addresses are of 127/8 and
    /// differ, since istiod tells endpoints apart by them.
    pub async fn place(&mut self, manifests: &Manifests) -> Result<Vec<Value>, String> {
        let mut texts = Vec::new();
        for (index, manifest) in manifests.all.iter().chain(&manifests.unread).enumerate() {
            let mut text = manifest.node.to_json();
            if let Some(metadata) = text.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("namespace".into(), json!(manifest.namespace));
            }
            if manifest.kind_name == "ServiceEntry" {
                let host = text["spec"]["hosts"][0].as_str().unwrap_or_default().to_owned();
                let ports = text["spec"]["ports"].clone();
                let spec = text.get_mut("spec").and_then(|spec| spec.get_mut("endpoints"));
                let endpoints = spec.and_then(Value::as_array_mut).into_iter().flatten();
                for (number, endpoint) in endpoints.enumerate() {
                    let port = self.of(&name(endpoint, &host)).await?;
                    let names = ports.as_array().into_iter().flatten().filter_map(|port| port["name"].as_str());
                    let to: BTreeMap<&str, u16> = names.map(|name| (name, port)).collect();
                    endpoint["address"] = json!(format!("127.1.{index}.{}", number + 1));
                    endpoint["ports"] = json!(to);
                }
            }
            texts.push(text);
        }
        Ok(texts)
    }

    /// The port of a workload, which is started when it is not there yet.
    async fn of(&mut self, name: &str) -> Result<u16, String> {
        if !self.all.contains_key(name) {
            let echo = Echo::named(name).at(([0, 0, 0, 0], 0).into()).obeying().start().await?;
            self.all.insert(name.into(), echo);
        }
        Ok(self.all.get(name).map_or(0, |echo| echo.address().port()))
    }

    /// How many requests have come to each.
    pub fn counts(&self) -> BTreeMap<&str, u64> {
        self.all.iter().map(|(name, echo)| (name.as_str(), echo.count())).collect()
    }
}

fn name(endpoint: &Value, host: &str) -> String {
    let label = |name: &str| endpoint["labels"][name].as_str();
    let app = label("app").unwrap_or_else(|| host.split('.').next().unwrap_or(host));
    label("version").map_or_else(|| app.into(), |version| format!("{app}-{version}"))
}

#[cfg(test)]
mod tests {
    use super::name;
    use serde_json::json;

    #[test]
    fn a_workload_is_named_after_its_labels() {
        let host = "reviews.default.svc.cluster.local";
        assert_eq!(name(&json!({"labels": {"app": "reviews", "version": "v2"}}), host), "reviews-v2");
        assert_eq!(name(&json!({"labels": {"version": "v2"}}), host), "reviews-v2");
        assert_eq!(name(&json!({}), host), "reviews");
    }
}
