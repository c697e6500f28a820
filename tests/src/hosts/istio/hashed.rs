//! What Istio has Envoy hash to choose a host (istio.md 1.17), for what our filter hands over as a value.

use crate::istio::Exchange;
use serde_json::Value;

/// The value that the first hash policy of a route's action has, as the upstream saw the request.
pub fn value(route: &Value, seen: &Exchange) -> Option<String> {
    let policy = &route["route"]["hash_policy"][0];
    let received = seen.upstream.as_ref()?;
    let lines = |name: &str| {
        let name = name.to_ascii_lowercase();
        let lines = received.headers.iter().filter(move |(known, _)| *known == name);
        lines.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    if let Some(name) = policy["header"]["header_name"].as_str() {
        let mut all = lines(name);
        all.sort();
        return (!all.is_empty()).then(|| all.join(","));
    }
    if let Some(name) = policy["cookie"]["name"].as_str() {
        let all = lines("cookie").join(";");
        let mut pairs = all.split(';').filter_map(|pair| pair.trim().split_once('='));
        return pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value.to_owned());
    }
    if let Some(name) = policy["query_parameter"]["name"].as_str() {
        let query = received.path.split_once('?')?.1;
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        return pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    }
    if policy["connection_properties"]["source_ip"] == true {
        let client = lines("x-forwarded-for").first()?.split(',').next()?.trim().parse::<std::net::IpAddr>();
        return client.ok().map(|address| address.to_string());
    }
    None
}
