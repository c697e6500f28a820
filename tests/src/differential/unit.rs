//! A random policy: the VirtualServices of some hosts that nobody else has.

use super::feature::{Feature, Features};
use super::matching;
use super::regex::Regex;
use super::route;
use super::world::{AWAY, Entry, GATEWAY_PORTS, HOME, Upstream, own_service};
use crate::rng::Rng;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A policy of its own, and what its requests are made from.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its number, which its names hold.
    pub number: usize,
    /// VirtualServices, and the services that make their hosts known to the sidecar.
    pub manifests: Vec<Value>,
    /// Where its hosts can be reached.
    pub entries: Vec<Entry>,
    /// The regular expressions in it, by text.
    pub regexes: BTreeMap<String, Regex>,
    /// The features in it.
    pub used: BTreeSet<Feature>,
}

/// What writes a policy.
#[derive(Debug)]
pub struct Writer<'a> {
    /// Where chance comes from.
    pub rng: Rng,
    /// What it may use.
    pub features: &'a Features,
    /// The unit's number.
    pub number: usize,
    /// The regular expressions so far.
    pub regexes: BTreeMap<String, Regex>,
    /// The namespace of the VirtualService at hand.
    pub namespace: &'static str,
    /// Whether it is bound to the mesh.
    pub mesh: bool,
    /// The Gateways that it is bound to.
    pub gateways: Vec<&'static str>,
    /// What it has used.
    pub used: BTreeSet<Feature>,
    /// VirtualServices without hosts that rules delegate to.
    pub delegates: Vec<Value>,
}

impl Unit {
    /// The policy `number` of a seed.
    pub fn new(seed: u64, number: usize, features: &Features, upstream: Upstream) -> Self {
        let mut writer = Writer {
            rng: Rng::of(seed, number),
            features,
            number,
            regexes: BTreeMap::new(),
            namespace: HOME,
            mesh: false,
            gateways: Vec::new(),
            delegates: Vec::new(),
            used: BTreeSet::new(),
        };
        writer.bind();
        let (hosts, known) = writer.hosts();
        let mut manifests = Vec::new();
        if writer.mesh {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            manifests.push(own_service(&format!("u{number}"), &known, number, upstream));
        }
        let several = writer.may(Feature::SeveralForOneHost, 25);
        for index in 0..if several { 2 + writer.rng.below(2) } else { 1 } {
            let own = if index == 0 || writer.rng.chance(60) { hosts.clone() } else { writer.other_hosts(&hosts) };
            let service = writer.virtual_service(index, &own);
            manifests.push(service);
        }
        manifests.append(&mut writer.delegates);
        let mut entries: Vec<Entry> = Vec::new();
        if writer.mesh {
            entries.push(Entry::Mesh);
        }
        for (port, gateway) in GATEWAY_PORTS {
            if writer.gateways.contains(&gateway) {
                entries.push(Entry::Gateway(port));
            }
        }
        Self { number, manifests, entries, regexes: writer.regexes, used: writer.used }
    }

    /// Its VirtualServices that have hosts.
    pub fn virtual_services(&self) -> impl Iterator<Item = &Value> {
        self.manifests.iter().filter(|one| one["kind"] == "VirtualService" && one["spec"]["hosts"].is_array())
    }
}

impl Unit {
    /// The hosts of its VirtualServices, as written.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let lists = self.virtual_services().filter_map(|one| one["spec"]["hosts"].as_array());
        lists.flatten().filter_map(Value::as_str)
    }
}

