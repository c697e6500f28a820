//! How long the policies in force may hold a request before it goes to its cluster.

use super::super::admin::Admin;
use super::super::folder::Folder;
use crate::cli::failure::Failure;
use serde_json::Value;
use std::time::Duration;
use switchyard_envoy::bootstrap::dynamic::{Dynamic, Kind, read};
use switchyard_filter::duration::nanoseconds;

/// The longest delay of a policy that Envoy has, is in a file, or was accepted last. Of one that cannot be read it is
/// nothing.
pub fn longest(folder: &Folder, new: &Dynamic, envoy: &Admin) -> Result<Duration, Failure> {
    let mut resources = envoy.policies().map_err(Failure::Expectation)?;
    for policy in new.sources.iter().filter(|source| source.kind == Kind::Policy) {
        for text in [folder.read(&policy.file)?, folder.previous(&policy.file)?].into_iter().flatten() {
            resources.extend(read(&text).map(|(_, resources)| resources).unwrap_or_default());
        }
    }
    Ok(resources.iter().filter_map(of_resource).max().unwrap_or_default())
}

fn of_resource(resource: &Value) -> Option<Duration> {
    let configuration = resource.pointer("/typed_config/config/configuration/value")?.as_str()?;
    Some(of_document(&serde_json::from_str(configuration).ok()?))
}

fn of_document(value: &Value) -> Duration {
    match value {
        Value::Array(items) => items.iter().map(of_document).max().unwrap_or_default(),
        Value::Object(fields) => {
            let delay = fields.get("fixedDelay").and_then(Value::as_str).and_then(nanoseconds);
            let delay = Duration::from_nanos(delay.and_then(|delay| u64::try_from(delay).ok()).unwrap_or(0));
            fields.values().map(of_document).max().unwrap_or_default().max(delay)
        }
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_longest_delay_of_any_rule_counts() {
        let delay = |delay: &str| json!({"fault": {"delay": {"fixedDelay": delay}}});
        let policy = json!({"virtualServices": [{"http": [delay("300ms"), delay("1m1.5s")]}, {"http": [delay("2s")]}]});
        let resource = json!({"typed_config": {"config": {"configuration": {"value": policy.to_string()}}}});
        assert_eq!(of_resource(&resource), Some(Duration::from_millis(61_500)));
        assert_eq!(of_resource(&json!({})), None);
    }
}
