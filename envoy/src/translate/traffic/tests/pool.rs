//! `connectionPool` and `retryBudget` (istio.md 2.2).

use super::{check, policy};

/// istio.md 2.2: counts are at least 0, durations at least 1 ms; `validateConnectionPool`.
#[test]
fn a_connection_pool_is_checked_as_istio_checks_it() {
    check(
        policy,
        r"
connectionPool: {}
  error a.yaml:6:19: a `connectionPool` needs `tcp` or `http`
connectionPool: {tcp: {maxConnections: -1}}
  error a.yaml:6:58: `-1` is out of range: at least 0
connectionPool: {tcp: {maxConnections: 2147483648}}
  error a.yaml:6:58: `2147483648` is out of range: -2147483648 to 2147483647
connectionPool: {tcp: {maxConnections: '1'}}
  error a.yaml:6:58: expected a whole number, found the string `1`
connectionPool: {tcp: {maxConnection: 1}}
  error a.yaml:6:42: unknown field `maxConnection`, did you mean `maxConnections`?
connectionPool: {tcp: [{maxConnections: 1}]}
  error a.yaml:6:36: expected an object, found a list
connectionPool: {tcp: {connectTimeout: 0s}}
  error a.yaml:6:58: a duration of at least `1ms` is expected
connectionPool: {tcp: {connectTimeout: -1s}}
  error a.yaml:6:58: `-1s` is no duration: write `1h`, `1m30s`, `0.5s` or `250ms`
connectionPool: {tcp: {connectTimeout: 0.5ms}}
  error a.yaml:6:58: `0.5ms` is no whole number of milliseconds
connectionPool: {tcp: {maxConnectionDuration: 0s}}
  error a.yaml:6:65: a duration of at least `1ms` is expected
connectionPool: {tcp: {tcpKeepalive: {probes: -1}}}
  error a.yaml:6:65: `-1` is out of range: 0 to 4294967295
connectionPool: {tcp: {tcpKeepalive: {time: 0s}}}
  error a.yaml:6:63: a duration of at least `1ms` is expected
connectionPool: {tcp: {tcpKeepalive: {interval: 0s}}}
  error a.yaml:6:67: a duration of at least `1ms` is expected
connectionPool: {tcp: {idleTimeout: 0.5ms}}
  error a.yaml:6:55: `0.5ms` is no whole number of milliseconds
connectionPool: {http: {http1MaxPendingRequests: -1}}
  error a.yaml:6:68: `-1` is out of range: at least 0
connectionPool: {http: {http2MaxRequests: -1}}
  error a.yaml:6:61: `-1` is out of range: at least 0
connectionPool: {http: {maxRequestsPerConnection: -1}}
  error a.yaml:6:69: `-1` is out of range: at least 0
connectionPool: {http: {maxRetries: -1}}
  error a.yaml:6:55: `-1` is out of range: at least 0
connectionPool: {http: {maxConcurrentStreams: -1}}
  error a.yaml:6:65: `-1` is out of range: at least 0
connectionPool: {http: {idleTimeout: 0s}}
  error a.yaml:6:56: a duration of at least `1ms` is expected
connectionPool: {http: {idleTimeout: 10}}
  error a.yaml:6:56: expected a duration such as `10s`, found the number `10`
connectionPool: {http: {idleTimeout: '10'}}
  error a.yaml:6:56: `10` is no duration: write `1h`, `1m30s`, `0.5s` or `250ms`
connectionPool: {http: {h2UpgradePolicy: MAYBE}}
  error a.yaml:6:60: expected one of `DEFAULT`, `DO_NOT_UPGRADE`, `UPGRADE`, found the string `MAYBE`
connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}
  error a.yaml:6:88: `useClientProtocol: true` and `h2UpgradePolicy: UPGRADE` exclude each other: leave one of them out
connectionPool: {http: {useClientProtocol: 'yes'}}
  error a.yaml:6:62: expected `true` or `false`, found the string `yes`
connectionPool: {http: {http2KeepAlive: {interval: 1s}}}
  error a.yaml:6:43: `http2KeepAlive` is not supported yet
connectionPool: {tcp: {maxConnections: -1}, http: {maxRetries: -2}}
  error a.yaml:6:58: `-1` is out of range: at least 0
  error a.yaml:6:82: `-2` is out of range: at least 0
retryBudget: {percent: -1}
  error a.yaml:6:42: `-1` is out of range: 0 to 100
retryBudget: {percent: 100.5}
  error a.yaml:6:42: `100.5` is out of range: 0 to 100
retryBudget: {minRetryConcurrency: -1}
  error a.yaml:6:54: `-1` is out of range: 0 to 4294967295
retryBudget: {budgetInterval: 1s}
  error a.yaml:6:33: `budgetInterval` is not supported yet
",
    );
}

/// Zero is as good as unset, and `tcp.idleTimeout: 0s` is for ever.
#[test]
fn what_istio_takes_of_a_connection_pool_is_taken() {
    check(
        policy,
        r"
connectionPool: {tcp: {}}
connectionPool: {tcp: {maxConnections: 0, idleTimeout: 0s, tcpKeepalive: {probes: 0}}}
connectionPool: {tcp: {connectTimeout: 1ms, maxConnectionDuration: 1h, tcpKeepalive: {time: 1s, interval: 1ms}}}
connectionPool: {http: {http1MaxPendingRequests: 0, http2MaxRequests: 0, maxRequestsPerConnection: 0, maxRetries: 0}}
connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: false}}
connectionPool: {http: {h2UpgradePolicy: DO_NOT_UPGRADE, useClientProtocol: true, maxConcurrentStreams: 0}}
retryBudget: {percent: 0, minRetryConcurrency: 0}
retryBudget: {percent: 100}
",
    );
}
