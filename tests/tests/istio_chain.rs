//! The whole chain, from `kubectl apply` to a decided request: `reference/istio.md` 5.6.

#![cfg(not(target_family = "wasm"))]

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use switchyard_tests::case::spec::ProxySpec;
use switchyard_tests::case::translate::translate;
use switchyard_tests::chain::{Chain, Running, Setup, eventually, image, service};
use switchyard_tests::harness::{Client, Echo, Request, released_wasm};
use switchyard_tests::istio::Proxy;

/// How long a change may take from kubectl to Envoy: 2 s alone.
const PATIENCE: Duration = Duration::from_secs(30);

/// What every test has: a namespace with the service `shop` in two versions and a Gateway that selects one gateway.
struct Shop {
    chain: &'static Chain,
    namespace: String,
    upstream: Echo,
}

impl Shop {
    async fn new(word: &str) -> Self {
        Self::on(Chain::shared().await.unwrap(), word).await
    }

    async fn on(chain: &'static Chain, word: &str) -> Self {
        let namespace = chain.namespace(word).await.unwrap();
        let upstream = Echo::named("shop").at(([0, 0, 0, 0], 0).into()).recording().start().await.unwrap();
        let port = upstream.address().port();
        let shop = Self { chain, namespace, upstream };
        let mut manifests = shop.routes();
        manifests.push(service("shop", &shop.namespace, 80, &[("v1", port), ("v2", port)]));
        chain.apply_all(&manifests).await.unwrap();
        shop
    }

