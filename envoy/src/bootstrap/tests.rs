use super::*;

use crate::diagnostic::human;
use crate::manifest::{Input, Manifests, read_sources};
use crate::translate::{Around, Options};
use serde_json::Map;

const SERVICES: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop, namespace: demo}
spec:
  hosts: [shop.demo.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 90, name: calls, protocol: GRPC}]
  endpoints:
  - {address: 127.0.0.1, ports: {http: 8001}, labels: {version: v1}, locality: eu/a, weight: 3}
  - {address: '::1', labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop, namespace: demo}
spec: {host: shop, subsets: [{name: v1, labels: {version: v1}}, {name: v9, labels: {version: v9}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside, namespace: demo}
spec:
  hosts: [api.example.com]
  resolution: DNS
  ports: [{number: 443, name: http, protocol: HTTP, targetPort: 8443}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: outside, namespace: demo}
spec: {host: api.example.com, subsets: [{name: none, labels: {version: none}}]}
";

const MESH: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: demo}
spec:
  hosts: [shop]
  http:
  - name: asked
    match:
    - headers: {x-plan: {exact: gold}, user-type: {exact: a}, cookie: {regex: '.*x=1.*'}, ':method': {exact: GET}}
      queryParams: {beta: {exact: '1'}}
    route: [{destination: {host: shop, port: {number: 80}}}]
  - name: rest
    route:
    - {destination: {host: shop, subset: v1, port: {number: 80}}, weight: 1}
    - {destination: {host: shop, port: {number: 80}}, weight: 1}
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: shop, namespace: demo}
spec:
  tags:
  - {header: user-type, split: [{value: a, weight: 1}, {value: b, weight: 1}], stickyBy: {httpHeaderName: x-plan}}
  - {header: tier, trustClient: true, split: [{value: a, weight: 1}]}
  - {header: plain, split: [{value: a, weight: 1}]}
  sticky: [{virtualService: shop, rule: rest, by: {httpQueryParameterName: user}}]
";

const EDGE: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: demo}
spec:
  servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*']}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge, namespace: demo}
spec:
  hosts: [www.example.com]
  gateways: [edge]
  http: [{route: [{destination: {host: shop, port: {number: 80}}}]}]
";

fn manifests(texts: &[&str]) -> Manifests {
    let texts = texts.iter().map(|text| Input { name: "all.yaml".into(), bytes: text.as_bytes().to_vec() });
    read_sources(texts.collect(), None).unwrap_or_else(|error| panic!("{error:?}"))
}

fn model<'a>(manifests: &'a Manifests, options: &Options) -> Model<'a> {
    Model::new(manifests, options).unwrap_or_else(|said| panic!("{}", human(&said, false)))
}

fn settings() -> Settings {
    Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 10000)),
        edge: [127, 0, 0, 1].into(),
        admin: SocketAddr::from(([127, 0, 0, 1], 9901)),
        wasm: "/opt/filter.wasm".into(),
        record: None,
        record_all_headers: false,
        trusted_hops: 0,
    }
}

fn generated(texts: &[&str], settings: &Settings) -> Generated {
    let manifests = manifests(texts);
    generate(&model(&manifests, &Options::default()), settings).unwrap_or_else(|said| panic!("{}", human(&said, false)))
}

/// The connection manager of a listener.
fn manager(generated: &Generated, listener: usize) -> &Value {
    &generated.bootstrap["static_resources"]["listeners"][listener]["filter_chains"][0]["filters"][0]["typed_config"]
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect()
}

