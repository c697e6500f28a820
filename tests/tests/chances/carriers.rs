//! Both carriers: what they do alike, and what tells them apart.

use super::*;
use switchyard_tests::harness::free_port;

const RULES: &str = "
  - name: slow
    match: [{uri: {prefix: /slow}}]
    fault: {delay: {percentage: {value: 100}, fixedDelay: 150ms}}
    rewrite: {uri: /fast}
    route: [{destination: {host: shop, subset: v1}}]
  - name: broken
    match: [{uri: {prefix: /broken}}]
    fault: {abort: {percentage: {value: 100}, httpStatus: 503}}
    headers: {response: {set: {x-set: rule}}}
    route: [{destination: {host: shop, subset: v1}}]
  - name: both
    match: [{uri: {prefix: /both}}]
    fault: {delay: {percentage: {value: 100}, fixedDelay: 100ms}, abort: {percentage: {value: 100}, httpStatus: 429}}
    route: [{destination: {host: shop, subset: v1}}]
  - name: grpc
    match: [{uri: {prefix: /grpc}}]
    fault: {abort: {percentage: {value: 100}, grpcStatus: UNAVAILABLE}}
    route: [{destination: {host: shop, subset: v1}}]
  - name: cors
    match: [{uri: {prefix: /cors}}]
    fault: {delay: {percentage: {value: 100}, fixedDelay: 120ms}}
    corsPolicy: {allowOrigins: [{exact: 'http://a.example'}], allowMethods: [PUT]}
    headers: {response: {add: {x-added: rule}}}
    route: [{destination: {host: shop, subset: v1}}]
  - name: away
    match: [{uri: {prefix: /away}}]
    headers: {response: {add: {x-added: rule}}}
    redirect: {uri: /there, redirectCode: 302}
  - name: fixed
    match: [{uri: {prefix: /fixed}}]
    headers: {response: {set: {content-type: application/json}}}
    directResponse: {status: 201, body: {string: '{}'}}
  - name: fine
    match: [{uri: {prefix: /fine}}]
    headers: {response: {add: {x-added: rule}}}
    route: [{destination: {host: shop, subset: v1}}]
  - name: nobody
    match: [{uri: {prefix: /nobody}}]
    headers: {response: {add: {x-added: rule}}}
    retries: {attempts: 0}
    route: [{destination: {host: shop, subset: v2}}]";

/// Each tag issues a cookie to whoever has none: on every answer there must be one.
const TAGS: &str = "tags: [{header: user-type, split: [{value: a, weight: 1}, {value: b, weight: 1}], \
                    stickyBy: {httpCookie: {name: uid, ttl: 1h}}}]";

/// Native timers count from the time of the loop's last turn, so they may be early by it (envoy.md 3).
const EARLY: Duration = Duration::from_millis(4);

