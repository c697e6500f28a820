//! Nobody steers from outside, in a real Envoy: with both layers, with either alone, on the mesh and on a gateway.

#![cfg(not(target_family = "wasm"))]

use serde_json::{Value, json};
use switchyard_envoy::translate::Around;
use switchyard_filter::headers::{ROUTER_HINTS, same_spelling};
use switchyard_tests::generated::{Bootstrap, Site, bypass, configure, echoed, gateway, manager, service};
use switchyard_tests::harness::{Client, Echo, Envoy, Request, Response, free_port};

/// Everything goes to v1, unless it is tagged `internal`, which nobody from here can be; nothing goes to the vault.
const POLICY: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: workshop}
spec:
  hosts: [shop, www.example.com]
  gateways: [mesh, edge]
  http:
  - match: [{headers: {user-type: {exact: internal}}}, {headers: {tier: {exact: gold}}}]
    route: [{destination: {host: shop, subset: v2}}]
  - route: [{destination: {host: shop, subset: v1}}]
    retries: {attempts: 0}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ill, namespace: workshop}
spec:
  hosts: [ill]
  http: [{route: [{destination: {host: ill}}], retries: {attempts: 0}}]
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: shop, namespace: workshop}
spec:
  tags:
  - header: user-type
    rules: [{match: [{sourceIp: [10.0.0.0/8]}], value: internal}]
    split: [{value: external, weight: 1}]
  - header: tier
    hosts: [shop, www.example.com]
    rules: [{match: [{sourceIp: [10.0.0.0/8]}], value: gold}]
";

const VAULT: &str = "outbound|3000||vault.workshop.svc.cluster.local";

/// What a client sends in the hope of it.
const FORGED: [(&str, &str); 10] = [
    ("x-switchyard-cluster", VAULT),
    ("user-type", "internal"),
    ("tier", "gold"),
    ("x-switchyard-mirror-1", VAULT),
    ("x-switchyard-hash", "chosen"),
    ("x-envoy-fault-abort-request", "418"),
    ("x-envoy-fault-abort-request-percentage", "100"),
    ("x-envoy-fault-abort-grpc-request", "7"),
    ("x-envoy-fault-delay-request", "20"),
    ("x-envoy-fault-delay-request-percentage", "100"),
];

/// The upstreams of a site.
struct Upstreams {
    v1: Echo,
    v2: Echo,
    vault: Echo,
    ill: Echo,
}

impl Upstreams {
    async fn start() -> Self {
        let start = async |name: &str, status| Echo::named(name).status(status).start().await.unwrap();
        Self {
            v1: start("v1", 200).await,
            v2: start("v2", 200).await,
            vault: start("vault", 200).await,
            ill: start("ill", 500).await,
        }
    }

    fn site(&self, policy: &str, port: u16) -> Site {
        let services = [
            service("shop", &[("v1", self.v1.address()), ("v2", self.v2.address())]),
            service("vault", &[("v1", self.vault.address())]),
            service("ill", &[("v1", self.ill.address())]),
        ];
        Site::new(&[policy, &services.concat(), &gateway("edge", port)].concat()).unwrap()
    }
}

/// The route that would take a forged mirror at its word.
fn with_mirrors(manager: &mut Value) {
    let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap();
    let decided = routes.iter_mut().find(|route| route["name"] == "decided").unwrap();
    decided["route"]["request_mirror_policies"] = json!([{"cluster_header": "x-switchyard-mirror-1"}]);
}

/// Takes the connection manager's layer away.
fn strip_nothing_early(manager: &mut Value) {
    let taken = manager.as_object_mut().unwrap().remove("early_header_mutation_extensions");
    assert!(taken.is_some(), "the generated connection manager strips by itself");
}

/// Switches the filter's layer.
fn strip_in_filter(manager: &mut Value, on: bool) {
    configure(manager, |document| document["controlHeaders"] = if on { "remove" } else { "stripped" }.into());
}

