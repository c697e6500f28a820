//! What clients see when the filter cannot run, for each `failStrategy`, at a gateway and at a sidecar's outbound port: the
//! table of the README.

use super::mesh::{Form, PATIENCE, generated, object};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use switchyard_tests::chain::{Chain, Running, eventually, service};
use switchyard_tests::harness::{Echo, Request, released_wasm};
use switchyard_tests::istio::Proxy;
use tempfile::TempDir;

const STRATEGIES: [&str; 3] = ["FAIL_OPEN", "FAIL_RELOAD", "FAIL_CLOSE"];
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");

/// What can go wrong.
const MISSING: &str = "the image cannot be fetched";
const REFUSED: &str = "`pluginConfig` is refused, in a proxy that has another in force";
const REFUSED_AT_START: &str = "`pluginConfig` is refused, in a proxy that starts then";
const TRAP: &str = "the filter traps on a request";

/// Where the filter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Gateway,
    Sidecar,
}

/// Where all of it happens.
struct Failures {
    chain: &'static Chain,
    namespace: String,
    _echo: Echo,
    url: String,
    trap: String,
    _folder: TempDir,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_see_is_what_the_readme_says() {
    let failures = Failures::start().await;
    let mut table: BTreeMap<(&str, &str), String> = BTreeMap::new();
    // Each place has its agents for the missing images, which outlive the strategies.
    for strategy in STRATEGIES {
        let (edge, mesh) = tokio::join!(failures.of(Place::Gateway, strategy), failures.of(Place::Sidecar, strategy));
        for ((what, at_edge), (_, in_mesh)) in edge.into_iter().zip(mesh) {
            assert_eq!(at_edge, in_mesh, "{what}, {strategy}: the same at a gateway and at a sidecar");
            table.insert((what, strategy), at_edge);
        }
    }
    let readme = std::fs::read_to_string(README).unwrap();
    let mut rows = vec![format!("| what happens | `{}` |", STRATEGIES.join("` | `"))];
    for what in [MISSING, REFUSED, REFUSED_AT_START, TRAP] {
        let cells: Vec<&str> = STRATEGIES.iter().map(|strategy| &*table[&(what, *strategy)]).collect();
        rows.push(format!("| {what} | {} |", cells.join(" | ")));
    }
    for row in &rows {
        assert!(readme.contains(row), "the README lacks a row of\n{}", rows.join("\n"));
    }
}

impl Failures {
    async fn start() -> Self {
        let chain = Chain::shared().await.unwrap();
        let namespace = chain.namespace("failures").await.unwrap();
        let echo = Echo::named("shop").at(([0, 0, 0, 0], 0).into()).start().await.unwrap();
        let folder = TempDir::new().unwrap();
        let trap = folder.path().join("trap.wasm");
        std::fs::write(&trap, wat::parse_str(include_str!("trap.wat")).unwrap()).unwrap();
        let port = echo.address().port();
        let mut manifests = routes(&namespace, "istio", "v1");
        manifests.push(service("shop", &namespace, 80, &[("v1", port), ("v2", port)]));
        chain.apply_all(&manifests).await.unwrap();
        let url = format!("file://{}", released_wasm().display());
        let trap = format!("file://{}", trap.display());
        Self { chain, namespace, _echo: echo, url, trap, _folder: folder }
    }

    fn host(&self) -> String {
        format!("shop.{}.svc.cluster.local", self.namespace)
    }

    /// A proxy of its own for a failure.
    fn proxy(&self, place: Place, name: &str, label: &str) -> Proxy {
        match place {
            Place::Gateway => Proxy::gateway(name, &self.namespace, [80]),
            Place::Sidecar => Proxy::sidecar(name, &self.namespace, [80]),
        }
        .labelled(self.labels(place, label))
    }

    /// What a failure's proxies are selected by; gateways also by the Gateway.
    fn labels(&self, place: Place, label: &str) -> Vec<(String, String)> {
        let mut labels = vec![("failure".to_owned(), label.to_owned())];
        if place == Place::Gateway {
            labels.push(("failures".to_owned(), self.namespace.clone()));
        }
        labels
    }

    /// What is generated for it, where everything goes to v2, with other fields of the WasmPlugin.
    async fn apply(&self, label: &str, place: Place, url: &str, strategy: &str, bogus: bool) {
        // Everything to v2, where Istio's own route is to v1.
        let mut manifests = routes(&self.namespace, "ours", "v2");
        manifests.push(service("shop", &self.namespace, 80, &[("v1", 1), ("v2", 2)]));
        if place == Place::Sidecar {
            manifests.retain(|one| one["kind"] != "Gateway");
            manifests[1]["spec"]["gateways"] = json!(["mesh"]);
        }
        let labels = self.labels(place, label);
        let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut resources = generated(&self.namespace, &manifests, label, &labels, url, Form::Decides);
        let plugin = resources.iter_mut().find(|one| one["kind"] == "WasmPlugin").unwrap();
        plugin["spec"]["failStrategy"] = json!(strategy);
        if bogus {
            plugin["spec"]["pluginConfig"]["bogus"] = json!(true);
        }
        self.chain.apply_all(&resources).await.unwrap();
    }

