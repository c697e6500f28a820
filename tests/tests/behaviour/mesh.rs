//! A generated Envoy and the services behind it.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};
use switchyard_tests::generated::Site;
use switchyard_tests::harness::{Client, Envoy, Launch, Response};
use tempfile::TempDir;

/// A service of the namespace `workshop`, on port 3000, with one rule.
#[derive(Clone, Debug)]
pub struct Service {
    name: String,
    endpoints: Vec<(SocketAddr, String)>,
    policy: String,
    rule: String,
}

impl Service {
    /// A service with these endpoints, no policy, and a rule that never retries.
    pub fn new(name: &str, endpoints: &[SocketAddr]) -> Self {
        Self {
            name: name.into(),
            endpoints: endpoints.iter().map(|at| (*at, String::new())).collect(),
            policy: String::new(),
            rule: "retries: {attempts: 0}".into(),
        }
    }

    /// The same with endpoints in a place: `region/zone/subzone`.
    #[must_use]
    pub fn also_in(mut self, place: &str, endpoints: &[SocketAddr]) -> Self {
        self.endpoints.extend(endpoints.iter().map(|at| (*at, place.to_owned())));
        self
    }

    /// The DestinationRule's `trafficPolicy`, without braces.
    #[must_use]
    pub fn policy(mut self, policy: &str) -> Self {
        self.policy = policy.into();
        self
    }

    /// What the rule has beside its route.
    #[must_use]
    pub fn rule(mut self, rule: &str) -> Self {
        self.rule = rule.into();
        self
    }

    fn manifests(&self) -> String {
        let Self { name, policy, rule, .. } = self;
        let endpoint = |(at, place): &(SocketAddr, String)| {
            let place = if place.is_empty() { String::new() } else { format!(", locality: {place}") };
            format!("{{address: {}, ports: {{http: {}}}{place}}}", at.ip(), at.port())
        };
        let endpoints: Vec<String> = self.endpoints.iter().map(endpoint).collect();
        let policy = if policy.is_empty() { String::new() } else { format!(", trafficPolicy: {{{policy}}}") };
        let rule = if rule.is_empty() { String::new() } else { format!(", {rule}") };
        format!(
            "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: workshop}}
spec: {{hosts: [{name}], http: [{{route: [{{destination: {{host: {name}}}}}]{rule}}}]}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}, namespace: workshop}}
spec: {{host: {name}{policy}, subsets: []}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: workshop}}
spec:
  hosts: [{name}.workshop.svc.cluster.local]
  resolution: STATIC
  ports: [{{number: 3000, name: http, protocol: HTTP}}]
  endpoints: [{}]
",
            endpoints.join(", ")
        )
    }
}

/// An Envoy with what `generate` wrote, beside it only what is looked at: the log of ejections.
pub struct Mesh {
    pub envoy: Envoy,
    address: SocketAddr,
    folder: TempDir,
}

impl Mesh {
    /// One worker, somewhere.
    pub async fn start(services: &[Service]) -> Self {
        Self::start_with(|_| (), 1, services).await
    }

    /// So many workers, with other options.
    pub async fn start_with(change: impl FnOnce(&mut Site), workers: u32, services: &[Service]) -> Self {
        let manifests: String = services.iter().map(Service::manifests).collect();
        let mut site = Site::new(&manifests).unwrap();
        change(&mut site);
        let mut bootstrap = site.bootstrap().unwrap();
        let folder = TempDir::new().unwrap();
        bootstrap.value["cluster_manager"] =
            json!({"outlier_detection": {"event_log_path": folder.path().join("ejections")}});
        let file = folder.path().join("envoy.yaml");
        bootstrap.write(&file).unwrap();
        // Logs are written at once and not every ten seconds.
        let launch = Launch::new(file).concurrency(workers).argument("--file-flush-interval-msec").argument("50");
        let envoy = launch.start().await.unwrap();
        let address = envoy.listener("mesh").await.unwrap();
        Self { envoy, address, folder }
    }