#[test]
fn there_is_a_cluster_for_each_host_port_and_subset_as_istio_names_them() {
    let generated = generated(&[SERVICES, MESH], &settings());
    let clusters = generated.bootstrap["static_resources"]["clusters"].as_array().expect("list");
    let shown: Vec<_> = clusters
        .iter()
        .map(|cluster| {
            let hosts: usize = cluster["load_assignment"]["endpoints"]
                .as_array()
                .expect("list")
                .iter()
                .map(|locality| locality["lb_endpoints"].as_array().expect("list").len())
                .sum();
            let http2 = if cluster["typed_extension_protocol_options"].is_object() { " http2" } else { "" };
            let name = cluster["name"].as_str().expect("text");
            let kind = cluster["type"].as_str().or(cluster["cluster_type"]["name"].as_str()).expect("text");
            format!("{name} {kind} {hosts}{http2}")
        })
        .collect();
    assert_eq!(
        shown,
        [
            "outbound|443||api.example.com envoy.cluster.dns 1",
            "outbound|80||shop.demo.svc.cluster.local STATIC 2",
            "outbound|80|v1|shop.demo.svc.cluster.local STATIC 1",
            "outbound|80|v9|shop.demo.svc.cluster.local STATIC 0",
            "outbound|90||shop.demo.svc.cluster.local STATIC 2 http2",
            "outbound|90|v1|shop.demo.svc.cluster.local STATIC 1 http2",
            "outbound|90|v9|shop.demo.svc.cluster.local STATIC 0 http2",
        ],
        "none where there is no name to resolve"
    );
    insta::assert_snapshot!(to_yaml(&clusters[0]), @r#"
    name: "outbound|443||api.example.com"
    alt_stat_name: "outbound|443||api.example.com;"
    connect_timeout: "10s"
    lb_policy: LEAST_REQUEST
    circuit_breakers:
      thresholds:
        - max_connections: 4294967295
          max_pending_requests: 4294967295
          max_requests: 4294967295
          max_retries: 4294967295
    cluster_type:
      name: envoy.cluster.dns
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster
        dns_jitter: "0.100s"
        dns_lookup_family: V4_PREFERRED
        dns_refresh_rate: "60s"
        respect_dns_ttl: true
    load_assignment:
      cluster_name: "outbound|443||api.example.com"
      endpoints:
        - load_balancing_weight: 1
          lb_endpoints:
            - load_balancing_weight: 1
              endpoint:
                address:
                  socket_address:
                    address: api.example.com
                    port_value: 8443
    "#);
    insta::assert_snapshot!(to_yaml(&clusters[1]["load_assignment"]), @r#"
    cluster_name: "outbound|80||shop.demo.svc.cluster.local"
    endpoints:
      - load_balancing_weight: 1
        lb_endpoints:
          - load_balancing_weight: 1
            endpoint:
              address:
                socket_address:
                  address: "::1"
                  port_value: 80
      - load_balancing_weight: 3
        lb_endpoints:
          - load_balancing_weight: 3
            endpoint:
              address:
                socket_address:
                  address: "127.0.0.1"
                  port_value: 8001
        locality:
          region: eu
          zone: a
    "#);
}

#[test]
fn what_nobody_outside_may_set_is_removed_first() {
    let generated = generated(&[SERVICES, MESH, EDGE], &settings());
    let mutations = |listener| {
        let early = &manager(&generated, listener)["early_header_mutation_extensions"][0]["typed_config"]["mutations"];
        let one = |mutation: &Value| {
            let regex = &mutation["remove_on_match"]["key_matcher"]["safe_regex"]["regex"];
            regex.as_str().or(mutation["remove"].as_str()).expect("a removal").to_owned()
        };
        early.as_array().expect("list").iter().map(one).collect::<Vec<_>>()
    };
    let control = ["x[-_]switchyard[-_].*", "x[-_]envoy[-_]fault[-_].*"];
    // `tier` trusts its client.
    assert_eq!(mutations(0), [&control[..], &["user[-_]type", "plain"]].concat());
    // A gateway makes its own request ids.
    assert_eq!(mutations(1), [&control[..], &["user[-_]type", "plain", "x-request-id"]].concat());
}

#[test]
fn what_only_observes_takes_no_header_that_was_of_use_before() {
    let observing = MESH.replace("spec:\n  tags:", "spec:\n  mode: observe\n  tags:");
    assert_ne!(observing, MESH);
    let generated = generated(&[SERVICES, &observing, EDGE], &settings());
    for listener in [0, 1] {
        let early = &manager(&generated, listener)["early_header_mutation_extensions"][0]["typed_config"]["mutations"];
        // Control headers only: the generated route and fault filter go by them.
        assert_eq!(early.as_array().map(Vec::len), Some(2), "{early}");
        assert!(early.as_array().expect("list").iter().all(|mutation| mutation["remove"].is_null()), "{early}");
    }
}

#[test]
fn a_gateway_has_its_own_port_and_trusts_only_the_proxies_it_is_told() {
    let generated = generated(&[SERVICES, MESH, EDGE], &Settings { trusted_hops: 2, ..settings() });
    let listeners = &generated.bootstrap["static_resources"]["listeners"];
    let ports: Vec<_> = listeners
        .as_array()
        .expect("list")
        .iter()
        .map(|listener| (listener["name"].as_str(), listener["address"]["socket_address"]["port_value"].as_u64()))
        .collect();
    assert_eq!(ports, [(Some("mesh"), Some(10000)), (Some("gateway-8080"), Some(8080))]);
    let (mesh, edge) = (manager(&generated, 0), manager(&generated, 1));
    assert_eq!(edge["xff_num_trusted_hops"], 2);
    assert_eq!(mesh["xff_num_trusted_hops"], Value::Null);
    assert_eq!(mesh["preserve_external_request_id"], true);
    assert_eq!(edge["preserve_external_request_id"], Value::Null);
    for manager in [mesh, edge] {
        assert_eq!(manager["use_remote_address"], true);
        assert_eq!(manager["internal_address_config"]["cidr_ranges"][0]["address_prefix"], "255.255.255.255");
    }

    let manifests = manifests(&[SERVICES, MESH, EDGE]);
    let taken = Settings { listen: SocketAddr::from(([127, 0, 0, 1], 8080)), ..settings() };
    let said = generate(&model(&manifests, &Options::default()), &taken).expect_err("one port for two");
    insta::assert_snapshot!(human(&said, false), @r#"
    error: port 8080 is that of the mesh
     --> all.yaml:6:29
      |
    6 |   servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*']}]
      |                             ^^^^
      |
      = help: give the mesh another one: `--listen ADDRESS:PORT`
    "#);
}

#[test]
fn a_recording_holds_what_decides_and_no_secret() {
    let settings = Settings { record: Some("/tmp/rec.json".into()), ..settings() };
    let generated = generated(&[SERVICES, MESH, EDGE], &settings);
    let log = |listener: usize| &manager(&generated, listener)["access_log"][0]["typed_config"];
    let format = &log(0)["log_format"]["json_format"];
    assert_eq!(log(0)["path"], "/tmp/rec.json");
    assert_eq!(manager(&generated, 0)["access_log_options"]["flush_access_log_on_new_request"], true);
    // Neither the cookie nor the subject `x-plan`.
    assert_eq!(keys(&format["h"]), ["content-type", "grpc-timeout", "tier", "user-type"]);
    assert_eq!(format["hp"], "listed");
    assert_eq!((&format["p"], &format["qp"]), (&"%PATH(NQ:PATH)%".into(), &"dropped".into()));
    assert_eq!(format["listener"], "mesh");
    insta::assert_snapshot!(generated.warnings.join("\n"), @r#"
    the recording of `mesh` does not hold the values of header `cookie`, so requests whose rules ask for them cannot be replayed (`--record-headers all` holds everything)
    the recording of `mesh` does not hold the values of header `x-plan`, so requests whose rules ask for them cannot be replayed (`--record-headers all` holds everything)
    the recording of `mesh` does not hold queries, so requests whose rules ask for them cannot be replayed (`--record-headers all` holds everything)
    "#);

    let all = Settings { record_all_headers: true, ..settings };
    let everything = self::generated(&[SERVICES, EDGE], &all);
    let format = &manager(&everything, 0)["access_log"][0]["typed_config"]["log_format"]["json_format"];
    assert_eq!((&format["h"], &format["hp"]), (&"%TYPED_CEL(request.headers)%".into(), &Value::Null));
    insta::assert_snapshot!(everything.warnings.join("\n"), @r#"the recording of `gateway-8080` holds every header, cookies and credentials too: keep it as you keep those"#);
}

#[test]
fn a_source_address_that_is_a_subject_is_not_recorded() {
    let settings = Settings { record: Some("/tmp/rec.json".into()), ..settings() };
    let address = |mesh: &str| {
        let generated = generated(&[SERVICES, mesh], &settings);
        manager(&generated, 0)["access_log"][0]["typed_config"]["log_format"]["json_format"]["ra"].clone()
    };
    assert_eq!(address(MESH), "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%");
    assert_eq!(address(&MESH.replace("httpQueryParameterName: user", "useSourceIp: true")), Value::Null);
}

#[test]
fn without_a_recording_envoys_line_ends_with_the_decision() {
    let generated = generated(&[SERVICES, MESH], &settings());
    let log = &manager(&generated, 0)["access_log"][0];
    assert_eq!(log["name"], "envoy.access_loggers.stdout");
    let line = log["typed_config"]["log_format"]["text_format_source"]["inline_string"].as_str().expect("text");
    assert!(line.starts_with("[%START_TIME%] \"%REQ(:METHOD)% "), "{line}");
    assert!(line.ends_with("%FILTER_STATE(wasm.switchyard_cluster:PLAIN)%\n"), "{line}");
    assert_eq!(generated.warnings, [] as [&str; 0]);
}

#[test]
fn the_filter_gets_a_document_that_it_compiles() {
    let generated = generated(&[SERVICES, MESH, EDGE], &settings());
    for listener in [0, 1] {
        let wasm = &manager(&generated, listener)["http_filters"][0]["typed_config"]["config"];
        let text = wasm["configuration"]["value"].as_str().expect("text");
        switchyard_filter::compile_json(text.as_bytes()).expect("compiles");
        assert_eq!(wasm["vm_config"]["code"]["local"]["filename"], "/opt/filter.wasm");
        assert_eq!(wasm["failure_policy"], "FAIL_RELOAD");
    }
}

#[test]
fn paths_are_written_absolute() {
    let generated = generated(&[SERVICES, MESH], &Settings { wasm: "filter.wasm".into(), ..settings() });
    let wasm = &manager(&generated, 0)["http_filters"][0]["typed_config"]["config"];
    let path = wasm["vm_config"]["code"]["local"]["filename"].as_str().expect("text");
    assert!(path.starts_with('/') && path.ends_with("/filter.wasm"), "{path}");
}

#[test]
fn equal_input_gives_equal_text_and_reads_back() {
    let texts = [SERVICES, MESH, EDGE];
    let (a, b) = (generated(&texts, &settings()), generated(&texts, &settings()));
    let text = to_yaml(&a.bootstrap);
    assert_eq!(text, to_yaml(&b.bootstrap));
    let (documents, problems) = crate::yaml::load(&text);
    assert_eq!(problems, []);
    assert_eq!(documents[0].to_json(), a.bootstrap);
}

#[test]
fn a_route_has_a_policy_for_each_mirror_of_the_rule_with_the_most() {
    let route = |mirrors: &str| {
        let rules = format!(
            "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop, namespace: demo}}
spec:
  hosts: [shop]
  http:
  - {{name: one, match: [{{uri: {{exact: /}}}}], mirror: {{host: shop, port: {{number: 90}}}}, route: [{{destination: {{host: shop}}}}]}}
  - {{name: rest, {mirrors} route: [{{destination: {{host: shop}}}}]}}"
        );
        let generated = generated(&[SERVICES, &rules], &settings());
        let route = &manager(&generated, 0)["route_config"]["virtual_hosts"][0]["routes"][0];
        assert_eq!(route["name"], "decided");
        route["route"]["request_mirror_policies"].clone()
    };
    let own = |number: usize, all: &[&str]| {
        let removed: Vec<_> = all.iter().map(|name| json!({"remove": name})).collect();
        json!({
            "cluster_header": format!("x-switchyard-mirror-{number}"),
            "trace_sampled": false,
            "disable_shadow_host_suffix_append": true,
            "request_headers_mutations": removed,
        })
    };
    let one = ["x-switchyard-mirror-1", "x-switchyard-hash"];
    assert_eq!(route(""), json!([own(1, &one)]));
    let two = ["x-switchyard-mirror-1", "x-switchyard-mirror-2", "x-switchyard-hash"];
    let mirror = "{destination: {host: shop, port: {number: 90}}}";
    assert_eq!(route(&format!("mirrors: [{mirror}, {mirror}],")), json!([own(1, &two), own(2, &two)]));
}

#[test]
fn the_parts_are_for_an_envoy_that_has_routes() {
    let manifests = manifests(&[SERVICES, MESH, EDGE]);
    let options = Options { around: Around::Parts, ..Options::default() };
    let parts = parts(&model(&manifests, &options), &settings()).expect("right");
    assert_eq!(
        parts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        [
            "clusters.yaml",
            "stats-config.yaml",
            "mesh-http-filters.yaml",
            "mesh-early-header-mutation.yaml",
            "mesh-routes.yaml",
            "gateway-8080-http-filters.yaml",
            "gateway-8080-early-header-mutation.yaml",
            "gateway-8080-routes.yaml",
        ]
    );
    let document =
        parts[2].1["http_filters"][0]["typed_config"]["config"]["configuration"]["value"].as_str().expect("text");
    assert!(!document.contains("onUnmatched"), "requests of no virtual host are left to the routes behind ours");
    insta::assert_snapshot!(to_yaml(&parts[4].1), @r#"
    routes:
      - name: decided
        match:
          prefix: ""
          headers:
            - name: x-switchyard-cluster
              present_match: true
        request_headers_to_remove:
          - x-switchyard-cluster
          - x-envoy-fault-abort-grpc-request
          - x-envoy-fault-abort-request
          - x-envoy-fault-abort-request-percentage
          - x-envoy-fault-delay-request
          - x-envoy-fault-delay-request-percentage
          - x-envoy-fault-throughput-response
          - x-envoy-fault-throughput-response-percentage
        route:
          cluster_header: x-switchyard-cluster
          timeout: "0s"
          hash_policy:
            - header:
                header_name: x-switchyard-hash
          retry_policy:
            host_selection_retry_max_attempts: 5
            retry_host_predicate:
              - name: envoy.retry_host_predicates.previous_hosts
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate
    "#);
}

#[test]
fn addresses_that_two_would_have_and_files_that_cannot_be_are_told_before_envoy_stumbles() {
    let manifests = manifests(&[SERVICES, MESH, EDGE]);
    let model = model(&manifests, &Options::default());
    let at = |text: &str| text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    let said = |settings: Settings| -> Vec<String> {
        let said = generate(&model, &settings).err().unwrap_or_default();
        said.into_iter().map(|found| found.message).collect()
    };
    assert_eq!(said(settings()), [""; 0]);
    let taken = "`127.0.0.1:9901` (the mesh) and `0.0.0.0:9901` (the admin interface) are one address";
    assert_eq!(said(Settings { listen: at("127.0.0.1:9901"), admin: at("0.0.0.0:9901"), ..settings() }), [taken]);
    assert_eq!(said(Settings { listen: at("127.0.0.1:9901"), admin: at("127.0.0.2:9901"), ..settings() }), [""; 0]);
    let gateway = "port 8080 is that of the admin interface";
    assert_eq!(said(Settings { admin: at("127.0.0.1:8080"), ..settings() }), [gateway]);

    let here = env!("CARGO_MANIFEST_DIR");
    let files = Settings { wasm: format!("{here}/Cargo.toml").into(), record: Some(here.into()), ..settings() };
    let wrong = [
        format!("`{here}/Cargo.toml` is no WebAssembly module"),
        format!("a recording cannot be written to `{here}`: it is a folder"),
    ];
    assert_eq!(said(files.clone()), wrong);
    let parts = parts(&model, &files).expect_err("the same").into_iter().map(|found| found.message);
    assert_eq!(parts.collect::<Vec<_>>(), wrong);
}
