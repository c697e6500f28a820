//! The routes that an Envoy has from istiod, for what no request shows: weights, timeouts, retries.

use super::exchange::at;
use serde_json::Value;

/// All of a million.
const ALL: u64 = 1_000_000;

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
    pub(crate) fn read(dump: &Value) -> Self {
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

    /// Where copies go, each with its share in millionths.
    pub fn mirrors(&self) -> Vec<(String, u64)> {
        let policies = list(&self.value["route"]["request_mirror_policies"]).iter();
        policies
            .map(|policy| (text(&policy["cluster"]), millionths(&policy["runtime_fraction"]["default_value"], ALL)))
            .collect()
    }

    /// By what a host of the destination is chosen, as JSON of `envoy.config.route.v3.RouteAction.HashPolicy`.
    pub fn hash_policies(&self) -> &[Value] {
        list(&self.value["route"]["hash_policy"])
    }

    /// What its fault filter injects, as JSON of `envoy.extensions.filters.http.fault.v3.HTTPFault`; null for nothing.
    pub fn fault(&self) -> &Value {
        &self.value["typed_per_filter_config"]["envoy.filters.http.fault"]
    }

    /// How many of a million requests the fault filter delays, and how many it aborts.
    pub fn fault_shares(&self) -> (u64, u64) {
        let share = |part: &str| millionths(&self.fault()[part]["percentage"], 0);
        (share("delay"), share("abort"))
    }

    /// Whether anything of it is left to chance: two requests may differ.
    pub fn is_random(&self) -> bool {
        let chance = |share: u64| share > 0 && share < ALL;
        let (delay, abort) = self.fault_shares();
        self.destinations().len() > 1
            || chance(delay)
            || chance(abort)
            || self.mirrors().iter().any(|(_, share)| chance(*share))
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

/// A share of `envoy.type.v3.FractionalPercent`, whose fields of value 0 JSON leaves out; `none` where there is no share.
fn millionths(share: &Value, none: u64) -> u64 {
    if !share.is_object() {
        return none;
    }
    let numerator = share["numerator"].as_u64().unwrap_or(0);
    match share["denominator"].as_str() {
        Some("MILLION") => numerator,
        Some("TEN_THOUSAND") => numerator * 100,
        _ => numerator * 10_000,
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
