//! How an endpoint is chosen (istio.md 2.3, 2.4).

use super::any::{Empty, Percent};
use super::priority::ByPlace;
use crate::manifest::{ConsistentHash, Duration, LoadBalancer, SimpleLb};
use crate::translate::Effective;
use serde::Serialize;

/// The fields of a cluster that choose an endpoint.
#[derive(Debug, Serialize)]
pub struct LoadBalancing {
    lb_policy: Policy,
    #[serde(skip_serializing_if = "Option::is_none")]
    least_request_lb_config: Option<SlowStart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_robin_lb_config: Option<SlowStart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ring_hash_lb_config: Option<Ring>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maglev_lb_config: Option<Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_dst_lb_config: Option<OriginalDst>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Policy {
    LeastRequest,
    RoundRobin,
    Random,
    RingHash,
    Maglev,
    ClusterProvided,
}

#[derive(Debug, Serialize)]
struct SlowStart {
    slow_start_config: SlowStartConfig,
}

#[derive(Debug, Serialize)]
struct SlowStartConfig {
    slow_start_window: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggression: Option<RuntimeDouble>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_weight_percent: Option<Percent>,
}

#[derive(Debug, Serialize)]
struct RuntimeDouble {
    default_value: f64,
    runtime_key: &'static str,
}

#[derive(Debug, Serialize)]
struct OriginalDst {
    upstream_port_override: u16,
}

#[derive(Debug, Serialize)]
struct Ring {
    minimum_ring_size: u32,
}

#[derive(Debug, Serialize)]
struct Table {
    table_size: u32,
}

impl LoadBalancing {
    /// What a load balancer says; without one the endpoint with fewer requests, as in Istio, not in turn as in Envoy.
    pub fn of(written: Option<&LoadBalancer>) -> Self {
        let simple = written.map_or(SimpleLb::Unspecified, |written| written.simple);
        let (lb_policy, slow_start) = match simple {
            SimpleLb::Unspecified | SimpleLb::LeastConn | SimpleLb::LeastRequest => {
                (Policy::LeastRequest, written.and_then(slow_start))
            }
            SimpleLb::RoundRobin => (Policy::RoundRobin, written.and_then(slow_start)),
            SimpleLb::Random => (Policy::Random, None),
            SimpleLb::Passthrough => (Policy::ClusterProvided, None),
        };
        let is_in_turn = lb_policy == Policy::RoundRobin;
        let (in_turn, by_load) = if is_in_turn { (slow_start, None) } else { (None, slow_start) };
        let mut all = Self {
            lb_policy,
            least_request_lb_config: by_load,
            round_robin_lb_config: in_turn,
            ring_hash_lb_config: None,
            maglev_lb_config: None,
            original_dst_lb_config: None,
        };
        if let Some(hash) = written.and_then(|written| written.consistent_hash.as_ref()) {
            all.hash(hash);
        }
        all
    }

    /// Where the caller was going, at another port if there is one: nothing is chosen.
    pub fn forward(&mut self, port: Option<u16>) {
        *self = Self {
            lb_policy: Policy::ClusterProvided,
            least_request_lb_config: None,
            round_robin_lb_config: None,
            ring_hash_lb_config: None,
            maglev_lb_config: None,
            original_dst_lb_config: port.map(|upstream_port_override| OriginalDst { upstream_port_override }),
        };
    }

    /// By a hash: on a ring of 1024 places, if nothing else is written.
    fn hash(&mut self, hash: &ConsistentHash) {
        (self.least_request_lb_config, self.round_robin_lb_config) = (None, None);
        let size = |size: Option<u32>| size.filter(|size| *size != 0);
        if let Some(maglev) = &hash.maglev {
            self.lb_policy = Policy::Maglev;
            self.maglev_lb_config = size(maglev.table_size).map(|table_size| Table { table_size });
            return;
        }
        self.lb_policy = Policy::RingHash;
        let minimum = match &hash.ring_hash {
            Some(ring) => size(ring.minimum_ring_size),
            None => Some(size(hash.minimum_ring_size).unwrap_or(1024)),
        };
        self.ring_hash_lb_config = minimum.map(|minimum_ring_size| Ring { minimum_ring_size });
    }
}

fn slow_start(written: &LoadBalancer) -> Option<SlowStart> {
    let config = if let Some(warmup) = &written.warmup {
        SlowStartConfig {
            slow_start_window: warmup.duration.unwrap_or_default(),
            // Nobody can name a runtime value `(`: it stays what is written.
            aggression: Some(RuntimeDouble { default_value: warmup.aggression.unwrap_or(1.0), runtime_key: "(" }),
            min_weight_percent: Some(Percent { value: warmup.minimum_percent.unwrap_or(10.0) }),
        }
    } else {
        let slow_start_window = written.warmup_duration_secs?;
        SlowStartConfig { slow_start_window, aggression: None, min_weight_percent: None }
    };
    Some(SlowStart { slow_start_config: config })
}

/// `envoy.config.cluster.v3.Cluster.CommonLbConfig`.
#[derive(Debug, Serialize)]
pub struct CommonLb {
    #[serde(skip_serializing_if = "Option::is_none")]
    healthy_panic_threshold: Option<Percent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locality_weighted_lb_config: Option<Empty>,
}

impl CommonLb {
    /// With outlier detection no panic below `minHealthPercent`, which is 0 unless it is written; none at all where the
    /// service itself says where requests go (`SupportsUnhealthyEndpoints` of istiod). Shares of places where some are
    /// written.
    pub fn of(policy: &Effective<'_>, by_place: Option<ByPlace<'_>>, is_distributed: bool) -> Self {
        let ejects = policy.outlier_detection.is_some();
        let is_weighted = by_place.is_some_and(|ByPlace { setting, is_forced }| {
            let fails_over = !setting.failover.is_empty() || !setting.failover_priority.is_empty();
            !setting.distribute.is_empty() || ((ejects || is_forced) && fails_over)
        });
        let written = policy.outlier_detection.as_ref().map(|(outlier, _)| f64::from(outlier.min_health_percent));
        let panic = if is_distributed { Some(0.0) } else { written }.map(|value| Percent { value });
        Self { healthy_panic_threshold: panic, locality_weighted_lb_config: is_weighted.then_some(Empty {}) }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.healthy_panic_threshold.is_none() && self.locality_weighted_lb_config.is_none()
    }
}
