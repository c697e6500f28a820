//! Go durations, as Istio reads them: `720h`, `1m30s`, `0.5s`, `250ms`.

use crate::error::At;

/// The longest duration: 100 years, in milliseconds. Istio's own limit is Go's 292 years; a header holds either.
pub const MAX: u64 = 100 * 365 * 24 * 3_600_000;

/// A duration in milliseconds, 0 included; `None` when it is wrong, which has been noted.
pub fn compile(written: &str, at: &mut At) -> Option<u64> {
    match nanoseconds(written) {
        Some(nanoseconds) if nanoseconds % 1_000_000 != 0 => {
            at.error(format!("`{written}` is no whole number of milliseconds"));
            None
        }
        Some(nanoseconds) => {
            let milliseconds = u64::try_from(nanoseconds / 1_000_000).ok().filter(|ms| *ms <= MAX);
            if milliseconds.is_none() {
                at.error(format!("`{written}` is longer than 100 years"));
            }
            milliseconds
        }
        None => {
            at.error(format!("`{written}` is no duration: write `720h`, `1m30s`, `0.5s` or `250ms`"));
            None
        }
    }
}

/// A duration of at least a millisecond (istio.md 1.18).
pub fn compile_positive(written: &str, at: &mut At) -> Option<u64> {
    let milliseconds = compile(written, at)?;
    if milliseconds == 0 {
        at.error(format!("`{written}`: at least `1ms`"));
    }
    (milliseconds > 0).then_some(milliseconds)
}

/// A duration in nanoseconds: numbers with units, as Go's `time.ParseDuration` reads them without sign. `None` for what
/// is none.
pub fn nanoseconds(written: &str) -> Option<u128> {
    if written == "0" {
        return Some(0);
    }
    let mut rest = written;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().position(|b| !b.is_ascii_digit() && b != b'.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.bytes().position(|b| b.is_ascii_digit() || b == b'.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total = total.checked_add(scale(number, unit)?)?;
        rest = after;
    }
    (!written.is_empty()).then_some(total)
}

/// A decimal number times a unit, cut to whole nanoseconds.
fn scale(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > 18 || fraction.len() > 18 {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let divisor = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    whole.checked_mul(unit)?.checked_add(part.checked_mul(unit)?.checked_div(divisor)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations() {
        for (written, milliseconds) in [
            ("5s", 5000),
            ("0.5s", 500),
            ("1m30s", 90_000),
            ("720h", 2_592_000_000),
            ("0s", 0),
            ("0", 0),
            (".25s", 250),
            ("1.s", 1000),
            ("1h1ms", 3_600_001),
        ] {
            assert_eq!(compile(written, &mut At::root()), Some(milliseconds), "{written}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for (written, message) in [
            ("", "`` is no duration: write `720h`, `1m30s`, `0.5s` or `250ms`"),
            ("5", "`5` is no duration: write `720h`, `1m30s`, `0.5s` or `250ms`"),
            ("1d", "`1d` is no duration: write `720h`, `1m30s`, `0.5s` or `250ms`"),
            ("-1s", "`-1s` is no duration: write `720h`, `1m30s`, `0.5s` or `250ms`"),
            ("1.2.3s", "`1.2.3s` is no duration: write `720h`, `1m30s`, `0.5s` or `250ms`"),
            ("1us", "`1us` is no whole number of milliseconds"),
            ("999999999h", "`999999999h` is longer than 100 years"),
        ] {
            let mut at = At::root();
            assert_eq!(compile(written, &mut at), None, "{written}");
            assert_eq!(at.into_errors()[0].message, message);
        }
        let mut at = At::root();
        assert_eq!(compile_positive("0s", &mut at), None);
        assert_eq!(at.into_errors()[0].message, "`0s`: at least `1ms`");
    }
}