impl Writer<'_> {
    /// Whether to use a feature that is used so many times of 100.
    pub fn may(&mut self, feature: Feature, percent: usize) -> bool {
        // Drawn in any case: switches do not move what comes after.
        let is_used = self.rng.chance(percent) && self.features.has(feature);
        if is_used {
            self.used.insert(feature);
        }
        is_used
    }

    fn bind(&mut self) {
        let kind = self.rng.below(10);
        self.mesh = kind >= 5;
        if !(5..8).contains(&kind) {
            self.gateways = match self.rng.below(6) {
                0..3 => vec!["gw"],
                3 => vec!["gw2"],
                _ => vec!["gw", "gw2"],
            };
        }
    }

    /// Hosts of the policy, and the names of services that make them known.
    fn hosts(&mut self) -> (Vec<String>, Vec<String>) {
        let n = self.number;
        let wild = self.may(Feature::Wildcards, 20);
        let (hosts, known) = match (self.mesh && self.gateways.is_empty(), wild) {
            (true, false) => {
                let full = format!("u{n}.{HOME}.svc.cluster.local");
                (vec![if self.rng.chance(60) { format!("u{n}") } else { full.clone() }], vec![full])
            }
            (_, true) => {
                let mut hosts = vec![format!("*.u{n}.test")];
                if self.rng.chance(40) {
                    hosts.push(format!("u{n}.test"));
                }
                (hosts, vec![format!("u{n}.test"), format!("a.u{n}.test"), format!("b.u{n}.test")])
            }
            (_, false) => {
                let mut hosts = vec![format!("u{n}.test")];
                if self.rng.chance(25) {
                    hosts.push(format!("second.u{n}.test"));
                }
                let known = hosts.clone();
                (hosts, known)
            }
        };
        if self.may(Feature::UpperCaseHosts, 8) {
            return (hosts.iter().map(|host| host.replace('u', "U")).collect(), known);
        }
        (hosts, known)
    }

    /// Hosts of a further VirtualService, which overlap with those of the first.
    fn other_hosts(&mut self, hosts: &[String]) -> Vec<String> {
        let n = self.number;
        let wild = self.features.has(Feature::Wildcards) && self.rng.chance(50);
        let only_mesh = self.gateways.is_empty();
        match (hosts.first().is_some_and(|host| host.starts_with('*')), wild) {
            (true, _) => vec![format!("a.u{n}.test")],
            (false, true) if !only_mesh => vec![format!("*.u{n}.test"), format!("u{n}.test")],
            _ => hosts.to_vec(),
        }
    }

    fn virtual_service(&mut self, index: usize, hosts: &[String]) -> Value {
        self.namespace = if self.rng.chance(15) { AWAY } else { HOME };
        // A short host is one of the VirtualService's own namespace.
        if hosts.iter().any(|host| !host.contains('.')) {
            self.namespace = HOME;
        }
        let suffix = ["", "b", "c"].get(index).copied().unwrap_or_default();
        let mut spec = Map::new();
        spec.insert("hosts".into(), json!(hosts));
        let mut gateways: Vec<String> = Vec::new();
        for gateway in &self.gateways {
            gateways.push(if self.namespace == HOME && self.number.is_multiple_of(2) {
                (*gateway).into()
            } else {
                format!("{HOME}/{gateway}")
            });
        }
        if self.mesh && (!gateways.is_empty() || self.rng.chance(30)) {
            gateways.push("mesh".into());
        }
        if !gateways.is_empty() {
            spec.insert("gateways".into(), json!(gateways));
        }
        if self.may(Feature::ExportTo, 10) {
            let to: &[&str] = self.rng.pick(&[&["."][..], &["*"], &[AWAY], &[HOME], &[HOME, AWAY], &["~"]]);
            spec.insert("exportTo".into(), json!(to));
        }
        let rules = 1 + self.rng.below(5);
        let http: Vec<Value> = (0..rules).map(|rule| self.rule(rule, rules, true)).collect();
        spec.insert("http".into(), json!(http));
        let mut metadata = json!({"name": format!("u{}{suffix}", self.number), "namespace": self.namespace});
        if self.rng.chance(20) {
            metadata["creationTimestamp"] = json!(format!("2026-0{}-01T12:00:00Z", 1 + self.rng.below(3)));
        }
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec,
        })
    }

    /// A rule; `top`: it may delegate.
    pub fn rule(&mut self, index: usize, rules: usize, top: bool) -> Value {
        let mut rule = Map::new();
        if self.rng.chance(60) {
            rule.insert("name".into(), json!(format!("r{index}")));
        }
        let blocks = match self.rng.below(10) {
            // A catch-all in the middle hides the rest: now and then.
            0 if index + 1 < rules => 0,
            1..=3 if index + 1 == rules => 0,
            4 | 5 => 2,
            6 => 3,
            _ => 1,
        };
        if blocks > 0 {
            let blocks: Vec<Value> = (0..blocks).map(|_| matching::block(self)).collect();
            rule.insert("match".into(), json!(blocks));
        }
        if top && self.may(Feature::Delegate, 10) {
            self.delegate(&mut rule);
            return Value::Object(rule);
        }
        route::action(self, &mut rule);
        Value::Object(rule)
    }

    /// Lets a rule delegate, to a new VirtualService mostly.
    fn delegate(&mut self, rule: &mut Map<String, Value>) {
        let name = format!("u{}-d{}", self.number, self.delegates.len());
        let away = self.rng.chance(30);
        let namespace = if away { AWAY } else { self.namespace };
        let mut delegate = json!({"name": name});
        if away || self.rng.chance(30) {
            delegate["namespace"] = json!(namespace);
        }
        rule.insert("delegate".into(), delegate);
        route::transform(self, rule);
        if self.rng.chance(10) {
            // There is none of this name.
            return;
        }
        let root = self.namespace;
        self.namespace = namespace;
        let rules = 1 + self.rng.below(3);
        let mut http: Vec<Value> = (0..rules).map(|index| self.rule(index, rules, false)).collect();
        // Conditions that go with those of the root are rare by chance alone.
        for inner in &mut http {
            if self.rng.chance(60) {
                matching::narrow(self, rule.get("match"), inner);
            }
        }
        self.namespace = root;
        let mut spec = json!({"http": http});
        if self.may(Feature::ExportTo, 15) {
            let to: &[&str] = self.rng.pick(&[&["."][..], &["*"], &[AWAY], &[HOME]]);
            spec["exportTo"] = json!(to);
        }
        self.delegates.push(json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        }));
    }
}
