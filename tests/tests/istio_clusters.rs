//! Istio as the judge of clusters: for every golden, what istiod gives a stock Envoy for the same manifests and proxy is
//! what we generate, but for the differences that are told here with their reasons, each at its function.

#![cfg(not(target_family = "wasm"))]

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use switchyard_envoy::yaml;
use switchyard_tests::istio::{Istiod, Proxy};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clusters");
/// How long the clusters may take to reach the proxy.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often istiod is started for a case.
const STARTS: usize = 5;

/// Cases that istiod cannot judge, with the reason.
const NOT_RUN: [(&str, &str); 3] = [
    ("endpoints-of-slices", "istiod without Kubernetes reads no Service and no EndpointSlice"),
    ("outlier-consecutive-errors", "Istio ignores `consecutiveErrors`, which people mean as `consecutive5xxErrors`"),
    ("tls-from-certs", "its credentials and Istio's own certificates are files here, secrets there"),
];

fn documents(text: &str) -> Vec<Value> {
    let (documents, problems) = yaml::load(text);
    assert_eq!(problems, []);
    documents.iter().map(yaml::Node::to_json).collect()
}

fn read(file: &Path) -> Option<Value> {
    documents(&std::fs::read_to_string(file).ok()?).into_iter().next()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn istiod_makes_the_same_clusters_of_every_golden() {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let (mut wrong, mut compared) = (vec![], 0);
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if let Some((_, reason)) = NOT_RUN.iter().find(|(case, _)| *case == name) {
            println!("{name}: not run: {reason}");
            continue;
        }
        let ours = normal_ours(&read(&folder.join("clusters.yaml")).unwrap());
        let mut judged = judge(&folder, &ours).await;
        // istiod can miss what a ServiceEntry selects when it starts, and never looks again (istio.md 5.0).
        for _ in 1..STARTS {
            if judged.is_err() {
                judged = judge(&folder, &ours).await;
            }
        }
        match judged {
            Ok(()) => compared += ours.len(),
            Err(said) => wrong.push(format!("=== {name}\n{said}")),
        }
    }
    println!("{compared} clusters are Istio's");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compares a case until it is equal or time is up.
async fn judge(folder: &Path, ours: &BTreeMap<String, Value>) -> Result<(), String> {
    let of_proxy = read(&folder.join("proxy.yaml")).unwrap_or_else(|| json!({}));
    let mut labels: BTreeMap<String, String> = of_proxy["labels"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let places = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];
    let locality = of_proxy["locality"].as_str().unwrap_or_default();
    labels.extend(
        places
            .into_iter()
            .zip(locality.split('/'))
            .filter(|(_, part)| !part.is_empty())
            .map(|(key, part)| (key.to_owned(), part.to_owned())),
    );
    let namespace = of_proxy["namespace"].as_str().unwrap_or("demo");
    labels.insert("judge".into(), "yes".into());
    let proxy = Proxy::gateway("judge", namespace, [8099]).labelled(labels);
    let mut manifests = documents(&std::fs::read_to_string(folder.join("manifests.yaml")).unwrap());
    manifests.extend(proxy.manifests());
    // The harness waits for a listener and its routes.
    manifests.push(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "judge", "namespace": namespace},
        "spec": {"selector": {"judge": "yes"},
            "servers": [{"port": {"number": 8099, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]},
    }));
    let istiod = Istiod::start(&manifests).await?;
    let running = istiod.run(&proxy).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let dump = running.envoy().admin_get("/config_dump?include_eds").await?.json()?;
        let differs = difference(ours, &normal_istio(&dump));
        if differs.is_empty() || Instant::now() > deadline {
            running.stop().await?;
            return if differs.is_empty() { Ok(()) } else { Err(differs) };
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn difference(ours: &BTreeMap<String, Value>, istio: &BTreeMap<String, Value>) -> String {
    let mut said = String::new();
    let names: BTreeSet<&String> = ours.keys().chain(istio.keys()).collect();
    for name in names {
        let show = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), Value::to_string);
        let istio = istio.get(name).map(|cluster| with_budget(cluster, ours.get(name)));
        if ours.get(name) != istio.as_ref() {
            let (ours, istio) = (show(ours.get(name)), show(istio.as_ref()));
            let _ = write!(said, "{name}\n  ours  {ours}\n  istio {istio}\n");
        }
    }
    said
}

/// 1.29.1 drops the retry budget of a subset that has a policy; 1.29.6 does not (istio.md 5.0), and neither do we.
fn with_budget(istio: &Value, ours: Option<&Value>) -> Value {
    let mut istio = istio.clone();
    let is_of_subset = istio["name"].as_str().is_some_and(|name| name.split('|').nth(2) != Some(""));
    let ours =
        ours.map(|ours| &ours["circuit_breakers"]["thresholds"][0]["retry_budget"]).filter(|one| one.is_object());
    if let Some(budget) = ours.filter(|_| is_of_subset)
        && let Some(threshold) = istio["circuit_breakers"]["thresholds"][0].as_object_mut()
    {
        threshold.entry("retry_budget").or_insert_with(|| budget.clone());
    }
    istio
}

/// Files in place of SDS, and typed names in place of the deprecated ones.
fn of_files(context: &mut Map<String, Value>) {
    if let Some(secrets) = context.remove("tls_certificate_sds_secret_configs") {
        let name = secrets[0]["name"].as_str().unwrap_or_default().trim_start_matches("file-cert:").to_owned();
        let (certificate, key) = name.split_once('~').unwrap_or_default();
        let pair = json!({"certificate_chain": {"filename": certificate}, "private_key": {"filename": key}});
        context.insert("tls_certificates".into(), json!([pair]));
    }
    let Some(combined) = context.remove("combined_validation_context") else { return };
    let name = combined["validation_context_sds_secret_config"]["name"].as_str().unwrap_or_default();
    let file = match name.trim_start_matches("file-root:") {
        "system" => "/etc/ssl/certs/ca-certificates.crt",
        file => file,
    };
    let names = combined["default_validation_context"]["match_subject_alt_names"].as_array().into_iter().flatten();
    let typed: Vec<Value> = names
        .flat_map(|name| ["DNS", "URI", "EMAIL", "IP_ADDRESS"].map(|kind| json!({"san_type": kind, "matcher": name})))
        .collect();
    let validation = json!({"trusted_ca": {"filename": file}, "match_typed_subject_alt_names": typed});
    context.insert("validation_context".into(), validation);
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
fn normal_ours(clusters: &Value) -> BTreeMap<String, Value> {
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
fn normal_istio(dump: &Value) -> BTreeMap<String, Value> {
    let configs = || dump["configs"].as_array().into_iter().flatten();
    let mut endpoints: BTreeMap<String, Value> = configs()
        .flat_map(|config| config["dynamic_endpoint_configs"].as_array().into_iter().flatten())
        .map(|one| &one["endpoint_config"])
        .map(|one| (one["cluster_name"].as_str().unwrap_or_default().to_owned(), one.clone()))
        .collect();
    let all = configs().flat_map(|config| config["dynamic_active_clusters"].as_array().into_iter().flatten());
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
        // Istio's statistics and metadata: for its own telemetry.
        fields.remove("alt_stat_name");
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
