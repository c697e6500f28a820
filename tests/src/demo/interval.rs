//! Where a share may lie by chance.

/// The counts between which a binomial count lies in at least 99 of 100 cases: at most 0.5 % are below, at most 0.5 %
/// above. Exact, not the normal approximation, which is wrong where a share or a count is small.
pub fn expected_99(trials: usize, share: f64) -> (usize, usize) {
    between(trials, share, 0.005)
}

/// The same for one case in a million. For what chance decides anew in every run: the demo must not fail of it.
pub fn expected_999999(trials: usize, share: f64) -> (usize, usize) {
    between(trials, share, 0.000_000_5)
}

/// The least count that is not in the lower tail, and the greatest that is not in the upper one.
fn between(trials: usize, share: f64, tail: f64) -> (usize, usize) {
    let mut low = None;
    let mut high = trials;
    let mut below = 0.0;
    // Logarithms: the first terms are smaller than any float.
    let mut log_term = count(trials) * (1.0 - share).ln();
    for successes in 0..=trials {
        below += log_term.exp();
        if low.is_none() && below > tail {
            low = Some(successes);
        }
        if below >= 1.0 - tail {
            high = successes;
            break;
        }
        let odds = share / (1.0 - share);
        log_term += (count(trials - successes) / count(successes + 1) * odds).ln();
    }
    (low.unwrap_or(0), high)
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quantiles were computed apart, in Python, from `math.lgamma`.
    #[test]
    fn the_interval_is_the_binomial_one() {
        for (trials, share, expected) in [
            (10, 0.5, (1, 9)),
            (1000, 0.3, (263, 338)),
            (5000, 0.3, (1417, 1584)),
            (700, 0.1, (50, 91)),
            (0, 0.3, (0, 0)),
        ] {
            assert_eq!(expected_99(trials, share), expected, "{trials} {share}");
        }
    }

    #[test]
    fn one_in_a_million_is_wider() {
        let (low, high) = expected_99(250, 0.3);
        let (lower, higher) = expected_999999(250, 0.3);
        assert!(lower < low && high < higher && higher < 250);
    }
}
