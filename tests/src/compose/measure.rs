//! What a scenario asks, what was measured, and what counts as held.

use std::fmt;

use crate::demo::{expected_999999, thousands};

/// One thing that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    what: String,
    measured: String,
    expected: String,
    /// Whether what was measured is what is expected.
    pub holds: bool,
}

impl Measure {
    /// A share that chance decides: so many of so many, asked in percent; expected is where a binomial count lies in all
    /// but one of a million cases.
    pub fn share(what: impl Into<String>, hits: usize, of: usize, percent: u8) -> Self {
        let (low, high) = match percent {
            0 => (0, 0),
            100 => (of, of),
            _ => expected_999999(of, f64::from(percent) / 100.0),
        };
        Self {
            what: format!("{} {percent} %", what.into()),
            measured: format!("{} of {}", thousands(hits), thousands(of)),
            expected: if low == high { thousands(low) } else { format!("{} to {}", thousands(low), thousands(high)) },
            holds: of > 0 && (low..=high).contains(&hits),
        }
    }

    /// All of them: nothing is left to chance.
    pub fn all(what: impl Into<String>, hits: usize, of: usize) -> Self {
        Self {
            what: what.into(),
            measured: format!("{} of {}", thousands(hits), thousands(of)),
            expected: "all".into(),
            holds: of > 0 && hits == of,
        }
    }

    /// None, of so many that there were.
    pub fn none(what: impl Into<String>, hits: usize, of: usize) -> Self {
        Self {
            what: what.into(),
            measured: format!("{} of {}", thousands(hits), thousands(of)),
            expected: "none".into(),
            holds: of > 0 && hits == 0,
        }
    }

    /// A number between two, both included.
    pub fn between(what: impl Into<String>, value: usize, low: usize, high: usize) -> Self {
        Self {
            what: what.into(),
            measured: thousands(value),
            expected: if low == high { thousands(low) } else { format!("{} to {}", thousands(low), thousands(high)) },
            holds: (low..=high).contains(&value),
        }
    }

    /// So many or more.
    pub fn at_least(what: impl Into<String>, value: usize, low: usize) -> Self {
        let expected = format!("{} or more", thousands(low));
        Self { what: what.into(), measured: thousands(value), expected, holds: value >= low }
    }

    /// A time in seconds between two.
    pub fn seconds(what: impl Into<String>, value: f64, low: f64, high: f64) -> Self {
        Self {
            what: what.into(),
            measured: format!("{value:.1} s"),
            expected: format!("{low:.1} to {high:.1} s"),
            holds: (low..=high).contains(&value),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, measured, expected, holds } = self;
        let mark = if *holds { "" } else { " !" };
        write!(f, "{what}: {measured} (expected {expected}){mark}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_holds_inside_its_interval() {
        let good = Measure::share("to v2, asked", 101, 1000, 10);
        assert_eq!(good.to_string(), "to v2, asked 10 %: 101 of 1,000 (expected 57 to 149)");
        assert!(good.holds);
        for bad in [
            Measure::share("", 200, 1000, 10),
            Measure::share("", 0, 0, 50),
            Measure::share("", 99, 100, 100),
            Measure::all("", 0, 0),
            Measure::none("", 1, 10),
            Measure::none("", 0, 0),
            Measure::between("", 4, 5, 6),
            Measure::at_least("", 4, 5),
            Measure::seconds("", 4.8, 4.9, 8.0),
        ] {
            assert!(!bad.holds && bad.to_string().ends_with(" !"), "{bad}");
        }
    }
}
