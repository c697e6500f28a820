//! Something that happens to a share of the requests, drawn anew for each (istio.md 1.13, 1.14).

use crate::document::Percent;
use crate::draw::{Choice, Digest, Seed};
use crate::error::At;

/// The whole, as Envoy counts it: `envoy.type.v3.FractionalPercent` in millionths.
pub const WHOLE: u32 = 1_000_000;

/// A share of the requests.
#[derive(Debug)]
pub struct Chance {
    /// What it is called: its draws hang on the name.
    pub name: Box<str>,
    /// How many of a million requests.
    pub millionths: u32,
    choice: Choice,
}

impl Chance {
    /// A chance of so many millionths.
    pub fn new(seed: Seed, name: &str, millionths: u32) -> Self {
        Self { name: name.into(), millionths: millionths.min(WHOLE), choice: seed.choice(name) }
    }

    /// The outcome where it hangs on no draw.
    pub fn certain(&self) -> Option<bool> {
        match self.millionths {
            0 => Some(false),
            WHOLE => Some(true),
            _ => None,
        }
    }

    /// Whether it happens to the request of this number.
    pub fn happens(&self, request: Digest) -> bool {
        let drawn = u128::from(self.choice.draw(request)).wrapping_mul(WHOLE.into()) >> 64;
        drawn < u128::from(self.millionths)
    }
}

/// The smallest percentage above 0 that may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Least {
    /// Any: what is too small never happens.
    Any,
    /// 0.0001, one in a million.
    Millionth,
}

/// How many millionths a percentage is: what is below one is cut off, as Istio does it (istio.md 1.13).
pub fn millionths(percent: &Percent, least: Least, at: &mut At) -> u32 {
    let value = percent.value;
    let (bound, range) = match least {
        Least::Any => (0.0, "0 to 100"),
        Least::Millionth => (0.0001, "0, or 0.0001 to 100"),
    };
    if !(0.0..=100.0).contains(&value) || (value > 0.0 && value < bound) {
        // As JSON writes it: the standard library's own way with floats would be 15 KB of the .wasm.
        let value = serde_json::Value::from(value);
        at.field("value", |at| at.error(format!("`{value}` is no percentage: {range}")));
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1e6; Istio truncates alike")]
    let millionths = (value * 10_000.0) as u32;
    millionths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_truncated_as_istio_truncates_them() {
        let cases = [(0.0003, 2), (0.0006, 5), (0.57, 5699), (19.99, 199_899), (1.1, 11_000), (99.9999, 999_999)];
        for (value, expected) in cases.into_iter().chain([(0.0, 0), (100.0, WHOLE), (0.000_01, 0)]) {
            assert_eq!(millionths(&Percent { value }, Least::Any, &mut At::root()), expected, "{value}");
        }
        for (value, least) in
            [(100.1, Least::Any), (-1.0, Least::Any), (0.000_01, Least::Millionth), (1e300, Least::Any)]
        {
            let mut at = At::root();
            millionths(&Percent { value }, least, &mut at);
            assert_eq!(at.into_errors().len(), 1, "{value}");
        }
    }

    #[test]
    fn a_chance_happens_as_often_as_it_says() {
        let seed = Seed::new("");
        let chance = Chance::new(seed, "demo/shop/r/abort", 300_000);
        let hits = (0..20_000_u128).filter(|n| chance.happens(seed.digest_fresh(*n))).count();
        // Six standard deviations of a binomial of 20,000 at 0.3.
        assert!((5611..=6389).contains(&hits), "{hits}");
        assert_eq!(
            (Chance::new(seed, "a", 0).certain(), Chance::new(seed, "a", WHOLE).certain()),
            (Some(false), Some(true))
        );
    }
}
