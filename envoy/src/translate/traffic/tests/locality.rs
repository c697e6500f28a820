//! `localityLbSetting` (istio.md 2.4).

use super::{check, policy};

/// A DestinationRule with this `localityLbSetting`, from column 54 on, and an `outlierDetection`.
fn locality(written: &str) -> String {
    policy(&format!("loadBalancer: {{localityLbSetting: {{{written}}}}}, outlierDetection: {{}}"))
}

/// The same without.
fn balancer(written: &str) -> String {
    policy(&format!("loadBalancer: {{{written}}}"))
}

/// istio.md 2.4; `ValidateLocalityLbSetting`, `validateLocalities`.
#[test]
fn localities_are_checked_as_istio_checks_them() {
    check(
        locality,
        r"
distribute: [{from: eu, to: {eu: 100}}], failover: [{from: eu, to: us}]
  error a.yaml:6:34: `distribute` and `failover` exclude each other: leave one of them out
distribute: [{from: eu}]
  error a.yaml:6:68: `to` is missing
distribute: [{to: {eu: 100}}]
  error a.yaml:6:68: `from` is missing
distribute: [{from: eu, to: {}}]
  error a.yaml:6:78: the weights sum to 0, not to 100
distribute: [{from: eu, to: {eu: 90}}]
  error a.yaml:6:78: the weights sum to 90, not to 100
distribute: [{from: eu, to: {eu: 60, us: 60}}]
  error a.yaml:6:78: the weights sum to 120, not to 100
distribute: [{from: eu, to: {eu: 0, us: 100}}]
  error a.yaml:6:78: `0` of `eu` is out of range: 1 to 100
distribute: [{from: eu, to: {eu: 101}}]
  error a.yaml:6:78: `101` of `eu` is out of range: 1 to 100
distribute: [{from: eu, to: {eu: -1, us: 101}}]
  error a.yaml:6:87: `-1` is out of range: 0 to 4294967295
distribute: [{from: eu/*/1, to: {eu: 100}}]
  error a.yaml:6:74: `eu/*/1`: a `*` can only stand at the end
distribute: [{from: '*/*', to: {eu: 100}}]
  error a.yaml:6:74: `*/*`: a `*` can only stand at the end
distribute: [{from: '', to: {eu: 100}}]
  error a.yaml:6:74: `` is no locality: write `region`, `region/zone` or `region/zone/subzone`
distribute: [{from: eu//1, to: {eu: 100}}]
  error a.yaml:6:74: `eu//1` is no locality: write `region`, `region/zone` or `region/zone/subzone`
distribute: [{from: eu/a/1/b, to: {eu: 100}}]
  warning a.yaml:6:74: `eu/a/1/b` is nowhere: a locality has at most a region, a zone and a subzone; write `region/zone/subzone`
distribute: [{from: eu, to: {eu: 100}}, {from: eu/a, to: {eu: 100}}]
  error a.yaml:6:101: `eu/a` overlaps with `eu`: leave one of them out
distribute: [{from: eu, to: {eu/: 100}}]
  error a.yaml:6:78: `eu/` is no locality: write `region`, `region/zone` or `region/zone/subzone`
distribute: [{from: eu, to: {eu/a: 50, eu/*: 50}}]
  error a.yaml:6:78: `eu/a` overlaps with `eu/*`: leave one of them out
distribute: [{from: eu, to: {eu/*/1: 100}}]
  error a.yaml:6:78: `eu/*/1`: a `*` can only stand at the end
failover: [{to: us}]
  error a.yaml:6:66: `from` is missing
failover: [{from: eu}]
  error a.yaml:6:66: `to` is missing
failover: [{from: eu, to: eu}]
  error a.yaml:6:80: `eu` is the region that requests come from: name another one
failover: [{from: eu, to: us/a}]
  error a.yaml:6:80: `us/a` is no region: write its name alone
failover: [{from: eu/a, to: us}]
  error a.yaml:6:72: `eu/a` is no region: write its name alone
failover: [{from: eu, to: '*'}]
  error a.yaml:6:80: `*` is no region: write its name alone
failover: [{from: 'e*', to: us}]
  error a.yaml:6:72: `e*` is no region: write its name alone
failover: [{from: eu, to: us}], failoverPriority: [app, topology.kubernetes.io/region]
  error a.yaml:6:110: `topology.kubernetes.io/region` does not go with `failover`: leave one of them out
failover: [{from: eu, to: us}], failoverPriority: [topology.kubernetes.io/zone]
  error a.yaml:6:105: `topology.kubernetes.io/zone` does not go with `failover`: leave one of them out
failover: [{from: eu, to: us}], failoverPriority: [topology.istio.io/subzone]
  error a.yaml:6:105: `topology.istio.io/subzone` does not go with `failover`: leave one of them out
enabled: false, failover: [{from: eu, to: eu}]
  error a.yaml:6:96: `eu` is the region that requests come from: name another one
enabled: 'no'
  error a.yaml:6:63: expected `true` or `false`, found the string `no`
",
    );
}

/// istio.md 2.4: nothing ever fails over.
#[test]
fn a_failover_without_outlier_detection_is_told() {
    check(
        balancer,
        r"
localityLbSetting: {failover: [{from: eu, to: us}]}
  warning a.yaml:6:54: without `outlierDetection` beside it, requests never go elsewhere; write `outlierDetection` in the same traffic policy
localityLbSetting: {failoverPriority: [app]}
  warning a.yaml:6:54: without `outlierDetection` beside it, requests never go elsewhere; write `outlierDetection` in the same traffic policy
",
    );
}

#[test]
fn what_istio_takes_of_localities_is_taken() {
    check(
        locality,
        r"
~
distribute: [{from: '*', to: {eu: 1, us: 99}}]
distribute: [{from: eu/a/*, to: {eu/a/1: 50, eu/b/*: 50}}, {from: eu/b/1, to: {us: 100}}, {from: us, to: {us: 100}}]
distribute: [{from: us, to: {us: 100}}, {from: '*', to: {eu: 100}}]
distribute: [{from: eu, to: {eu: 100}}], failoverPriority: [app]
failover: [{from: eu, to: us}, {from: us, to: eu}], failoverPriority: [app, version=v1]
failoverPriority: [topology.kubernetes.io/region, topology.kubernetes.io/zone, topology.istio.io/subzone]
",
    );
}
