//! Clients that send anything, and hosts that fail: the filter never traps, and nobody steers it.

use super::*;
use std::time::Duration;
use switchyard_host_sim::wasm_host::Fault;
use switchyard_host_sim::wasm_host::status::CALLS;

/// What nobody outside may say; `EVIL` marks the values.
const EVIL: &str = "evil";
const CONTROL: [&[u8]; 9] = [
    b"x-switchyard-cluster",
    b"X-Switchyard-Cluster",
    b"x_switchyard_cluster",
    b"x-switchyard-mirror-1",
    b"X_Switchyard-Mirror_1",
    b"x-switchyard-hash",
    b"x-envoy-fault-abort-request",
    b"x_envoy_fault_delay_request",
    b"User_Type",
];

fn evil_lines(times: usize) -> Vec<(&'static [u8], &'static [u8])> {
    let names = CONTROL.iter().copied().chain([&b"user-type"[..], b"USER-TYPE"]);
    names.flat_map(|name| std::iter::repeat_n((name, EVIL.as_bytes()), times)).collect()
}

fn is_evil(headers: &[Header]) -> bool {
    headers.iter().any(|(_, value)| value == EVIL.as_bytes())
}

#[test]
fn a_client_steers_nothing() {
    let (_vm, plugin) = start(POLICY);
    for times in [1, 2, 3] {
        for path in [&b"/old"[..], b"/kept", b"/drawn"] {
            let after = went_on(plugin.request(get(path, &evil_lines(times)), &[]).outcome());
            assert!(!is_evil(&after), "{after:?}");
            assert_eq!(values(&after, "user-type"), ["external"]);
            assert_eq!(values(&after, "x-switchyard-cluster").len(), 1);
        }
        // A host of nobody: control headers go all the same, and the tag's header is like any other there.
        let mut other = get(b"/", &evil_lines(times));
        other[2].1 = b"elsewhere".to_vec();
        let after = went_on(plugin.request(other, &[]).outcome());
        assert!(!after.iter().any(|(name, _)| name.starts_with(b"x")), "{after:?}");
    }
}

