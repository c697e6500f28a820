//! Durations as Istio writes them: `10s`, `1m30s`, `0.5s`, `250ms`.

use serde::{Serialize, Serializer};
use serde_json::Value;
use switchyard_filter::duration::{MAX, nanoseconds};
use switchyard_filter::error::At;
use switchyard_filter::read::{Read, mismatch};

/// A duration in whole milliseconds, 0 included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Duration {
    /// Milliseconds.
    pub ms: u64,
}

impl Duration {
    /// Whole seconds; the rest is cut off, as istiod does for what Envoy takes in seconds.
    pub fn seconds(self) -> u64 {
        self.ms / 1000
    }
}

/// As protobuf's JSON has it: seconds.
impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (seconds, rest) = (self.ms / 1000, self.ms % 1000);
        if rest == 0 {
            serializer.collect_str(&format_args!("{seconds}s"))
        } else {
            serializer.collect_str(&format_args!("{seconds}.{rest:03}s"))
        }
    }
}

impl Read for Duration {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let Some(written) = value.as_str() else {
            at.error(mismatch("a duration such as `10s`", value));
            return None;
        };
        match nanoseconds(written) {
            None => at.error(format!("`{written}` is no duration: write `1h`, `1m30s`, `0.5s` or `250ms`")),
            Some(ns) if ns % 1_000_000 != 0 => at.error(format!("`{written}` is no whole number of milliseconds")),
            Some(ns) => match u64::try_from(ns / 1_000_000).ok().filter(|ms| *ms <= MAX) {
                Some(ms) => return Some(Self { ms }),
                None => at.error(format!("`{written}` is longer than 100 years")),
            },
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Duration;
    use serde_json::json;
    use switchyard_filter::read::read;

    #[test]
    fn durations_are_read_as_go_reads_them_and_written_as_protobuf_does() {
        for (written, shown) in [
            ("0", "0s"),
            ("0s", "0s"),
            ("10s", "10s"),
            ("1m30s", "90s"),
            ("1h", "3600s"),
            ("0.5s", "0.500s"),
            (".25s", "0.250s"),
            ("250ms", "0.250s"),
            ("1.5h", "5400s"),
        ] {
            let duration = read::<Duration>(&json!(written)).unwrap_or_else(|said| panic!("{written}: {said:?}"));
            assert_eq!(serde_json::to_value(duration).expect("JSON"), json!(shown), "{written}");
        }
        for (written, message) in [
            (json!("10"), "`10` is no duration: write `1h`, `1m30s`, `0.5s` or `250ms`"),
            (json!(""), "`` is no duration: write `1h`, `1m30s`, `0.5s` or `250ms`"),
            (json!("-1s"), "`-1s` is no duration: write `1h`, `1m30s`, `0.5s` or `250ms`"),
            (json!("1.2.3s"), "`1.2.3s` is no duration: write `1h`, `1m30s`, `0.5s` or `250ms`"),
            (json!("1us"), "`1us` is no whole number of milliseconds"),
            (json!("900000h"), "`900000h` is longer than 100 years"),
            (json!(3), "expected a duration such as `10s`, found the number `3`"),
        ] {
            let said = read::<Duration>(&written).expect_err("wrong");
            assert_eq!(said.iter().map(|error| error.message.clone()).collect::<Vec<_>>(), [message]);
        }
    }
}
