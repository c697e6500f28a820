//! What a recording holds of a request's draws: one line of text that the filter writes as filter state
//! (`wasm.switchyard_draws`) and replay reads back.
//!
//! `seed=<16 hex>;request=<16 hex>;<subject>=<16 hex or ->;…` — the seed's fingerprint, the digest of the request's own
//! number, and for each sticky subject of the policy its digest, `-` where the request did not have it. `%`, `;` and `=`
//! in a subject's name are percent-encoded. Never a value: the number itself may be a cookie that is issued.

use crate::decision::Decision;
use crate::draw::{Digest, Draws};
use crate::policy::Policy;
use crate::request::Request;
use core::fmt::Write as _;

/// How recordings name the request's own number.
pub const REQUEST: &str = "request";

/// What a recording holds of a request's draws.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The fingerprint of the seed of the policy that was in force.
    pub seed: u64,
    /// Digests by subject, [`REQUEST`] among them; `None` where the request did not have it.
    pub digests: Vec<(String, Option<Digest>)>,
}

impl Recording {
    /// What to record of a request, after its decision.
    pub fn new(policy: &Policy, request: &Request<'_>, draws: &Draws<'_>, decision: &Decision<'_>) -> Self {
        let digests = policy.sticky_subjects().into_iter().map(|subject| {
            let choice = decision.drawn.iter().find(|drawn| drawn.kept && drawn.split.subject.key() == subject.key());
            let digest = choice.and_then(|drawn| drawn.subject);
            let digest = digest.or_else(|| crate::decide::digest_of(policy, request, &decision.tags, subject));
            (subject.key().to_owned(), digest)
        });
        let own = draws.fresh.map(|fresh| (REQUEST.to_owned(), Some(policy.seed.digest_fresh(fresh))));
        Self { seed: policy.seed.fingerprint(), digests: own.into_iter().chain(digests).collect() }
    }

    /// The line.
    pub fn write(&self) -> String {
        let mut line = format!("seed={:016x}", self.seed);
        for (subject, digest) in &self.digests {
            let subject = subject.replace('%', "%25").replace(';', "%3B").replace('=', "%3D");
            let _ = match digest {
                Some(digest) => write!(line, ";{subject}={:016x}", digest.0),
                None => write!(line, ";{subject}=-"),
            };
        }
        line
    }

    /// Reads a line; `None` when it is none of ours.
    pub fn parse(line: &str) -> Option<Self> {
        let mut recording = Self::default();
        let mut has_seed = false;
        for pair in line.split(';') {
            let (key, value) = pair.split_once('=')?;
            match key {
                "seed" => {
                    recording.seed = u64::from_str_radix(value, 16).ok()?;
                    has_seed = true;
                }
                subject => {
                    let subject = subject.replace("%3D", "=").replace("%3B", ";").replace("%25", "%");
                    let digest = match value {
                        "-" => None,
                        hex => Some(Digest(u64::from_str_radix(hex, 16).ok()?)),
                    };
                    recording.digests.push((subject, digest));
                }
            }
        }
        has_seed.then_some(recording)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back() {
        let recording = Recording {
            seed: 7,
            digests: vec![
                (REQUEST.into(), Some(Digest(9))),
                ("cookie/uid".into(), Some(Digest(1))),
                ("query/a=b;%".into(), None),
            ],
        };
        let line = recording.write();
        assert_eq!(
            line,
            "seed=0000000000000007;request=0000000000000009;cookie/uid=0000000000000001;query/a%3Db%3B%25=-"
        );
        assert_eq!(Recording::parse(&line), Some(recording));
        for line in ["", "-", "seed=x", "a=0000000000000001", "seed=1;b"] {
            assert_eq!(Recording::parse(line), None, "{line}");
        }
    }
}
