//! What `generate` writes is taken by real Envoys, the oldest and the newest that are supported, and routes.

#![cfg(not(target_family = "wasm"))]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use switchyard_envoy::bootstrap::to_yaml;
use switchyard_envoy::yaml;
use switchyard_tests::generated::{Bootstrap, Site, configure, echoed, gateway, insert, manager, service};
use switchyard_tests::harness::{
    Client, Echo, Launch, Request, envoy_binary, envoy_binary_of, free_port, released_wasm, validate_with,
};
use tempfile::TempDir;

const SUPPORTED: [&str; 2] = ["1.36.2", "1.40.0"];

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn demo() -> String {
    let folder = Path::new(ROOT).join("manifests/demo");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 4);
    let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    texts.join("\n---\n")
}

/// A mesh and two gateways; hosts with fixed addresses, names to resolve in both ways, HTTP/2; names and values that
/// need escapes somewhere; every kind of sticky.
fn everything(ports: [u16; 2]) -> String {
    let v1 = ([127, 0, 0, 1], 9).into();
    let v2 = ([127, 0, 0, 2], 9).into();
    let more = "
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside, namespace: workshop}
spec:
  hosts: [api.example.com]
  resolution: DNS
  ports: [{number: 443, name: http, protocol: HTTP, targetPort: 8443}, {number: 444, name: h2, protocol: HTTP2}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: single, namespace: workshop}
spec:
  hosts: [single.example.com]
  resolution: DNS_ROUND_ROBIN
  ports: [{number: 80, name: grpc, protocol: GRPC}]
  endpoints: [{address: backend.example.com, locality: eu/a/1, weight: 3}]
---
apiVersion: v1
kind: Service
metadata: {name: plain, namespace: workshop}
spec: {ports: [{port: 8080, name: http2-calls}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: all, namespace: workshop}
spec:
  hosts: ['*.example.com', shop.workshop.svc.cluster.local]
  gateways: [mesh, edge, inner]
  http:
  - name: odd
    match:
    - headers:
        x-odd!#$&'*+.^_`|~: {exact: \"it's \\\"quoted\\\" %REQ(X)% \\\\ \\u00e9\"}
        cookie: {regex: '.*%.*'}
        x-under_score.dot: {prefix: a}
      queryParams: {'a%b': {exact: \"'\"}}
      uri: {regex: '/(a|b)%[^/]+'}
    rewrite: {uri: '/%DOWNSTREAM_REMOTE_ADDRESS%'}
    route: [{destination: {host: api.example.com, port: {number: 444}}}]
  - name: sticky
    match: [{withoutHeaders: {x-none: {}}, ignoreUriCase: true, uri: {exact: /A}}]
    timeout: 3s
    retries: {attempts: 3, perTryTimeout: 1s, retryOn: '5xx,cancelled,503'}
    route:
    - {destination: {host: shop, subset: v1}, weight: 3}
    - {destination: {host: single.example.com}, weight: 5}
    - {destination: {host: plain, port: {number: 8080}}, weight: 7}
  - route: [{destination: {host: shop, subset: v2}}]
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: all, namespace: workshop}
spec:
  seed: \"%START_TIME% ' \\\" \\\\ \\u20ac\"
  tags:
  - {header: a.b-c_d, split: [{value: x, weight: 1}, {value: '%', weight: 2}], stickyBy: {httpHeaderName: x-user}}
  - {header: x-trusted, trustClient: true, rules: [{match: [{sourceIp: ['10.0.0.0/8', 'fd00::/8']}], value: z}]}
  - {header: x-asked, split: [{value: x, weight: 1}, {value: z, weight: 2}], stickyBy: {httpQueryParameterName: 'a%b'}}
  - {header: ours, hosts: [shop], split: [{value: z, weight: 1}], stickyBy: {useSourceIp: true}}
  sticky: [{virtualService: all, rule: sticky, by: {httpCookie: {name: uid, path: /, ttl: 1h}}}]
";
    [more, &service("shop", &[("v1", v1), ("v2", v2)]), &gateway("edge", ports[0]), &gateway("inner", ports[1])]
        .concat()
}

#[tokio::test]
async fn both_supported_envoys_take_what_is_generated() {
    let folder = TempDir::new().unwrap();
    let site = |text: &str| Site::new(text).unwrap();
    let everything = everything([free_port(), free_port()]);
    let sites = [
        ("the demo", site(&demo())),
        ("the demo, recorded", site(&demo()).record(folder.path().join("demo"), false)),
        ("everything, recorded", site(&everything).trusted_hops(2).record(folder.path().join("listed"), false)),
        ("everything, recorded with all headers", site(&everything).record(folder.path().join("all"), true)),
    ];
    for (what, site) in &sites {
        let bootstrap = site.bootstrap().unwrap_or_else(|said| panic!("{what}: {said}"));
        let [older, newer] = SUPPORTED.map(|version| validate(&bootstrap.value, version));
        let (older, newer) = tokio::join!(older, newer);
        older.and(newer).unwrap_or_else(|said| panic!("{what}: {said}"));
    }
}

/// Whether an Envoy of this version takes this bootstrap, written as `generate` writes it.
async fn validate(bootstrap: &Value, version: &str) -> Result<(), String> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("envoy.yaml");
    std::fs::write(&file, to_yaml(bootstrap)).unwrap();
    let said = validate_with(&envoy_binary_of(version).unwrap(), &file).await;
    said.map_err(|said| format!("Envoy {version}: {said}"))
}

