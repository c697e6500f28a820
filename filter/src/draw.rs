//! Numbers for choices: equal subject, seed and choice give an equal number, for ever and on every platform.
//!
//! A subject (a cookie's value, a request id) is digested under the seed; a choice's number hashes that digest under the
//! choice's name. So choices are independent of each other, and a recording can carry the digest in place of the value.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The salt of every draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

/// What stands for a subject: xxh3-64 under the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub u64);

impl Seed {
    /// The salt that a configuration's `seed` means.
    pub fn new(seed: &str) -> Self {
        Self(xxh3_64(seed.as_bytes()))
    }

    /// The digest of a subject.
    pub fn digest(self, subject: &[u8]) -> Digest {
        Digest(xxh3_64_with_seed(subject, self.0))
    }

    /// The digest of a value; an empty one is none.
    pub fn digest_value(self, value: &[u8]) -> Option<Digest> {
        (!value.is_empty()).then(|| self.digest(value))
    }

    /// The digest of a request id: of a UUID without the digit that Envoy rewrites to note a trace (simulation.md 5).
    pub fn digest_request_id(self, id: &[u8]) -> Digest {
        const TRACE_DIGIT: usize = 14;
        let Ok(mut uuid) = <[u8; 36]>::try_from(id) else {
            return self.digest(id);
        };
        if let Some(digit) = uuid.get_mut(TRACE_DIGIT) {
            *digit = b'_';
        }
        self.digest(&uuid)
    }

    /// The digest of a number drawn for one request alone.
    pub fn digest_fresh(self, fresh: u128) -> Digest {
        self.digest(&fresh.to_le_bytes())
    }

    /// What a choice's numbers are drawn under.
    pub fn choice(self, name: &str) -> Choice {
        Choice(xxh3_64_with_seed(name.as_bytes(), self.0))
    }

    /// Tells seeds apart without naming them: digests of one mean nothing under another.
    pub fn fingerprint(self) -> u64 {
        xxh3_64_with_seed(b"fingerprint", self.0)
    }
}

/// What one choice's numbers are drawn under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice(u64);

impl Choice {
    /// The number that a subject draws: uniform over all 64 bits.
    pub fn draw(self, subject: Digest) -> u64 {
        xxh3_64_with_seed(&subject.0.to_le_bytes(), self.0)
    }
}

/// What a decision rests on besides the request: passed in, so that a recording replays to the same decision.
#[derive(Clone, Copy, Debug, Default)]
pub struct Draws<'a> {
    /// A number drawn for this request alone: stands in for a subject that it does not have, and becomes the value of a
    /// cookie that is issued. `None` where it is not known.
    pub fresh: Option<u128>,
    /// What a recording holds of the subjects.
    pub recorded: Recorded<'a>,
    /// Choices whose outcome is given, by name and index: to ask what would follow.
    pub forced: &'a [(&'a str, usize)],
}

/// Digests of subjects, as a recording holds them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recorded<'a> {
    /// The [fingerprint](Seed::fingerprint) of the seed that they were made under.
    pub seed: u64,
    /// By [`Subject`](crate::split::Subject) as written (`cookie/uid`); `None` for one that the request did not have.
    pub digests: &'a [(&'a str, Option<Digest>)],
}

impl Recorded<'_> {
    /// What is recorded of a subject: nothing, that there was none, or its digest. Nothing under another seed.
    pub fn get(&self, seed: Seed, subject: &str) -> Option<Option<Digest>> {
        let found = self.digests.iter().find(|(key, _)| *key == subject).map(|(_, digest)| *digest);
        found.filter(|digest| digest.is_none() || self.seed == seed.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These values are for ever: another one would move every user of every rollout.
    #[test]
    fn golden_numbers() {
        let seed = Seed::new("rollout-7");
        assert_eq!(seed.digest(b"alice"), Digest(0xe1bf_8bc9_af19_51e3));
        assert_eq!(seed.choice("tag/user-type").draw(seed.digest(b"alice")), 0x9a92_59f7_7279_0d0c);
        assert_eq!(Seed::new("").digest(b""), Digest(0x412f_1275_e100_17f3));
        assert_eq!(seed.fingerprint(), 0x8a64_61fd_cdcd_ffdf);
    }

    #[test]
    fn a_request_id_keeps_its_digest_when_envoy_notes_a_trace_in_it() {
        let seed = Seed::new("");
        let plain = seed.digest_request_id(b"6f8d9a3c-4f2b-4c1d-9e57-0a1b2c3d4e5f");
        assert_eq!(plain, seed.digest_request_id(b"6f8d9a3c-4f2b-9c1d-9e57-0a1b2c3d4e5f"));
        assert_ne!(plain, seed.digest_request_id(b"6f8d9a3c-4f2b-4c2d-9e57-0a1b2c3d4e5f"));
        assert_ne!(seed.digest_request_id(b"a"), seed.digest_request_id(b"b"));
    }

    #[test]
    fn a_digest_of_another_seed_says_nothing_but_absence_does() {
        let recorded = Recorded {
            seed: Seed::new("a").fingerprint(),
            digests: &[("cookie/uid", Some(Digest(7))), ("cookie/none", None)],
        };
        assert_eq!(recorded.get(Seed::new("a"), "cookie/uid"), Some(Some(Digest(7))));
        assert_eq!(recorded.get(Seed::new("b"), "cookie/uid"), None);
        assert_eq!(recorded.get(Seed::new("b"), "cookie/none"), Some(None));
        assert_eq!(recorded.get(Seed::new("a"), "source-ip"), None);
    }
}
