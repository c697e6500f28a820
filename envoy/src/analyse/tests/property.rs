//! What the analysis says is held against the filter's own decision: a request that it gives for a rule reaches that rule,
//! and no request, made up as it likes, reaches a rule of which it says that none does.

use super::super::cover::{Covering, Verdict};
use super::super::search::Budget;
use super::super::site::Site;
use super::policy;
use proptest::prelude::*;
use serde_json::{Value, json};
use switchyard_filter::draw::Draws;
use switchyard_filter::policy::Route;
use switchyard_filter::request::{Header, Request};
use switchyard_filter::{Policy, decide};

const PATHS: [&str; 10] = ["/", "/a", "/a/", "/a/b", "/ab", "/b", "/A/B", "/a1", "/b/a", "/aa"];
const VALUES: [&str; 6] = ["a", "b", "ab", "", "1", "aa"];

fn text() -> impl Strategy<Value = Value> {
    let exact = prop::sample::select(&VALUES[..]).prop_map(|text| json!({"exact": text}));
    let prefix = prop::sample::select(&["a", "ab", "b"][..]).prop_map(|text| json!({"prefix": text}));
    let regex = prop::sample::select(&["a*", "a|b", ".+", "[ab]+", "(a|b)*1?", ".*b"][..])
        .prop_map(|text| json!({"regex": text}));
    prop_oneof![3 => exact, 2 => prefix, 2 => regex, 1 => Just(json!({}))]
}

fn uri() -> impl Strategy<Value = Value> {
    let path = || prop::sample::select(&PATHS[..]);
    let regex = prop::sample::select(
        &["/.*", "/a.*", "/(a|b)", "/[a-z]+", "/a/?.*", "(?i)/a/b", "/a(b|/.*)?", "/[^/]*", ".*b", "/ab?", "/\\w\\b.*"]
            [..],
    );
    prop_oneof![
        2 => path().prop_map(|text| json!({"exact": text})),
        3 => path().prop_map(|text| json!({"prefix": text})),
        3 => regex.prop_map(|text| json!({"regex": text})),
    ]
}

fn block() -> impl Strategy<Value = Value> {
    let some = |names: &'static [&'static str], chance| {
        let one = prop::collection::btree_map(prop::sample::select(names), text(), 1..=1);
        prop::option::weighted(chance, one).prop_map(Option::unwrap_or_default)
    };
    let conditions = (
        prop::option::weighted(0.7, uri()),
        any::<bool>(),
        some(&["x", "x", "x", "y", "tier", "fixed"], 0.4),
        some(&["x", "x", "x", "y", "tier", "fixed"], 0.3),
        some(&["q", "r"], 0.1),
        prop::option::weighted(0.1, prop::sample::select(&["GET", "POST", "GET|PUT"][..])),
        prop::option::weighted(0.05, prop::sample::select(&["shop", "b", "SHOP:80", "shop:"][..])),
    );
    conditions.prop_map(|(uri, case, headers, without, query, method, authority)| {
        let mut block =
            json!({"ignoreUriCase": case, "headers": headers, "withoutHeaders": without, "queryParams": query});
        if let Some(uri) = uri {
            block["uri"] = uri;
        }
        if let Some(method) = method {
            block["method"] = json!({"regex": method});
        }
        if let Some(authority) = authority {
            block["authority"] = json!({"prefix": authority});
        }
        block
    })
}

/// Rules of three VirtualServices: of one host each in a mesh, merged on a gateway. `tier` is a tag of the first one's
/// hosts by share, `fixed` of all.
fn document() -> impl Strategy<Value = Value> {
    let rules = || prop::collection::vec(prop::collection::vec(block(), 0..4), 1..8);
    (prop::array::uniform3(rules()), any::<bool>()).prop_map(|(rules, is_mesh)| {
        let gateway = if is_mesh { "mesh" } else { "edge/edge" };
        let hosts: [&[&str]; 3] = if is_mesh {
            [&["shop"], &["b.example.com"], &["*.example.com"]]
        } else {
            [&["shop", "shop.example.com"], &["b.example.com", "shop.example.com"], &["*.example.com"]]
        };
        let services = rules.into_iter().zip(hosts).enumerate().map(|(index, (rules, hosts))| {
            let route = json!([{"destination": {"host": "shop"}}]);
            let http: Vec<_> = rules.into_iter().map(|blocks| json!({"match": blocks, "route": route})).collect();
            json!({"name": format!("v{index}"), "gateways": [gateway], "hosts": hosts, "http": http})
        });
        json!({
            "proxy": {"gateways": [gateway]},
            "tags": [
                {"header": "tier", "hosts": ["shop", "shop.example.com"],
                 "split": [{"value": "a", "weight": 1}, {"value": "b", "weight": 1}]},
                {"header": "fixed", "split": [{"value": "ab", "weight": 1}]},
            ],
            "virtualServices": services.collect::<Vec<_>>(),
        })
    })
}

