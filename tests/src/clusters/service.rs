//! Random ServiceEntries and `WorkloadEntries`.

use super::proxy::PLACES;
use super::set::World;
use crate::rng::Rng;
use serde_json::{Map, Value, json};

/// Services of a set: one to three ServiceEntries, sometimes of one host.
pub fn manifests(rng: &mut Rng, world: &World<'_>) -> Vec<Value> {
    let mut all = vec![];
    for index in 0..=rng.below(3) {
        service(rng, world, index, &mut all);
    }
    all
}

/// A host: of the mesh, or outside. Those outside end with `localhost`, which everybody can resolve without a network.
pub fn host(rng: &mut Rng, world: &World<'_>) -> String {
    let name = rng.pick(&["a", "b", "c"]);
    if rng.chance(60) {
        format!("{name}.{}.svc.cluster.local", world.home())
    } else {
        format!("{name}.s{}.localhost", world.number)
    }
}

fn service(rng: &mut Rng, world: &World<'_>, index: usize, all: &mut Vec<Value>) {
    let namespace = if rng.chance(75) { world.home() } else { world.namespace(rng) };
    let mut ports = ports(rng);
    let mut hosts = vec![host(rng, world)];
    if rng.chance(20) {
        hosts.push(format!("{}.s{}.localhost", rng.pick(&["d", "*.e"]), world.number));
        for port in &mut ports {
            // Istio wants to tell the hosts apart.
            port.as_object_mut().map(|port| port.entry("protocol").or_insert("HTTP".into()));
        }
    }
    let names: Vec<String> = ports.iter().map(|port| port["name"].as_str().unwrap_or_default().to_owned()).collect();
    let resolution = rng.pick(&["STATIC", "STATIC", "STATIC", "STATIC", "DNS", "DNS", "DNS_ROUND_ROBIN", "NONE"]);
    let wild = hosts.iter().any(|host| host.starts_with('*'));
    let mut spec = Map::from_iter([("hosts".to_owned(), json!(hosts)), ("ports".to_owned(), json!(ports))]);
    if resolution != "NONE" || rng.chance(50) {
        spec.insert("resolution".to_owned(), resolution.into());
    }
    let count = match resolution {
        "NONE" => 0,
        "DNS_ROUND_ROBIN" => rng.below(2),
        _ => rng.below(6),
    };
    let count = if wild && resolution.starts_with("DNS") { 1 } else { count };
    let by_name = resolution.starts_with("DNS");
    let mut endpoints: Vec<Value> = (0..count).map(|at| endpoint(rng, world, by_name, &names, (index, at))).collect();
    if rng.chance(25) && !wild {
        let chosen = format!("s{}-{index}", world.number);
        for (at, entry) in endpoints.iter_mut().enumerate() {
            let namespace = if rng.chance(90) { namespace.clone() } else { world.home() };
            let mut labels = entry["labels"].as_object().cloned().unwrap_or_default();
            let (own, of_metadata) = (rng.chance(60), rng.chance(60));
            if own || !of_metadata {
                labels.insert("chosen".to_owned(), json!(chosen));
                entry["labels"] = json!(labels);
            }
            let mut manifest = world.manifest("WorkloadEntry", &format!("w{index}-{at}"), &namespace, entry);
            if of_metadata {
                manifest["metadata"]["labels"] = json!({"chosen": chosen, "version": rng.pick(&["v1", "v2"])});
            }
            all.push(manifest);
        }
        spec.insert("workloadSelector".to_owned(), json!({"labels": {"chosen": chosen}}));
    } else if !endpoints.is_empty() {
        spec.insert("endpoints".to_owned(), json!(endpoints));
    }
    if rng.chance(25) {
        spec.insert("location".to_owned(), rng.pick(&["MESH_INTERNAL", "MESH_EXTERNAL"]).into());
    }
    if rng.chance(15) {
        spec.insert(
            "addresses".to_owned(),
            json!([format!("240.{}.{}.{index}", world.number / 250, world.number % 250)]),
        );
    }
    if rng.chance(15) {
        spec.insert("subjectAltNames".to_owned(), json!(["spiffe://mesh/shop", "shop.example"]));
    }
    if rng.chance(30) {
        let own = world.proxy.namespace.as_str();
        let home = world.home();
        let among = [json!(["*"]), json!(["."]), json!([own]), json!([home, own]), json!([home]), json!(["~"])];
        spec.insert("exportTo".to_owned(), rng.pick(&among));
    }
    let mut manifest = world.manifest("ServiceEntry", &format!("e{index}"), &namespace, &json!(spec));
    // Of those of one host and age the first is anyone in istiod.
    let day = (rng.below(3) * 3 + index) % 9 + 1;
    manifest["metadata"]["creationTimestamp"] = json!(format!("2026-01-0{day}T00:00:00Z"));
    if rng.chance(10) {
        manifest["metadata"]["labels"] = json!({"team": "a"});
    }
    all.push(manifest);
}

/// Gives a manifest an age, sometimes.
pub fn created(rng: &mut Rng, manifest: &mut Value) {
    if rng.chance(30) {
        let day = rng.below(3) + 1;
        manifest["metadata"]["creationTimestamp"] = json!(format!("2026-01-0{day}T00:00:00Z"));
    }
}

fn ports(rng: &mut Rng) -> Vec<Value> {
    let all = [(80, "http"), (8080, "grpc-api"), (9000, "web")];
    let first = rng.below(3);
    let count = if rng.chance(50) { 1 } else { 2 };
    let chosen = (first..first + count).filter_map(|at| all.get(at % 3));
    chosen
        .map(|(number, name)| {
            let mut port = json!({"number": number, "name": name});
            if rng.chance(85) {
                port["protocol"] = rng.pick(&["HTTP", "HTTP", "http", "HTTP2", "GRPC", "grpc"]).into();
            }
            if rng.chance(25) {
                port["targetPort"] = json!(number + 1);
            }
            port
        })
        .collect()
}

fn endpoint(rng: &mut Rng, world: &World<'_>, by_name: bool, ports: &[String], at: (usize, usize)) -> Value {
    let (index, at) = at;
    let address = if by_name && rng.chance(70) {
        format!("e{at}.s{}.localhost", world.number)
    } else {
        format!("10.{}.{}.{}", world.number / 250, world.number % 250, index * 10 + at + 1)
    };
    let mut endpoint = json!({"address": address});
    if rng.chance(80) {
        let mut labels = json!({"version": rng.pick(&["v1", "v1", "v2", "v3"])});
        if rng.chance(40) {
            labels["tier"] = rng.pick(&["a", "b"]).into();
        }
        if rng.chance(10) {
            labels["istio-locality"] = rng.pick(&["eu.a.2", "us.c"]).into();
        }
        endpoint["labels"] = labels;
    }
    if rng.chance(60) {
        let place = rng.pick(&PLACES);
        if !place.is_empty() {
            endpoint["locality"] = place.into();
        }
    }
    if rng.chance(30) {
        endpoint["weight"] = json!(rng.below(5));
    }
    if rng.chance(15) {
        endpoint["serviceAccount"] = rng.pick(&["shop", "store"]).into();
    }
    if rng.chance(10) {
        endpoint["network"] = "far".into();
    }
    let chosen: Map<String, Value> =
        ports.iter().filter(|_| rng.chance(20)).map(|name| (name.clone(), json!(7000 + at))).collect();
    if !chosen.is_empty() {
        endpoint["ports"] = json!(chosen);
    }
    endpoint
}
