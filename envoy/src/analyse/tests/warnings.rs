use super::super::Analysis;
use crate::manifest::{Input, Manifests, read_sources};
use crate::translate::{Model, Options};

const SERVICES: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop, namespace: demo}
spec:
  hosts: [shop.demo.svc.cluster.local, shop.example.com]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: demo}
spec: {servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*.example.com']}]}
";

const ROUTE: &str = "route: [{destination: {host: shop}}]";

/// A VirtualService of these rules, a line each from the eighth on.
fn service(name: &str, hosts: &str, gateways: &str, rules: &[&str]) -> String {
    let rules: Vec<_> = rules.iter().map(|rule| format!("  - {{{}}}", rule.replace("ROUTE", ROUTE))).collect();
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, namespace: demo}}\nspec:\n  \
         hosts: [{hosts}]\n  gateways: [{gateways}]\n  http:\n{}\n",
        rules.join("\n")
    )
}

fn manifests(texts: &[&str]) -> Manifests {
    let input = |(at, text): (usize, &&str)| Input {
        name: format!("{}.yaml", char::from(b'a' + u8::try_from(at).expect("few"))),
        bytes: text.trim_start().as_bytes().to_vec(),
    };
    read_sources(texts.iter().enumerate().map(input).collect(), None).unwrap_or_else(|error| panic!("{error:?}"))
}

/// What is warned of: code, place and message, a line each.
fn told(texts: &[&str]) -> Vec<String> {
    let mut all = vec![SERVICES];
    all.extend_from_slice(texts);
    let manifests = manifests(&all);
    let model = Model::new(&manifests, &Options::default()).unwrap_or_else(|found| panic!("{found:?}"));
    let analysis = Analysis::new(&model).expect("right");
    assert_eq!(analysis.undecided(), 0);
    let line = |found: &crate::diagnostic::Diagnostic| {
        let place = found.place.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{} {place} {}: {}", found.code, found.field, found.message)
    };
    analysis.warnings.iter().map(line).collect()
}

/// The same of rules of the mesh, without the file.
fn of_rules(rules: &[&str]) -> Vec<String> {
    let said = told(&[&service("shop", "shop", "mesh", rules)]);
    said.iter().map(|line| line.replace(" b.yaml:", " ")).collect()
}

#[test]
fn a_rule_that_others_take_whole_is_told_with_them() {
    let api = "name: api, match: [{uri: {prefix: /api}}], ROUTE";
    let late = "name: late, match: [{uri: {regex: '/api/v[0-9]/.*'}}], ROUTE";
    let message = "no request comes here: the rule `api` before takes every one";
    assert_eq!(of_rules(&[api, late, "ROUTE"]), [format!("unreachable-rule 9:6 http[1]: {message}")]);
    let blocks = "match: [{uri: {exact: /new}}, {uri: {exact: /api/old}}], ROUTE";
    assert_eq!(of_rules(&[api, blocks]), [format!("unreachable-rule 9:37 http[1].match[1]: {message}")]);
    let twice = "match: [{uri: {prefix: /a}}, {uri: {exact: /ab}}], ROUTE";
    assert_eq!(
        of_rules(&[twice]),
        [
            "unreachable-rule 8:36 http[0].match[1]: no request comes here: another block of this rule before takes every one"
        ]
    );
    let one = "match: [{headers: {x: {exact: '1'}}}], ROUTE";
    let not = "match: [{withoutHeaders: {x: {exact: '1'}}}], ROUTE";
    assert_eq!(
        of_rules(&[one, not, "ROUTE"]),
        [
            "unreachable-rule 10:6 http[2]: no request comes here: the rule `http[0]` and the rule `http[1]` before take every one together"
        ]
    );
}

