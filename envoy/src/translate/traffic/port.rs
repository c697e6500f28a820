//! Settings of ports.

use super::super::{Notes, spec};
use crate::manifest::{DestinationRule, Manifest};
use std::collections::BTreeSet;

/// Settings of ports that no host of the rule has: TLS that is written there encrypts nothing.
pub fn unknown_ports(manifest: &Manifest, written: &DestinationRule, ports: &BTreeSet<u16>, notes: &mut Notes) {
    let own = written.traffic_policy.iter().map(|policy| ("trafficPolicy".to_owned(), policy));
    let subsets = written.subsets.iter().enumerate();
    let of_subsets = subsets
        .filter_map(|(at, subset)| Some((format!("subsets[{at}].trafficPolicy"), subset.traffic_policy.as_ref()?)));
    for (field, policy) in own.chain(of_subsets) {
        for (index, setting) in policy.port_level_settings.iter().enumerate() {
            let number = setting.port.number;
            if number == 0 || ports.contains(&number) {
                continue;
            }
            let path = spec(&format!("{field}.portLevelSettings[{index}].port.number"));
            let known: Vec<_> = ports.iter().map(|port| format!("`{port}`")).collect();
            let message = format!("`{}` has no port `{number}`: these settings have no effect", written.host);
            let found = manifest.warning(&path, &message).code("ignored-field");
            notes.push(found.help(format!("its ports are {}", known.join(", "))));
        }
    }
}
