//! Requests that wait: a queue of each configuration, and a tick only while something waits.

use super::*;
use std::time::Duration;
use switchyard_host_sim::wasm_host::{Fault, Stream};

const MS: Duration = Duration::from_millis(1);

/// A policy whose `/<ms>` rules wait so long; `/abort/<ms>` are answered then, preflights of `/cors/<ms>` too.
fn policy(delays: &[u64], settings: &str) -> String {
    let fault = |ms: &u64| format!(r#""delay": {{"percentage": {{"value": 100}}, "fixedDelay": "{ms}ms"}}"#);
    let rule = |ms: &u64| {
        let (delay, to) = (fault(ms), r#""route": [{"destination": {"host": "shop", "subset": "v1"}}]"#);
        let abort = r#""abort": {"percentage": {"value": 100}, "httpStatus": 503}"#;
        format!(
            r#"{{"name": "a{ms}", "match": [{{"uri": {{"exact": "/abort/{ms}"}}}}], "fault": {{{delay}, {abort}}}, {to}}},
            {{"name": "c{ms}", "match": [{{"uri": {{"exact": "/cors/{ms}"}}}}], "fault": {{{delay}}}, {to},
              "corsPolicy": {{"allowOrigins": [{{"exact": "http://a.example"}}], "allowMethods": ["PUT"]}}}},
            {{"name": "d{ms}", "match": [{{"uri": {{"exact": "/{ms}"}}}}], "fault": {{{delay}}}, {to}}}"#
        )
    };
    let rules: Vec<_> = delays.iter().map(rule).collect();
    format!(
        r#"{{"namespace": "workshop", "accessLog": "decision", {settings}
            "virtualServices": [{{"name": "shop", "hosts": ["shop"], "http": [{}, {{"route":
                [{{"destination": {{"host": "shop"}}}}]}}]}}]}}"#,
        rules.join(", ")
    )
}

fn waits(stream: &Stream) -> bool {
    stream.outcome() == Outcome::Paused
}

/// Hands over what is counted, so that nothing but delays has a tick.
fn settle(vm: &Vm) {
    vm.advance(2000 * MS).expect("no trap");
}

fn count(vm: &Vm, name: &str) -> u64 {
    vm.metrics()[name]
}

#[test]
fn requests_go_on_at_their_deadlines_and_not_before() {
    let (vm, plugin) = start(&policy(&[1, 5, 20, 300], ""));
    assert_eq!(plugin.next_tick(), None, "nothing waits");
    let send = |path: &str| plugin.request(get(path.as_bytes(), &[]), &[]);
    // The later first: a nearer deadline moves the tick forward.
    let (late, early) = (send("/300"), send("/20"));
    assert_eq!(plugin.next_tick(), Some(20 * MS));
    vm.advance(10 * MS).expect("no trap");
    let (middle, first) = (send("/5"), send("/1"));
    assert_eq!(plugin.next_tick(), Some(MS));
    assert!([&late, &early, &middle, &first].into_iter().all(waits));
    vm.advance(MS).expect("no trap");
    assert!(!waits(&first) && waits(&middle));
    assert_eq!(plugin.next_tick(), Some(4 * MS));
    vm.advance(Duration::from_nanos(3_999_999)).expect("no trap");
    assert!(waits(&middle), "never early");
    vm.advance(6 * MS).expect("no trap");
    assert!(!waits(&middle) && !waits(&early));
    for (stream, rule) in [(&first, "v1"), (&early, "v1")] {
        assert_eq!(values(&went_on(stream.outcome()), "x-switchyard-cluster"), [cluster(rule)]);
    }
    assert!(waits(&late));
    vm.advance(300 * MS).expect("no trap");
    assert!(!waits(&late));
    settle(&vm);
    assert_eq!(plugin.next_tick(), None, "nothing waits any more");
    let ticks = vm.calls()["proxy_set_tick_period_milliseconds"];
    assert!(ticks < 20, "{ticks}");
    assert_eq!((count(&vm, "switchyard_delays"), count(&vm, "switchyard_host_errors")), (4, 0));
}

#[test]
fn answers_wait_too_and_aborts_come_behind_the_delay() {
    let (vm, plugin) = start(&policy(&[30], ""));
    let send = |path: &str| plugin.request(get(path.as_bytes(), &[]), &[]);
    let abort = send("/abort/30");
    let lines: [(&[u8], &[u8]); 2] = [(b"origin", b"http://a.example"), (b"access-control-request-method", b"PUT")];
    let mut preflight = get(b"/cors/30", &lines);
    preflight[0].1 = b"OPTIONS".to_vec();
    let preflight = plugin.request(preflight, &[]);
    assert!(waits(&abort) && waits(&preflight));
    vm.advance(30 * MS).expect("no trap");
    let answered = |stream: &Stream| {
        let Outcome::LocalReply { status, details, body, .. } = stream.outcome() else {
            panic!("{:?}", stream.outcome())
        };
        (status, details, String::from_utf8_lossy(&body).into_owned())
    };
    let abort = answered(&abort);
    assert_eq!(abort, (503, "switchyard{fault_abort:workshop/shop/a30}".into(), "fault filter abort".into()));
    assert_eq!(answered(&preflight), (200, "switchyard{cors_preflight:workshop/shop/c30}".into(), String::new()));
    let Outcome::LocalReply { headers, .. } = preflight.outcome() else { panic!("{:?}", preflight.outcome()) };
    assert_eq!(values(&headers, "access-control-allow-origin"), ["http://a.example"]);
    settle(&vm);
    let counts = ["switchyard_aborts", "switchyard_reply", "switchyard_delays", "switchyard_forward"];
    assert_eq!(counts.map(|name| count(&vm, name)), [1, 1, 2, 0]);
}