#[test]
fn a_rule_is_told_only_where_nobody_reaches_it() {
    let bound = "name: api, match: [{gateways: [mesh], uri: {prefix: /api}}], ROUTE";
    let late = "name: late, match: [{uri: {exact: /api/a}}], ROUTE";
    assert_eq!(told(&[&service("shop", "shop, shop.example.com", "mesh, edge", &[bound, late])]), [""; 0]);
    // On a gateway rules of one host follow each other, by the names of their VirtualServices.
    let a = service(
        "a",
        "shop.example.com",
        "edge",
        &["name: api, match: [{uri: {prefix: /api}}], ROUTE", "name: all, ROUTE"],
    );
    let b = service("b", "shop.example.com", "edge", &[late, "name: rest, match: [{uri: {prefix: /b}}], ROUTE"]);
    let message = "no request comes here: the rule `api` of `demo/a` before takes every one";
    assert_eq!(told(&[&a, &b]), [format!("unreachable-rule c.yaml:8:6 http[0]: {message}")]);
    let wider = b.replace("[shop.example.com]", "[shop.example.com, x.example.com]");
    assert_eq!(told(&[&a, &wider]), [""; 0], "it is reached by the other host");
}

#[test]
fn conditions_that_no_request_fulfils_are_told_at_their_place() {
    assert_eq!(
        of_rules(&[
            "match: [{uri: {regex: '/a\\?x=.*'}}], ROUTE",
            "match: [{headers: {x: {exact: a}}, withoutHeaders: {x: {}}}], ROUTE"
        ]),
        [
            "never-matches 8:15 http[0].match[0].uri: no request comes here: no path is like `uri`",
            "never-matches 9:58 http[1].match[0].withoutHeaders.x: no request comes here: none fulfils `withoutHeaders.x`",
        ]
    );
    let policy = "apiVersion: switchyard.dev/v1alpha1\nkind: SwitchyardPolicy\nmetadata: {name: a, namespace: demo}\n\
                  spec: {tags: [{header: tier, split: [{value: gold, weight: 1}, {value: blue, weight: 1}]}]}\n";
    let typo = service("shop", "shop", "mesh", &["match: [{headers: {tier: {exact: golden}}}], ROUTE"]);
    let message = "no request comes here: its tag never says what `headers.tier` asks for";
    assert_eq!(told(&[&typo, policy]), [format!("never-matches b.yaml:8:25 http[0].match[0].headers.tier: {message}")]);
    let empty = "match: [{withoutHeaders: {x: {regex: '.*'}}}], ROUTE";
    let message = "a request without `x` does not match: a missing header counts as empty, and `.*` takes that";
    assert_eq!(
        of_rules(&[empty]),
        [format!("missing-counts-as-empty 8:32 http[0].match[0].withoutHeaders.x: {message}")]
    );
}

#[test]
fn what_never_happens_is_told() {
    for (rule, expected) in [
        (
            "fault: {abort: {httpStatus: 500}}",
            Some(
                "abort-never-fires 8:14 http[0].fault.abort: this abort never happens: without `percentage` it is for no request",
            ),
        ),
        ("fault: {abort: {httpStatus: 500, percentage: {value: 1}}}", None),
        ("fault: {abort: {httpStatus: 500, percentage: {value: 0}}}", None),
        (
            "fault: {delay: {percentage: {value: 1}}}",
            Some("delay-never-fires 8:14 http[0].fault.delay: this delay never happens: it has no `fixedDelay`"),
        ),
        (
            "fault: {delay: {fixedDelay: 1s}}",
            Some(
                "delay-never-fires 8:14 http[0].fault.delay: this delay never happens: without `percentage` it is for no request",
            ),
        ),
        (
            "mirrorPercentage: {value: 1}",
            Some(
                "mirror-without-destination 8:6 http[0].mirrorPercentage: `mirrorPercentage` without `mirror` has no effect",
            ),
        ),
        (
            "mirror: {host: shop}, mirrorPercentage: {value: 0.00001}",
            Some(
                "share-of-zero 8:54 http[0].mirrorPercentage.value: `0.00001` percent is less than a millionth, which is cut off: it is for no request",
            ),
        ),
        (
            "mirrors: [{destination: {host: shop}, percentage: {value: 0.00009}}]",
            Some(
                "share-of-zero 8:64 http[0].mirrors[0].percentage.value: `0.00009` percent is less than a millionth, which is cut off: it is for no request",
            ),
        ),
    ] {
        assert_eq!(of_rules(&[&format!("{rule}, ROUTE")]), expected.into_iter().collect::<Vec<_>>(), "{rule}");
    }
}