/// As a client may write a name.
fn spellings(name: &str) -> [String; 4] {
    let mixed: Vec<String> = name.split('-').map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect();
    [name.to_owned(), mixed.join("-"), mixed.join("_"), name.to_ascii_uppercase()]
}

/// Each forged header alone and all of them, in each spelling; once, twice, twice in different spellings, and in a way
/// that asks proxies to drop the header on their way.
fn attacks(host: &str) -> Vec<Request> {
    let mut all = Vec::new();
    let plain = || Request::new("GET", host, "/");
    for spelling in 0..4 {
        let spelled: Vec<_> = FORGED.iter().map(|(name, value)| (spellings(name)[spelling].clone(), *value)).collect();
        let other: Vec<_> = FORGED.iter().map(|(name, _)| spellings(name)[(spelling + 1) % 4].clone()).collect();
        for ((name, value), other) in spelled.iter().zip(&other) {
            all.push(plain().header(name, *value));
            all.push(plain().header(name, *value).header(name, *value));
            all.push(plain().header(other, "x").header(name, *value).header(other, *value));
            all.push(plain().header(name, *value).header("Connection", name.as_str()));
        }
        let once =
            |request: Request| spelled.iter().fold(request, |request, (name, value)| request.header(name, *value));
        let both =
            other.iter().zip(&spelled).fold(once(plain()), |request, (name, (_, value))| request.header(name, *value));
        all.extend([once(plain()), once(once(plain())), both]);
    }
    all
}

fn counts_as(name: &str, known: &str) -> bool {
    same_spelling(name.to_ascii_lowercase().as_bytes(), known.as_bytes())
}

/// The request got what anybody gets: v1 as `external`; no forged header arrived.
fn assert_ordinary(attack: &Request, response: &Response) {
    assert_eq!(response.status, 200, "{attack:?}: {}", response.text());
    let said = response.json().unwrap();
    assert_eq!(said["upstream"], "v1", "{attack:?}");
    assert_eq!(echoed(&said, "user-type"), ["external"], "{attack:?}");
    for line in said["headers"].as_array().unwrap() {
        let name = line[0].as_str().unwrap();
        let is_forged = name != "user-type" && FORGED.iter().any(|(forged, _)| counts_as(name, forged));
        assert!(!is_forged, "{attack:?}: `{name}` reaches the upstream");
    }
}

async fn faults_and_copies(envoy: &Envoy) -> u64 {
    let stats = envoy.stats(r"(fault\.(aborts|delays)_injected|vault\..*upstream_rq_total)$").await.unwrap();
    assert!(stats.keys().any(|name| name.ends_with("upstream_rq_total")), "{stats:?}");
    stats.values().sum()
}

/// The generated bootstrap, its listeners as `mesh` and `edge`, with routes that would copy where a client says.
fn bootstrap(site: &Site, port: u16) -> Bootstrap {
    let mut bootstrap = site.bootstrap().unwrap();
    bootstrap.listener(&format!("gateway-{port}"))["name"] = "edge".into();
    for name in LISTENERS {
        with_mirrors(manager(bootstrap.listener(name)));
    }
    bootstrap
}

const LISTENERS: [&str; 2] = ["mesh", "edge"];

async fn client(envoy: &Envoy, listener: &str) -> Client {
    Client::new(envoy.listener(listener).await.unwrap())
}

#[tokio::test]
async fn forged_headers_get_nothing_with_both_layers_and_with_the_filters_alone() {
    let (upstreams, port) = (Upstreams::start().await, free_port());
    let mut bootstrap = bootstrap(&upstreams.site(POLICY, port), port);
    for name in LISTENERS {
        bootstrap.variant(name, &format!("{name}, both layers"), |manager| strip_in_filter(manager, true));
        bootstrap.variant(name, &format!("{name}, the filter's layer"), |manager| {
            strip_in_filter(manager, true);
            strip_nothing_early(manager);
        });
    }
    let envoy = bootstrap.start().await.unwrap();
    let attacks = attacks("www.example.com");
    assert_eq!(attacks.len(), 172);
    let mut sent = 0;
    for name in LISTENERS {
        for layers in ["", ", both layers", ", the filter's layer"] {
            let mut client = client(&envoy, &format!("{name}{layers}")).await;
            for attack in &attacks {
                assert_ordinary(attack, &client.send(attack).await.unwrap());
                sent += 1;
            }
        }
    }
    assert_eq!((upstreams.v1.count(), upstreams.v2.count(), upstreams.vault.count()), (sent, 0, 0));
    assert_eq!(faults_and_copies(&envoy).await, 0);
}

