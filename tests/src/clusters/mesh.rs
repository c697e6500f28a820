//! Random defaults of a mesh.

use super::policy::locality;
use crate::rng::Rng;
use serde_json::{Map, Value, json};

/// Fields of a mesh's configuration, each with a chance.
pub fn fields(seed: u64, number: usize) -> Value {
    // A stream of its own, beside those of sets and proxies.
    let mut rng = Rng::of(seed.rotate_left(32), number);
    let mut all = Map::new();
    let mut one = |name: &str, percent: usize, among: &[Value]| {
        if rng.chance(percent) {
            all.insert(name.to_owned(), rng.pick(among));
        }
    };
    one("connectTimeout", 50, &[json!("1.5s"), json!("30s"), json!("1h")]);
    let keepalives =
        [json!({}), json!({"probes": 3}), json!({"time": "90s", "interval": "7.5s"}), json!({"probes": 0})];
    one("tcpKeepalive", 50, &keepalives);
    one("h2UpgradePolicy", 60, &[json!("UPGRADE"), json!("UPGRADE"), json!("DO_NOT_UPGRADE")]);
    one("rootNamespace", 30, &[json!("mesh-config")]);
    one("trustDomain", 40, &[json!("td.example.com")]);
    one("trustDomainAliases", 40, &[json!(["old.example.com", "cluster.local"])]);
    one("defaultServiceExportTo", 25, &[json!(["."]), json!(["*"]), json!(["other"])]);
    one("defaultDestinationRuleExportTo", 40, &[json!(["."]), json!([".", "*"]), json!(["other"])]);
    if rng.chance(80) {
        all.insert("localityLbSetting".into(), locality(&mut rng));
    }
    Value::Object(all)
}