#[test]
fn what_istio_has_given_up_or_does_not_know_is_told() {
    for (rule, expected) in [
        (
            "fault: {delay: {percent: 50, fixedDelay: 5s}}, ROUTE",
            "deprecated-field 8:20 http[0].fault.delay.percent: `percent` is deprecated for `percentage`",
        ),
        (
            "fault: {delay: {percent: 50, percentage: {value: 1}, fixedDelay: 5s}}, ROUTE",
            "deprecated-field 8:20 http[0].fault.delay.percent: `percent` is deprecated, and has no effect beside `percentage`",
        ),
        (
            "mirror: {host: shop}, mirrorPercent: 50, ROUTE",
            "deprecated-field 8:27 http[0].mirrorPercent: `mirrorPercent` is deprecated for `mirrorPercentage`",
        ),
        (
            "mirror: {host: shop}, mirror_percent: 50, ROUTE",
            "deprecated-field 8:27 http[0].mirror_percent: `mirror_percent` is deprecated for `mirrorPercentage`",
        ),
        (
            "corsPolicy: {allowOrigin: [a]}, ROUTE",
            "deprecated-field 8:18 http[0].corsPolicy.allowOrigin: `allowOrigin` is deprecated for `allowOrigins`",
        ),
        (
            "match: [{uri: {prefix: /a}}], redirect: {prefixRewrite: /b}",
            "newer-than-istio 8:46 http[0].redirect.prefixRewrite: `prefixRewrite` is newer than Istio 1.29, which refuses it or leaves it out",
        ),
    ] {
        let said = of_rules(&[rule]);
        assert_eq!(said.len(), 1, "{said:?}");
        let told = |line: &str| {
            line.split_once(' ')
                .map(|(code, rest)| (code.to_owned(), rest.split_once(' ').expect("a place").1.to_owned()))
        };
        assert_eq!(told(&said[0]), told(expected), "{rule}");
    }
}

#[test]
fn ends_of_prefix_rewrites_that_do_not_fit_are_told() {
    for (rule, expected) in [
        (
            "match: [{uri: {prefix: /api}}], rewrite: {uri: /}, ROUTE",
            Some(
                "double-slash http[0].rewrite.uri: `/api/a` becomes `//a`, with `//`: `/api` is replaced and the rest stays",
            ),
        ),
        ("match: [{uri: {prefix: /api/}}, {uri: {exact: /api}}], rewrite: {uri: /}, ROUTE", None),
        ("match: [{uri: {prefix: /api/}}, {uri: {prefix: /api}}], rewrite: {uri: /}, ROUTE", None),
        ("match: [{uri: {prefix: /api}}], rewrite: {uri: /v2}, ROUTE", None),
        (
            "match: [{uri: {prefix: /api/}}], rewrite: {uri: /v2}, ROUTE",
            Some("glued-path http[0].rewrite.uri: `/api/a` becomes `/v2a`: `/api/` is replaced and the rest stays"),
        ),
        (
            "rewrite: {uri: /v2}, ROUTE",
            Some("glued-path http[0].rewrite.uri: `/a` becomes `/v2a`: `/` is replaced and the rest stays"),
        ),
        ("rewrite: {uri: /v2/}, ROUTE", None),
        ("match: [{uri: {exact: /api}}], rewrite: {uri: /v2}, ROUTE", None),
    ] {
        let said: Vec<_> = of_rules(&[rule])
            .iter()
            .filter_map(|line| {
                let mut parts = line.splitn(3, ' ');
                let code = parts.next()?;
                parts.next()?;
                Some(format!("{code} {}", parts.next()?))
            })
            .collect();
        assert_eq!(said, expected.into_iter().collect::<Vec<_>>(), "{rule}");
    }
}

