//! DestinationRules but for the blocks of a policy (istio.md 2.6).

use super::{NONE, SERVICES, check, policy, resource, said};

/// A DestinationRule with these subsets, from line 4, column 35 on.
fn subsets(written: &str) -> String {
    resource("DestinationRule", &format!("{{host: a.example, subsets: [{written}]}}"))
}

/// istio.md 2.6; `ValidateDestinationRule`, `ValidateWildcardDomain`, `validateExportTo`, `validateWorkloadSelector`.
#[test]
fn destination_rules_are_checked_as_istio_checks_them() {
    check(
        |written| resource("DestinationRule", written),
        r#"
{}
  error a.yaml:4:1: `host` is missing
{host: ''}
  error a.yaml:4:14: `` is no host; write a name, `*.suffix` or `*`
{host: a b}
  error a.yaml:4:14: `a b` is no host; write a name, `*.suffix` or `*`
{host: a_b.example}
  error a.yaml:4:14: `a_b.example` is no host; write a name, `*.suffix` or `*`
{host: 10.0.0.1}
  error a.yaml:4:14: `10.0.0.1` is no host; write a name, `*.suffix` or `*`
{host: a.*.example}
  error a.yaml:4:14: `a.*.example` is no host; write a name, `*.suffix` or `*`
{host: 7}
  error a.yaml:4:14: expected a string, found the number `7`; quote it: `"7"`
{host: a.example, exportTo: [~]}
  error a.yaml:4:36: expected a string, found nothing
{host: a.example, exportTo: ['~']}
  warning a.yaml:4:14: this DestinationRule has no effect: others count for `a.example`; it is not exported to the proxy's namespace `shop`, or others come first
  error a.yaml:4:36: `~` is no namespace; write a name, `.` or `*`
{host: a.example, exportTo: [a.b]}
  warning a.yaml:4:14: this DestinationRule has no effect: others count for `a.example`; it is not exported to the proxy's namespace `shop`, or others come first
  error a.yaml:4:36: `a.b` is no namespace; write a name, `.` or `*`
{host: a.example, exportTo: [., shop]}
  error a.yaml:4:39: the namespace `shop` is listed twice; leave one of them out
{host: a.example, exportTo: ['*', other]}
  error a.yaml:4:36: `*` is every namespace: leave the others out
{host: a.example, exportTo: other}
  error a.yaml:4:35: expected a list, found the string `other`
{host: a.example, exportTo: [other], workloadSelector: {matchLabels: {app: a}}}
  error a.yaml:4:36: with a `workloadSelector` it is for its own namespace only; write `.`, or leave it out
  warning a.yaml:4:44: this DestinationRule is for other proxies; it is for proxies of `shop` with these labels; say what this one is: `--namespace`, `--labels`
{host: a.example, exportTo: ['*'], workloadSelector: {matchLabels: {app: a}}}
  error a.yaml:4:36: with a `workloadSelector` it is for its own namespace only; write `.`, or leave it out
  warning a.yaml:4:42: this DestinationRule is for other proxies; it is for proxies of `shop` with these labels; say what this one is: `--namespace`, `--labels`
{host: a.example, exportTo: [., other], workloadSelector: {matchLabels: {app: a}}}
  error a.yaml:4:39: with a `workloadSelector` it is for its own namespace only; write `.`, or leave it out
  warning a.yaml:4:47: this DestinationRule is for other proxies; it is for proxies of `shop` with these labels; say what this one is: `--namespace`, `--labels`
{host: a.example, workloadSelector: {matchLabels: {'': a}}}
  warning a.yaml:4:25: this DestinationRule is for other proxies; it is for proxies of `shop` with these labels; say what this one is: `--namespace`, `--labels`
  error a.yaml:4:62: a label needs a name
{host: a.example, workloadSelector: {matchLabels: {'a*': a}}}
  warning a.yaml:4:25: this DestinationRule is for other proxies; it is for proxies of `shop` with these labels; say what this one is: `--namespace`, `--labels`
  error a.yaml:4:64: a `*` stands for nothing in a selector: write the whole label
{host: a.example, workloadSelector: {matchLabels: {app: '*'}}}
  warning a.yaml:4:25: this DestinationRule is for other proxies; it is for proxies of `shop` with these labels; say what this one is: `--namespace`, `--labels`
  error a.yaml:4:63: a `*` stands for nothing in a selector: write the whole label
{host: a.example, workloadSelector: {labels: {app: a}}}
  error a.yaml:4:44: unknown field `labels`, expected one of `matchLabels`
{host: a.example, trafficPolicys: {}}
  error a.yaml:4:25: unknown field `trafficPolicys`, did you mean `trafficPolicy`?
"#,
    );
}