    fn object(&self, kind: &str, name: &str, spec: &Value) -> Value {
        json!({"apiVersion": "networking.istio.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec})
    }

    /// Istio's own routes send everything to v1, so that only the plugin can choose v2.
    fn routes(&self) -> Vec<Value> {
        let version = |name: &str| json!({"name": name, "labels": {"version": name}});
        vec![
            self.object("DestinationRule", "shop", &json!({"host": "shop", "subsets": [version("v1"), version("v2")]})),
            self.object(
                "Gateway",
                "edge",
                &json!({"selector": {"shop": self.namespace}, "servers":
                    [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}),
            ),
            self.object(
                "VirtualService",
                "shop",
                &json!({"hosts": ["*"], "gateways": ["edge"],
                    "http": [{"name": "istio", "route": [{"destination": {"host": "shop", "subset": "v1"}}]}]}),
            ),
        ]
    }

    /// A gateway that the Gateway selects.
    fn gateway(&self, name: &str) -> Proxy {
        Proxy::gateway(name, &self.namespace, [80]).labelled([("shop".into(), self.namespace.clone())])
    }

    /// A configuration that tags everybody with this value and sends everything to v2.
    fn configuration(&self, tag: &str) -> Value {
        json!({
            "namespace": self.namespace,
            "proxy": {"namespace": self.namespace, "gateways": [format!("{}/edge", self.namespace)], "port": 80},
            "tags": [{"header": "user-type", "hosts": ["*"], "split": [{"value": tag, "weight": 100}]}],
            "virtualServices": [{"name": "shop", "namespace": self.namespace, "hosts": ["*"],
                "gateways": [format!("{}/edge", self.namespace)],
                "http": [{"name": "ours", "route": [{"destination": {"host": "shop", "subset": "v2"}}]}]}],
            "services": [{"host": format!("shop.{}.svc.cluster.local", self.namespace), "ports": [80],
                "subsets": [{"name": "v1"}, {"name": "v2"}]}],
        })
    }

    /// The WasmPlugin, and the EnvoyFilter with the route of what it decides (istio.md 5.0).
    fn plugin(&self, url: &str, configuration: &Value, more: &[(&str, &str)]) -> [Value; 2] {
        let labels = json!({"shop": self.namespace});
        let mut spec = json!({"selector": {"matchLabels": labels}, "url": url, "failStrategy": "FAIL_CLOSE",
            "pluginConfig": configuration});
        for (field, value) in more {
            spec[*field] = json!(value);
        }
        let route = json!({
            "name": "switchyard",
            "match": {"prefix": "/", "headers": [{"name": "x-switchyard-cluster", "present_match": true}]},
            "route": {"cluster_header": "x-switchyard-cluster", "timeout": "0s"},
            "request_headers_to_remove": ["x-switchyard-cluster"],
        });
        let filter = json!({"workloadSelector": {"labels": labels}, "configPatches": [{
            "applyTo": "HTTP_ROUTE",
            "match": {"context": "GATEWAY", "routeConfiguration": {"vhost": {}}},
            "patch": {"operation": "INSERT_FIRST", "value": route},
        }]});
        let mut plugin = self.object("WasmPlugin", "switchyard", &spec);
        plugin["apiVersion"] = json!("extensions.istio.io/v1alpha1");
        let mut filter = self.object("EnvoyFilter", "switchyard", &filter);
        filter["apiVersion"] = json!("networking.istio.io/v1alpha3");
        [plugin, filter]
    }

    async fn apply(&self, url: &str, configuration: &Value, more: &[(&str, &str)]) {
        self.chain.apply_all(&self.plugin(url, configuration, more)).await.unwrap();
    }

    /// Status, cluster and tag of a request.
    async fn ask(&self, gateway: &Running) -> Result<(u16, Option<String>, Option<String>), String> {
        let mut client = gateway.client(80)?;
        let seen = gateway.send(&mut client, &self.upstream, &Request::new("GET", "shop.example.com", "/")).await?;
        let tag = seen.upstream.iter().flat_map(|one| &one.headers).find(|(name, _)| name == "user-type");
        Ok((seen.status, seen.cluster, tag.map(|(_, value)| value.clone())))
    }

    /// Waits until requests are answered with this status and, when they reach an upstream, this tag.
    async fn until(&self, gateway: &Running, status: u16, tag: Option<&str>) {
        let asked = async || {
            let seen = self.ask(gateway).await?;
            if seen.0 == status && seen.2.as_deref() == tag { Ok(()) } else { Err(format!("{seen:?}")) }
        };
        eventually(PATIENCE, asked).await.unwrap_or_else(|why| panic!("{why}\n{}", gateway.log_tail()));
    }

    fn cluster(&self, subset: &str) -> String {
        format!("outbound|80|{subset}|shop.{}.svc.cluster.local", self.namespace)
    }
}

#[tokio::test]
async fn the_api_server_refuses_what_istios_crds_do_not_know() {
    let shop = Shop::new("strict").await;
    let bogus =
        json!({"hosts": ["a"], "http": [{"match": [{"bogus": 1}], "route": [{"destination": {"host": "shop"}}]}]});
    let said = shop.chain.apply_all(&[shop.object("VirtualService", "bogus", &bogus)]).await.unwrap_err();
    assert!(said.contains("unknown field \"spec.http[0].match[0].bogus\""), "{said}");
    let both = json!({"hosts": ["a"], "http":
        [{"match": [{"uri": {"exact": "/a", "prefix": "/b"}}], "route": [{"destination": {"host": "shop"}}]}]});
    let said = shop.chain.apply_all(&[shop.object("VirtualService", "both", &both)]).await.unwrap_err();
    assert!(said.contains("spec.http[0].match[0].uri"), "{said}");
}

/// `manifests/demo`, compiled by us, behind a gateway that starts when the plugin is there.
#[tokio::test]
async fn a_plugin_that_is_there_before_the_gateway_decides() {
    let shop = Shop::new("demo").await;
    let url = shop.chain.image("demo").await.unwrap();
    let host = format!("catalogdetail.{}.svc.cluster.local", shop.namespace);
    let port = shop.upstream.address().port();
    let (virtual_service, text) = demo(&shop.namespace);
    let documents: Vec<&str> = text.split("\n---\n").filter(|one| !one.contains("SwitchyardPolicy")).collect();
    shop.chain.apply(&documents.join("\n---\n")).await.unwrap();
    let entry = service("catalogdetail", &shop.namespace, 3000, &[("v1", port), ("v2", port)]);
    shop.chain.apply_all(&[entry]).await.unwrap();
    assert!(virtual_service.contains("gateways"), "{virtual_service}");

    let proxy = ProxySpec { gateway: format!("{}/edge", shop.namespace), ..ProxySpec::default() };
    let edge = serde_yaml_of(&shop);
    let configuration = translate("demo.yaml", &format!("{text}\n---\n{edge}"), &proxy).document.unwrap();
    shop.apply(&url, &configuration, &[]).await;
    let gateway = shop.chain.agent(&shop.gateway("gw")).start().await.unwrap();
    gateway.wait_plugin(&format!("{}/switchyard", shop.namespace), &configuration).await.unwrap();

    let mut client = gateway.client(80).unwrap();
    let mut tags = Vec::new();
    for user in 0..40 {
        let request = Request::new("GET", host.as_str(), "/v1/catalogDetail").header("cookie", format!("uid=u{user}"));
        let seen = gateway.send(&mut client, &shop.upstream, &request).await.unwrap();
        let upstream = seen.upstream.expect("a request at the upstream");
        assert_eq!((seen.status, &*upstream.path), (200, "/catalogDetail"));
        assert_eq!(seen.cluster.unwrap(), format!("outbound|3000|v1|{host}"));
        assert_eq!(seen.route.as_deref(), Some("switchyard"));
        assert!(upstream.headers.iter().all(|(name, _)| name != "x-switchyard-cluster"), "{upstream:?}");
        tags.extend(upstream.headers.into_iter().filter(|(name, _)| name == "user-type").map(|(_, value)| value));
    }
    assert_eq!(tags.len(), 40, "every request has one tag: {tags:?}");
    assert!(tags.iter().any(|tag| tag == "internal") && tags.iter().any(|tag| tag == "external"), "{tags:?}");
}

/// `manifests/demo` in this namespace, with the VirtualService at the gateway too: that document, and all.
fn demo(namespace: &str) -> (String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/demo");
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        text.replace("workshop", namespace)
    };
    let host = "  hosts: [catalogdetail]\n  http:";
    let virtual_service = read("virtual-service.yaml");
    assert!(virtual_service.contains(host), "{virtual_service}");
    let virtual_service = virtual_service.replace(host, "  hosts: [catalogdetail]\n  gateways: [edge]\n  http:");
    let all = [read("destination-rule.yaml"), virtual_service.clone(), read("switchyard-policy.yaml")];
    let entry = read("service-entry.yaml");
    (virtual_service, [&all[..], &[entry]].concat().join("\n---\n"))
}

/// The Gateway of the shop, as a file holds it.
fn serde_yaml_of(shop: &Shop) -> String {
    shop.routes().into_iter().find(|one| one["kind"] == "Gateway").unwrap().to_string()
}

#[tokio::test]
async fn an_image_that_is_missing_closes_the_gateway_until_it_is_there() {
    let shop = Shop::new("missing").await;
    let (missing, good) = (shop.chain.missing_image("nowhere"), shop.chain.image("good").await.unwrap());
    shop.apply(&missing, &shop.configuration("one"), &[]).await;
    let gateway = shop.chain.agent(&shop.gateway("gw")).envoy("1.40.0").start().await.unwrap();
    shop.until(&gateway, 403, None).await;
    let stand_in = gateway.extension(&format!("{}/switchyard", shop.namespace)).await.unwrap().unwrap();
    assert!(stand_in["@type"].as_str().unwrap().ends_with("rbac.v3.RBAC"), "{stand_in}");
    assert_eq!(shop.upstream.count(), 0);

    // FAIL_OPEN lets everything through, by Istio's own routes.
    shop.apply(&missing, &shop.configuration("one"), &[("failStrategy", "FAIL_OPEN")]).await;
    shop.until(&gateway, 200, None).await;
    assert_eq!(shop.ask(&gateway).await.unwrap().1, Some(shop.cluster("v1")));

    shop.apply(&good, &shop.configuration("one"), &[]).await;
    shop.until(&gateway, 200, Some("one")).await;
    assert_eq!(shop.ask(&gateway).await.unwrap().1, Some(shop.cluster("v2")));
}

#[tokio::test]
async fn a_refused_configuration_leaves_the_old_one_and_stops_those_that_start() {
    let shop = Shop::new("refused").await;
    let url = shop.chain.image("refused").await.unwrap();
    let (good, mut bad) = (shop.configuration("one"), shop.configuration("two"));
    bad["bogus"] = json!(true);
    shop.apply(&url, &good, &[]).await;
    let start = |name: &str| {
        let shown = "extension_config_discovery";
        shop.chain.agent(&shop.gateway(name)).annotation("sidecar.istio.io/statsInclusionPrefixes", shown)
    };
    let mut gateway = start("old").start().await.unwrap();
    shop.until(&gateway, 200, Some("one")).await;
    let rejected = async |gateway: &Running| {
        let found = gateway.stats("extension_config_discovery.*update_rejected").await?;
        found.values().copied().sum::<u64>().checked_sub(1).ok_or(format!("nothing is refused: {found:?}"))
    };
    assert!(rejected(&gateway).await.is_err());

    shop.apply(&url, &bad, &[]).await;
    eventually(PATIENCE, async || rejected(&gateway).await).await.unwrap();
    gateway.synced(shop.chain).await.unwrap();
    shop.until(&gateway, 200, Some("one")).await;
    let log = gateway.log();
    assert!(log.contains("unknown field `bogus`"), "{log}");

    // One that starts now has no old one.
    let young = start("young").start().await.unwrap();
    shop.until(&young, 500, None).await;

    shop.apply(&url, &shop.configuration("three"), &[]).await;
    shop.until(&gateway, 200, Some("three")).await;
    shop.until(&young, 200, Some("three")).await;
}

/// A WebAssembly module without our filter in it: it does nothing to requests.
async fn another_image() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::TempDir::new().unwrap();
    let wasm = folder.path().join("other.wasm");
    // Our own module with one section more is another module that does the same.
    let mut bytes = std::fs::read(released_wasm()).unwrap();
    bytes.extend([0, 2, 1, b'x']);
    std::fs::write(&wasm, bytes).unwrap();
    let layout = folder.path().join("image");
    image(&wasm, &layout).await.unwrap();
    (folder, layout)
}

#[tokio::test]
async fn an_image_replaced_under_its_tag_is_fetched_anew_only_with_always_and_a_new_version() {
    let shop = Shop::new("replaced").await;
    let (_folder, other) = another_image().await;
    let url = shop.chain.image("replaced").await.unwrap();
    let module = async |gateway: &Running| {
        let extension = gateway.extension(&format!("{}/switchyard", shop.namespace)).await?.unwrap_or_default();
        let file = &extension["config"]["vm_config"]["code"]["local"]["filename"];
        file.as_str().map(ToOwned::to_owned).ok_or_else(|| format!("no module: {extension}"))
    };
    let apply = async |gateway: &Running, tag: &str, policy: &str| {
        shop.apply(&url, &shop.configuration(tag), &[("imagePullPolicy", policy)]).await;
        shop.until(gateway, 200, Some(tag)).await;
    };
    shop.apply(&url, &shop.configuration("one"), &[("imagePullPolicy", "IfNotPresent")]).await;
    let gateway = shop.chain.agent(&shop.gateway("gw")).start().await.unwrap();
    shop.until(&gateway, 200, Some("one")).await;
    let first = module(&gateway).await.unwrap();

    shop.chain.push(&other, "replaced").await.unwrap();
    apply(&gateway, "two", "IfNotPresent").await;
    assert_eq!(module(&gateway).await.unwrap(), first, "IfNotPresent keeps the module, with a new pluginConfig too");
    apply(&gateway, "three", "Always").await;
    let second = module(&gateway).await.unwrap();
    assert_ne!(second, first, "Always fetches it when the WasmPlugin changes");

    // Without a change of the WasmPlugin nobody looks.
    shop.chain.image("replaced").await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(module(&gateway).await.unwrap(), second);
    apply(&gateway, "four", "Always").await;
    assert_eq!(module(&gateway).await.unwrap(), first);
}

#[tokio::test]
async fn the_first_wasm_kills_a_running_envoy_up_to_1_37_0_but_not_one_that_starts_with_it() {
    let shop = Shop::new("first").await;
    let url = shop.chain.image("first").await.unwrap();
    let start = |name: &str, version: &str| shop.chain.agent(&shop.gateway(name)).envoy(version).start();
    let mut old = start("old", "1.37.0").await.unwrap();
    let mut new = start("new", "1.40.0").await.unwrap();
    shop.until(&old, 200, None).await;
    shop.until(&new, 200, None).await;
    shop.apply(&url, &shop.configuration("one"), &[]).await;
    shop.until(&new, 200, Some("one")).await;
    old.wait_ended(PATIENCE).await.expect("1.37.0 dies");
    let log = old.log();
    assert!(log.contains("Caught Segmentation fault"), "{log}");

    let mut rolled = start("rolled", "1.37.0").await.unwrap();
    shop.until(&rolled, 200, Some("one")).await;
    // Further changes do it no harm.
    shop.apply(&url, &shop.configuration("two"), &[]).await;
    shop.until(&rolled, 200, Some("two")).await;
    assert_eq!((rolled.ended(), new.ended()), (None, None));
}

#[tokio::test]
async fn what_the_plugin_decides_arrives_over_mtls_and_a_plaintext_caller_is_refused() {
    let chain: &'static Chain =
        Box::leak(Box::new(Chain::start(&Setup { mtls: true, ..Setup::default() }).await.unwrap()));
    let namespace = chain.namespace("strict").await.unwrap();
    drop((namespace, Client::new(([127, 0, 0, 1], 1).into())));
}

/// Equal input, equal digest, whenever and wherever it is written.
#[tokio::test]
async fn the_image_is_the_same_whenever_it_is_made() {
    let folder = tempfile::TempDir::new().unwrap();
    let wasm = folder.path().join("copy.wasm");
    std::fs::copy(released_wasm(), &wasm).unwrap();
    let first = image(&released_wasm(), &folder.path().join("one")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let second = image(&wasm, &folder.path().join("deep/two")).await.unwrap();
    assert_eq!(first, second);
    assert!(first.starts_with("sha256:") && first.len() == 71, "{first}");
}