#[test]
fn who_leaves_leaves_the_queue_and_the_next_deadline_counts() {
    let (vm, plugin) = start(&policy(&[10, 40], ""));
    let send = |path: &str| plugin.request(get(path.as_bytes(), &[]), &[]);
    let stays = send("/40");
    for _ in 0..5 {
        let leaves = send("/10");
        assert!(waits(&leaves));
        leaves.end().expect("no trap");
    }
    vm.advance(39 * MS).expect("no trap");
    assert!(waits(&stays));
    vm.advance(MS).expect("no trap");
    assert!(!waits(&stays));
    settle(&vm);
    assert_eq!((count(&vm, "switchyard_host_errors"), vm.failed()), (0, None), "nobody was looked for who is gone");
    assert_eq!(plugin.next_tick(), None);
}

#[test]
fn only_so_many_wait_and_the_rest_is_counted() {
    let (vm, plugin) = start(&policy(&[50], r#""maxDelayed": 2,"#));
    let send = |path: &str| plugin.request(get(path.as_bytes(), &[]), &[]);
    let all: Vec<_> = (0..5).map(|_| send("/50")).collect();
    assert_eq!(all.iter().filter(|stream| waits(stream)).count(), 2);
    let abort = send("/abort/50");
    assert!(
        matches!(abort.outcome(), Outcome::LocalReply { status: 503, .. }),
        "an abort stands: {:?}",
        abort.outcome()
    );
    drop(all);
    assert!(waits(&send("/50")), "there is room again");
    settle(&vm);
    assert_eq!((count(&vm, "switchyard_delays"), count(&vm, "switchyard_delays_overflow")), (3, 4));
}

#[test]
fn each_configuration_has_its_own_queue_and_ends_what_it_began() {
    let (vm, old) = start(&policy(&[100], ""));
    let waiting = old.request(get(b"/100", &[]), &[]);
    let new = vm.configure(policy(&[7], "").as_bytes()).expect("right");
    // Envoy keeps an old configuration while it has requests.
    drop(old);
    let other = new.request(get(b"/7", &[]), &[]);
    vm.advance(7 * MS).expect("no trap");
    assert!(!waits(&other) && waits(&waiting));
    vm.advance(93 * MS).expect("no trap");
    assert_eq!(values(&went_on(waiting.outcome()), "x-switchyard-cluster"), [cluster("v1")]);
    drop(waiting);
    assert_eq!(vm.failed(), None);
}

#[test]
fn a_host_without_clock_or_tick_delays_nothing_and_holds_nobody_back() {
    for (call, other) in
        [("proxy_set_tick_period_milliseconds", None), ("clock_time_get", Some("proxy_get_current_time_nanoseconds"))]
    {
        let (vm, plugin) = start(&policy(&[10, 20], ""));
        let waiting = plugin.request(get(b"/20", &[]), &[]);
        assert!(waits(&waiting));
        for call in [Some(call), other].into_iter().flatten() {
            vm.inject(call, Fault::Status(10)).expect("a call");
        }
        // One that needs the tick earlier.
        let late = plugin.request(get(b"/10", &[]), &[]);
        assert!(!waits(&late), "{call}");
        // The tick that was armed finds the clock or the tick gone: none may wait for ever.
        vm.advance(30 * MS).expect("no trap");
        assert!(!waits(&waiting), "{call}");
        assert_eq!(vm.failed(), None);
        assert!(count(&vm, "switchyard_host_errors") >= 2, "{call}");
    }
}

#[test]
fn a_host_with_a_wall_clock_alone_delays_by_that() {
    let vm = Vm::start(&MODULE, Options::default()).expect("the VM starts");
    let plugin = vm.configure(policy(&[20], "").as_bytes()).expect("right");
    vm.inject("clock_time_get", Fault::Status(52)).expect("a call");
    let waiting = plugin.request(get(b"/20", &[]), &[]);
    vm.advance(19 * MS).expect("no trap");
    assert!(waits(&waiting));
    vm.advance(MS).expect("no trap");
    assert!(!waits(&waiting));
    assert_eq!(count(&vm, "switchyard_host_errors"), 0);
}

#[test]
fn a_context_that_cannot_be_chosen_is_counted_and_costs_the_others_nothing() {
    let (vm, plugin) = start(&policy(&[10], ""));
    let stuck = plugin.request(get(b"/10", &[]), &[]);
    vm.inject("proxy_set_effective_context", Fault::Status(2)).expect("a call");
    vm.advance(10 * MS).expect("no trap");
    assert!(waits(&stuck));
    vm.clear_faults();
    let other = plugin.request(get(b"/10", &[]), &[]);
    vm.advance(10 * MS).expect("no trap");
    assert!(!waits(&other) && waits(&stuck), "Envoy's stream idle timeout ends it");
    assert_eq!((count(&vm, "switchyard_host_errors"), vm.failed()), (1, None));
}
