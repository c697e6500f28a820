//! Where a list of routes is asked: the hosts that have it, and what their tags can say.

use std::collections::BTreeMap;
use switchyard_filter::Policy;
use switchyard_filter::policy::Route;
use switchyard_filter::tag::{Tag, TagState};

/// A list of routes and the hosts that share it.
pub struct Site<'p> {
    /// The policy.
    pub policy: &'p Policy,
    /// Exact names, `*.suffix` and `*`, in lower case.
    pub hosts: Vec<String>,
    /// An `:authority` that comes here; `None` where none was found, as when other hosts take all of a wildcard's.
    pub authority: Option<String>,
    /// The routes, in order.
    pub routes: &'p [Route],
    /// What each of the policy's tags can say here.
    pub tags: Vec<Says<'p>>,
}

/// What a tag can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says<'p> {
    /// It says nothing here: its header is like any other.
    Elsewhere,
    /// One of these; `None`: the header is not there.
    Of(Vec<Option<&'p str>>),
    /// Either, by the host.
    Unclear,
}

/// A label that nobody's host has.
const ANY: &str = "any-switchyard-host";

impl<'p> Site<'p> {
    /// Every list of routes of a policy.
    pub fn all(policy: &'p Policy) -> Vec<Self> {
        let mut sites: Vec<Self> = vec![];
        // Lists that are shared are one place in memory.
        let mut known: BTreeMap<*const Route, usize> = BTreeMap::new();
        for (host, virtual_host) in policy.hosts().iter() {
            let routes = &virtual_host.routes;
            if let Some(site) = known.get(&routes.as_ptr()).and_then(|at| sites.get_mut(*at)) {
                site.hosts.push(host.into_owned());
            } else {
                known.insert(routes.as_ptr(), sites.len());
                let hosts = vec![host.into_owned()];
                sites.push(Self { policy, hosts, authority: None, routes, tags: vec![] });
            }
        }
        for site in &mut sites {
            let samples = site.hosts.iter().map(|host| sample(host));
            site.authority = samples.into_iter().find(|sample| is_routed(policy, site.routes, sample.as_bytes()));
            site.tags = policy.tags().iter().map(|tag| says(tag, &site.hosts)).collect();
        }
        sites
    }

    /// Whether a request for this `:authority` comes here.
    pub fn has(&self, authority: &[u8]) -> bool {
        is_routed(self.policy, self.routes, authority)
    }

    /// The states of all tags for an authority: as they are `said`, by tag.
    pub fn tag_states<'a>(&self, authority: &[u8], said: &[Option<&'a str>]) -> Vec<TagState<'a>> {
        let tags = self.policy.tags().iter().zip(said);
        tags.map(|(tag, said)| match (tag.hosts.find(authority), said) {
            (None, _) => TagState::Elsewhere,
            (Some(()), Some(value)) => TagState::Value(value),
            (Some(()), None) => TagState::None,
        })
        .collect()
    }

    /// What tags say where no rule asks: nothing where they may.
    pub fn usual_tags(&self) -> Vec<Option<&'p str>> {
        let usual = |says: &Says<'p>| match says {
            Says::Of(values) if !values.contains(&None) => values.first().copied().flatten(),
            _ => None,
        };
        self.tags.iter().map(usual).collect()
    }
}

fn is_routed(policy: &Policy, routes: &[Route], authority: &[u8]) -> bool {
    policy.hosts().find(authority).is_some_and(|found| core::ptr::eq(&raw const *found.routes, routes))
}

/// A name that a host stands for.
fn sample(host: &str) -> String {
    match host.strip_prefix('*') {
        Some("") => "any.example".to_owned(),
        Some(suffix) => format!("any{suffix}"),
        None => host.to_owned(),
    }
}

fn says<'p>(tag: &'p Tag, hosts: &[String]) -> Says<'p> {
    let covers = |host: &String| match host.strip_prefix('*') {
        None => Some(tag.hosts.find(host.as_bytes()).is_some()),
        Some(suffix) if tag.hosts.find(format!("{ANY}{suffix}").as_bytes()).is_some() => Some(true),
        Some(suffix) => (!tag.hosts.iter().any(|(own, ())| own.ends_with(suffix))).then_some(false),
    };
    if hosts.iter().all(|host| covers(host) == Some(false)) {
        return Says::Elsewhere;
    }
    if !hosts.iter().all(|host| covers(host) == Some(true)) {
        return Says::Unclear;
    }
    let mut values: Vec<Option<&str>> = vec![];
    // Without shares, requests that no rule takes have no value.
    let none = tag.split.is_none().then_some(None);
    for value in none.into_iter().chain(tag.values().map(Some)) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Says::Of(values)
}
