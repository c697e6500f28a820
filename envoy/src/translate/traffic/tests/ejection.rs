//! Shares of hosts that are no host (envoy.md 4.3).

use super::super::super::tests::manifests;
use super::super::super::{Model, Options};
use super::{NONE, check, policy, said, with};

#[test]
fn a_share_that_is_none_of_so_few_hosts_is_told_where_it_is_written() {
    // Two hosts, of which each subset has one.
    let outlier = |more: &str| format!("{{outlierDetection: {{{more}}}}}");
    let host = "`catalogdetail.workshop.svc.cluster.local`";
    let (two, one) = (
        "is ever ejected; write `maxEjectionPercent: 50` or more",
        "is ever ejected; write `maxEjectionPercent: 100` or more",
    );
    for (top, subset, expected) in [
        (outlier("maxEjectionPercent: 100"), NONE, None),
        // Nobody is to be ejected, whatever the share is.
        (outlier("consecutive5xxErrors: 0, maxEjectionPercent: 1"), NONE, None),
        (
            outlier("consecutiveGatewayErrors: 1, consecutive5xxErrors: 0, maxEjectionPercent: 49"),
            NONE,
            Some(format!("18:112: `49` percent of 2 hosts is no host: none of {host} {two}")),
        ),
        (
            outlier("maxEjectionPercent: 50"),
            NONE,
            Some(format!("18:58: `50` percent of 1 host is no host: none of {host}, subset `v1`, {one}")),
        ),
        (
            outlier("interval: 1s"),
            NONE,
            Some(format!(
                "18:19: without `maxEjectionPercent` it is 10 percent, which of 2 hosts is no host: none of {host} {two}"
            )),
        ),
        (
            "{portLevelSettings: [{port: {number: 3000}, outlierDetection: {maxEjectionPercent: 30}}]}".to_owned(),
            NONE,
            Some(format!("18:101: `30` percent of 2 hosts is no host: none of {host} {two}")),
        ),
        (
            outlier("maxEjectionPercent: 100"),
            "{outlierDetection: {maxEjectionPercent: 99}}",
            Some(format!("17:137: `99` percent of 1 host is no host: none of {host}, subset `v2`, {one}")),
        ),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|said| format!("warning a.yaml:{said}")).collect();
        assert_eq!(said(&[&with(&top, subset)]), expected, "{top} {subset}");
    }
    let by_name = with(&outlier(""), NONE).replace("STATIC", "DNS");
    assert_eq!(said(&[&by_name]), [""; 0], "nobody knows how many hosts there are");
    let texts = [with(&outlier(""), NONE)];
    let manifests = manifests(&[&texts[0]]);
    let model = Model::new(&manifests, &Options::default()).expect("warnings");
    assert!(matches!(model.warnings(), [only] if only.code == "ejects-no-host"), "{:?}", model.warnings());
}

#[test]
fn of_ten_hosts_the_default_share_is_one() {
    check(
        policy,
        "
outlierDetection: {}
outlierDetection: {maxEjectionPercent: 10}
outlierDetection: {maxEjectionPercent: 9}
  warning a.yaml:6:58: `9` percent of 10 hosts is no host: none of `a.example` is ever ejected; write `maxEjectionPercent: 10` or more
outlierDetection: {maxEjectionPercent: 9, consecutive5xxErrors: 0}
outlierDetection: {maxEjectionPercent: 9, consecutive5xxErrors: 0, consecutiveGatewayErrors: 0}
outlierDetection: {maxEjectionPercent: 9, consecutive5xxErrors: 0, splitExternalLocalOriginErrors: true}
  warning a.yaml:6:58: `9` percent of 10 hosts is no host: none of `a.example` is ever ejected; write `maxEjectionPercent: 10` or more
outlierDetection: {maxEjectionPercent: 9, consecutiveErrors: 3}
  warning a.yaml:6:58: `9` percent of 10 hosts is no host: none of `a.example` is ever ejected; write `maxEjectionPercent: 10` or more
  warning a.yaml:6:80: `consecutiveErrors`, which Istio ignores, is read as `consecutive5xxErrors`; write `consecutive5xxErrors`, so that it means the same in a mesh
outlierDetection: {maxEjectionPercent: 9}, loadBalancer: {simple: PASSTHROUGH}
  warning a.yaml:6:85: `PASSTHROUGH` goes to the address that a captured connection was meant for: nothing captures here, and requests get 503; leave it out, unless the Envoy has an `original_dst` listener filter
",
    );
}
