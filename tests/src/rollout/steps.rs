//! The steps of a rollout, and whether its users went only forward.

use super::load::{Load, Seen, versions};
use crate::demo::interval::expected_99;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Workers switch apart (envoy.md 5.4): what a user has counts from here on after a change is in force.
const SETTLED: Duration = Duration::from_secs(1);

/// Requests sent between these moments see one configuration.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Percent of the users who are to be on `v2`.
    pub share: u32,
    /// Since when.
    pub from: Instant,
    /// Until when.
    pub to: Instant,
}

impl Step {
    /// A change is in force: waits until workers have it, and then until every client has asked for all of its users.
    pub async fn settled(share: u32, load: &Load) -> Self {
        tokio::time::sleep(SETTLED).await;
        let from = Instant::now();
        load.round().await;
        Self { share, from, to: Instant::now() }
    }
}

/// Tells how many of so many users were on `v2` in each step.
///
/// # Panics
/// Not all of them asked in a step; one saw two versions in it; one was on `v2` before and is not; the share is none that
/// chance gives in 99 of 100 cases.
pub fn assert_forward(seen: &[Seen], steps: &[Step], users: usize) {
    let mut moved: BTreeSet<usize> = BTreeSet::new();
    for Step { share, from, to } in steps {
        let versions = versions(seen, *from, *to).unwrap_or_else(|error| panic!("at {share} %: {error}"));
        assert!(versions.len() >= users, "{} of {users} users asked", versions.len());
        let new: BTreeSet<usize> =
            versions.iter().filter(|(_, version)| **version == "v2").map(|(user, _)| *user).collect();
        let back: Vec<_> = moved.iter().filter(|user| versions.get(user) == Some(&"v1")).collect();
        assert!(back.is_empty(), "users {back:?} moved back at {share} %");
        // Users are drawn once: seed and names are fixed, so that this says the same in every run.
        let (low, high) = match share {
            0 => (0, 0),
            100 => (versions.len(), versions.len()),
            share => expected_99(versions.len(), f64::from(*share) / 100.0),
        };
        assert!((low..=high).contains(&new.len()), "{} users at {share} %, not {low} to {high}", new.len());
        println!("{share:>3} %: {} of {} users on v2, {low} to {high} expected", new.len(), versions.len());
        moved.extend(new);
    }
}
