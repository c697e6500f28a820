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
        let (mut own, mut off, mut on) = (vec![], vec![], vec![]);
        let none = BTreeSet::new();
        let ports: BTreeSet<u16> = configured.iter().flat_map(|one| one.ports.iter().copied()).collect();
        // Servers whose ports differ may be one listener.
        let here = |port| servers.iter().filter(move |one| settled.of(one.port) == port && !one.redirects);
        let on_port = |port| here(port).filter(|one| one.is_of(target));
        let ends_tls = |port: &&u16| on_port(**port).any(|one| one.is_https);
        let https: BTreeSet<u16> =
            ports.iter().filter(ends_tls).flat_map(|port| here(*port)).map(|one| one.port).collect();
        for port in ports {
            let filters: BTreeSet<_> = configured
                .iter()
                .zip(names)
                .filter(|(one, _)| one.ports.contains(&port))
                .map(|(_, name)| filter_name(target, name))
                .collect();
            if on_port(port).any(|one| one.is_https) {
                off.extend(here(port).map(|one| (json!({"portNumber": one.port}), filters.clone(), false)));
            }
            let behind = settled.behind.get(&port).unwrap_or(&none);
            for server in on_port(port) {
                let found = server.route_configurations(behind);
                if server.is_https {
                    on.extend(found.iter().map(|one| (one.clone(), filters.clone(), true)));
                } else if server.is_met_by(&https, behind) {
                    on.extend(server.named(behind).into_iter().map(|one| (one, filters.clone(), true)));
                }
                own.extend(found);
            }
        }
        // What one port turns off may be another one's too, and what follows overrides.
        let running = without_repeats(off.into_iter().chain(on));
        let own = without_repeats(own);
        Self { own, running, mirrors }
    }
}

fn without_repeats<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut once = vec![];
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}