/// A request that leans towards what the rules ask for.
#[derive(Clone, Debug)]
struct Sent {
    method: &'static str,
    authority: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    fresh: u128,
}

fn sent() -> impl Strategy<Value = Sent> {
    let value = || prop::sample::select(&VALUES[..]);
    let hosts =
        ["shop.default.svc.cluster.local", "shop.example.com", "b.example.com", "SHOP:80", "shop", "x.example.com:1"];
    (
        prop::sample::select(&["GET", "POST", "PUT", "X"][..]),
        prop::sample::select(hosts.to_vec()),
        prop_oneof![3 => prop::sample::select(&PATHS[..]).prop_map(str::to_owned), 1 => "/[abAB/1.]{0,4}"],
        prop::option::of((prop::sample::select(&["q", "r"][..]), value())),
        prop::collection::vec((prop::sample::select(&["x", "y", "tier", "fixed"][..]), value()), 0..3),
        any::<u128>(),
    )
        .prop_map(|(method, authority, path, query, headers, fresh)| {
            let path = query.map_or(path.clone(), |(name, value)| format!("{path}?{name}={value}"));
            Sent { method, authority, path, headers, fresh }
        })
}

/// The route that the filter's decision takes.
fn taken(policy: &Policy, lines: &[Header<'_>], draws: &Draws<'_>) -> Option<*const Route> {
    let request = Request::new(lines, None);
    let decision = decide(policy, &request, draws);
    decision.forward().map(|forward| core::ptr::from_ref(forward.route))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_said_of_a_rule_is_what_the_filter_decides(
        document in document(),
        requests in prop::collection::vec(sent(), 60),
    ) {
        let policy = policy(&document);
        let mut closed = vec![];
        for site in &Site::all(&policy) {
            let mut budget = Budget::default();
            let mut covering = Covering::new(site, &mut budget);
            for (index, route) in site.routes.iter().enumerate() {
                match covering.verdict(index) {
                    Verdict::Reached(point) => {
                        let (authority, path) = (point.authority(site), point.full_path());
                        let mut lines: Vec<Header<'_>> = vec![
                            (b":method", point.method()), (b":authority", &authority),
                            (b":path", &path), (b":scheme", point.scheme()),
                        ];
                        lines.extend(point.headers());
                        let forced: Vec<(&str, usize)> = policy.tags().iter().zip(&point.tags).filter_map(|(tag, said)| {
                            let split = tag.split.as_ref()?;
                            Some((&*split.split.name, split.values.iter().position(|value| Some(&**value) == *said)?))
                        }).collect();
                        let draws = Draws { forced: &forced, fresh: Some(1), ..Draws::default() };
                        let taken = taken(&policy, &lines, &draws);
                        prop_assert_eq!(taken, Some(core::ptr::from_ref(route)), "{:?} {:?}", site.hosts, point);
                    }
                    Verdict::Hidden(_) | Verdict::Never(_) => closed.push(core::ptr::from_ref(route)),
                    Verdict::Undecided => {}
                }
            }
        }
        for sent in &requests {
            let mut lines: Vec<Header<'_>> = vec![
                (b":method", sent.method.as_bytes()), (b":authority", sent.authority.as_bytes()),
                (b":path", sent.path.as_bytes()), (b":scheme", b"http"),
            ];
            lines.extend(sent.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
            let taken = taken(&policy, &lines, &Draws { fresh: Some(sent.fresh), ..Draws::default() });
            prop_assert!(!taken.is_some_and(|taken| closed.contains(&taken)), "{:?} is taken", sent);
        }
    }
}

/// The test above must see each answer often, or it says nothing.
#[test]
fn the_property_sees_every_answer() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let [mut reached, mut hidden, mut together, mut never, mut undecided] = [0_usize; 5];
    for _ in 0..60 {
        let policy = policy(&document().new_tree(&mut runner).expect("a document").current());
        for site in &Site::all(&policy) {
            let mut budget = Budget::default();
            let mut covering = Covering::new(site, &mut budget);
            for route in 0..site.routes.len() {
                *match covering.verdict(route) {
                    Verdict::Reached(_) => &mut reached,
                    Verdict::Hidden(by) if by.len() > 1 => &mut together,
                    Verdict::Hidden(_) => &mut hidden,
                    Verdict::Never(_) => &mut never,
                    Verdict::Undecided => &mut undecided,
                } += 1;
            }
        }
    }
    assert!(reached > 100 && hidden > 30 && together > 3 && never > 10, "{reached} {hidden} {together} {never}");
    assert!(undecided * 50 < reached, "{undecided} of {reached} are not decided");
}
