//! The interval of a share (Wilson 1927): holds where the normal one does not, near 0 and 1 and for few trials.

/// The 97.5 % point of the normal distribution: 95 % between both ends.
const Z: f64 = 1.959_963_984_540_054;

/// Lower and upper end of the 95 % interval of a share (0 to 1) seen in `n` independent trials; `None` without any.
pub fn interval(share: f64, n: u64) -> Option<(f64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
    let n = (n > 0).then_some(n as f64)?;
    let z2 = Z * Z;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    Some(((centre - half).max(0.0), (centre + half).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::interval;

    /// Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3 (score).
    #[test]
    fn published_values() {
        for (successes, n, low, high) in [
            (81_u32, 263_u32, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (l, h) = interval(f64::from(successes) / f64::from(n), n.into()).unwrap();
            assert!((l - low).abs() < 5e-5 && (h - high).abs() < 5e-5, "{successes}/{n}: {l:.4} to {h:.4}");
        }
        assert_eq!(interval(0.0, 0), None);
    }
}
