//! `loadBalancer` (istio.md 2.4), but for localities.

use super::{check, policy, resource};

/// A DestinationRule with this `loadBalancer`, from column 34 on.
fn balancer(written: &str) -> String {
    policy(&format!("loadBalancer: {{{written}}}"))
}

/// The same with this `consistentHash`, from column 51 on.
fn hash(written: &str) -> String {
    balancer(&format!("consistentHash: {{{written}}}"))
}

/// istio.md 2.4; `validateLoadBalancer`.
#[test]
fn load_balancers_are_checked_as_istio_checks_them() {
    check(
        balancer,
        r"
simple: FASTEST
  error a.yaml:6:42: expected one of `UNSPECIFIED`, `LEAST_CONN`, `RANDOM`, `PASSTHROUGH`, `ROUND_ROBIN`, `LEAST_REQUEST`, found the string `FASTEST`
simple: RANDOM, consistentHash: {useSourceIp: true}
  error a.yaml:6:19: `simple` and `consistentHash` exclude each other: leave one of them out
simple: PASSTHROUGH
  warning a.yaml:6:42: `PASSTHROUGH` goes to the address that a captured connection was meant for: nothing captures here, and requests get 503; leave it out, unless the Envoy has an `original_dst` listener filter
warmup: {}
  error a.yaml:6:34: `duration` is missing: write `duration: 30s`, say
warmup: {duration: 0s}
  error a.yaml:6:53: a duration of at least `1ms` is expected
warmup: {duration: 1s, minimumPercent: 101}
  error a.yaml:6:73: `101` is out of range: 0 to 100
warmup: {duration: 1s, minimumPercent: -1}
  error a.yaml:6:73: `-1` is out of range: 0 to 100
warmup: {duration: 1s, aggression: 0.5}
  error a.yaml:6:69: `0.5` is out of range: at least 1
warmup: {duration: 1s, aggression: fast}
  error a.yaml:6:69: expected a number, found the string `fast`
warmupDurationSecs: 1s
  warning a.yaml:6:54: `warmupDurationSecs` is deprecated; write `warmup: {duration: …}`
warmupDurationSecs: 1s, warmup: {duration: 1s}
  warning a.yaml:6:54: `warmupDurationSecs` has no effect beside `warmup`; leave it out
zoneAwareLbSetting: {}
  error a.yaml:6:34: `zoneAwareLbSetting` is not supported yet
",
    );
}

