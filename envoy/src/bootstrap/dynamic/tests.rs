use super::*;

fn manager(name: &str, seed: &str, status: u16) -> Value {
    json!({"filters": [{"name": "hcm", "typed_config": {
        "@type": HTTP_CONNECTION_MANAGER,
        "stat_prefix": name,
        "http_filters": [
            {"name": "switchyard", "typed_config": {"@type": WASM, "config": {"name": name, "configuration": seed}}},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": "router"}},
        ],
        "route_config": {"name": name, "virtual_hosts": [{"routes": [{"direct_response": {"status": status}}]}]},
    }}]})
}

fn bootstrap(chains: &[Value]) -> Value {
    json!({
        "admin": {},
        "stats_config": {"stats_tags": []},
        "static_resources": {
            "clusters": [
                {"name": "outbound|80|v1|a.b", "type": "STATIC", "load_assignment": {"cluster_name": "outbound|80|v1|a.b"}},
                {"name": "outbound|80||c.d", "cluster_type": {"name": "envoy.cluster.dns"}, "load_assignment": {}},
            ],
            "listeners": [{"name": "mesh", "filter_chains": chains}],
        },
    })
}

fn split(chains: &[Value]) -> Dynamic {
    dynamic(bootstrap(chains), Path::new("/etc/envoy/live"))
}

fn files(dynamic: &Dynamic) -> Vec<&str> {
    dynamic.sources.iter().map(|source| source.file.as_str()).collect()
}

#[test]
fn a_file_comes_after_those_that_it_names() {
    let split = split(&[manager("mesh", "1", 404)]);
    assert_eq!(
        files(&split),
        [
            "endpoints/outbound_80_v1_a.b.yaml",
            "clusters.yaml",
            "routes-mesh.yaml",
            "policy-mesh.yaml",
            "listeners.yaml"
        ]
    );
    assert_eq!(split.bootstrap["static_resources"], Value::Null);
    assert_eq!(split.bootstrap["stats_config"], json!({"stats_tags": []}));
    let lds = &split.bootstrap["dynamic_resources"]["lds_config"]["path_config_source"];
    assert_eq!(lds["path"], "/etc/envoy/live/listeners.yaml");
    assert_eq!(lds["watched_directory"]["path"], "/etc/envoy/live");
}

#[test]
fn fixed_endpoints_are_files_and_names_to_resolve_are_not() {
    let split = split(&[]);
    let [endpoints, clusters, _] = split.sources.as_slice() else { panic!("{:?}", files(&split)) };
    assert_eq!(endpoints.stat, "cluster.outbound|80|v1|a.b;");
    assert_eq!(endpoints.resources()[0]["cluster_name"], "outbound|80|v1|a.b");
    let [eds, dns] = clusters.resources() else { panic!("{clusters:?}") };
    assert_eq!(eds["type"], "EDS");
    assert_eq!(eds.get("load_assignment"), None);
    assert!(dns.get("load_assignment").is_some() && dns.get("type").is_none());
}

#[test]
fn the_policy_and_the_routes_leave_the_listener() {
    let one = split(&[manager("mesh", "1", 404)]);
    let two = split(&[manager("mesh", "2", 403)]);
    let [.., one_routes, one_policy, one_listeners] = one.sources.as_slice() else { panic!() };
    let [.., two_routes, two_policy, two_listeners] = two.sources.as_slice() else { panic!() };
    assert_eq!(one_listeners, two_listeners);
    assert_ne!(one_policy.version, two_policy.version);
    assert_ne!(one_routes.version, two_routes.version);
    assert_eq!(one_policy.stat, "extension_config_discovery.http_filter.switchyard/mesh");
    assert_eq!(one_routes.stat, "http.mesh.rds.mesh");
    let filters = "/filter_chains/0/filters/0/typed_config/http_filters";
    let filters = one_listeners.resources()[0].pointer(filters).unwrap();
    assert_eq!(filters[0]["name"], "switchyard/mesh");
    assert_eq!(filters[0]["config_discovery"]["config_source"]["initial_fetch_timeout"], "0s");
    assert_eq!(filters[1]["typed_config"]["@type"], "router");
}

#[test]
fn chains_share_what_is_equal_and_nothing_else() {
    let chains = [manager("a", "1", 404), manager("a", "1", 404), manager("a", "2", 404), manager("a", "2", 403)];
    let split = split(&chains);
    let named: Vec<_> = files(&split).into_iter().skip(2).collect();
    assert_eq!(named, ["routes-a.yaml", "routes-a-2.yaml", "policy-a.yaml", "policy-a-2.yaml", "listeners.yaml"]);
    let routes = split.sources.iter().find(|source| source.file == "routes-a-2.yaml").unwrap();
    assert_eq!(routes.resources()[0]["name"], "a-2");
}

#[test]
fn what_is_written_reads_back() {
    for source in split(&[manager("mesh", "{\n  \"a\": 1\n}\n", 404)]).sources {
        let text = source.text();
        let mut lines = text.lines();
        assert!(lines.next().is_some_and(|line| line.starts_with("# Written by `switchyard generate ")), "{text}");
        assert!(lines.next().is_some_and(|line| line.starts_with("version_info: ")), "{text}");
        assert_eq!(read(&text), Some((source.version.clone(), source.resources().to_vec())), "{text}");
    }
    for broken in ["", "version_info: a", "- 1", "version_info: [", "version_info: a\nresources: 1\n"] {
        assert_eq!(read(broken), None, "{broken}");
    }
}

#[test]
fn a_union_keeps_the_newer_of_a_name() {
    let split = split(&[]);
    let clusters = &split.sources[1];
    let old = [json!({"name": "outbound|80||c.d", "old": true}), json!({"name": "gone"})];
    let union = clusters.with(&old);
    let names: Vec<_> = union.resources().iter().map(|cluster| cluster["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["outbound|80|v1|a.b", "outbound|80||c.d", "gone"]);
    assert_eq!(union.resources()[1].get("old"), None);
    assert_ne!(union.version, clusters.version);
    assert_eq!(clusters.with(&[]), *clusters);
}

#[test]
fn endpoints_of_many_clusters_stay_where_they_are() {
    let of = |count: usize| {
        let cluster =
            |at| json!({"name": format!("c{at}"), "type": "STATIC", "load_assignment": {"cluster_name": "c"}});
        let clusters: Vec<_> = (0..count).map(cluster).collect();
        dynamic(json!({"static_resources": {"clusters": clusters, "listeners": []}}), Path::new("/live"))
    };
    assert_eq!(of(MOST_ENDPOINTS).sources.len(), MOST_ENDPOINTS + 2);
    let many = of(MOST_ENDPOINTS + 1);
    assert_eq!(files(&many), [CLUSTERS, LISTENERS]);
    assert_eq!(many.sources[0].resources()[0]["type"], "STATIC");
}