    /// All failures of one strategy at one place, each in its words.
    async fn of(&self, place: Place, strategy: &'static str) -> Vec<(&'static str, String)> {
        let word = |failure: &str| {
            format!(
                "{failure}-{}-{}",
                if place == Place::Gateway { "edge" } else { "mesh" },
                strategy.to_lowercase().replace('_', "-")
            )
        };
        let (missing, refused, trap_name) = (word("missing"), word("refused"), word("trap"));
        let nowhere = self.chain.missing_image("nowhere");
        self.apply(&missing, place, &nowhere, strategy, false).await;
        self.apply(&refused, place, &self.url, strategy, false).await;
        self.apply(&trap_name, place, &self.trap, strategy, false).await;
        let plans = [&missing, &refused, &trap_name].map(|name| self.proxy(place, name, name));
        let (missing, old, trap) = tokio::try_join!(
            self.chain.agent(&plans[0]).start(),
            self.chain.stock(&plans[1]).start(),
            self.chain.stock(&plans[2]).start()
        )
        .unwrap();

        let missing = self.steady(&missing).await;
        assert_eq!(self.steady(&old).await, "decided");
        self.apply(&refused, place, &self.url, strategy, true).await;
        let rejected = async || {
            let found = old.stats("extension_config_discovery.*update_rejected").await?;
            if found.values().any(|count| *count > 0) { Ok(()) } else { Err("nothing is refused".to_owned()) }
        };
        eventually(PATIENCE, rejected).await.unwrap();
        let still = self.steady(&old).await;
        drop(old);
        let young = self.chain.stock(&self.proxy(place, &word("young"), &refused)).start().await.unwrap();
        let young = self.steady(&young).await;
        let trapped = self.traps(&trap).await;
        // Until the WasmPlugin changes.
        self.apply(&trap_name, place, &self.url, strategy, false).await;
        let decides = async || match self.ask(&trap, false).await {
            word if word == "decided" => Ok(()),
            word => Err(format!("after a trap and another WasmPlugin: {word}")),
        };
        eventually(PATIENCE, decides).await.unwrap();
        vec![(MISSING, missing), (REFUSED, still), (REFUSED_AT_START, young), (TRAP, trapped)]
    }

    /// What becomes of every request, in words: the first answer of an upstream or of Envoy, three more, and one after a
    /// second, are the same.
    async fn steady(&self, proxy: &Running) -> String {
        let first = self.ask(proxy, false).await;
        for pause in [0, 0, 0, 1000] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            assert_eq!(self.ask(proxy, false).await, first, "{}", proxy.log_tail());
        }
        first
    }

    /// What becomes of a request on which the filter traps, and of those after it.
    async fn traps(&self, proxy: &Running) -> String {
        // Without a decision of its own, this filter leaves everything to Istio.
        assert_eq!(self.ask(proxy, false).await, BY_ISTIO);
        // A filter that was loaded less than a second ago is not loaded again (envoy.md 5.3).
        tokio::time::sleep(Duration::from_secs(2)).await;
        let trapped = self.ask(proxy, true).await;
        let soon = self.ask(proxy, false).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let later = self.ask(proxy, false).await;
        // Whether it runs again shows in another trap.
        let again = self.ask(proxy, true).await;
        match (&*soon, &*later, &*again) {
            (BY_ISTIO, BY_ISTIO, BY_ISTIO) => format!("{trapped} for it, then {BY_ISTIO}"),
            (BY_ISTIO, BY_ISTIO, again) if again == trapped => format!("{trapped} for it, then decided again"),
            (soon, later, again) if soon == trapped && later == trapped && again == trapped => {
                format!("{trapped}, from then on")
            }
            (soon, later, again) => format!("{trapped}, {soon}, {later}, {again}"),
        }
    }

    async fn ask(&self, proxy: &Running, trap: bool) -> String {
        let request = Request::new("GET", self.host(), "/");
        let request = if trap { request.header("x-trap", "1") } else { request };
        let response = proxy.client(80).unwrap().send(&request).await.unwrap();
        let route = response.header("x-seen-route").next().map(|name| String::from_utf8_lossy(name).into_owned());
        match (response.status, route.as_deref()) {
            (200, Some("decided")) => "decided".into(),
            (200, Some("istio")) => BY_ISTIO.into(),
            (200, route) => panic!("{route:?}"),
            (status, _) => status.to_string(),
        }
    }
}

const BY_ISTIO: &str = "Istio's routes";

/// Gateway, DestinationRule, and a VirtualService whose one rule sends everything to a subset.
fn routes(namespace: &str, rule: &str, subset: &str) -> Vec<Value> {
    let version = |name: &str| json!({"name": name, "labels": {"version": name}});
    vec![
        object(
            "DestinationRule",
            "shop",
            namespace,
            &json!({"host": "shop", "subsets": [version("v1"), version("v2")]}),
        ),
        object(
            "Gateway",
            "edge",
            namespace,
            &json!({"selector": {"failures": namespace}, "servers":
                [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}),
        ),
        object(
            "VirtualService",
            "shop",
            namespace,
            &json!({"hosts": ["shop"], "gateways": ["mesh", "edge"],
                "http": [{"name": rule, "route": [{"destination": {"host": "shop", "subset": subset}}]}]}),
        ),
    ]
}
