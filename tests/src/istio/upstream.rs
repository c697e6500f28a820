//! Services without workloads: every endpoint is one upstream of the test.

use serde_json::{Map, Value, json};

/// Gives each ServiceEntry among the manifests one endpoint per subset that a DestinationRule defines of it, all of them
/// at this port of this machine; adds such a ServiceEntry for every Kubernetes Service, which istiod would skip.
///
/// The addresses are of 127/8 and differ, since istiod tells endpoints apart by them: the upstream listens on 0.0.0.0.
pub fn to_upstream(manifests: &mut Vec<Value>, port: u16) {
    let rules: Vec<Value> = manifests.iter().filter(|one| one["kind"] == "DestinationRule").cloned().collect();
    let services = manifests.iter().filter(|one| one["kind"] == "Service").map(entry).collect::<Vec<_>>();
    manifests.retain(|one| one["kind"] != "Service");
    manifests.extend(services);
    for (index, entry) in manifests.iter_mut().filter(|one| one["kind"] == "ServiceEntry").enumerate() {
        let mut labels = subsets(entry, &rules);
        if labels.is_empty() {
            labels.push(json!({}));
        }
        let names: Vec<Value> = list(&entry["spec"]["ports"]).iter().map(|port| port["name"].clone()).collect();
        let ports: Map<String, Value> =
            names.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), json!(port))).collect();
        let endpoints = labels.into_iter().enumerate().map(|(number, labels)| {
            let address = format!("127.{}.{}.{}", 1 + index / 256, index % 256, 1 + number % 250);
            json!({"address": address, "ports": ports, "labels": labels})
        });
        let Value::Object(spec) = &mut entry["spec"] else { continue };
        spec.remove("workloadSelector");
        spec.insert("endpoints".into(), endpoints.collect());
        spec.insert("resolution".into(), json!("STATIC"));
    }
}

/// The labels of every subset of the entry's hosts, without repeats.
fn subsets(entry: &Value, rules: &[Value]) -> Vec<Value> {
    let namespace = entry["metadata"]["namespace"].as_str().unwrap_or_default();
    let hosts: Vec<&str> = entry["spec"]["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut found = Vec::new();
    for rule in rules {
        let host = rule["spec"]["host"].as_str().unwrap_or_default();
        let full = if host.contains('.') {
            host.to_owned()
        } else {
            format!("{host}.{}.svc.cluster.local", rule["metadata"]["namespace"].as_str().unwrap_or(namespace))
        };
        let means = |known: &&str| **known == full || full.strip_prefix('*').is_some_and(|end| known.ends_with(end));
        if hosts.iter().any(means) {
            for subset in list(&rule["spec"]["subsets"]) {
                let labels = if subset["labels"].is_object() { subset["labels"].clone() } else { json!({}) };
                if !found.contains(&labels) {
                    found.push(labels);
                }
            }
        }
    }
    found
}

/// A Service as the registry of Kubernetes would know it.
fn entry(service: &Value) -> Value {
    let (name, namespace) = (&service["metadata"]["name"], &service["metadata"]["namespace"]);
    let host = format!("{}.{}.svc.cluster.local", text(name), text(namespace));
    let ports: Vec<Value> = list(&service["spec"]["ports"])
        .iter()
        .filter(|port| port["protocol"].as_str().is_none_or(|protocol| protocol == "TCP"))
        .map(|port| {
            let number = port["port"].clone();
            let name = port["name"].as_str().map_or_else(|| format!("port-{number}"), ToOwned::to_owned);
            let said = port["appProtocol"].as_str().unwrap_or(&name).to_owned();
            let protocol = said.split('-').next().unwrap_or_default().to_ascii_uppercase();
            let known = ["HTTP", "HTTP2", "GRPC", "HTTPS", "TCP", "TLS"].contains(&protocol.as_str());
            // Istio sniffs a port of no known protocol; this harness speaks HTTP.
            json!({"number": number, "name": name, "protocol": if known { protocol.as_str() } else { "HTTP" }})
        })
        .collect();
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hosts": [host], "location": "MESH_INTERNAL", "resolution": "STATIC", "ports": ports},
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subset_has_an_endpoint_of_its_own_at_the_upstream() {
        let mut manifests = vec![
            json!({"kind": "ServiceEntry", "metadata": {"name": "shop", "namespace": "demo"},
                "spec": {"hosts": ["shop.demo.svc.cluster.local"], "resolution": "NONE",
                    "ports": [{"number": 80, "name": "http"}]}}),
            json!({"kind": "DestinationRule", "metadata": {"name": "shop", "namespace": "demo"},
                "spec": {"host": "shop", "subsets": [{"name": "v1", "labels": {"version": "v1"}}, {"name": "all"}]}}),
        ];
        to_upstream(&mut manifests, 1234);
        assert_eq!(manifests[0]["spec"]["resolution"], "STATIC");
        assert_eq!(
            manifests[0]["spec"]["endpoints"],
            json!([
                {"address": "127.1.0.1", "ports": {"http": 1234}, "labels": {"version": "v1"}},
                {"address": "127.1.0.2", "ports": {"http": 1234}, "labels": {}},
            ])
        );
    }

    #[test]
    fn a_service_becomes_what_istiod_knows_of_it() {
        let mut manifests = vec![json!({"kind": "Service", "metadata": {"name": "shop", "namespace": "demo"},
            "spec": {"ports": [{"port": 80, "name": "http"}, {"port": 53, "protocol": "UDP"}]}})];
        to_upstream(&mut manifests, 1234);
        let [entry] = manifests.as_slice() else { panic!("{manifests:?}") };
        assert_eq!(
            (&entry["kind"], &entry["spec"]["hosts"][0]),
            (&json!("ServiceEntry"), &json!("shop.demo.svc.cluster.local"))
        );
        assert_eq!(entry["spec"]["ports"], json!([{"number": 80, "name": "http", "protocol": "HTTP"}]));
        assert_eq!(entry["spec"]["endpoints"].as_array().unwrap().len(), 1);
    }
}
