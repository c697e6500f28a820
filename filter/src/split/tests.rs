use super::*;
use proptest::prelude::*;

const USERS: u64 = 20_000;

fn split(name: &str, options: &[(&str, u32)]) -> Split {
    Split::new(Seed::new("test"), name, Subject::RequestId, options.iter().copied())
}

fn user(n: u64) -> Digest {
    Seed::new("test").digest(&n.to_le_bytes())
}

/// How many of the first users get each option.
fn shares(split: &Split) -> Vec<u64> {
    let mut counts = vec![0; split.options.len()];
    (0..USERS).for_each(|n| counts[split.pick(user(n))] += 1);
    counts
}

#[test]
fn the_logarithm_is_right_to_seven_digits() {
    for u in [1, 2, 3, 1 << 32, (1 << 32) + 1, 1 << 63, (1 << 63) - 1, u64::MAX / 3, u64::MAX / 10 * 9, u64::MAX] {
        let exact = 64.0 - (u as f64).log2();
        let ours = negative_log2(u) as f64 / f64::from(1 << 30);
        assert!((exact - ours).abs() < 3e-8, "{u}: {exact} {ours}");
    }
    assert_eq!(negative_log2(0), 64 << 30);
}

/// These picks are for ever: other ones would move users of rollouts that are under way.
#[test]
fn golden_picks() {
    let split = split("ns/vs/rule/split", &[("v1", 70), ("v2", 20), ("v3", 10)]);
    let picks: Vec<usize> = (0..24).map(|n| split.pick(user(n))).collect();
    assert_eq!(picks, GOLDEN_PICKS);
}

const GOLDEN_PICKS: [usize; 24] = [0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0];

#[test]
fn shares_are_the_weights() {
    for weights in [vec![90, 10], vec![50, 50], vec![1, 1, 1], vec![70, 20, 10], vec![1, 99], vec![5, 4, 3, 2, 1]] {
        let names = ["a", "b", "c", "d", "e"];
        let options: Vec<_> = names.iter().copied().zip(weights.iter().copied()).collect();
        let total: u32 = weights.iter().sum();
        for (count, weight) in shares(&split("s", &options)).into_iter().zip(&weights) {
            let share = f64::from(*weight) / f64::from(total);
            let deviation = (share * (1.0 - share) / USERS as f64).sqrt();
            let seen = count as f64 / USERS as f64;
            // 4 standard deviations: fixed users, so the outcome is too.
            assert!((seen - share).abs() < 4.0 * deviation, "{weights:?}: {seen} for {share}");
        }
    }
}

#[test]
fn a_weight_that_grows_moves_only_those_who_move_to_it() {
    let before = split("s", &[("a", 60), ("b", 30), ("c", 10)]);
    let after = split("s", &[("a", 60), ("b", 30), ("c", 40)]);
    let mut moved = 0;
    for n in 0..USERS {
        let (old, new) = (before.pick(user(n)), after.pick(user(n)));
        if old != new {
            assert_eq!(new, 2, "user {n} moved from {old} to {new}");
            moved += 1;
        }
    }
    // From 10 of 100 to 40 of 130.
    let share = f64::from(moved) / USERS as f64;
    assert!((share - (40.0 / 130.0 - 0.1)).abs() < 0.015, "{share}");
}

#[test]
fn order_and_new_options_move_nobody_between_the_others() {
    let before = split("s", &[("a", 3), ("b", 2), ("c", 1)]);
    let reordered = split("s", &[("c", 1), ("a", 3), ("b", 2)]);
    let with_new = split("s", &[("a", 3), ("new", 2), ("b", 2), ("c", 1)]);
    for n in 0..USERS {
        let old = ["a", "b", "c"][before.pick(user(n))];
        assert_eq!(old, ["c", "a", "b"][reordered.pick(user(n))]);
        let new = ["a", "new", "b", "c"][with_new.pick(user(n))];
        assert!(new == old || new == "new", "user {n} moved from {old} to {new}");
    }
}

#[test]
fn draws_of_different_choices_are_uncorrelated() {
    let names = ["ns/a/x/split", "ns/a/y/split", "tag/user-type", "tag/user-typf"];
    let splits: Vec<Split> = names.iter().map(|name| split(name, &[("v1", 70), ("v2", 30)])).collect();
    for (i, one) in splits.iter().enumerate() {
        for other in &splits[i + 1..] {
            let both = (0..USERS).filter(|n| one.pick(user(*n)) == 1 && other.pick(user(*n)) == 1).count();
            // 30 % of 30 %, within 4 standard deviations.
            assert!((both as f64 / USERS as f64 - 0.09).abs() < 0.0081, "{} {}: {both}", one.name, other.name);
        }
    }
}

#[test]
fn equal_options_share_and_one_option_takes_all() {
    let twice = shares(&split("s", &[("a", 1), ("a", 1)]));
    assert!(twice.iter().all(|count| (count.abs_diff(USERS / 2)) < 300), "{twice:?}");
    assert_eq!(shares(&split("s", &[("a", 7)])), [USERS]);
}

proptest! {
    #[test]
    fn an_equal_subject_gets_an_equal_option(subject: u64, weights in prop::collection::vec(1_u32..=2_147_483_647, 1..6)) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let options: Vec<_> = names.iter().copied().zip(weights.iter().copied()).collect();
        let split = split("s", &options);
        let picked = split.pick(Digest(subject));
        prop_assert!(picked < options.len());
        prop_assert_eq!(picked, split.pick(Digest(subject)));
        // Doubling the weight of what is picked keeps it picked.
        let mut grown = options.clone();
        grown[picked].1 = grown[picked].1.saturating_mul(2);
        prop_assert_eq!(picked, Split::new(Seed::new("test"), "s", Subject::RequestId, grown).pick(Digest(subject)));
    }
}
