//! In which route configurations the filter counts. A plugin is for a port; of the HTTPS servers of a port each has routes
//! of its own, and those of others are none of its business.

use super::configured::Configured;
use super::plugin::filter_name;
use super::ports::Settled;
use super::selection::{Place, Target};
use super::server::Server;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Where the EnvoyFilter changes routes.
#[derive(Debug)]
pub struct Routes {
    /// Matches of route configurations that take what is decided.
    pub own: Vec<Value>,
    /// Matches, the filters that are meant, and whether they run there; what follows overrides.
    pub running: Vec<(Value, BTreeSet<String>, bool)>,
    /// The most mirrors of a rule.
    pub mirrors: usize,
}

impl Routes {
    /// Of these configurations, whose plugins are called `names`.
    pub fn new(
        configured: &[Configured],
        names: &[String],
        target: &Target,
        servers: &[Server<'_>],
        settled: &Settled,
    ) -> Self {
        let mirrors = configured.iter().map(|one| one.policy.most_mirrors()).max().unwrap_or(0);
        if target.place != Place::Gateway {
            return Self { own: vec![json!({})], running: vec![], mirrors };
        }
        let (mut own, mut running) = (vec![], vec![]);
        let none = BTreeSet::new();
        let ports: BTreeSet<u16> = configured.iter().flat_map(|one| one.ports.iter().copied()).collect();
        for port in ports {
            let filters: BTreeSet<_> = configured
                .iter()
                .zip(names)
                .filter(|(one, _)| one.ports.contains(&port))
                .map(|(_, name)| filter_name(target, name))
                .collect();
            let on_port = servers.iter().filter(|one| one.is_of(target) && one.port == port && !one.redirects);
            let mut is_first = true;
            for server in on_port {
                for configuration in server.route_configurations(settled.behind.get(&port).unwrap_or(&none)) {
                    if own.contains(&configuration) {
                        continue;
                    }
                    if server.is_https {
                        if std::mem::take(&mut is_first) {
                            running.push((json!({ "portNumber": port }), filters.clone(), false));
                        }
                        running.push((configuration.clone(), filters.clone(), true));
                    }
                    own.push(configuration);
                }
            }
        }
        Self { own, running, mirrors }
    }
}
