//! `outlierDetection` (istio.md 2.3).

use crate::manifest::Duration;
use switchyard_filter::record;

record! {
    /// When an endpoint is left out for a while.
    pub struct OutlierDetection {
        /// After how many 5xx in a row; 0: not for these. Default: 5.
        consecutive_5xx_errors: Option<u32> = "consecutive5xxErrors",
        /// After how many 502, 503 and 504 in a row; 0: not for these. Default: not for these.
        consecutive_gateway_errors: Option<u32> = "consecutiveGatewayErrors",
        /// Deprecated, and ignored by Istio: read as `consecutive5xxErrors` where that is not written.
        consecutive_errors: i32 = "consecutiveErrors",
        /// Whether errors of connecting count apart from errors that the endpoint answers.
        split_external_local_origin_errors: bool = "splitExternalLocalOriginErrors",
        /// After how many errors of connecting in a row, where they count apart. Default: 5.
        consecutive_local_origin_failures: Option<u32> = "consecutiveLocalOriginFailures",
        /// How often is looked whether an endpoint may come back. Default: 10 s.
        interval: Option<Duration> = "interval",
        /// How long an endpoint is left out the first time. Default: 30 s.
        base_ejection_time: Option<Duration> = "baseEjectionTime",
        /// How many percent of the endpoints may be left out. Default, and 0: 10.
        max_ejection_percent: i32 = "maxEjectionPercent",
        /// With fewer percent of healthy endpoints, all get requests. Default: 0, never.
        min_health_percent: i32 = "minHealthPercent",
    }
    later { "outlierDetectionHttpErrorCodes" }
}

impl OutlierDetection {
    /// After how many 5xx in a row. Istio drops `consecutiveErrors`, of which people mean this.
    pub fn consecutive_5xx(&self) -> Option<u32> {
        self.consecutive_5xx_errors.or_else(|| u32::try_from(self.consecutive_errors).ok().filter(|count| *count > 0))
    }
}
