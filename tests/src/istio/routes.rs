//! The routes that an Envoy has from istiod, for what no request shows: weights, timeouts, retries.

use super::exchange::at;
use serde_json::Value;

/// Every route that an Envoy has, as its admin interface tells them.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// In order of route table, virtual host and route.
    pub all: Vec<Route>,
}

/// A route.
#[derive(Clone, Debug)]
pub struct Route {
    /// The route table: `80`, `http.8080`.
    pub table: String,
    /// The virtual host.
    pub host: String,
    /// The name; empty where it has none.
    pub name: String,
    /// `filter_metadata.istio.config`.
    pub config: String,
    /// All of it, as JSON of `envoy.config.route.v3.Route`.
    pub value: Value,
}

/// Where a route can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Envoy's name.
    pub cluster: String,
    /// Its share of the sum; 1 where there is no other.
    pub weight: u64,
}

impl Routes {
    /// Reads `/config_dump?resource=dynamic_route_configs`.
    pub(super) fn read(dump: &Value) -> Self {
        let mut all = Vec::new();
        for config in list(&dump["configs"]) {
            let table = &config["route_config"];
            for host in list(&table["virtual_hosts"]) {
                for route in list(&host["routes"]) {
                    all.push(Route {
                        table: text(&table["name"]),
                        host: text(&host["name"]),
                        name: text(&route["name"]),
                        config: at(route, &["metadata", "filter_metadata", "istio", "config"]).unwrap_or("").into(),
                        value: route.clone(),
                    });
                }
            }
        }
        Self { all }
    }

    /// Routes of this name (`None`: without one) and VirtualService (`namespace/name`).
    pub fn find(&self, name: Option<&str>, virtual_service: &str) -> impl Iterator<Item = &Route> {
        let (namespace, own) = virtual_service.split_once('/').unwrap_or(("", virtual_service));
        let config = format!("/namespaces/{namespace}/virtual-service/{own}");
        let name = name.unwrap_or_default().to_owned();
        self.all.iter().filter(move |route| route.name == name && route.config.ends_with(&config))
    }
}

impl Route {
    /// Where it can go, those of weight 0 left out; none for a redirect or a direct response.
    pub fn destinations(&self) -> Vec<Destination> {
        let route = &self.value["route"];
        if let Some(cluster) = route["cluster"].as_str() {
            return vec![Destination { cluster: cluster.into(), weight: 1 }];
        }
        let clusters = list(&route["weighted_clusters"]["clusters"]).iter();
        let one =
            |one: &Value| Destination { cluster: text(&one["name"]), weight: one["weight"].as_u64().unwrap_or(0) };
        clusters.map(one).filter(|destination| destination.weight > 0).collect()
    }

    /// How long the whole exchange may take, in milliseconds; `None` for as long as it likes.
    pub fn timeout_ms(&self) -> Option<u64> {
        milliseconds(&self.value["route"]["timeout"]).filter(|timeout| *timeout > 0)
    }

    /// The retry policy, as JSON of `envoy.config.route.v3.RetryPolicy`; null where nothing is tried again.
    pub fn retries(&self) -> &Value {
        &self.value["route"]["retry_policy"]
    }
}

/// A duration of protobuf's JSON, `0.250s`, in milliseconds.
pub fn milliseconds(duration: &Value) -> Option<u64> {
    let seconds: f64 = duration.as_str()?.strip_suffix('s')?.parse().ok()?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "durations are small and positive")]
    Some((seconds * 1000.0).round() as u64)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}
