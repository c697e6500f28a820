//! Thousands of rules are looked at in time, whatever their shape; what is not decided is counted.

use super::super::cover::{Covering, Verdict};
use super::super::search::Budget;
use super::super::site::Site;
use super::rules;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const RULES: usize = 10_000;
/// A debug build compiles regexes far more slowly: it gets fewer, a release build all.
const REGEXES: usize = if cfg!(debug_assertions) { 2_000 } else { RULES };
/// Other tests run beside; alone a release build takes a fifth of it.
const MOST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 30 });

/// How many are reached, hidden and not decided.
fn counted(rules_in_all: usize, block: impl Fn(usize) -> Value) -> [usize; 3] {
    let blocks: Vec<_> = (0..rules_in_all).map(block).collect();
    let policy = rules(&blocks);
    let start = Instant::now();
    let sites = Site::all(&policy);
    let mut budget = Budget::default();
    if cfg!(debug_assertions) {
        budget.tries /= 20;
    }
    let mut counts = [0; 3];
    let mut covering = Covering::new(&sites[0], &mut budget);
    for route in 0..sites[0].routes.len() {
        match covering.verdict(route) {
            Verdict::Reached(_) => counts[0] += 1,
            Verdict::Hidden(_) => counts[1] += 1,
            Verdict::Undecided => counts[2] += 1,
            Verdict::Never(field) => panic!("{field}"),
        }
    }
    assert!(start.elapsed() < MOST, "{:?}", start.elapsed());
    counts
}

#[test]
fn ten_thousand_paths() {
    let block = |at: usize| match at % 4 {
        0 => json!({"uri": {"exact": format!("/shop/{at}")}}),
        1 => json!({"uri": {"prefix": format!("/shop/{at}/")}}),
        2 => json!({"uri": {"prefix": format!("/SHOP/{}/a", at - 1)}, "ignoreUriCase": true}),
        _ => json!({"uri": {"prefix": format!("/shop/{}/b", at - 2)}}),
    };
    assert_eq!(counted(RULES, block), [RULES * 3 / 4, RULES / 4, 0]);
}

#[test]
fn ten_thousand_users() {
    let block =
        |at: usize| json!({"uri": {"prefix": "/shop"}, "headers": {"x-user": {"exact": format!("u{}", at / 2)}}});
    assert_eq!(counted(RULES, block), [RULES / 2, RULES / 2, 0]);
}

#[test]
fn regexes_of_one_shape() {
    let block = |at: usize| json!({"uri": {"regex": format!("/shop/{at}/[0-9]+(/.*)?")}});
    assert_eq!(counted(REGEXES, block), [REGEXES, 0, 0]);
}

#[test]
fn regexes_that_begin_in_several_ways() {
    let block = |at: usize| json!({"uri": {"regex": format!("/(item|thing)/{at}(/.*)?")}});
    assert_eq!(counted(REGEXES, block), [REGEXES, 0, 0]);
}

#[test]
fn regexes_that_may_take_anything() {
    let block = |at: usize| json!({"uri": {"regex": format!(".*shop{at}x.*")}});
    let [reached, hidden, undecided] = counted(REGEXES, block);
    assert!(
        reached > 500 && undecided > 0 && reached + hidden + undecided == REGEXES,
        "{reached} {hidden} {undecided}"
    );
}
