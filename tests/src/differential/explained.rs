//! The differences that are meant: all of them, in this one place.

use super::compare::{Difference, Pair};
use super::world::Entry;

/// A difference that is meant.
#[derive(Clone, Copy, Debug)]
pub struct Explained {
    /// What it is.
    pub what: &'static str,
    /// Why, and where it is told to users.
    pub why: &'static str,
    holds: fn(&Pair, &[Difference]) -> bool,
}

/// What requests may differ in.
pub const EXPLAINED: [Explained; 1] = [Explained {
    what: "a host of the mesh without a VirtualService",
    why: "the generated Envoy routes what VirtualServices route and answers 404 to the rest (README, `onUnmatched`); a \
          sidecar knows every service, and answers 502 to strangers under REGISTRY_ONLY",
    holds: |pair, _| {
        let stranger = pair.istio.told.contains("route block_all") || pair.istio.told.contains("route default");
        pair.probe.entry == Entry::Mesh
            && stranger
            && pair.ours.status == 404
            && pair.ours.told.contains("no_virtual_host")
    },
}];

/// What we may refuse though Istio takes it: a part of the message, and why.
pub const REFUSED: [(&str, &str); 0] = [];

/// The explanation of a pair's differences, where there is one.
pub fn explained(pair: &Pair, differences: &[Difference]) -> Option<&'static Explained> {
    EXPLAINED.iter().find(|explained| (explained.holds)(pair, differences))
}