/// The mesh and two gateways, each with its own rules.
const LISTENERS: &str = "
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: mesh, namespace: workshop}
spec: {hosts: [shop], http: [{rewrite: {uri: /mesh}, route: [{destination: {host: shop, subset: v1}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge, namespace: workshop}
spec: {hosts: [a.example.com], gateways: [edge], http: [{rewrite: {uri: /edge}, route: [{destination: {host: shop, subset: v2}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: inner, namespace: workshop}
spec: {hosts: [a.example.com], gateways: [inner], http: [{rewrite: {uri: /inner}, route: [{destination: {host: shop, subset: v1}}]}]}
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: tags, namespace: workshop}
spec: {tags: [{header: user-type, split: [{value: external, weight: 1}]}]}
";

async fn upstreams() -> (Echo, Echo) {
    let start = async |name: &str| Echo::named(name).start().await.unwrap();
    (start("v1").await, start("v2").await)
}

/// Where a path goes from here, without an absolute word in it.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap();
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    up.join(path.strip_prefix("/").unwrap())
}

#[tokio::test]
async fn the_mesh_and_gateways_are_served_on_their_ports_from_any_folder() {
    let (v1, v2) = upstreams().await;
    let (edge, inner) = (free_port(), free_port());
    let services = service("shop", &[("v1", v1.address()), ("v2", v2.address())]);
    let folder = TempDir::new().unwrap();
    let record = folder.path().join("recording.json");
    let text = [LISTENERS, &services, &gateway("edge", edge), &gateway("inner", inner)].concat();
    let mut site = Site::new(&text).unwrap().record(relative(&record), false);
    // Meant from the folder of `generate`, and Envoy runs in another one.
    site.settings.wasm = relative(&released_wasm());
    site.settings.listen.set_port(free_port());
    let file = folder.path().join("envoy.yaml");
    site.bootstrap().unwrap().write(&file).unwrap();
    let elsewhere = folder.path().join("envoy-elsewhere");
    let script = format!("#!/bin/sh\ncd / && exec '{}' \"$@\"\n", envoy_binary().unwrap().display());
    std::fs::write(&elsewhere, script).unwrap();
    std::fs::set_permissions(&elsewhere, Permissions::from_mode(0o755)).unwrap();
    let envoy = Launch::new(&file).binary(&elsewhere).start().await.unwrap();
    assert_eq!(std::fs::read_link(format!("/proc/{}/cwd", envoy.id())).unwrap(), Path::new("/"));

    let mesh = site.settings.listen.port();
    for (port, host, expected) in [
        (mesh, "shop", Some(("v1", "/mesh"))),
        (mesh, "shop.workshop:3000", Some(("v1", "/mesh"))),
        (mesh, "a.example.com", None),
        (edge, "a.example.com", Some(("v2", "/edge"))),
        (inner, "A.example.com:80", Some(("v1", "/inner"))),
        (edge, "shop", None),
        (inner, "shop", None),
    ] {
        let mut client = Client::new(([127, 0, 0, 1], port).into());
        let response = client.get(host, "/x").await.unwrap();
        let Some((upstream, path)) = expected else {
            assert_eq!(response.status, 404, "{host} on {port}");
            continue;
        };
        let said = response.json().unwrap();
        assert_eq!(
            (&said["upstream"], &said["path"]),
            (&json!(upstream), &json!(format!("{path}x"))),
            "{host} on {port}"
        );
    }
    envoy.stop().await.unwrap();
    assert_eq!(std::fs::read_to_string(&record).unwrap().lines().count(), 14);
    assert_eq!(site.replay(&record).unwrap().report.parity.percent, Some(100.0));
}

/// An Envoy as somebody wrote it by hand.
const BY_HAND: &str = r#"
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          http_filters:
          - name: own
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
              mutations: {request_mutations: [{append: {header: {key: x-own, value: filter}}}]}
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - {match: {prefix: /}, route: {cluster: own}}
  clusters:
  - name: own
    load_assignment:
      cluster_name: own
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9}}}}]}]
"#;