/// istio.md 2.4, and the bounds of Envoy.
#[test]
fn consistent_hashes_are_checked_as_istio_and_envoy_check_them() {
    check(
        hash,
        r"
~
  warning a.yaml:6:34: there is nothing to hash by: endpoints are chosen at random; write `httpHeaderName`, `httpCookie`, `httpQueryParameterName` or `useSourceIp: true`
ringHash: {}
  warning a.yaml:6:34: there is nothing to hash by: endpoints are chosen at random; write `httpHeaderName`, `httpCookie`, `httpQueryParameterName` or `useSourceIp: true`
httpHeaderName: a, useSourceIp: true
  error a.yaml:6:34: set one of `httpCookie`, `httpHeaderName`, `httpQueryParameterName` and `useSourceIp: true`
httpHeaderName: a b
  error a.yaml:6:67: `a b` is no header that a client can send
httpCookie: {}
  error a.yaml:6:51: `name` is missing
httpCookie: {name: ''}
  error a.yaml:6:70: `` is no cookie name
httpCookie: {name: a, path: b}
  error a.yaml:6:79: `b` is no path: write `/` or the like
httpCookie: {name: a, ttl: 1ms}
  error a.yaml:6:78: `1ms`: a cookie lives whole seconds
httpCookie: {name: a, ttl: soon}
  error a.yaml:6:78: `soon` is no duration: write `720h`, `1m30s`, `0.5s` or `250ms`
httpCookie: {name: a, ttl: 1s, attributes: [{name: ''}]}
  error a.yaml:6:102: `` is no name of an attribute
httpCookie: {name: a, ttl: 1s, attributes: [{name: Secure}, {name: Secure}]}
  error a.yaml:6:118: `Secure` is listed twice
httpHeaderName: a, ringHash: {}, maglev: {tableSize: 7}
  error a.yaml:6:34: `ringHash` and `maglev` exclude each other: leave one of them out
httpHeaderName: a, minimumRingSize: 7
  warning a.yaml:6:87: `minimumRingSize` is deprecated here; write it under `ringHash`
httpHeaderName: a, minimumRingSize: 7, ringHash: {}
  error a.yaml:6:87: `minimumRingSize` does not go with `ringHash` or `maglev`: leave it out
  warning a.yaml:6:87: `minimumRingSize` is deprecated here; write it under `ringHash`
httpHeaderName: a, minimumRingSize: 7, maglev: {tableSize: 7}
  error a.yaml:6:87: `minimumRingSize` does not go with `ringHash` or `maglev`: leave it out
  warning a.yaml:6:87: `minimumRingSize` is deprecated here; write it under `ringHash`
httpHeaderName: a, minimumRingSize: 9000000
  error a.yaml:6:87: `9000000` is out of range: at most 8388608
  warning a.yaml:6:87: `minimumRingSize` is deprecated here; write it under `ringHash`
httpHeaderName: a, ringHash: {minimumRingSize: 9000000}
  error a.yaml:6:98: `9000000` is out of range: at most 8388608
httpHeaderName: a, ringHash: {minimumRingSize: -1}
  error a.yaml:6:98: `-1` is out of range: 0 to 4294967295
httpHeaderName: a, maglev: {}
  error a.yaml:6:70: `tableSize` is missing: write a prime, 65537 for example
httpHeaderName: a, maglev: {tableSize: 0}
  error a.yaml:6:70: `tableSize` is missing: write a prime, 65537 for example
httpHeaderName: a, maglev: {tableSize: 9}
  error a.yaml:6:90: `9` is no prime below 5000011: write 65537 for example
httpHeaderName: a, maglev: {tableSize: 5000011}
  error a.yaml:6:90: `5000011` is no prime below 5000011: write 65537 for example
",
    );
}

/// A host that nobody has, and proxies that are not this one.
#[test]
fn hashes_of_rules_that_count_for_no_host_are_checked_too() {
    check(
        |written| resource("DestinationRule", written),
        "
{host: '*.test', trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: ''}}}}}
  warning a.yaml:4:14: no ServiceEntry or Service has the host `*.test`
  error a.yaml:4:91: `` is no cookie name
{host: a.example, exportTo: [other], subsets: [{name: v1, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: a, useSourceIp: true}}}}]}
  warning a.yaml:4:14: this DestinationRule has no effect: others count for `a.example`; it is not exported to the proxy's namespace `shop`, or others come first
  error a.yaml:4:96: set one of `httpCookie`, `httpHeaderName`, `httpQueryParameterName` and `useSourceIp: true`
{host: a.example, workloadSelector: {matchLabels: {a: b}}, trafficPolicy: {portLevelSettings: [{port: {number: 80}, loadBalancer: {consistentHash: {httpCookie: {name: a, attributes: [{name: Secure}, {name: Secure}]}}}}]}}
  warning a.yaml:4:25: this DestinationRule is for other proxies; it is for proxies of `shop` with these labels; say what this one is: `--namespace`, `--labels`
  error a.yaml:4:213: `Secure` is listed twice
",
    );
}

#[test]
fn what_istio_takes_of_a_load_balancer_is_taken() {
    check(
        balancer,
        r"
~
simple: UNSPECIFIED
simple: LEAST_CONN
simple: UNSPECIFIED, consistentHash: {useSourceIp: true}
warmup: {duration: 1ms, minimumPercent: 0, aggression: 1}
warmup: {duration: 1h, minimumPercent: 100}
consistentHash: {httpHeaderName: a, minimumRingSize: 0, ringHash: {minimumRingSize: 8388608}}
consistentHash: {httpHeaderName: a, maglev: {tableSize: 1}}
consistentHash: {httpHeaderName: a, maglev: {tableSize: 4999999}}
consistentHash: {httpCookie: {name: a, ttl: 0s, path: /, attributes: [{name: Secure}, {name: SameSite, value: Strict}]}}
",
    );
}