/// istio.md 2.6; `validateSubset`, `labels.Instance.Validate`.
#[test]
fn subsets_are_checked_as_istio_checks_them() {
    check(
        subsets,
        r#"
null
  error a.yaml:4:35: expected an object, found nothing
{}
  error a.yaml:4:35: `name` is missing
{labels: {app: a}}
  error a.yaml:4:36: `name` is missing
{name: ''}
  error a.yaml:4:42: `` is no name of a subset; write letters, digits and `-`, at most 63
{name: v_1}
  error a.yaml:4:42: `v_1` is no name of a subset; write letters, digits and `-`, at most 63
{name: v.1}
  error a.yaml:4:42: `v.1` is no name of a subset; write letters, digits and `-`, at most 63
{name: -v}
  error a.yaml:4:42: `-v` is no name of a subset; write letters, digits and `-`, at most 63
{name: Canary-V1}
{name: 1}
  error a.yaml:4:42: expected a string, found the number `1`; quote it: `"1"`
{name: v1}, {name: v2}, {name: v1}
  error a.yaml:4:66: the subset `v1` is listed twice
{name: v1, labels: {'': a}}
  warning a.yaml:4:42: no endpoint of `a.example` belongs to the subset `v1`: requests to it get 503
  error a.yaml:4:59: `` is no key of a label; write `version` or `example.com/version`, at most 63 letters, digits, `-`, `_` and `.`
{name: v1, labels: {-a: a}}
  warning a.yaml:4:42: no endpoint of `a.example` belongs to the subset `v1`: requests to it get 503
  error a.yaml:4:59: `-a` is no key of a label; write `version` or `example.com/version`, at most 63 letters, digits, `-`, `_` and `.`
{name: v1, labels: {a b: a}}
  warning a.yaml:4:42: no endpoint of `a.example` belongs to the subset `v1`: requests to it get 503
  error a.yaml:4:60: `a b` is no key of a label; write `version` or `example.com/version`, at most 63 letters, digits, `-`, `_` and `.`
{name: v1, labels: {a/b/c: a}}
  warning a.yaml:4:42: no endpoint of `a.example` belongs to the subset `v1`: requests to it get 503
  error a.yaml:4:62: `a/b/c` is no key of a label; write `version` or `example.com/version`, at most 63 letters, digits, `-`, `_` and `.`
{name: v1, labels: {-a/b: a}}
  warning a.yaml:4:42: no endpoint of `a.example` belongs to the subset `v1`: requests to it get 503
  error a.yaml:4:61: `-a/b` is no key of a label; write `version` or `example.com/version`, at most 63 letters, digits, `-`, `_` and `.`
{name: v1, labels: {a..b/c: a}}
  warning a.yaml:4:42: no endpoint of `a.example` belongs to the subset `v1`: requests to it get 503
  error a.yaml:4:63: `a..b/c` is no key of a label; write `version` or `example.com/version`, at most 63 letters, digits, `-`, `_` and `.`
{name: v1, labels: {app: a b}}
  warning a.yaml:4:42: no endpoint of `a.example` belongs to the subset `v1`: requests to it get 503
  error a.yaml:4:60: `a b` is no value of a label; write letters, digits, `-`, `_` and `.`, a letter or a digit at both ends
{name: v1, labels: {app: a-}}
  warning a.yaml:4:42: no endpoint of `a.example` belongs to the subset `v1`: requests to it get 503
  error a.yaml:4:60: `a-` is no value of a label; write letters, digits, `-`, `_` and `.`, a letter or a digit at both ends
{name: v1, labels: {app: 1}}
  error a.yaml:4:60: expected a string, found the number `1`; quote it: `"1"`
{name: v1, trafficPolicy: {}}
  error a.yaml:4:46: a `trafficPolicy` needs a field; write `connectionPool`, `loadBalancer`, `outlierDetection` or `tls`
{name: v1, trafficPolicy: {connectionPool: {http: {maxRetries: -1}}}}
  error a.yaml:4:98: `-1` is out of range: at least 0
{name: v1, trafficPolicy: {portLevelSettings: [{port: {number: 80}, tls: {mode: MUTUAL}}]}}
  error a.yaml:4:103: `mode: MUTUAL` needs `clientCertificate`, or a `credentialName`
  error a.yaml:4:103: `mode: MUTUAL` needs `privateKey`, or a `credentialName`
"#,
    );
}