#[tokio::test]
async fn the_parts_work_in_an_envoy_that_exists_already() {
    let (v1, v2) = upstreams().await;
    let own = Echo::named("own").start().await.unwrap();
    let services = service("shop", &[("v1", v1.address()), ("v2", v2.address())]);
    let (edge, inner) = (free_port(), free_port());
    let text = [LISTENERS, &services, &gateway("edge", edge), &gateway("inner", inner)].concat();
    let parts = Site::new(&text).unwrap().parts().unwrap();
    assert_eq!(parts.len(), 11);
    // As they are written, and read by whoever puts them together.
    let read = |text: &str| {
        let (documents, problems) = yaml::load(text);
        assert_eq!(problems, []);
        documents[0].to_json()
    };
    let parts = parts.into_iter().map(|(name, part)| (name, read(&to_yaml(&part)))).collect();
    for (name, host, upstream) in
        [("mesh".to_owned(), "shop", "v1"), (format!("gateway-{edge}"), "a.example.com", "v2")]
    {
        let mut bootstrap =
            read(&BY_HAND.replace("port_value: 9}", &format!("port_value: {}}}", own.address().port())));
        insert(&mut bootstrap["static_resources"]["listeners"][0], &parts, &name);
        let clusters = parts["clusters.yaml"]["clusters"].as_array().unwrap().clone();
        bootstrap["static_resources"]["clusters"].as_array_mut().unwrap().extend(clusters);
        bootstrap["stats_config"] = parts["stats-config.yaml"]["stats_config"].clone();
        let [older, newer] = SUPPORTED.map(|version| validate(&bootstrap, version));
        let (older, newer) = tokio::join!(older, newer);
        older.and(newer).unwrap_or_else(|said| panic!("{name}: {said}"));

        let envoy = Bootstrap { value: bootstrap, warnings: Vec::new() }.start().await.unwrap();
        let mut client = Client::new(envoy.listener("front").await.unwrap());
        let forged = |host: &str| {
            let request =
                Request::new("GET", host, "/x").header("X-Switchyard-Cluster", "own").header("User_Type", "internal");
            request.header("x-envoy-fault-abort-request", "418").header("user-type", "internal")
        };
        // What the policy knows goes by it, the rest as before; nobody steers.
        for (host, upstream, tag) in [(host, upstream, &["external"][..]), ("unknown", "own", &[])] {
            let said = client.send(&forged(host)).await.unwrap().json().unwrap();
            assert_eq!(
                (&said["upstream"], echoed(&said, "x-own")),
                (&json!(upstream), vec!["filter"]),
                "{host} on {name}"
            );
            assert_eq!(
                (echoed(&said, "user-type"), echoed(&said, "user_type")),
                (tag.to_vec(), vec![]),
                "{host} on {name}"
            );
            assert_eq!(echoed(&said, "x-switchyard-cluster"), [""; 0], "{host} on {name}");
        }
    }
}

#[tokio::test]
async fn a_wrong_plugin_configuration_is_told_by_its_field() {
    let services = service("shop", &[("v1", ([127, 0, 0, 1], 9).into()), ("v2", ([127, 0, 0, 1], 9).into())]);
    let text = [LISTENERS, &services, &gateway("edge", free_port()), &gateway("inner", free_port())].concat();
    let mut bootstrap = Site::new(&text).unwrap().bootstrap().unwrap();
    configure(manager(bootstrap.listener("mesh")), |document| {
        document["virtualServices"][0]["http"][0]["match"] = json!([{"uri": {"regex": "("}}]);
        document["tags"][0]["split"][0]["weight"] = json!(-1);
    });
    for version in SUPPORTED {
        let said = validate(&bootstrap.value, version).await.unwrap_err();
        for field in ["virtualServices[0].http[0].match[0].uri.regex: ", "tags[0].split[0].weight: "] {
            assert!(said.contains(&format!("switchyard: configuration refused: {field}")), "{said}");
        }
    }
    configure(manager(bootstrap.listener("mesh")), |document| document["virtualService"] = json!([]));
    let said = validate(&bootstrap.value, SUPPORTED[1]).await.unwrap_err();
    assert!(said.contains("`virtualService` is unknown") || said.contains("unknown field"), "{said}");
}
