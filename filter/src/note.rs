//! What the access log is told of a decision: text for filter state, and back.
//!
//! Envoy logs it as `%FILTER_STATE(wasm.switchyard_rule:PLAIN)%` and so on. A recording never holds a sticky subject or
//! an issued cookie, only their digests.

use crate::decision::{Action, Decision};
use crate::draw::Digest;
use crate::policy::Policy;
use core::fmt::Write as _;
use std::borrow::Cow;

/// Filter state with the rule: `switchyard_rule`, in the log `wasm.switchyard_rule`.
pub const RULE: &str = "switchyard_rule";
/// Filter state with the tags.
pub const TAGS: &str = "switchyard_tags";
/// Filter state with the cluster.
pub const CLUSTER: &str = "switchyard_cluster";
/// Filter state with what replays the decision.
pub const DRAWS: &str = "switchyard_draws";

/// `namespace/name/rule` of the rule that took the request; `404 no_route` (status and reason) of an answer of our own;
/// empty for a request that is left to Envoy's own routes.
pub fn rule(decision: &Decision<'_>) -> String {
    match &decision.action {
        Action::Forward(forward) => format!("{}/{}", forward.rule.virtual_service, forward.rule.name),
        Action::Reply(reply) => format!("{} {}", reply.status, reply.reason),
        Action::Pass | Action::Undecidable(_) => String::new(),
    }
}

/// The tags that have a value: `user-type=internal,x-tier=gold`, a `%` or `,` in a value as `%25` or `%2C`.
pub fn tags(policy: &Policy, decision: &Decision<'_>) -> String {
    let tags = decision.tag_values(policy).map(|(header, value)| format!("{header}={}", escape(value, b"%,")));
    tags.collect::<Vec<_>>().join(",")
}

/// The cluster that the request goes to; empty where it goes to none by our doing.
pub fn cluster<'d>(decision: &'d Decision<'_>) -> &'d str {
    decision.forward().map_or("", |forward| &forward.destination.cluster)
}

/// What replays the choices that were made: `seed=2e398e14e9a89d4b;cookie/uid=-;request-id=64044befae08dcfd`.
///
/// The first is the [fingerprint](crate::draw::Seed::fingerprint) of the seed, then each subject by its
/// [key](crate::split::Subject::key) with its digest, or `-` where the request had none. A request id's digest stands
/// for the id or for the number that was drawn in its place. Empty where nothing was chosen.
pub fn draws(policy: &Policy, decision: &Decision<'_>) -> String {
    let mut told: Vec<(&str, Option<Digest>)> = Vec::new();
    let mut tell = |key, digest| {
        if !told.iter().any(|(known, _)| *known == key) {
            told.push((key, digest));
        }
    };
    for drawn in &decision.drawn {
        let Some(digest) = drawn.subject else { continue };
        if drawn.kept {
            tell(drawn.split.subject.key(), Some(digest));
        } else {
            if drawn.split.subject.is_sticky() {
                tell(drawn.split.subject.key(), None);
            }
            tell("request-id", Some(digest));
        }
    }
    if told.is_empty() {
        return String::new();
    }
    let mut text = format!("seed={:016x}", policy.seed().fingerprint());
    for (key, digest) in told {
        let key = escape(key, b"%;=");
        // Writing to a string cannot fail.
        let _ = match digest {
            Some(Digest(digest)) => write!(text, ";{key}={digest:016x}"),
            None => write!(text, ";{key}=-"),
        };
    }
    text
}

/// What [`draws`] told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The fingerprint of the seed.
    pub seed: u64,
    /// Subjects by key, with their digests; `None` for one that the request did not have.
    pub digests: Vec<(String, Option<Digest>)>,
}

/// Reads what [`draws`] wrote; `None` where the text is something else.
pub fn parse_draws(text: &str) -> Option<Told> {
    let mut parts = text.split(';');
    let seed = hexadecimal(parts.next()?.strip_prefix("seed=")?)?;
    let digests = parts.map(|part| {
        let (key, digest) = part.split_once('=')?;
        let digest = if digest == "-" { None } else { Some(Digest(hexadecimal(digest)?)) };
        Some((unescape(key)?, digest))
    });
    Some(Told { seed, digests: digests.collect::<Option<_>>()? })
}

fn hexadecimal(digits: &str) -> Option<u64> {
    let is_ours = digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_ours { u64::from_str_radix(digits, 16).ok() } else { None }
}

fn escape<'t>(text: &'t str, special: &[u8]) -> Cow<'t, str> {
    let is_special = |c: char| u8::try_from(c).is_ok_and(|c| special.contains(&c));
    if !text.contains(is_special) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::new();
    for c in text.chars() {
        if is_special(c) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        plain.push(char::from(u8::from_str_radix(digits, 16).ok()?));
        plain.push_str(rest);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Draws, Recorded, Seed};
    use crate::request::{Header, Request};
    use crate::{compile_json, decide};

    const POLICY: &str = r#"{"seed": "s",
        "tags": [{"header": "user-type", "split": [{"value": "a,b%", "weight": 1}],
                  "stickyBy": {"httpQueryParameterName": "a;b"}}],
        "virtualServices": [{"name": "shop", "namespace": "ns", "hosts": ["shop"], "http": [{"name": "r",
            "match": [{"uri": {"prefix": "/"}}], "stickyBy": {"httpCookie": {"name": "uid", "ttl": "1h"}},
            "route": [{"destination": {"host": "shop", "subset": "v1"}, "weight": 1},
                      {"destination": {"host": "shop", "subset": "v2"}, "weight": 1}]}]}]}"#;

    #[test]
    fn a_decision_is_told_and_replays_without_the_cookie() {
        let policy = compile_json(POLICY.as_bytes()).unwrap();
        let headers: [Header<'_>; 2] = [(b":path", b"/"), (b":authority", b"shop")];
        let request = Request::new(&headers, None);
        let first = decide(&policy, &request, &Draws { fresh: Some(7), ..Draws::default() });
        assert_eq!(rule(&first), "ns/shop/r");
        assert_eq!(tags(&policy, &first), "user-type=a%2Cb%25");
        let seed = Seed::new("s");
        let cookie = seed.digest(b"00000000000000000000000000000007").0;
        let id = seed.digest(&7_u128.to_le_bytes()).0;
        let told = draws(&policy, &first);
        let text = format!("seed={:016x};query/a%3Bb=-;request-id={id:016x};cookie/uid={cookie:016x}", seed.fingerprint());
        assert_eq!(told, text);

        let told = parse_draws(&told).unwrap();
        let digests: Vec<_> = told.digests.iter().map(|(key, digest)| (key.as_str(), *digest)).collect();
        assert_eq!(digests[0], ("query/a;b", None));
        let recorded = Recorded { seed: told.seed, digests: &digests };
        let again = decide(&policy, &request, &Draws { recorded, ..Draws::default() });
        assert_eq!(cluster(&again), cluster(&first));
        assert_eq!(tags(&policy, &again), tags(&policy, &first));
    }

    #[test]
    fn other_text_is_no_recording() {
        for text in ["", "-", "seed=", "seed=1", "seed=0123456789abcdef;", "seed=0123456789abcdef;a=+123456789abcdef"] {
            assert_eq!(parse_draws(text), None, "{text}");
        }
        let none = Told { seed: 0x0123_4567_89ab_cdef, digests: vec![] };
        assert_eq!(parse_draws("seed=0123456789abcdef"), Some(none));
    }
}
