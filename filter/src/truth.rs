//! Kleene's three values: what is known of a recorded request need not be all that the filter knew.

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// It does not.
    False,
    /// It is not known.
    Unknown,
    /// It does.
    True,
}

impl Truth {
    /// Both hold. `other` is not evaluated after a `False`.
    #[must_use]
    pub fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::False => Self::False,
            Self::True => other(),
            Self::Unknown if other() == Self::False => Self::False,
            Self::Unknown => Self::Unknown,
        }
    }

    /// One of them holds. `other` is not evaluated after a `True`.
    #[must_use]
    pub fn or(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::True => Self::True,
            Self::False => other(),
            Self::Unknown if other() == Self::True => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl core::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, False, True, Unknown};

    #[test]
    fn kleenes_tables() {
        let tables: [(Truth, Truth, Truth, Truth); 9] = [
            (True, True, True, True),
            (True, Unknown, Unknown, True),
            (True, False, False, True),
            (Unknown, True, Unknown, True),
            (Unknown, Unknown, Unknown, Unknown),
            (Unknown, False, False, Unknown),
            (False, True, False, True),
            (False, Unknown, False, Unknown),
            (False, False, False, False),
        ];
        for (a, b, and, or) in tables {
            assert_eq!((a.and(|| b), a.or(|| b)), (and, or), "{a:?} {b:?}");
        }
        assert_eq!((!True, !Unknown, !False), (False, Unknown, True));
    }
}
