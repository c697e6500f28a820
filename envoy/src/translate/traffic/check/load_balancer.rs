//! `loadBalancer` (istio.md 2.4): Istio's `validateLoadBalancer`.

use super::{At, hash, locality};
use crate::manifest::{LoadBalancer, SimpleLb};

/// Notes what is wrong with it; `ejects`: there is an `outlierDetection` beside it.
pub fn check(at: &mut At<'_>, written: &LoadBalancer, ejects: bool) {
    if let Some(hash) = &written.consistent_hash {
        if written.simple != SimpleLb::Unspecified {
            at.error("", "`simple` and `consistentHash` exclude each other: leave one of them out");
        }
        hash::check(at.manifest, &format!("{}.consistentHash", at.field), hash, at.notes);
    }
    if written.simple == SimpleLb::Passthrough {
        let message = "`PASSTHROUGH` goes to the address that a captured connection was meant for: nothing captures \
                       here, and requests get 503";
        at.warning(
            ".simple",
            message,
            "advice",
            "leave it out, unless the Envoy has an `original_dst` listener filter",
        );
    }
    if let Some(setting) = &written.locality_lb_setting {
        locality::check(&mut at.below(".localityLbSetting"), setting, ejects);
    }
    if let Some(warmup) = &written.warmup {
        let mut at = at.below(".warmup");
        if warmup.duration.is_none() {
            at.error("", "`duration` is missing: write `duration: 30s`, say");
        }
        at.duration(".duration", warmup.duration);
        if let Some(percent) = warmup.minimum_percent.filter(|percent| !(0.0..=100.0).contains(percent)) {
            at.error(".minimumPercent", &format!("`{percent}` is out of range: 0 to 100"));
        }
        if let Some(aggression) = warmup.aggression.filter(|aggression| *aggression < 1.0) {
            at.error(".aggression", &format!("`{aggression}` is out of range: at least 1"));
        }
    }
    if written.warmup_duration_secs.is_some() {
        let (message, help) = if written.warmup.is_some() {
            ("`warmupDurationSecs` has no effect beside `warmup`", "leave it out")
        } else {
            ("`warmupDurationSecs` is deprecated", "write `warmup: {duration: …}`")
        };
        at.warning(".warmupDurationSecs", message, "deprecated-field", help);
    }
}