#[test]
fn rules_of_the_mesh_that_a_gateway_is_meant_to_have_are_told() {
    let edge =
        |to: &str| service("edge", "www.example.com", "edge", &[&format!("route: [{{destination: {{host: {to}}}}}]")]);
    let mesh = |host: &str| service("mesh", host, "mesh", &["ROUTE"]);
    let routed = "unreached-by-gateway c.yaml:5:11 hosts[0]: requests that `demo/edge` sends to `shop.demo.svc.cluster.local` from a Gateway never reach these rules: a request is routed once";
    assert_eq!(told(&[&edge("shop"), &mesh("shop")]), [routed]);
    let served = "unreached-by-gateway b.yaml:5:11 hosts[0]: requests for `shop.example.com` that come by the Gateway `demo/edge` never reach these rules";
    assert_eq!(told(&[&mesh("shop.example.com")]), [served]);
    let others = "unreached-by-gateway c.yaml:5:11 hosts[0]: requests that come by a Gateway never reach these rules: they are for callers in the mesh";
    assert_eq!(told(&[&edge("shop.example.com"), &mesh("shop")]), [others]);
    assert_eq!(told(&[&mesh("shop")]), [""; 0], "nothing comes by the Gateway");
}

#[test]
fn weights_that_are_no_percentages_are_told() {
    let two = |a: u32, b: u32| {
        format!(
            "route: [{{destination: {{host: shop}}, weight: {a}}}, {{destination: {{host: shop.example.com}}, weight: {b}}}]"
        )
    };
    for (a, b, sum) in [(90, 5, Some(95)), (1, 2, Some(3)), (90, 10, None), (100, 0, None)] {
        let said: Vec<_> = sum
            .map(|sum| {
                format!(
                    "weight-sum 8:6 http[0].route: the weights sum to {sum}: each is its part of {sum}, not percent"
                )
            })
            .into_iter()
            .collect();
        assert_eq!(of_rules(&[&two(a, b)]), said);
    }
}

#[test]
fn a_large_body_is_told_as_istio_does() {
    let answer = |size: usize| format!("directResponse: {{status: 200, body: {{string: {}}}}}", "a".repeat(size));
    assert_eq!(of_rules(&[&answer(102_400)]), [] as [&str; 0]);
    assert_eq!(
        of_rules(&[&answer(102_401)]),
        [
            "large-body 8:36 http[0].directResponse.body: the body has 102401 bytes: every proxy has it in its configuration"
        ]
    );
}

#[test]
fn a_rule_that_asks_for_a_tag_where_it_is_not_set_is_told() {
    let tag = |hosts: &str| {
        format!(
            "
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {{name: rollout, namespace: demo}}
spec:
  tags: [{{header: user-type, {hosts} rules: [{{match: [{{sourceIp: [10.0.0.0/8]}}], value: internal}}]}}]
"
        )
    };
    let rules = ["match: [{headers: {user-type: {exact: internal}}}], ROUTE", "ROUTE"];
    let service = service("shop", "shop, '*.example'", "mesh", &rules);
    // Whether a rule is reached is another question, and open where the tag is a client's.
    let of = |hosts: &str| -> Vec<String> {
        let manifests = manifests(&[SERVICES, &service, &tag(hosts)]);
        let model = Model::new(&manifests, &Options::default()).unwrap_or_else(|found| panic!("{found:?}"));
        let warnings = Analysis::new(&model).expect("right").warnings;
        let by_client = warnings.iter().filter(|found| found.code == "tag-by-client");
        by_client.map(|found| format!("{}: {}", found.field, found.message)).collect()
    };
    assert_eq!(of(""), [] as [&str; 0]);
    assert_eq!(
        of("hosts: [shop],"),
        [
            "http[0].match[0].headers.user-type: any client can send `user-type` in requests for `*.example`: the tag is not for \
          this host"
        ]
    );
}
