//! What Istio's validation refuses of a traffic policy (istio.md 2.2 to 2.6), each error at its field: `validateTrafficPolicy`
//! of its `pkg/config/validation/validation.go` and what that calls. Nothing else is an error, unless Envoy would take it
//! for one; what has no effect is a warning.

mod hash;
mod load_balancer;
mod locality;
mod tls;

use super::super::{Notes, spec};
use crate::manifest::{ClientTls, H2UpgradePolicy, LoadBalancer, LocalityLbSetting};
use crate::manifest::{ConnectionPool, Duration, HttpSettings, Manifest, OutlierDetection, TcpSettings, TrafficPolicy};

/// Where something is checked.
struct At<'a> {
    manifest: &'a Manifest,
    /// The field below `spec`.
    field: String,
    notes: &'a mut Notes,
}

impl At<'_> {
    fn error(&mut self, below: &str, message: &str) {
        self.notes.push(self.manifest.error(&spec(&format!("{}{below}", self.field)), message));
    }

    fn warning(&mut self, below: &str, message: &str, code: &'static str, help: &str) {
        let found = self.manifest.warning(&spec(&format!("{}{below}", self.field)), message);
        self.notes.push(found.code(code).help(help));
    }

    /// Something below it.
    fn below(&mut self, field: &str) -> At<'_> {
        At { manifest: self.manifest, field: format!("{}{field}", self.field), notes: self.notes }
    }

    fn count(&mut self, field: &str, number: i32) {
        if number < 0 {
            self.error(field, &format!("`{number}` is out of range: at least 0"));
        }
    }

    fn percent(&mut self, field: &str, number: i32) {
        if !(0..=100).contains(&number) {
            self.error(field, &format!("`{number}` is out of range: 0 to 100"));
        }
    }

    fn duration(&mut self, field: &str, duration: Option<Duration>) {
        if duration.is_some_and(|duration| duration.ms == 0) {
            self.error(field, "a duration of at least `1ms` is expected");
        }
    }
}

/// Notes what is wrong with a mesh's `localityLbSetting`; `at` is the field below `spec`.
pub fn check_locality(manifest: &Manifest, at: &str, written: &LocalityLbSetting, notes: &mut Notes) {
    // Whether anything is ever left out is said by each DestinationRule.
    locality::check(&mut At { manifest, field: at.to_owned(), notes }, written, true);
}

/// Notes what is wrong with a policy; `at` is the field below `spec`.
pub fn check(manifest: &Manifest, at: &str, written: &TrafficPolicy, notes: &mut Notes) {
    let mut at = At { manifest, field: at.to_owned(), notes };
    // `portLevelSettings: []` says nothing either.
    if *written == TrafficPolicy::default() {
        let found = manifest.error(&spec(&at.field), "a `trafficPolicy` needs a field");
        at.notes.push(found.help("write `connectionPool`, `loadBalancer`, `outlierDetection` or `tls`"));
    }
    blocks(
        &mut at,
        written.connection_pool.as_ref(),
        written.outlier_detection.as_ref(),
        written.load_balancer.as_ref(),
        written.tls.as_ref(),
    );
    if let Some(percent) = written.retry_budget.as_ref().and_then(|budget| budget.percent)
        && !(0.0..=100.0).contains(&percent)
    {
        at.error(".retryBudget.percent", &format!("`{percent}` is out of range: 0 to 100"));
    }
    for (index, setting) in written.port_level_settings.iter().enumerate() {
        let mut at = at.below(&format!(".portLevelSettings[{index}]"));
        if setting.port.number == 0 {
            at.error(".port.number", "`0` is out of range: 1 to 65535");
        }
        let earlier = written.port_level_settings.iter().take(index);
        if earlier.into_iter().any(|other| other.port.number == setting.port.number) {
            let message = format!("the port `{}` has settings already: these have no effect", setting.port.number);
            at.warning(".port.number", &message, "ignored-field", "write them there");
        }
        let (pool, outlier) = (setting.connection_pool.as_ref(), setting.outlier_detection.as_ref());
        let (balancer, tls) = (setting.load_balancer.as_ref(), setting.tls.as_ref());
        if pool.is_none() && outlier.is_none() && balancer.is_none() && tls.is_none() {
            let message = "settings of a port need more than the port: write `connectionPool`, `loadBalancer`, \
                           `outlierDetection` or `tls`";
            at.error("", message);
        }
        blocks(&mut at, pool, outlier, balancer, tls);
    }
}