#[tokio::test]
async fn forged_headers_get_404_where_the_filter_is_bypassed() {
    let (upstreams, port) = (Upstreams::start().await, free_port());
    let mut bootstrap = bootstrap(&upstreams.site(POLICY, port), port);
    for name in LISTENERS {
        bypass(manager(bootstrap.listener(name)));
    }
    let envoy = bootstrap.start().await.unwrap();
    for name in LISTENERS {
        let mut client = client(&envoy, name).await;
        for attack in &attacks("www.example.com") {
            let response = client.send(attack).await.unwrap();
            assert_eq!((response.status, &*response.body), (404, &b""[..]), "{attack:?} on {name}");
        }
    }
    assert_eq!((upstreams.v1.count(), upstreams.v2.count(), upstreams.vault.count()), (0, 0, 0));
    assert_eq!(faults_and_copies(&envoy).await, 0);
}

/// What the tests above rest on: without the layers, the same headers get everything.
#[tokio::test]
async fn without_the_layers_the_same_headers_would_steer() {
    let (upstreams, port) = (Upstreams::start().await, free_port());
    let mut bootstrap = bootstrap(&upstreams.site(POLICY, port), port);
    for name in LISTENERS {
        strip_nothing_early(manager(bootstrap.listener(name)));
        bootstrap.variant(name, &format!("{name}, no layer"), |manager| strip_in_filter(manager, false));
        bypass(manager(bootstrap.listener(name)));
    }
    let envoy = bootstrap.start().await.unwrap();
    for name in LISTENERS {
        let mut bypassed = client(&envoy, name).await;
        let mut believing = client(&envoy, &format!("{name}, no layer")).await;
        let plain = || Request::new("GET", "www.example.com", "/");

        let chosen = bypassed.send(&plain().header("X-Switchyard-Cluster", VAULT)).await.unwrap();
        assert_eq!(chosen.json().unwrap()["upstream"], "vault");
        let aborted = believing.send(&plain().header("x-envoy-fault-abort-request", "418")).await.unwrap();
        assert_eq!(aborted.status, 418);
        let delayed = believing.send(&plain().header("x-envoy-fault-delay-request", "1")).await.unwrap();
        assert_eq!(delayed.status, 200);
        let before = faults_and_copies(&envoy).await;
        let copied = believing.send(&plain().header("x-switchyard-mirror-1", VAULT)).await.unwrap();
        assert_eq!(copied.status, 200);
        assert_eq!(faults_and_copies(&envoy).await, before + 1, "{name}: one copy");
        let other = believing.send(&plain().header("User_Type", "internal")).await.unwrap();
        assert_eq!(echoed(&other.json().unwrap(), "user_type"), ["internal"]);
    }
    // One that was chosen, an abort, a delay and a copy, on each listener.
    assert_eq!(faults_and_copies(&envoy).await, 8);
}

/// A gateway draws by an id of its own; ids of a mesh are the callers'.
const CANARY: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: workshop}
spec:
  hosts: [www.example.com]
  gateways: [mesh, edge]
  http:
  - name: canary
    route:
    - {destination: {host: shop, subset: v1}, weight: 90}
    - {destination: {host: shop, subset: v2}, weight: 10}
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {name: shop, namespace: workshop}
spec: {seed: public, tags: [{header: user-type, split: [{value: internal, weight: 1}, {value: external, weight: 9}]}]}
";