async fn run(carrier: &str, version: &str) {
    let echo = Echo::named("v1").start().await.unwrap();
    // Nobody listens there.
    let dead = ([127, 0, 0, 1], free_port()).into();
    let policy = policy(RULES, &format!("{{faults: {carrier}, {TAGS}}}"));
    let binary = envoy_binary_of(version).unwrap();
    let running = Running::start(generate(&policy, echo.address(), dead), |launch| launch.binary(binary)).await;
    let mut client = running.client();
    let own = carrier == "filter";
    let early = if own { Duration::ZERO } else { EARLY };
    let what = format!("{carrier}, Envoy {version}");

    let (response, took) = timed(&mut client, &get("/slow/x")).await;
    assert_eq!((response.status, &response.json().unwrap()["path"]), (200, &json!("/fast/x")), "{what}");
    assert!(took + early >= Duration::from_millis(150), "{what}: {took:?}");
    only(&response, "set-cookie");

    let (response, _) = timed(&mut client, &get("/broken")).await;
    assert_eq!((response.status, response.text().as_str()), (503, "fault filter abort"), "{what}");
    assert_eq!(only(&response, "content-type"), "text/plain", "{what}");
    assert_eq!(only(&response, "x-set"), "rule", "{what}: an abort has the rule's operations (istio.md 1.7)");
    only(&response, "set-cookie");

    let (response, took) = timed(&mut client, &get("/both")).await;
    assert_eq!((response.status, response.text().as_str()), (429, "fault filter abort"), "{what}");
    assert!(took + early >= Duration::from_millis(100), "{what}: {took:?}");
    only(&response, "set-cookie");

    let call = Request::new("POST", "shop", "/grpc").header("content-type", "application/grpc");
    let (response, _) = timed(&mut client, &call).await;
    assert_eq!((response.status, only(&response, "grpc-status")), (200, "14".into()), "{what}");
    assert_eq!(only(&response, "grpc-message"), "fault filter abort", "{what}");
    let (response, _) = timed(&mut client, &get("/grpc")).await;
    assert_eq!((response.status, response.text().as_str()), (200, "fault filter abort"), "{what}");
    assert_eq!(response.header("grpc-status").count(), 0, "{what}");

    // A preflight waits in either mode, and nobody behind us could have it wait.
    let preflight = Request::new("OPTIONS", "shop", "/cors")
        .header("origin", "http://a.example")
        .header("access-control-request-method", "PUT");
    let (response, took) = timed(&mut client, &preflight).await;
    assert_eq!((response.status, only(&response, "access-control-allow-methods")), (200, "PUT".into()), "{what}");
    assert!(took >= Duration::from_millis(120), "{what}: {took:?}");
    only(&response, "set-cookie");

    // Our own answers have the rule's operations, and the cookie.
    let (response, _) = timed(&mut client, &get("/away?x")).await;
    assert_eq!((response.status, only(&response, "location")), (302, "http://shop/there?x".into()), "{what}");
    assert_eq!(only(&response, "x-added"), "rule", "{what}");
    only(&response, "set-cookie");
    let (response, _) = timed(&mut client, &get("/fixed")).await;
    assert_eq!((response.status, response.text().as_str()), (201, "{}"), "{what}");
    assert_eq!(only(&response, "content-type"), "application/json", "{what}");
    only(&response, "set-cookie");

    // Answers of the upstream, and of Envoy in its place.
    for (target, status) in [("/fine", 200), ("/nobody", 503)] {
        let (response, _) = timed(&mut client, &get(target)).await;
        assert_eq!((response.status, only(&response, "x-added")), (status, "rule".into()), "{what}: {target}");
        only(&response, "set-cookie");
    }

    let lines = running.stop().await;
    let v1 = "outbound|3000|v1|shop.workshop.svc.cluster.local";
    let line = |details: &str, flags: &str, rule: &str, fault: &str, cluster: &str| {
        format!("{details}|{flags}|workshop/shop/{rule}|{fault}|{cluster}")
    };
    let abort = |rule: &str, flags: &str, fault: &str| {
        if own {
            line(&format!("switchyard{{fault_abort:workshop/shop/{rule}}}"), "-", rule, fault, "-")
        } else {
            line("fault_filter_abort", flags, rule, fault, v1)
        }
    };
    let expected = [
        line("via_upstream", if own { "-" } else { "DI" }, "slow", "delay=150", v1),
        abort("broken", "FI", "abort=503"),
        abort("both", "DI,FI", "delay=100,abort=429"),
        abort("grpc", "FI", "abort=grpc-14"),
        abort("grpc", "FI", "abort=grpc-14"),
        line("switchyard{cors_preflight:workshop/shop/cors}", "-", "cors", "delay=120", "-"),
        line("switchyard{redirect:workshop/shop/away}", "-", "away", "-", "-"),
        line("switchyard{direct_response:workshop/shop/fixed}", "-", "fixed", "-", "-"),
        line("via_upstream", "-", "fine", "-", v1),
    ];
    for (line, expected) in lines.iter().zip(&expected) {
        // An answer of ours may come before a route is chosen, or after.
        let line = line.replace('"', "");
        let same = line == *expected || (expected.ends_with("|-") && line.starts_with(expected.trim_end_matches('-')));
        assert!(same, "{what}: {line}, expected {expected}");
    }
    assert_eq!(lines.len(), expected.len() + 1, "{what}: {lines:?}");
    assert!(lines[expected.len()].contains("|UF|workshop/shop/nobody|-|"), "{what}: {}", lines[expected.len()]);
}

#[tokio::test]
async fn the_filter_delays_aborts_and_answers() {
    for version in ENVOYS {
        run("filter", version).await;
    }
}

#[tokio::test]
async fn envoys_fault_filter_does_with_flags_what_the_filter_asks_for() {
    for version in ENVOYS {
        run("envoy", version).await;
    }
}