fn blocks(
    at: &mut At<'_>,
    pool: Option<&ConnectionPool>,
    outlier: Option<&OutlierDetection>,
    balancer: Option<&LoadBalancer>,
    tls: Option<&ClientTls>,
) {
    if let Some(pool) = pool {
        connection_pool(&mut at.below(".connectionPool"), pool);
    }
    if let Some(outlier) = outlier {
        outlier_detection(&mut at.below(".outlierDetection"), outlier);
    }
    if let Some(balancer) = balancer {
        load_balancer::check(&mut at.below(".loadBalancer"), balancer, outlier.is_some());
    }
    if let Some(tls) = tls {
        tls::check(&mut at.below(".tls"), tls);
    }
}

fn connection_pool(at: &mut At<'_>, pool: &ConnectionPool) {
    if pool.tcp.is_none() && pool.http.is_none() {
        at.error("", "a `connectionPool` needs `tcp` or `http`");
    }
    if let Some(tcp) = &pool.tcp {
        connections(&mut at.below(".tcp"), tcp);
    }
    if let Some(http) = &pool.http {
        requests(&mut at.below(".http"), http);
    }
}

fn connections(at: &mut At<'_>, tcp: &TcpSettings) {
    at.count(".maxConnections", tcp.max_connections);
    at.duration(".connectTimeout", tcp.connect_timeout);
    at.duration(".maxConnectionDuration", tcp.max_connection_duration);
    if let Some(keepalive) = &tcp.tcp_keepalive {
        at.duration(".tcpKeepalive.time", keepalive.time);
        at.duration(".tcpKeepalive.interval", keepalive.interval);
    }
}

fn requests(at: &mut At<'_>, http: &HttpSettings) {
    at.count(".http1MaxPendingRequests", http.http1_max_pending_requests);
    at.count(".http2MaxRequests", http.http2_max_requests);
    at.count(".maxRequestsPerConnection", http.max_requests_per_connection);
    at.count(".maxRetries", http.max_retries);
    at.count(".maxConcurrentStreams", http.max_concurrent_streams);
    at.duration(".idleTimeout", http.idle_timeout);
    if http.h2_upgrade_policy == H2UpgradePolicy::Upgrade && http.use_client_protocol {
        let message =
            "`useClientProtocol: true` and `h2UpgradePolicy: UPGRADE` exclude each other: leave one of them out";
        at.error(".useClientProtocol", message);
    }
}

fn outlier_detection(at: &mut At<'_>, outlier: &OutlierDetection) {
    if outlier.consecutive_errors != 0 {
        let (message, help) = if outlier.consecutive_5xx_errors.is_some() {
            ("`consecutiveErrors` has no effect beside `consecutive5xxErrors`", "leave it out")
        } else if outlier.consecutive_errors < 0 {
            // Istio takes any number, since it ignores all.
            ("a negative `consecutiveErrors` says nothing", "write `consecutive5xxErrors`")
        } else {
            (
                "`consecutiveErrors`, which Istio ignores, is read as `consecutive5xxErrors`",
                "write `consecutive5xxErrors`, so that it means the same in a mesh",
            )
        };
        at.warning(".consecutiveErrors", message, "deprecated-field", help);
    }
    let failures = outlier.consecutive_local_origin_failures.unwrap_or(0);
    if failures > 0 && !outlier.split_external_local_origin_errors {
        let message = "`consecutiveLocalOriginFailures` needs `splitExternalLocalOriginErrors: true`";
        at.error(".consecutiveLocalOriginFailures", message);
    }
    at.duration(".interval", outlier.interval);
    at.duration(".baseEjectionTime", outlier.base_ejection_time);
    at.percent(".maxEjectionPercent", outlier.max_ejection_percent);
    at.percent(".minHealthPercent", outlier.min_health_percent);
}
