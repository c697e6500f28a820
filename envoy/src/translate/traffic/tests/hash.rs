//! What requests are hashed by, and the clusters that hashes find their endpoints in (istio.md 1.17, 2.4).

use super::super::super::tests::manifests;
use super::super::super::{Model, Options};
use super::with;
use serde_json::{Value, json};

#[test]
fn what_requests_are_hashed_by_is_written_for_hosts_subsets_and_ports() {
    let by = |name: &str| format!("loadBalancer: {{consistentHash: {{httpHeaderName: {name}}}}}");
    let top = format!("{{{}, portLevelSettings: [{{port: {{number: 3000}}, {}}}]}}", by("top"), by("port"));
    let subset = format!("{{{}, portLevelSettings: [{{port: {{number: 1}}, loadBalancer: {{}}}}]}}", by("sub"));
    let text = with(&top, &subset);
    let manifests = manifests(&[&text]);
    let model = Model::new(&manifests, &Options::default()).unwrap_or_else(|said| panic!("{said:?}"));
    let listener = model.listener(&model.mesh()).expect("right");
    let services = serde_json::to_value(&listener.document.services).expect("JSON");
    let service = services.as_array().unwrap().iter().find(|service| service["subsets"][1]["name"] == "v2").unwrap();
    let header = |name: &str| json!({"httpHeaderName": name});
    assert_eq!(service["hash"], header("top"));
    assert_eq!(service["portHashes"], json!([{"port": 3000, "hash": header("port")}]));
    assert_eq!(service["subsets"][0]["hash"], Value::Null);
    assert_eq!(service["subsets"][1]["hash"], header("sub"));
    assert_eq!(service["subsets"][1]["portHashes"], Value::Null);
}

#[test]
fn a_cluster_has_the_ring_or_the_table_of_what_counts_for_it() {
    let ring = |size: &str| format!("loadBalancer: {{consistentHash: {{httpHeaderName: a, {size}}}}}");
    let port = |number: u16, more: &str| format!("portLevelSettings: [{{port: {{number: {number}}}, {more}}}]");
    let least = (json!("LEAST_REQUEST"), Value::Null, Value::Null);
    let rings = |size: u32| (json!("RING_HASH"), json!({"minimum_ring_size": size}), Value::Null);
    let maglev = (json!("MAGLEV"), Value::Null, json!({"table_size": 101}));
    let without = "loadBalancer: {}".to_owned();
    for (top, subset, of_host, of_subset) in [
        (ring("minimumRingSize: 0"), without.clone(), rings(1024), least.clone()),
        (ring("minimumRingSize: 7"), ring("maglev: {tableSize: 101}"), rings(7), maglev.clone()),
        (ring("ringHash: {minimumRingSize: 8}"), port(1, &ring("maglev: {tableSize: 101}")), rings(8), rings(8)),
        (ring("ringHash: {}"), without.clone(), (json!("RING_HASH"), Value::Null, Value::Null), least.clone()),
        // What is said of a port stands in place of all that is said beside it.
        (
            format!("{}, {}", ring("minimumRingSize: 7"), port(3000, &without)),
            ring("minimumRingSize: 9"),
            least.clone(),
            rings(9),
        ),
        (port(3000, &ring("minimumRingSize: 7")), port(3000, &without), rings(7), least.clone()),
        (port(3000, &ring("minimumRingSize: 7")), port(3001, &without), rings(7), rings(7)),
    ] {
        let text = with(&format!("{{{top}}}"), &format!("{{{subset}}}"));
        let manifests = manifests(&[&text]);
        let model = Model::new(&manifests, &Options::default()).unwrap_or_else(|said| panic!("{said:?}"));
        let clusters = crate::bootstrap::clusters(&model).expect("clusters");
        let of = |subset: &str| {
            let name = format!("outbound|3000|{subset}|catalogdetail.workshop.svc.cluster.local");
            let cluster = clusters.as_array().unwrap().iter().find(|cluster| cluster["name"] == name).unwrap();
            (cluster["lb_policy"].clone(), cluster["ring_hash_lb_config"].clone(), cluster["maglev_lb_config"].clone())
        };
        assert_eq!((of(""), of("v2")), (of_host, of_subset), "{top} {subset}");
    }
}
