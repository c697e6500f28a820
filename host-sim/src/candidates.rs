//! What could become of a request, with the probability of each outcome: a question to the core, asked once for each
//! combination of its choices.

use switchyard_filter::decision::Decision;
use switchyard_filter::draw::Draws;
use switchyard_filter::request::Request;
use switchyard_filter::split::Split;
use switchyard_filter::{Policy, decide};

/// Above this number of combinations nothing is enumerated.
const MOST: usize = 4096;

/// Which choices are taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those whose subject is not known.
    Open,
    /// All: what draws of other users would give.
    All,
}

/// Calls `visit` with every outcome, its probability, and the options that were given by choice. `false` where there
/// are too many combinations; `visit` has then seen only some.
pub fn enumerate(
    policy: &Policy,
    request: &Request<'_>,
    draws: &Draws<'_>,
    which: Which,
    visit: &mut dyn FnMut(f64, &Decision<'_>),
) -> bool {
    let mut left = MOST;
    expand(policy, request, draws, which, &mut Vec::new(), 1.0, &mut left, visit)
}

#[expect(clippy::too_many_arguments, reason = "one recursive step; a struct of these would be used once")]
fn expand<'a>(
    policy: &'a Policy,
    request: &Request<'a>,
    draws: &Draws<'a>,
    which: Which,
    forced: &mut Vec<(&'a str, usize)>,
    probability: f64,
    left: &mut usize,
    visit: &mut dyn FnMut(f64, &Decision<'_>),
) -> bool {
    let next = {
        let decision = decide(policy, request, &Draws { forced, ..*draws });
        let next = choice_to_split(&decision, which, forced);
        if next.is_none() {
            if *left == 0 {
                return false;
            }
            *left -= 1;
            visit(probability, &decision);
        }
        // The name lives as long as the policy, the decision only as long as `forced`.
        next.map(|split| split.name.to_string())
    };
    let Some(split) = next.and_then(|name| policy.splits().find(|split| *split.name == *name)) else {
        return true;
    };
    let sum: u64 = split.weights().map(u64::from).sum();
    for (option, weight) in split.weights().enumerate() {
        forced.push((&split.name, option));
        #[expect(clippy::cast_precision_loss, reason = "sums of weights are far below 2^52")]
        let share = f64::from(weight) / sum as f64;
        if !expand(policy, request, draws, which, forced, probability * share, left, visit) {
            return false;
        }
        forced.pop();
    }
    true
}

fn choice_to_split<'d>(decision: &Decision<'d>, which: Which, forced: &[(&str, usize)]) -> Option<&'d Split> {
    if which == Which::Open {
        return decision.open;
    }
    let drawn = decision.drawn.iter().map(|drawn| drawn.split);
    drawn.chain(decision.open).find(|split| !forced.iter().any(|(name, _)| *name == &*split.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard_filter::compile_json;

    const POLICY: &str = r#"{
        "services": [{"host": "shop.default.svc.cluster.local", "ports": [80], "subsets": [{"name": "v1"}, {"name": "v2"}]}],
        "tags": [{"header": "user-type", "split": [{"value": "internal", "weight": 30}, {"value": "external", "weight": 70}]}],
        "virtualServices": [{"name": "shop", "hosts": ["shop"], "http": [
            {"name": "internal", "match": [{"headers": {"user-type": {"exact": "internal"}}}],
             "route": [{"destination": {"host": "shop", "subset": "v2"}}]},
            {"name": "rest", "route": [
                {"destination": {"host": "shop", "subset": "v1"}, "weight": 90},
                {"destination": {"host": "shop", "subset": "v2"}, "weight": 10}]}]}]}"#;

    #[test]
    fn every_combination_has_its_probability() {
        let policy = compile_json(POLICY.as_bytes()).unwrap();
        for id in [None, Some(&b"6f8d9a3c-4f2b-4c1d-9e57-0a1b2c3d4e5f"[..])] {
            let mut headers = vec![(&b":authority"[..], &b"shop"[..]), (b":path", b"/")];
            headers.extend(id.map(|id| (&b"x-request-id"[..], id)));
            let request = Request::new(&headers, None);
            let mut seen = Vec::new();
            let complete = enumerate(&policy, &request, &Draws::default(), Which::All, &mut |p, decision| {
                let forward = decision.forward().unwrap();
                seen.push(format!("{p:.2} {} {}", forward.rule.name, forward.destination.subset));
            });
            assert!(complete);
            assert_eq!(seen, ["0.30 internal v2", "0.63 rest v1", "0.07 rest v2"]);
            let mut open = 0;
            enumerate(&policy, &request, &Draws::default(), Which::Open, &mut |_, _| open += 1);
            assert_eq!(open, if id.is_none() { 3 } else { 1 });
        }
    }
}
