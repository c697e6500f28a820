//! The differences that are meant: all of them, in this one place.

use super::compare::{Difference, Pair};
use super::unit::Unit;
use super::world::Entry;

/// A difference that is meant.
#[derive(Clone, Copy, Debug)]
pub struct Explained {
    /// What it is.
    pub what: &'static str,
    /// Why, and where it is told to users.
    pub why: &'static str,
    holds: fn(&Pair, &[Difference], &Unit) -> bool,
}

/// What requests may differ in.
pub const EXPLAINED: [Explained; 7] = [
    Explained {
        what: "a host of the mesh without a VirtualService",
        why: "the generated Envoy routes what VirtualServices route and answers 404 to the rest (README, `onUnmatched`); \
              a sidecar knows every service, and answers 502 to strangers under REGISTRY_ONLY",
        holds: |pair, _, _| {
            let stranger = pair.istio.told.contains("route block_all") || pair.istio.told.contains("route default");
            let nobody = pair.ours.told.contains("no_virtual_host");
            pair.probe.entry == Entry::Mesh && stranger && nobody
        },
    },
    Explained {
        what: "a wildcard with upper-case letters in the mesh",
        why: "Istio's sidecars find no service below `*.Example.com` (its index of wildcards has case, its services do \
              not), so they go on as if it were not there; here hosts have no case anywhere",
        holds: |pair, _, unit| {
            let wild = |host: &str| host.starts_with('*') && host.bytes().any(|byte| byte.is_ascii_uppercase());
            pair.probe.entry == Entry::Mesh && pair.istio.told.contains("route default") && unit.hosts().any(wild)
        },
    },
    Explained {
        what: "a preflight with a fault has no response flags",
        why: "our filter answers preflights, so it aborts them too: its response code details name the rule, and Envoy's \
              flag `FI` is that of Envoy's fault filter (README, `faults`)",
        holds: |pair, differences, _| {
            let flags = |one: &Difference| one.field == "flags" && one.ours.is_empty();
            pair.probe.method == "OPTIONS" && pair.ours.told.contains("switchyard{") && differences.iter().all(flags)
        },
    },
    Explained {
        what: "`x-forwarded-proto` and `-for` from a caller in the mesh",
        why: "a sidecar believes its workload; the generated Envoy takes nobody's word for who the client is, so the \
              scheme and the source address are those of the connection",
        holds: |pair, _, _| {
            let says = pair.probe.headers.iter().any(|(name, _)| name.starts_with("x-forwarded-"));
            pair.probe.entry == Entry::Mesh && says
        },
    },
    Explained {
        what: "retries to hosts that are chosen by consistentHash",
        why: "they go to another host: the generated route is one for all rules (README, \"What differs from Istio\")",
        holds: |pair, _, _| {
            let hashed = |at: &str| at.starts_with("127.10.7.") || at.starts_with("127.10.8.");
            let mut arrivals = pair.istio.arrivals.iter().chain(&pair.ours.arrivals);
            pair.istio.arrivals.len() > 1
                && pair.istio.arrivals.len() == pair.ours.arrivals.len()
                && arrivals.all(|one| hashed(&one.at))
        },
    },
    Explained {
        what: "a destination of the mesh without a port, whose service lacks the listener's",
        why: "a sidecar's routes of a port know only services that have it, so Istio answers 503; the mesh is one listener \
              here, and a service's only port is meant",
        holds: |pair, _, _| {
            let only_port = pair.ours.told.contains("cluster outbound|8080||alt.");
            pair.probe.entry == Entry::Mesh && only_port && pair.istio.told.contains("cluster_not_found")
        },
    },
    Explained {
        what: "values of response headers on the answer for a destination that does not exist",
        why: "Envoy evaluates them before it has carried out the request's operations there, and after them anywhere else; \
              the filter cannot know that a cluster does not exist (`check` and `generate` refuse it before)",
        holds: |pair, differences, _| {
            let missing = pair.istio.told.contains("cluster_not_found") && pair.ours.told.contains("cluster_not_found");
            missing && differences.iter().all(|one| one.field.starts_with("response header "))
        },
    },
];

/// What we may refuse though Istio takes it: a part of the message, and why.
pub const REFUSED: [(&str, &str); 2] = [
    (
        "never holds: the mesh is one listener here",
        "the mesh is one listener here, for one port (README, \"What is not carried over\")",
    ),
    (
        "sets the authority already",
        "a rule that delegates and its delegate's may set the authority both ways: Istio checks each alone, and one of \
         them is without effect",
    ),
];

/// The explanation of a pair's differences, where there is one.
pub fn explained(pair: &Pair, differences: &[Difference], unit: &Unit) -> Option<&'static Explained> {
    EXPLAINED.iter().find(|explained| (explained.holds)(pair, differences, unit))
}