/// So many ids, UUIDs and others, that draw v2 and `internal`.
fn lucky_ids(site: &Site, count: usize) -> Vec<String> {
    let model = site.model(Around::Bootstrap).unwrap();
    let policy = model.listener(&model.mesh()).unwrap().policy;
    let splits: Vec<_> = policy.splits().collect();
    assert_eq!(
        splits.iter().map(|split| &*split.name).collect::<Vec<_>>(),
        ["tag/user-type", "workshop/shop/canary/split"]
    );
    let id = |n: u32| match n % 2 {
        0 => format!("{n:08x}-4f2b-4c1d-9e57-0a1b2c3d4e5f"),
        _ => format!("chosen-{n}"),
    };
    let is_lucky = |id: &String| {
        let subject = policy.seed().digest_request_id(id.as_bytes());
        (splits[0].pick(subject), splits[1].pick(subject)) == (0, 1)
    };
    (0..).map(id).filter(is_lucky).take(count).collect()
}

#[tokio::test]
async fn a_request_id_that_a_client_chose_chooses_nothing_on_a_gateway() {
    const REQUESTS: usize = 1000;
    let (upstreams, port) = (Upstreams::start().await, free_port());
    let site = upstreams.site(CANARY, port);
    let mut bootstrap = bootstrap(&site, port);
    bootstrap.variant("edge", "edge, the filter's layer", |manager| {
        strip_in_filter(manager, true);
        strip_nothing_early(manager);
    });
    let envoy = bootstrap.start().await.unwrap();
    let ids = lucky_ids(&site, REQUESTS);
    let request = |index: usize, id: &str| {
        let name = if index.is_multiple_of(3) { "X-Request-ID" } else { "x-request-id" };
        Request::new("GET", "www.example.com", "/").header(name, id)
    };
    // How many got v2, and how many the tag.
    let send = async |listener: &str, ids: &[String]| {
        let mut client = client(&envoy, listener).await;
        let (mut v2, mut internal) = (0, 0);
        for (index, id) in ids.iter().enumerate() {
            let said = client.send(&request(index, id)).await.unwrap().json().unwrap();
            v2 += usize::from(said["upstream"] == "v2");
            internal += usize::from(echoed(&said, "user-type") == ["internal"]);
            if listener != "mesh" {
                assert_ne!(echoed(&said, "x-request-id"), [id.as_str()]);
            }
        }
        (v2, internal)
    };
    // The ids are well chosen: a mesh goes by them.
    assert_eq!(send("mesh", &ids).await, (REQUESTS, REQUESTS));
    for listener in ["edge", "edge, the filter's layer"] {
        for ids in [&ids, &vec![ids[0].clone(); REQUESTS]] {
            let (v2, internal) = send(listener, ids).await;
            // A tenth, give or take seven standard deviations (9.5): wrong once in 10^11 runs. Some, also of one id.
            assert!((34..=167).contains(&v2) && (34..=167).contains(&internal), "{listener}: {v2}, {internal}");
        }
    }
}