/// istio.md 2.6; `validateTrafficPolicy`, `validatePortTrafficPolicies`.
#[test]
fn policies_are_checked_as_istio_checks_them() {
    check(
        policy,
        r"
~
  error a.yaml:6:3: a `trafficPolicy` needs a field; write `connectionPool`, `loadBalancer`, `outlierDetection` or `tls`
portLevelSettings: []
  error a.yaml:6:3: a `trafficPolicy` needs a field; write `connectionPool`, `loadBalancer`, `outlierDetection` or `tls`
loadbalancer: {}
  error a.yaml:6:19: unknown field `loadbalancer`, did you mean `loadBalancer`?
tunnel: {targetHost: a.example.com, targetPort: 80}
  error a.yaml:6:19: `tunnel` is not supported: Istio does it for TCP alone, and here is HTTP; leave it out
tunnel: {targetHost: a.example.com, targetPort: 80}, proxyProtocol: {}
  error a.yaml:6:19: `tunnel` is not supported: Istio does it for TCP alone, and here is HTTP; leave it out
proxyProtocol: {version: V3}
  error a.yaml:6:44: expected one of `V1`, `V2`, found the string `V3`
portLevelSettings: [null]
  error a.yaml:6:39: expected an object, found nothing
portLevelSettings: [{loadBalancer: {}}]
  error a.yaml:6:40: `port` is missing
portLevelSettings: [{port: {}, loadBalancer: {}}]
  error a.yaml:6:40: `number` is missing
portLevelSettings: [{port: {number: 0}, loadBalancer: {}}]
  error a.yaml:6:55: `0` is out of range: 1 to 65535
portLevelSettings: [{port: {number: 65536}, loadBalancer: {}}]
  error a.yaml:6:55: `65536` is out of range: 0 to 65535
portLevelSettings: [{port: {number: 80}}]
  error a.yaml:6:40: settings of a port need more than the port: write `connectionPool`, `loadBalancer`, `outlierDetection` or `tls`
portLevelSettings: [{port: {number: 80}, tunnel: {}}]
  error a.yaml:6:60: unknown field `tunnel`, expected one of `port`, `loadBalancer`, `connectionPool`, `outlierDetection`, `tls`
portLevelSettings: [{port: {number: 80}, connectionPool: {}}]
  error a.yaml:6:60: a `connectionPool` needs `tcp` or `http`
portLevelSettings: [{port: {number: 80}, connectionPool: {tcp: {connectTimeout: 0s}}}]
  error a.yaml:6:99: a duration of at least `1ms` is expected
portLevelSettings: [{port: {number: 80}, outlierDetection: {interval: 0s}}]
  error a.yaml:6:89: a duration of at least `1ms` is expected
portLevelSettings: [{port: {number: 80}, loadBalancer: {warmup: {}}}]
  error a.yaml:6:75: `duration` is missing: write `duration: 30s`, say
portLevelSettings: [{port: {number: 80}, loadBalancer: {localityLbSetting: {failoverPriority: [a]}}}]
  warning a.yaml:6:95: without `outlierDetection` beside it, requests never go elsewhere; write `outlierDetection` in the same traffic policy
portLevelSettings: [{port: {number: 80}, tls: {mode: MUTUAL, privateKey: a.key}}]
  error a.yaml:6:60: `mode: MUTUAL` needs `clientCertificate`, or a `credentialName`
",
    );
}

#[test]
fn what_istio_takes_of_a_destination_rule_is_taken() {
    check(
        |written| resource("DestinationRule", written),
        r"
{host: a.example}
{host: A.example}
{host: a.example, exportTo: [.]}
{host: a.example, exportTo: ['*']}
{host: a.example, exportTo: [., other]}
{host: '*.example'}
{host: '*a.example'}
{host: '*'}
{host: a.example, subsets: []}
{host: a.example, subsets: [{name: v1}, {name: v-2, labels: {app: a}}]}
{host: a.example, subsets: [{name: v1, labels: {}, trafficPolicy: {tls: {}}}]}
",
    );
}

#[test]
fn of_several_policies_of_a_host_the_first_counts() {
    let rule = |name: &str| {
        format!(
            "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}, namespace: workshop}}
spec: {{host: catalogdetail, trafficPolicy: {NONE}}}
"
        )
    };
    let message = "this `trafficPolicy` has no effect: the DestinationRule `workshop/a` comes first and has one too";
    let said = said(&[SERVICES, &rule("b"), &rule("a")]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("warning b.yaml:4:29: ") && said[0].ends_with(message), "{said:?}");
}

/// TLS that is written for a port that is not there encrypts nothing.
#[test]
fn settings_of_ports_that_count_for_nothing_are_told() {
    check(
        policy,
        r"
portLevelSettings: [{port: {number: 8080}, tls: {mode: SIMPLE}}]
  warning a.yaml:6:55: `a.example` has no port `8080`: these settings have no effect; its ports are `80`
portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}, {port: {number: 80}, loadBalancer: {}}]
  warning a.yaml:6:98: the port `80` has settings already: these have no effect; write them there
",
    );
}
