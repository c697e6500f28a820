//! Clusters made comparable: ours and Istio's, with endpoints in place of EDS, and without what is said by saying nothing.

use super::batch::Found;
use super::explained::{EXPLAINED, Pair};
use super::set::Set;
use super::sides::Clusters;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Notes what differs of the clusters of a set.
pub fn differences(set: &Set, ours: &Clusters, istio: &Clusters, found: &mut Found) {
    let names: BTreeSet<&String> = ours.keys().chain(istio.keys()).collect();
    for name in names {
        let mut pair = Pair { ours: ours.get(name).cloned(), istio: istio.get(name).cloned() };
        for explained in &EXPLAINED {
            if pair.ours != pair.istio && (explained.undo)(&mut pair, set) {
                *found.explained.entry(explained.what).or_default() += 1;
            }
        }
        if pair.ours != pair.istio {
            let said = match (&pair.ours, &pair.istio) {
                (Some(ours), Some(istio)) => {
                    let mut said = vec![];
                    fields(ours, istio, "", &mut said);
                    said.join("\n")
                }
                (ours, istio) => format!("  ours  {}\n  istio {}", shown(ours.as_ref()), shown(istio.as_ref())),
            };
            found.differences.push(format!("{name}\n{said}"));
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "none".to_owned(), Value::to_string)
}

/// Tells the fields that differ, the deepest that are the same object on both sides.
fn fields(ours: &Value, istio: &Value, at: &str, said: &mut Vec<String>) {
    if let (Value::Object(one), Value::Object(two)) = (ours, istio) {
        let keys: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
        for key in keys {
            match (one.get(key), two.get(key)) {
                (one, two) if one == two => {}
                (Some(one), Some(two)) => fields(one, two, &format!("{at}.{key}"), said),
                (one, two) => said.push(format!("  {at}.{key}\n    ours  {}\n    istio {}", shown(one), shown(two))),
            }
        }
    } else {
        said.push(format!("  {at}\n    ours  {ours}\n    istio {istio}"));
    }
}

/// Files in place of SDS, and typed names in place of the deprecated ones.
fn of_files(context: &mut Map<String, Value>) {
    if let Some(secrets) = context.remove("tls_certificate_sds_secret_configs") {
        let name = secrets[0]["name"].as_str().unwrap_or_default();
        let certificate = name.trim_start_matches("file-cert:").split('~').next().unwrap_or_default();
        let pair = json!({"certificate_chain": {"filename": file(certificate)}, "private_key": {"filename": REDACTED}});
        context.insert("tls_certificates".into(), json!([pair]));
    }
    if let Some(combined) = context.remove("combined_validation_context") {
        let name = combined["validation_context_sds_secret_config"]["name"].as_str().unwrap_or_default();
        let mut validation = combined["default_validation_context"].clone();
        let names = validation.as_object_mut().and_then(|fields| fields.remove("match_subject_alt_names"));
        let names = names.unwrap_or_default();
        let of_each =
            |name| ["DNS", "URI", "EMAIL", "IP_ADDRESS"].map(|kind| json!({"san_type": kind, "matcher": name}));
        let typed: Vec<Value> = names.as_array().into_iter().flatten().flat_map(of_each).collect();
        validation["trusted_ca"] = json!({"filename": file(name.trim_start_matches("file-root:"))});
        validation["match_typed_subject_alt_names"] = json!(typed);
        context.insert("validation_context".into(), validation);
    }
    for pair in context.get_mut("tls_certificates").and_then(Value::as_array_mut).into_iter().flatten() {
        pair["private_key"]["filename"] = REDACTED.into();
        pair["certificate_chain"]["filename"] =
            file(pair["certificate_chain"]["filename"].as_str().unwrap_or_default());
    }
    if let Some(authorities) = context.get_mut("validation_context").and_then(|one| one.get_mut("trusted_ca")) {
        authorities["filename"] = file(authorities["filename"].as_str().unwrap_or_default());
    }
}

/// Envoy tells nobody where a key is.
const REDACTED: &str = "[redacted]";

/// The file of a secret, below the folder of certificates where it is there: secrets of Kubernetes are in the folder that
/// has their name, and Istio's own in `default` (README, `--certs`).
fn file(name: &str) -> Value {
    if let Some(secret) = name.strip_prefix("kubernetes://") {
        let certificate = || format!("{secret}/tls.crt");
        return secret.strip_suffix("-cacert").map_or_else(certificate, |secret| format!("{secret}/ca.crt")).into();
    }
    let below = name.split_once("/switchyard-certs-").and_then(|(_, rest)| rest.split_once('/'));
    match (name, below) {
        ("default", _) => "default/tls.crt".into(),
        ("ROOTCA", _) => "default/ca.crt".into(),
        ("system", _) => "/etc/ssl/certs/ca-certificates.crt".into(),
        (_, Some((_, below))) => below.into(),
        _ => name.into(),
    }
}

/// Finds the TLS contexts in a socket, also one that is wrapped.
fn sockets(socket: &mut Value) {
    let Some(config) = socket.get_mut("typed_config") else { return };
    if let Some(context) = config.get_mut("common_tls_context").and_then(Value::as_object_mut) {
        of_files(context);
    }
    if let Some(inner) = config.get_mut("transport_socket") {
        sockets(inner);
    }
}

/// Ours, by name, as [`normal`] has them.
///
/// # Panics
/// A cluster without a name.
pub fn normal_ours(clusters: &Value) -> Clusters {
    let all = clusters.as_array().into_iter().flatten().map(|cluster| {
        let mut cluster = cluster.clone();
        let fields = cluster.as_object_mut().unwrap();
        // `envoy.cluster.dns` is what `STRICT_DNS` and `LOGICAL_DNS` are now: their own settings are deprecated.
        if let Some(dns) = fields.remove("cluster_type") {
            let single = dns["typed_config"]["all_addresses_in_single_endpoint"] == json!(true);
            fields.insert("type".into(), if single { "LOGICAL_DNS" } else { "STRICT_DNS" }.into());
        }
        (fields["name"].as_str().unwrap().to_owned(), normal(cluster))
    });
    all.collect()
}

/// Istio's outbound clusters in a dump of Envoy, with endpoints in place of EDS.
///
/// # Panics
/// A cluster without a name.
pub fn normal_istio(dump: &Value) -> Clusters {
    let configs = || dump["configs"].as_array().into_iter().flatten();
    let mut endpoints: BTreeMap<String, Value> = configs()
        .flat_map(|config| config["dynamic_endpoint_configs"].as_array().into_iter().flatten())
        .map(|one| &one["endpoint_config"])
        .map(|one| (one["cluster_name"].as_str().unwrap_or_default().to_owned(), one.clone()))
        .collect();
    // What waits for a secret of istio-agent is never active.
    let of = |kind: &'static str| configs().flat_map(move |config| config[kind].as_array().into_iter().flatten());
    let all = of("dynamic_active_clusters").chain(of("dynamic_warming_clusters"));
    let all = all
        .map(|one| one["cluster"].clone())
        .filter(|cluster| cluster["name"].as_str().is_some_and(|name| name.starts_with("outbound|")));
    let all = all.map(|mut cluster| {
        let name = cluster["name"].as_str().unwrap().to_owned();
        let fields = cluster.as_object_mut().unwrap();
        if fields.get("type") == Some(&json!("EDS")) {
            fields.insert("type".into(), "STATIC".into());
            fields.remove("eds_cluster_config");
            let empty = json!({"cluster_name": name});
            fields.insert("load_assignment".into(), endpoints.remove(&name).unwrap_or(empty));
        }
        // As ours: how names are resolved hangs on the proxy's addresses, and is pinned by the golden.
        for field in
            ["dns_lookup_family", "dns_refresh_rate", "dns_jitter", "respect_dns_ttl", "typed_dns_resolver_config"]
        {
            fields.remove(field);
        }
        // Istio's metadata: for its own telemetry.
        fields.remove("metadata");
        (name, normal(cluster))
    });
    all.collect()
}

/// A cluster without what is said by saying nothing: defaults of protobuf, empty messages that mean nothing, policies of
/// an assignment, metadata of endpoints.
fn normal(cluster: Value) -> Value {
    let mut cluster = cluster;
    let fields = cluster.as_object_mut().unwrap();
    fields.remove("@type");
    if let Some(assignment) = fields.get_mut("load_assignment").and_then(Value::as_object_mut) {
        assignment.remove("@type");
        assignment.remove("policy");
        for group in assignment.get_mut("endpoints").and_then(Value::as_array_mut).into_iter().flatten() {
            for host in group.get_mut("lb_endpoints").and_then(Value::as_array_mut).into_iter().flatten() {
                let host = host.as_object_mut().unwrap();
                host.remove("metadata");
                host.remove("health_status");
                if let Some(endpoint) = host.get_mut("endpoint").and_then(Value::as_object_mut) {
                    endpoint.remove("health_check_config");
                }
            }
        }
    }
    if let Some(socket) = fields.get_mut("transport_socket") {
        sockets(socket);
    }
    // The first values of their types are not written.
    fields.entry("lb_policy").or_insert("ROUND_ROBIN".into());
    fields.entry("type").or_insert("STATIC".into());
    // 1.29.1 writes 0.2 where nothing is written, 1.29.6 20 (istio.md 5.0).
    for threshold in cluster["circuit_breakers"]["thresholds"].as_array_mut().into_iter().flatten() {
        let percent = threshold.get_mut("retry_budget").and_then(|budget| budget.get_mut("budget_percent"));
        if let Some(percent) = percent.filter(|percent| percent["value"] == json!(0.2)) {
            *percent = json!({"value": 20.0});
        }
    }
    let mut cluster = pruned(cluster);
    // Envoy dumps endpoints of EDS by priority, and no place without any.
    if let Some(groups) = cluster
        .get_mut("load_assignment")
        .and_then(|assignment| assignment.get_mut("endpoints"))
        .and_then(Value::as_array_mut)
    {
        groups.retain(|group| group["lb_endpoints"].is_array());
        // istiod's order of endpoints is that of a map.
        for group in &mut *groups {
            if let Some(hosts) = group["lb_endpoints"].as_array_mut() {
                hosts.sort_by_key(Value::to_string);
            }
        }
        groups.sort_by_key(Value::to_string);
    }
    if let Some(assignment) = cluster.get_mut("load_assignment").and_then(Value::as_object_mut)
        && assignment.get("endpoints") == Some(&json!([]))
    {
        assignment.remove("endpoints");
    }
    cluster
}

/// Without what protobuf leaves out: `false`, empty lists, the zero of a percentage and of a priority, the first version of
/// the PROXY protocol; and without messages in which then nothing is left that mean nothing by being there.
fn pruned(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (key, pruned(value)));
            let is_said = |(key, value): &(String, Value)| match key.as_str() {
                "value" | "priority" => *value != json!(0.0),
                "version" => *value != json!("V1"),
                "common_lb_config" | "locality" => *value != json!({}),
                _ => !(value.is_null() || *value == json!(false) || *value == json!([])),
            };
            Value::Object(fields.filter(is_said).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(pruned).collect(),
        // Numbers of 64 bits are strings in protobuf's JSON.
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => {
            text.parse::<f64>().map_or(Value::Null, |number| json!(number))
        }
        Value::Number(number) => number.as_f64().map_or(Value::Null, |number| json!(number)),
        other => other,
    }
}