    pub fn client(&self) -> Client {
        Client::new(self.address).patience(Duration::from_secs(30))
    }

    /// A counter or gauge of a service's cluster; 0 where Envoy has none of that name.
    pub async fn stat(&self, service: &str, name: &str) -> u64 {
        let cluster = format!("cluster.outbound|3000||{service}.workshop.svc.cluster.local;");
        let all = self.envoy.stats(&format!(r"{service}\..*{}$", name.replace('.', r"\."))).await.unwrap();
        // Envoy writes `;` behind what Istio calls a cluster in statistics.
        all.get(&format!("{cluster}.{name}")).or_else(|| all.get(&format!("{cluster};.{name}"))).copied().unwrap_or(0)
    }

    /// Statuses and flags in the access log of so many requests, with how many had them; waits until they are written.
    pub async fn logged(&self, requests: usize) -> BTreeMap<(u16, String), usize> {
        let lines = |log: &str| log.lines().filter(|line| line.contains("\"GET ")).count();
        eventually("the access log", async || lines(&self.envoy.log()) >= requests).await;
        let mut found = BTreeMap::new();
        for line in self.envoy.log().lines().filter(|line| line.contains("\"GET ")) {
            // [time] "GET / HTTP/1.1" 503 UO …
            let mut words = line.splitn(3, '"').nth(2).unwrap_or_default().split_whitespace();
            let status = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            *found.entry((status, words.next().unwrap_or_default().to_owned())).or_insert(0) += 1;
        }
        found
    }

    /// What outlier detection did to this host, in order.
    pub fn ejections(&self, host: SocketAddr) -> Vec<Ejection> {
        let text = std::fs::read_to_string(self.folder.path().join("ejections")).unwrap_or_default();
        let host = Value::from(host.to_string());
        // The last line may be half written.
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let events = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_host = events.filter(|event| event["upstream_url"] == host);
        let ejection = |event: Value| {
            let ejects = event["action"] != "UNEJECT";
            // What would have been an ejection if it were enforced is none.
            (!ejects || event["enforced"] == true).then(|| Ejection { at: time(&event["timestamp"]), ejects })
        };
        of_host.filter_map(ejection).collect()
    }

    pub async fn stop(self) {
        self.envoy.stop().await.unwrap();
    }
}

/// A host leaves, or comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Since midnight (UTC), by Envoy's clock, which is ours.
    pub at: Duration,
    pub ejects: bool,
}

impl Ejection {
    /// How long after the other.
    pub fn since(self, earlier: Self) -> Duration {
        self.at.checked_sub(earlier.at).expect("events are in order, on one day")
    }
}

/// Now, as [`Ejection::at`] has it.
pub fn now() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Duration::new(since.as_secs() % 86_400, since.subsec_nanos())
}

/// `2026-01-31T23:59:59.999Z`, without the day: nothing here takes one, but midnight would be seen.
fn time(written: &Value) -> Duration {
    let text = written.as_str().and_then(|text| text.split_once('T')).expect("a timestamp").1.trim_end_matches('Z');
    let mut parts = text.split(':').map(|part| part.parse::<f64>().expect("a number"));
    let mut next = || parts.next().expect("hours, minutes and seconds");
    Duration::from_secs_f64(next() * 3600.0 + next() * 60.0 + next())
}

/// Waits until it holds.
///
/// # Panics
/// When it does not within 20 s.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Which upstream answered.
pub fn responder(response: &Response) -> String {
    response.json().unwrap()["upstream"].as_str().expect("an upstream").to_owned()
}

/// Runs all side by side, and gives what each gives.
pub async fn together<T: Send + 'static>(
    all: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = all.into_iter().map(tokio::spawn).collect();
    let mut given = Vec::new();
    for one in running {
        given.push(one.await.unwrap());
    }
    given
}
