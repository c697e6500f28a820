//! What was seen.

use super::Size;
use super::batch::Found;
use super::explained::{EXPLAINED, REFUSED};
use super::set::Set;
use std::collections::BTreeMap;
use std::time::Duration;

/// What was seen.
#[derive(Debug)]
pub struct Outcome {
    size: Size,
    /// Sets that were compared.
    pub sets: usize,
    /// Clusters that are Istio's.
    pub clusters: usize,
    /// What differs by right, each with how often.
    pub explained: BTreeMap<&'static str, usize>,
    /// Sets that differ, with what of them.
    pub different: Vec<(Set, Vec<String>)>,
    /// Sets that both sides refuse.
    pub refused_by_both: usize,
    /// Sets that we alone refuse by right, each reason with how often.
    pub meant_refusals: BTreeMap<&'static str, usize>,
    /// Sets that Istio alone refuses, with its word.
    pub only_istio_refuses: Vec<(String, Set)>,
    /// Sets that we alone refuse, with ours.
    pub only_we_refuse: Vec<(String, Set)>,
    /// How long it took until all was compared.
    pub compared: Duration,
    /// And with what was made small.
    pub took: Duration,
}

impl Outcome {
    pub(super) fn new(size: Size) -> Self {
        Self {
            size,
            sets: 0,
            clusters: 0,
            explained: BTreeMap::new(),
            different: vec![],
            refused_by_both: 0,
            meant_refusals: BTreeMap::new(),
            only_istio_refuses: vec![],
            only_we_refuse: vec![],
            compared: Duration::ZERO,
            took: Duration::ZERO,
        }
    }

    pub(super) fn count(&mut self, found: &Found) {
        if found.differences.is_empty() {
            self.clusters += found.clusters;
            for (what, count) in &found.explained {
                *self.explained.entry(what).or_default() += count;
            }
        }
    }

    /// Whether nothing is left unexplained.
    pub fn is_good(&self) -> bool {
        self.different.is_empty() && self.only_istio_refuses.is_empty() && self.only_we_refuse.is_empty()
    }

    /// Tells all.
    pub fn print(&self) {
        for (set, differences) in &self.different {
            println!("=== {} differs\n{}\n{}", set.name, differences.join("\n"), set.to_yaml());
        }
        for (who, sets) in [("Istio", &self.only_istio_refuses), ("our side", &self.only_we_refuse)] {
            for (said, set) in sets {
                println!("=== only {who} refuses {}: {said}\n{}", set.name, set.to_yaml());
            }
        }
        println!(
            "seed {}: {} clusters of {} sets are Istio's, {} sets are refused by both; {} differ, {} only Istio refuses, {} only we; {:.1?} and {:.1?}",
            self.size.seed,
            self.clusters,
            self.sets,
            self.refused_by_both,
            self.different.len(),
            self.only_istio_refuses.len(),
            self.only_we_refuse.len(),
            self.compared,
            self.took
        );
        let reasons = EXPLAINED.iter().map(|one| (one.what, one.why)).chain(REFUSED);
        for (what, why) in reasons {
            let count = self.explained.get(what).or(self.meant_refusals.get(what)).unwrap_or(&0);
            println!("explained, {count} times: {what}: {why}");
        }
    }
}