#[test]
fn odd_requests_are_decided() {
    let (vm, plugin) = start(POLICY);
    let long = [&b"/old/"[..], &b"a".repeat(60 * 1024)].concat();
    assert_eq!(values(&went_on(plugin.request(get(&long, &[]), &[]).outcome()), ":path")[0].len(), long.len());
    let names: Vec<_> = (0..90).map(|i| format!("x-{i}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_bytes(), &b"v"[..])).collect();
    assert!(went_on(plugin.request(get(b"/old", &many), &[]).outcome()).len() > 90);
    let latin1 =
        went_on(plugin.request(get(b"/old/\xe9", &[(b"x-badge", b"caf\xe9"), (b"x-\xe9", b"\xff")]), &[]).outcome());
    assert!(latin1.contains(&(b":path".to_vec(), b"/new/\xe9".to_vec())));
    assert_eq!(values(&latin1, "user-type"), ["external"], "0xE9 is no `é`");
    let staff = went_on(plugin.request(get(b"/old", &[(b"x-badge", "café".as_bytes())]), &[]).outcome());
    assert_eq!(values(&staff, "user-type"), ["staff"]);
    for path in [&b""[..], b"*", b"?", b"/old?#", b"http://shop/old", b"//", b"\x00"] {
        assert!(!matches!(plugin.request(get(path, &[]), &[]).outcome(), Outcome::Trapped(_) | Outcome::Paused));
    }
    // Each pseudo header missing, twice, and none at all; a CONNECT has no path.
    let whole = get(b"/old", &evil_lines(1));
    for missing in 0..4 {
        let mut headers = whole.clone();
        headers.remove(missing);
        for headers in [headers.clone(), [headers.clone(), headers].concat()] {
            match plugin.request(headers, &[]).outcome() {
                Outcome::Continued { headers } => assert!(missing == 2 || !is_evil(&headers), "{missing}: {headers:?}"),
                Outcome::LocalReply { status: 404, .. } => {}
                other => panic!("{missing}: {other:?}"),
            }
        }
    }
    assert_eq!(went_on(plugin.request(vec![], &[]).outcome()), []);
    // No path, so no rule takes it.
    let connect = [(b":method".to_vec(), b"CONNECT".to_vec()), (b":authority".to_vec(), b"shop:443".to_vec())];
    assert!(matches!(plugin.request(connect.to_vec(), &[]).outcome(), Outcome::LocalReply { status: 404, .. }));
    assert_eq!(vm.failed(), None);
    assert_eq!(vm.metrics()["switchyard_host_errors"], 0);
}

/// Every way in which a host call can fail.
fn faults() -> Vec<Fault> {
    let statuses = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 76, u32::MAX].map(Fault::Status);
    let one = u32::MAX.to_le_bytes();
    let answers: [&[u8]; 6] = [b"", b"\0", b"\xff\xff\xff\xff", b"\x01\0\0\0\x05\0\0\0\0\0\0\0ab", &[0xE9; 999], &one];
    let answers = answers.map(|bytes| Fault::Answer(bytes.to_vec()));
    let pointers =
        [(0, 9), (0, u32::MAX), (0, 0), (u32::MAX, 1), (u32::MAX, u32::MAX), (8, u32::MAX), (65_536 * 60_000, 16)]
            .map(|(address, size)| Fault::Pointer { address, size });
    statuses.into_iter().chain(answers).chain(pointers).collect()
}

/// [`POLICY`] whose first two rules wait, the second to be aborted then, with an operation on the responses of both.
fn faulty() -> String {
    let delay = r#""delay": {"percentage": {"value": 100}, "fixedDelay": "10ms"}"#;
    let abort = r#""abort": {"percentage": {"value": 100}, "grpcStatus": "INTERNAL"}"#;
    let response = r#""headers": {"response": {"set": {"x-set": "1"}, "remove": ["server"]}}"#;
    let old = format!(r#"{{"name": "old", {response}, "fault": {{{delay}}},"#);
    let kept = format!(r#"{{"name": "kept", {response}, "fault": {{{delay}, {abort}}},"#);
    POLICY.replace(r#"{"name": "old","#, &old).replace(r#"{"name": "kept","#, &kept)
}

/// One whole life with the calls broken from the start.
fn survive(policy: &str, broken: &[(&str, Fault)]) {
    let vm = Vm::start(&MODULE, Options::default()).expect("the VM starts");
    let whole = vm.configure(policy.as_bytes()).expect("nothing is broken yet");
    for (call, fault) in broken {
        vm.inject(call, fault.clone()).expect("a call");
    }
    let late = vm.configure(policy.as_bytes());
    if let Err(refused) = &late {
        assert_eq!(refused.trap, None, "{broken:?}");
    }
    for plugin in [Some(whole), late.ok()].into_iter().flatten() {
        for path in [&b"/old"[..], b"/kept", b"/none"] {
            let mut stream = plugin.request(get(path, &evil_lines(2)), &[("source.address", b"10.20.0.1:1")]);
            vm.advance(Duration::from_millis(20)).expect("no trap");
            match stream.outcome() {
                Outcome::Continued { headers } => assert!(!is_evil(&headers), "{broken:?}: {headers:?}"),
                Outcome::LocalReply { status, details, .. } => {
                    assert!(
                        status == 404
                            || (status == 503 && details == "switchyard{host_error}")
                            || details == "switchyard{fault_abort:workshop/shop/kept}",
                        "{broken:?}: {details}"
                    );
                }
                Outcome::Paused => {}
                other => panic!("{broken:?}: {other:?}"),
            }
            stream.respond(vec![(b":status".to_vec(), b"200".to_vec())]).expect("no trap");
            assert_eq!(stream.misuse(), [""; 0], "{broken:?}");
            stream.end().expect("no trap");
        }
    }
    assert_eq!(vm.failed(), None, "{broken:?}");
    assert!(vm.log().len() < 20, "{broken:?}: {} lines for few requests", vm.log().len());
}

#[test]
fn a_failing_host_call_never_traps_and_never_lets_a_client_steer() {
    for call in CALLS {
        for fault in faults() {
            survive(POLICY, &[(call, fault)]);
        }
    }
}

#[test]
fn nor_where_requests_wait() {
    let waiting = [
        "clock_time_get",
        "proxy_add_header_map_value",
        "proxy_continue_stream",
        "proxy_get_current_time_nanoseconds",
        "proxy_increment_metric",
        "proxy_remove_header_map_value",
        "proxy_send_local_response",
        "proxy_set_effective_context",
        "proxy_set_property",
        "proxy_set_tick_period_milliseconds",
    ];
    let policy = faulty();
    survive(&policy, &[]);
    for call in waiting {
        for fault in faults() {
            survive(&policy, &[(call, fault)]);
        }
    }
    survive(&policy, &waiting.map(|call| (call, Fault::Status(10))));
}

#[test]
fn failing_together_host_calls_hold_the_request_back() {
    let broken = |calls: &[&'static str]| calls.iter().map(|call| (*call, Fault::Status(10))).collect::<Vec<_>>();
    survive(POLICY, &broken(&CALLS));
    let vm = Vm::start(&MODULE, Options::default()).expect("the VM starts");
    let plugin = vm.configure(POLICY.as_bytes()).expect("right");
    for (call, fault) in broken(&["proxy_get_header_map_pairs", "proxy_send_local_response"]) {
        vm.inject(call, fault).expect("a call");
    }
    for _ in 0..20 {
        assert_eq!(plugin.request(get(b"/old", &[]), &[]).outcome(), Outcome::Paused);
    }
    assert_eq!(vm.metrics()["switchyard_host_errors"], 40);
    let warnings: Vec<_> = vm.log().into_iter().filter(|line| line.level == 3).map(|line| line.text).collect();
    assert_eq!(warnings.len(), 6, "1, 2, 4, 8, 16, 32: {warnings:?}");
    let first = "switchyard: proxy_get_header_map_pairs answers with status 10 (host error 1 of this configuration)";
    assert_eq!(warnings[0], first);
}

#[test]
fn observing_a_failing_host_lets_requests_go_on_as_they_came() {
    let vm = Vm::start(&MODULE, Options::default()).expect("the VM starts");
    let plugin = vm.configure(POLICY.replace(r#""seed""#, r#""mode": "observe", "seed""#).as_bytes()).expect("right");
    for fault in faults() {
        vm.inject("proxy_get_header_map_pairs", fault).expect("a call");
        let sent = get(b"/old", &[]);
        assert_eq!(went_on(plugin.request(sent.clone(), &[]).outcome()), sent);
    }
    assert_eq!(vm.failed(), None);
}
