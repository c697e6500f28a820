//! When an endpoint is left out for a while (istio.md 2.3).

use crate::manifest::{self, Duration};
use serde::Serialize;

/// `envoy.config.cluster.v3.OutlierDetection`. What is not written is Envoy's default (envoy.md 4.3).
#[derive(Debug, Serialize)]
pub struct OutlierDetection {
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive_5xx: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enforcing_consecutive_5xx: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive_gateway_failure: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enforcing_consecutive_gateway_failure: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_ejection_time: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_ejection_percent: Option<u32>,
    /// Istio never goes by rates of success.
    enforcing_success_rate: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    split_external_local_origin_errors: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive_local_origin_failure: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enforcing_consecutive_local_origin_failure: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enforcing_local_origin_success_rate: Option<u32>,
}

impl OutlierDetection {
    /// What is written; 0 switches off what it counts.
    pub fn of(written: &manifest::OutlierDetection) -> Self {
        let enforcing = |count: Option<u32>| count.map(|count| if count > 0 { 100 } else { 0 });
        let splits = written.split_external_local_origin_errors;
        let local = written.consecutive_local_origin_failures.filter(|count| splits && *count > 0);
        let consecutive_5xx = written.consecutive_5xx();
        Self {
            consecutive_5xx,
            enforcing_consecutive_5xx: enforcing(consecutive_5xx),
            consecutive_gateway_failure: written.consecutive_gateway_errors,
            enforcing_consecutive_gateway_failure: enforcing(written.consecutive_gateway_errors),
            interval: written.interval,
            base_ejection_time: written.base_ejection_time,
            max_ejection_percent: u32::try_from(written.max_ejection_percent).ok().filter(|percent| *percent > 0),
            enforcing_success_rate: 0,
            split_external_local_origin_errors: splits,
            consecutive_local_origin_failure: local,
            enforcing_consecutive_local_origin_failure: local.map(|_| 100),
            enforcing_local_origin_success_rate: splits.then_some(0),
        }
    }
}