#[tokio::test]
async fn what_a_caller_asks_of_the_router_does_not_count_on_what_is_forwarded() {
    let (upstreams, port) = (Upstreams::start().await, free_port());
    let mut bootstrap = bootstrap(&upstreams.site(POLICY, port), port);
    // Callers are internal here, so Envoy itself believes them; and what the filter leaves alone goes somewhere too.
    bootstrap.variant("mesh", "believing", |manager| {
        manager["internal_address_config"]["cidr_ranges"][0] = json!({"address_prefix": "127.0.0.0", "prefix_len": 8});
        configure(manager, |document| document["onUnmatched"] = json!("continue"));
        let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap();
        let cluster = "outbound|3000||ill.workshop.svc.cluster.local";
        routes[1] = json!({"name": "unmatched", "match": {"prefix": ""}, "route": {"cluster": cluster}});
    });
    let envoy = bootstrap.start().await.unwrap();
    let asking = |host: &str| {
        let value = |name: &str| match name {
            "x-envoy-retry-on" => "5xx",
            "x-envoy-max-retries" => "3",
            "x-envoy-upstream-rq-timeout-ms" => "7777",
            "x-envoy-hedge-on-per-try-timeout" => "true",
            "x-envoy-upstream-alt-stat-name" => "alt",
            "x-envoy-retry-grpc-on" => "cancelled",
            _ => "503",
        };
        ROUTER_HINTS.iter().fold(Request::new("GET", host, "/"), |request, name| request.header(*name, value(name)))
    };
    for (listener, host, tries) in [
        ("mesh", "ill", 1),
        ("believing", "ill", 1),
        ("believing", "ILL.workshop:3000", 1),
        ("believing", "unknown", 4),
    ] {
        let before = upstreams.ill.count();
        let response = client(&envoy, listener).await.send(&asking(host)).await.unwrap();
        assert_eq!((response.status, upstreams.ill.count() - before), (500, tries), "{host} on {listener}");
        let said = response.json().unwrap();
        let expected: Vec<u32> =
            echoed(&said, "x-envoy-expected-rq-timeout-ms").iter().map(|ms| ms.parse().unwrap()).collect();
        // What is left of it at the fourth try.
        let is_asked = matches!(expected[..], [1..=7777]);
        assert!(is_asked || expected.is_empty(), "{expected:?}");
        assert_eq!(is_asked, tries == 4, "{host} on {listener}");
        for hint in ROUTER_HINTS.iter().filter(|_| tries == 1) {
            assert_eq!(echoed(&said, hint), [""; 0], "{host} on {listener}: `{hint}`");
        }
    }
    let alternative = envoy.stats(r"\.alt\.").await.unwrap();
    assert!(alternative.keys().all(|name| name.contains("ill")), "{alternative:?}");
}

#[tokio::test]
async fn x_forwarded_for_chooses_no_source_address() {
    const INSIDE: &str = "10.1.2.3";
    const OUTSIDE: &str = "192.0.2.1";
    let upstreams = Upstreams::start().await;
    let attempts: [&[(&str, &str)]; 8] = [
        &[("x-forwarded-for", INSIDE)],
        &[("X-Forwarded-For", "192.0.2.1, 10.1.2.3")],
        &[("X-Forwarded-For", "10.1.2.3, 192.0.2.1")],
        &[("x-forwarded-for", INSIDE), ("x-forwarded-for", OUTSIDE)],
        &[("x-forwarded-for", OUTSIDE), ("X-FORWARDED-FOR", INSIDE)],
        &[("x-envoy-external-address", INSIDE), ("x-real-ip", INSIDE), ("forwarded", "for=10.1.2.3")],
        &[("x_forwarded_for", INSIDE), ("x-forwarded-for", "")],
        &[("x-forwarded-for", "unknown, 10.1.2.3, nonsense")],
    ];
    for hops in [0, 1] {
        let port = free_port();
        let envoy = bootstrap(&upstreams.site(POLICY, port).trusted_hops(hops), port).start().await.unwrap();
        for listener in LISTENERS {
            let mut client = client(&envoy, listener).await;
            let mut inside = Vec::new();
            for (index, headers) in attempts.iter().enumerate() {
                let request =
                    headers.iter().fold(Request::new("GET", "www.example.com", "/"), |request, (name, value)| {
                        request.header(*name, *value)
                    });
                let said = client.send(&request).await.unwrap().json().unwrap();
                let tag = echoed(&said, "user-type");
                assert_eq!(said["upstream"] == "v2", tag == ["internal"], "{headers:?}");
                assert!(tag == ["internal"] || tag == ["external"], "{headers:?}: {tag:?}");
                if tag == ["internal"] {
                    inside.push(index);
                }
            }
            // Behind a trusted proxy the last address is what it says; in a mesh nobody is trusted.
            let expected: &[usize] = if hops == 1 && listener == "edge" { &[0, 1, 4] } else { &[] };
            assert_eq!(inside, expected, "{hops} hops, {listener}");
        }
    }
}
