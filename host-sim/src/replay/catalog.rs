//! What is counted: every tag value, rule and destination of all listeners, once each, also those that nothing reaches.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use switchyard_filter::Policy;
use switchyard_filter::decision::{Action, Decision, Forward};
use switchyard_filter::report::what_happens;

/// All outcomes, numbered. A rule that several listeners have is one.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Tags by header, with their values; `None`: no value.
    pub tags: Vec<(String, Vec<Option<String>>)>,
    /// Rules, then what no rule takes.
    pub rules: Vec<RuleKey>,
    /// Clusters by rule.
    pub destinations: Vec<Vec<String>>,
    /// Clusters.
    pub clusters: Vec<String>,
    /// Chances of rules: what each is called, and what happens.
    pub chances: Vec<(String, String)>,
    policies: Vec<Numbers>,
    numbers: BTreeMap<RuleKey, usize>,
    chance_numbers: BTreeMap<String, usize>,
}

/// What takes a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleKey {
    /// A rule of a VirtualService: `namespace/name` and the rule's name.
    Rule(String, String),
    /// A virtual host without a rule that matches: 404.
    NoRule,
    /// No virtual host: 404.
    NoVirtualHost,
    /// No virtual host: left to Envoy's own routes.
    Pass,
}

/// The numbers of one policy's tags, rules and destinations.
#[derive(Debug)]
struct Numbers {
    tags: Vec<usize>,
    rules: Vec<usize>,
    /// By rule: each destination's number in its rule, and among all clusters.
    destinations: Vec<Vec<(usize, usize)>>,
}

impl Catalog {
    /// What these policies can do.
    pub fn new<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        let mut all = Self::default();
        let mut tags = BTreeMap::new();
        let mut rules = BTreeMap::new();
        for policy in policies {
            let numbers = Numbers {
                tags: policy.tags().iter().map(|tag| all.add_tag(tag, &mut tags)).collect(),
                rules: policy
                    .rules()
                    .iter()
                    .map(|rule| {
                        let key = RuleKey::Rule(rule.virtual_service.to_string(), rule.name.to_string());
                        all.add_rule(key, &mut rules)
                    })
                    .collect(),
                destinations: Vec::new(),
            };
            for rule in policy.rules() {
                for chance in rule.chances() {
                    if let Entry::Vacant(new) = all.chance_numbers.entry(chance.name.to_string()) {
                        new.insert(all.chances.len());
                        all.chances.push((chance.name.to_string(), what_happens(rule, chance)));
                    }
                }
            }
            let destinations = policy.rules().iter().zip(&numbers.rules).map(|(rule, number)| {
                let known = &mut all.destinations[*number];
                let pair = |cluster: &str| (number_of(known, cluster), number_of(&mut all.clusters, cluster));
                rule.destinations.iter().map(|destination| &*destination.cluster).map(pair).collect()
            });
            let destinations = destinations.collect();
            all.policies.push(Numbers { destinations, ..numbers });
        }
        for key in [RuleKey::NoRule, RuleKey::NoVirtualHost, RuleKey::Pass] {
            all.add_rule(key, &mut rules);
        }
        all.numbers = rules;
        all
    }

    fn add_tag(&mut self, tag: &switchyard_filter::tag::Tag, known: &mut BTreeMap<String, usize>) -> usize {
        let number = *known.entry(tag.header.to_string()).or_insert_with(|| {
            self.tags.push((tag.header.to_string(), Vec::new()));
            self.tags.len() - 1
        });
        let values = &mut self.tags[number].1;
        for value in tag.values().map(|value| Some(value.to_owned())).chain([None]) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        number
    }

    fn add_rule(&mut self, key: RuleKey, known: &mut BTreeMap<RuleKey, usize>) -> usize {
        *known.entry(key.clone()).or_insert_with(|| {
            self.rules.push(key);
            self.destinations.push(Vec::new());
            self.rules.len() - 1
        })
    }

    /// A chance's number.
    pub fn chance(&self, name: &str) -> Option<usize> {
        self.chance_numbers.get(name).copied()
    }

    /// A tag's number. `policy` and `tag`: their places.
    pub fn tag(&self, policy: usize, tag: usize) -> usize {
        self.policies[policy].tags[tag]
    }

    /// A tag value's number, by the tag's.
    pub fn value(&self, tag: usize, value: Option<&str>) -> usize {
        let known = self.tags[tag].1.iter().position(|known| known.as_deref() == value);
        known.unwrap_or_default()
    }

    /// The number of what takes a request; `None` where that is not decided.
    pub fn rule(&self, policy: usize, decision: &Decision<'_>) -> Option<usize> {
        let key = match &decision.action {
            Action::Forward(forward) => return Some(self.policies[policy].rules[forward.route.rule]),
            Action::Reply(reply) => match reply.rule {
                Some(rule) => RuleKey::Rule(rule.virtual_service.to_string(), rule.name.to_string()),
                None if reply.reason == "no_route" => RuleKey::NoRule,
                None => RuleKey::NoVirtualHost,
            },
            Action::Pass => RuleKey::Pass,
            Action::Undecidable(_) => return None,
        };
        self.numbers.get(&key).copied()
    }

    /// The numbers of each destination of the rule that takes a request, in order: in the rule, among all clusters.
    pub fn destinations(&self, policy: usize, forward: &Forward<'_>) -> &[(usize, usize)] {
        &self.policies[policy].destinations[forward.route.rule]
    }

    /// The numbers of the destination that a request goes to: in its rule, among all clusters.
    pub fn destination(&self, policy: usize, forward: &Forward<'_>) -> (usize, usize) {
        let at = forward.rule.destinations.iter().position(|other| std::ptr::eq(other, forward.destination));
        self.destinations(policy, forward)[at.unwrap_or_default()]
    }
}

fn number_of(known: &mut Vec<String>, name: &str) -> usize {
    known.iter().position(|other| other == name).unwrap_or_else(|| {
        known.push(name.to_owned());
        known.len() - 1
    })
}
