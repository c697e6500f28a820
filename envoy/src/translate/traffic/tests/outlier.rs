//! `outlierDetection` (istio.md 2.3).

use super::{check, policy};

/// A DestinationRule with this `outlierDetection`, from column 38 on.
fn outlier(written: &str) -> String {
    policy(&format!("outlierDetection: {{{written}}}"))
}

/// istio.md 2.3: percents are 0 to 100, durations at least 1 ms; `validateOutlierDetection`.
#[test]
fn outlier_detection_is_checked_as_istio_checks_it() {
    check(
        outlier,
        r"
consecutive5xxErrors: -1
  error a.yaml:6:60: `-1` is out of range: 0 to 4294967295
consecutiveGatewayErrors: -1
  error a.yaml:6:64: `-1` is out of range: 0 to 4294967295
consecutiveLocalOriginFailures: 3
  error a.yaml:6:70: `consecutiveLocalOriginFailures` needs `splitExternalLocalOriginErrors: true`
consecutiveLocalOriginFailures: 3, splitExternalLocalOriginErrors: false
  error a.yaml:6:70: `consecutiveLocalOriginFailures` needs `splitExternalLocalOriginErrors: true`
splitExternalLocalOriginErrors: 1
  error a.yaml:6:70: expected `true` or `false`, found the number `1`
interval: 0s
  error a.yaml:6:48: a duration of at least `1ms` is expected
interval: 1
  error a.yaml:6:48: expected a duration such as `10s`, found the number `1`
baseEjectionTime: 0s
  error a.yaml:6:56: a duration of at least `1ms` is expected
baseEjectionTime: forever
  error a.yaml:6:56: `forever` is no duration: write `1h`, `1m30s`, `0.5s` or `250ms`
maxEjectionPercent: -1
  error a.yaml:6:58: `-1` is out of range: 0 to 100
maxEjectionPercent: 101
  error a.yaml:6:58: `101` is out of range: 0 to 100
minHealthPercent: -1
  error a.yaml:6:56: `-1` is out of range: 0 to 100
minHealthPercent: 101
  error a.yaml:6:56: `101` is out of range: 0 to 100
maxEjectionPercents: 10
  error a.yaml:6:38: unknown field `maxEjectionPercents`, did you mean `maxEjectionPercent`?
outlierDetectionHttpErrorCodes: ['500']
  error a.yaml:6:38: `outlierDetectionHttpErrorCodes` is not supported yet
",
    );
}

/// istio.md 2.3: Istio warns of it, whatever the number is.
#[test]
fn consecutive_errors_which_istio_ignores_are_told() {
    check(
        outlier,
        r"
consecutiveErrors: 3
  warning a.yaml:6:57: `consecutiveErrors`, which Istio ignores, is read as `consecutive5xxErrors`; write `consecutive5xxErrors`, so that it means the same in a mesh
consecutiveErrors: 3, consecutive5xxErrors: 4
  warning a.yaml:6:57: `consecutiveErrors` has no effect beside `consecutive5xxErrors`; leave it out
consecutiveErrors: -1
  warning a.yaml:6:57: a negative `consecutiveErrors` says nothing; write `consecutive5xxErrors`
consecutiveErrors: three
  error a.yaml:6:57: expected a whole number, found the string `three`
",
    );
}

#[test]
fn what_istio_takes_of_outlier_detection_is_taken() {
    check(
        outlier,
        r"
~
consecutiveErrors: 0
consecutive5xxErrors: 0, consecutiveGatewayErrors: 0, maxEjectionPercent: 0, minHealthPercent: 0
maxEjectionPercent: 100, minHealthPercent: 100, interval: 1ms, baseEjectionTime: 1ms
consecutiveLocalOriginFailures: 0
consecutiveLocalOriginFailures: 3, splitExternalLocalOriginErrors: true
",
    );
}
