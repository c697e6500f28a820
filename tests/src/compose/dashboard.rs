//! The queries of Grafana's dashboard, asked of Prometheus: a panel that can show nothing is an error.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::measure::Measure;
use super::resolve;
use crate::harness::Client;

/// The dashboard.
const DASHBOARD: &str = "/demo/compose/grafana/dashboards/switchyard.json";
/// Where Prometheus is.
const PROMETHEUS: &str = "prometheus:9090";
/// Seconds between two points of a panel.
const STEP: u64 = 2;

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Asks every query of every panel for the time since then: each must have a point above 0. Errors: the dashboard
/// cannot be read, Prometheus does not answer.
pub async fn check(since: u64) -> Result<Vec<Measure>, String> {
    let text = fs::read_to_string(DASHBOARD).map_err(|error| format!("`{DASHBOARD}`: {error}"))?;
    let dashboard: Value = serde_json::from_str(&text).map_err(|error| format!("`{DASHBOARD}`: {error}"))?;
    let mut client = Client::new(resolve(PROMETHEUS).await?);
    let queries = queries(&dashboard);
    let mut empty = Vec::new();
    for (panel, query) in &queries {
        let target = format!("/api/v1/query_range?query={}&start={since}&end={}&step={STEP}", encode(query), now());
        let response = client.get(PROMETHEUS, &target).await?;
        if response.status != 200 {
            return Err(format!("panel `{panel}`: status {}: {}", response.status, response.text()));
        }
        let (points, above) = points(&response.json()?);
        if above == 0 {
            empty.push(Measure::at_least(format!("`{panel}`, points above 0 of {points}"), above, 1));
        }
    }
    let mut measures = vec![Measure::all("queries that return data", queries.len() - empty.len(), queries.len())];
    measures.extend(empty);
    Ok(measures)
}

/// Title and query of all panels.
fn queries(dashboard: &Value) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().into_iter().flatten() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            if let (Some(title), Some(query)) = (panel["title"].as_str(), target["expr"].as_str()) {
                found.push((title, query));
            }
        }
    }
    found
}

/// How many points an answer has, and how many are above 0.
fn points(answer: &Value) -> (usize, usize) {
    let series = answer["data"]["result"].as_array().into_iter().flatten();
    let values = series.flat_map(|series| series["values"].as_array().into_iter().flatten());
    let numbers: Vec<f64> = values.filter_map(|pair| pair[1].as_str()?.parse().ok()).collect();
    (numbers.len(), numbers.iter().filter(|number| **number > 0.0).count())
}

/// A query as part of a URL.
fn encode(query: &str) -> String {
    query
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The file that people get.
    fn shipped() -> Value {
        serde_json::from_str(include_str!("../../../envoy/demo/grafana/dashboards/switchyard.json")).unwrap()
    }

    #[test]
    fn the_dashboard_asks_for_shares_faults_ejections_and_mirrored_traffic() {
        let shipped = shipped();
        let queries = queries(&shipped);
        assert!(queries.len() >= 8, "{queries:?}");
        for series in ["switchyard_requests", "fault", "outlier_detection_ejections", "mirror"] {
            assert!(queries.iter().any(|(_, query)| query.contains(series)), "{series}");
        }
        // Prometheus takes them as they are: nothing of Grafana's own.
        assert!(queries.iter().all(|(_, query)| !query.contains('$')), "{queries:?}");
    }

    #[test]
    fn panels_ask_the_source_that_is_provisioned_and_do_not_overlap() {
        let mut places = std::collections::BTreeSet::new();
        let provisioned = include_str!("../../../envoy/demo/grafana/provisioning/datasources/prometheus.yaml");
        for panel in shipped()["panels"].as_array().unwrap() {
            let uid = panel["datasource"]["uid"].as_str().unwrap();
            assert!(provisioned.contains(&format!("uid: {uid}\n")), "{uid}");
            let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(x < 24 && places.insert((x, y)), "{panel}");
                }
            }
        }
    }

    #[test]
    fn the_provisioning_is_yaml_and_names_what_is_mounted() {
        let compose = include_str!("../../../envoy/demo/docker-compose.yml");
        for text in [
            include_str!("../../../envoy/demo/grafana/provisioning/datasources/prometheus.yaml"),
            include_str!("../../../envoy/demo/grafana/provisioning/dashboards/switchyard.yaml"),
            include_str!("../../../envoy/demo/prometheus.yml"),
            compose,
        ] {
            let (documents, problems) = switchyard_envoy::yaml::load(text);
            assert!(documents.len() == 1 && problems.is_empty(), "{problems:?}");
        }
        let folder = "/etc/grafana/dashboards";
        assert!(compose.contains(&format!("./grafana/dashboards:{folder}:ro")));
        assert!(include_str!("../../../envoy/demo/grafana/provisioning/dashboards/switchyard.yaml").contains(folder));
    }

    #[test]
    fn points_above_nothing_are_counted() {
        let answer =
            json!({"data": {"result": [{"values": [[1, "0"], [2, "0.5"], [3, "NaN"]]}, {"values": [[1, "2"]]}]}});
        assert_eq!(points(&answer), (4, 2));
        assert_eq!(encode("a{b=\"c\"}"), "a%7Bb%3D%22c%22%7D");
    }
}
