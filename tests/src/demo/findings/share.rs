//! A count whose share is known beforehand.

use crate::demo::interval::{expected_99, expected_999999};
use crate::demo::text::{percent, ratio, thousands};

/// So many of so many, of which a policy asks for a share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// How many were.
    pub hits: usize,
    /// Of how many.
    pub of: usize,
    /// The share that the policy asks for, 0 to 1.
    pub expected: f64,
}

impl Share {
    /// So many of so many, and the share that is asked for.
    pub fn new(hits: usize, of: usize, expected: f64) -> Self {
        Self { hits, of, expected }
    }

    /// Whether the count lies where at least 99 of 100 do by chance, and there was something to count.
    pub fn holds(&self) -> bool {
        let (low, high) = expected_99(self.of, self.expected);
        self.of > 0 && (low..=high).contains(&self.hits)
    }

    /// The same for all but one case in a million.
    pub fn holds_widely(&self) -> bool {
        let (low, high) = expected_999999(self.of, self.expected);
        self.of > 0 && (low..=high).contains(&self.hits)
    }

    /// `30.1 % of 1,000 users (99 %: 26.3 to 33.8)`.
    pub fn text(&self, unit: &str) -> String {
        let (low, high) = expected_99(self.of, self.expected);
        let bound = |count| format!("{:.1}", 100.0 * ratio(count, self.of));
        let outside = if self.holds() { "" } else { ", outside" };
        format!(
            "{} of {} {unit} (99 %: {} to {}{outside})",
            percent(self.hits, self.of),
            thousands(self.of),
            bound(low),
            bound(high)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_told_with_its_interval() {
        let inside = Share::new(301, 1000, 0.3);
        assert!(inside.holds() && inside.holds_widely());
        assert_eq!(inside.text("users"), "30.1 % of 1,000 users (99 %: 26.3 to 33.8)");
        let outside = Share::new(345, 1000, 0.3);
        assert!(!outside.holds() && outside.holds_widely());
        assert_eq!(outside.text("users"), "34.5 % of 1,000 users (99 %: 26.3 to 33.8, outside)");
        assert!(!Share::new(0, 0, 0.3).holds());
    }
}
