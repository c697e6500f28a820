use super::{Caller, Rule, Rules, covers, effective};
use crate::manifest::{DestinationRule, Manifests};
use crate::translate::Mesh;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use switchyard_filter::read::read;

/// The rules that count for `shop.demo.svc.cluster.local`, as numbers, for a proxy `app: a`.
fn counting(caller: &str, rules: &[(&str, Value)]) -> Vec<usize> {
    let rule = |(manifest, (namespace, spec)): (usize, &(&str, Value))| {
        let written: DestinationRule = read(spec).unwrap_or_else(|said| panic!("{spec}: {said:?}"));
        let created = String::new();
        Rule { manifest, namespace: (*namespace).to_owned(), created, host: written.host.clone(), written }
    };
    let mut rules: Vec<Rule> = rules.iter().enumerate().map(rule).collect();
    let manifests = Manifests::default();
    rules.sort_by(|a, b| a.order(&manifests).cmp(&b.order(&manifests)));
    let labels = BTreeMap::from([("app".to_owned(), "a".to_owned())]);
    let mesh = Mesh::default();
    let caller = Caller { namespace: caller, labels: &labels, mesh: &mesh };
    let rules = Rules::new(&rules);
    effective(&rules, "shop.demo.svc.cluster.local", "demo", caller).iter().map(|rule| rule.manifest).collect()
}

const HOST: &str = "shop.demo.svc.cluster.local";

fn plain(host: &str) -> Value {
    json!({"host": host})
}

fn exported(to: &[&str]) -> Value {
    json!({"host": HOST, "exportTo": to})
}

fn selecting(app: &str) -> Value {
    json!({"host": HOST, "workloadSelector": {"matchLabels": {"app": app}}})
}

#[test]
fn the_proxys_namespace_comes_first_then_the_hosts_then_the_root() {
    let rules = [("istio-system", plain(HOST)), ("demo", plain(HOST)), ("other", plain(HOST)), ("far", plain(HOST))];
    assert_eq!(counting("other", &rules), [2]);
    assert_eq!(counting("nobody", &rules), [1]);
    assert_eq!(counting("nobody", &rules[..1]), [0]);
    assert_eq!(counting("nobody", &rules[3..]), [0; 0]);
}

#[test]
fn the_most_specific_host_wins_inside_of_a_namespace_only() {
    let rules = [("demo", plain("*.local")), ("demo", plain("*.demo.svc.cluster.local")), ("demo", plain(HOST))];
    assert_eq!(counting("demo", &rules), [2]);
    assert_eq!(counting("demo", &rules[..2]), [1]);
    assert_eq!(counting("other", &[("demo", plain(HOST)), ("other", plain("*.local"))]), [1]);
}

#[test]
fn rules_are_seen_where_they_are_exported_to() {
    for (to, own, other) in [
        (&[][..], true, true),
        (&["*"], true, true),
        (&["."], true, false),
        (&["demo"], true, false),
        (&["other"], false, true),
        (&[".", "other"], true, true),
    ] {
        let rules = [("demo", exported(to))];
        assert_eq!(!counting("demo", &rules).is_empty(), own, "{to:?} in demo");
        assert_eq!(!counting("other", &rules).is_empty(), other, "{to:?} in other");
    }
}

#[test]
fn the_root_namespaces_proxies_take_its_private_rules_first() {
    let rules = [("istio-system", plain(HOST)), ("demo", plain(HOST))];
    assert_eq!(counting("istio-system", &rules), [1]);
    assert_eq!(counting("istio-system", &[("istio-system", exported(&["."])), ("demo", plain(HOST))]), [0]);
}

#[test]
fn a_rule_for_some_proxies_counts_alone_for_those_and_not_for_others() {
    let rules = [("demo", plain(HOST)), ("demo", selecting("a")), ("demo", selecting("b"))];
    assert_eq!(counting("demo", &rules), [1]);
    assert_eq!(counting("demo", &[("demo", plain(HOST)), ("demo", selecting("b"))]), [0]);
    assert_eq!(counting("other", &rules), [0], "never outside of its namespace");
    assert_eq!(counting("demo", &[("demo", selecting("a")), ("demo", selecting("a"))]), [0, 1]);
}

#[test]
fn rules_with_equal_exports_are_one_and_others_stand_apart() {
    assert_eq!(counting("demo", &[("demo", plain(HOST)), ("demo", plain(HOST))]), [0, 1]);
    // The last for all counts, as in istiod.
    assert_eq!(counting("demo", &[("demo", plain(HOST)), ("demo", exported(&["*"]))]), [1]);
    assert_eq!(counting("demo", &[("demo", exported(&["."])), ("demo", exported(&[".", "other"]))]), [0, 1]);
}

#[test]
fn a_pattern_covers_what_ends_as_it_does() {
    for (pattern, expected) in [("*", true), ("*.local", true), (HOST, true), ("*.demo", false), ("shop", false)] {
        assert_eq!(covers(pattern, HOST), expected, "{pattern}");
    }
}
