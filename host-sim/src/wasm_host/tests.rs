//! Small modules, each doing one thing that Envoy answers in a particular way.

use std::time::Duration;

use super::*;

/// A module with the usual imports, a bump allocator from 4096 on, and `body`.
fn module(body: &str) -> Module {
    let text = format!(
        r#"(module
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
        (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
        (import "env" "proxy_send_local_response"
            (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
        (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
        (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
        (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
        (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (memory (export "memory") 2)
        (data (i32.const 0) "x-a")       ;; 0, 3
        (data (i32.const 8) "value")     ;; 8, 5
        (data (i32.const 16) "details of it") ;; 16, 13
        (data (i32.const 32) "source\00address") ;; 32, 14
        (data (i32.const 48) ":status")  ;; 48, 7
        (global $free (mut i32) (i32.const 4096))
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32)
            (global.get $free) (global.set $free (i32.add (global.get $free) (local.get 0))))
        ;; Logs the address and size that a host call left at 64 and 68.
        (func $log_answer (drop (call $log (i32.const 2) (i32.load (i32.const 64)) (i32.load (i32.const 68)))))
        ;; Logs a status as one character.
        (func $log_status (param i32)
            (i32.store8 (i32.const 80) (i32.add (i32.const 48) (local.get 0)))
            (drop (call $log (i32.const 2) (i32.const 80) (i32.const 1))))
        {body})"#
    );
    Module::from_bytes(&wat::parse_str(text).expect("the text is a module")).expect("the module links")
}

/// `body` as `proxy_on_request_headers`, returning `action`.
fn on_request(body: &str, action: u32) -> Module {
    module(&request_callback(body, action))
}

fn request_callback(body: &str, action: u32) -> String {
    format!(
        r#"(func (export "proxy_on_request_headers") (param $id i32) (param i32 i32) (result i32)
            {body} (i32.const {action}))"#
    )
}

fn start(module: &Module) -> (Vm, Plugin) {
    let vm = Vm::start(module, Options::default()).expect("it starts");
    let plugin = vm.configure(b"{}").expect("it takes any configuration");
    (vm, plugin)
}

fn headers(pairs: &[(&str, &str)]) -> Vec<Header> {
    pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

fn lines(vm: &Vm) -> Vec<String> {
    vm.log().into_iter().map(|line| line.text).collect()
}

#[test]
fn a_module_that_asks_for_more_than_envoy_has_is_not_loaded() {
    let load = |text: &str| Module::from_bytes(&wat::parse_str(text).unwrap()).map(drop).unwrap_err().to_string();
    assert_eq!(load("(module)"), "no export `proxy_abi_version_0_2_1`: not a Proxy-Wasm 0.2.1 module");
    let unknown = load(r#"(module (import "env" "nosuch" (func)) (func (export "proxy_abi_version_0_2_1")))"#);
    assert!(unknown.contains("unknown import: `env::nosuch`"), "{unknown}");
    assert!(Module::from_bytes(b"no module").is_err());
    assert!(Module::load("/nosuch.wasm").map(drop).unwrap_err().to_string().starts_with("cannot read `/nosuch.wasm`"));
}

#[test]
fn get_gives_the_first_value_and_replace_leaves_the_repeats() {
    let module = on_request(
        "(drop (call $get (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 68)))
         (call $log_answer)
         (drop (call $replace (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 5)))",
        0,
    );
    let (vm, plugin) = start(&module);
    let stream = plugin.request(headers(&[("X-A", "one"), ("x-a", "two")]), &[]);
    assert_eq!(lines(&vm), ["one"]);
    assert_eq!(stream.outcome(), Outcome::Continued { headers: headers(&[("x-a", "value"), ("x-a", "two")]) });
    assert_eq!(stream.route_cache_clears(), 1);
}

#[test]
fn removing_takes_all_and_clears_the_route_cache_even_when_there_is_none() {
    let remove = "(drop (call $remove (i32.const 0) (i32.const 0) (i32.const 3)))";
    let (_vm, plugin) = start(&on_request(&format!("{remove} {remove}"), 0));
    let stream = plugin.request(headers(&[("x-a", "1"), ("x-b", "2"), ("x-a", "3")]), &[]);
    assert_eq!(stream.outcome(), Outcome::Continued { headers: headers(&[("x-b", "2")]) });
    assert_eq!(stream.route_cache_clears(), 2);
}

#[test]
fn a_missing_header_is_not_found_and_other_maps_are_bad_arguments() {
    let get = |map| {
        format!(
            "(call $log_status (call $get (i32.const {map}) (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 68)))"
        )
    };
    let body: String = [0, 1, 2, 9].map(get).concat();
    let (vm, plugin) = start(&on_request(&body, 0));
    plugin.request(vec![], &[]).end().unwrap();
    assert_eq!(lines(&vm), ["1", "2", "2", "2"]);
}

#[test]
fn request_headers_are_gone_after_continue_and_back_in_the_log_phase() {
    let get = "(call $log_status (call $get (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 68)))";
    let write =
        "(call $log_status (call $replace (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 5)))";
    let module = module(&format!(
        r#"{} (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) {get} {write} (i32.const 0))
        (func (export "proxy_on_log") (param i32) {get} {write})"#,
        request_callback(get, 0)
    ));
    let (vm, plugin) = start(&module);
    let mut stream = plugin.request(headers(&[("x-a", "1")]), &[]);
    let response = headers(&[(":status", "200")]);
    assert_eq!(stream.respond(response.clone()), Ok(response));
    stream.end().unwrap();
    assert_eq!(lines(&vm), ["0", "2", "2", "0", "2"]);
}

#[test]
fn a_paused_request_is_resumed_by_a_tick_and_headers_close_at_once() {
    let module = module(&format!(
        r#"(global $who (mut i32) (i32.const 0))
        {}
        (func (export "proxy_on_tick") (param i32)
            (call $log_status (call $effective (global.get $who)))
            (call $log_status (call $replace (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 5)))
            (drop (call $continue (i32.const 0)))
            (call $log_status (call $replace (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 3)))
            (drop (call $tick (i32.const 0))))"#,
        request_callback("(global.set $who (local.get $id)) (drop (call $tick (i32.const 20)))", 1)
    ));
    let (vm, plugin) = start(&module);
    let stream = plugin.request(headers(&[]), &[]);
    assert_eq!(stream.outcome(), Outcome::Paused);
    vm.advance(Duration::from_millis(19)).unwrap();
    assert_eq!(stream.outcome(), Outcome::Paused);
    vm.advance(Duration::from_millis(1)).unwrap();
    assert_eq!(stream.outcome(), Outcome::Continued { headers: headers(&[("x-a", "value")]) });
    assert_eq!(lines(&vm), ["0", "0", "2"]);
    vm.advance(Duration::from_secs(9)).unwrap();
    assert_eq!(vm.calls()["proxy_continue_stream"], 1, "a period of 0 stops the tick");
}

#[test]
fn a_gone_stream_is_no_effective_context_and_a_second_continue_is_told() {
    let module = module(&format!(
        r#"(global $who (mut i32) (i32.const 0))
        {}
        (func (export "proxy_on_tick") (param i32)
            (call $log_status (call $effective (global.get $who))) (drop (call $continue (i32.const 0))))"#,
        request_callback("(global.set $who (local.get $id)) (drop (call $tick (i32.const 10)))", 1)
    ));
    let (vm, plugin) = start(&module);
    let stream = plugin.request(vec![], &[]);
    vm.advance(Duration::from_millis(20)).unwrap();
    assert_eq!(stream.misuse(), ["continued a request that was not paused"]);
    stream.end().unwrap();
    vm.advance(Duration::from_millis(10)).unwrap();
    assert_eq!(lines(&vm), ["0", "0", "2"]);
}

#[test]
fn a_local_reply_overrides_the_action_and_passes_the_filters_own_response_headers() {
    let reply = "(drop (call $reply (i32.const 418) (i32.const 16) (i32.const 13) (i32.const 8) (i32.const 5)
        (i32.const 0) (i32.const 0) (i32.const -1)))";
    let module = module(&format!(
        r#"{} (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
            (drop (call $get (i32.const 2) (i32.const 48) (i32.const 7) (i32.const 64) (i32.const 68)))
            (call $log_answer)
            (drop (call $add (i32.const 2) (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 5)))
            (i32.const 0))"#,
        request_callback(&reply.repeat(2), 0)
    ));
    let (vm, plugin) = start(&module);
    let stream = plugin.request(headers(&[("content-type", "text/plain")]), &[]);
    assert_eq!(
        stream.outcome(),
        Outcome::LocalReply {
            status: 418,
            details: "details_of_it".to_owned(),
            headers: headers(&[
                (":status", "418"),
                ("content-length", "5"),
                ("content-type", "text/plain"),
                ("x-a", "value"),
            ]),
            body: b"value".to_vec(),
            grpc: None,
        }
    );
    assert_eq!(lines(&vm), ["418"]);
    assert_eq!(stream.misuse(), ["sent a second local reply"]);

    let stream = plugin.request(headers(&[("content-type", "application/grpc")]), &[]);
    let Outcome::LocalReply { headers: after, .. } = stream.outcome() else { panic!("{:?}", stream.outcome()) };
    let expected = [
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", "2"),
        ("grpc-message", "value"),
        ("x-a", "value"),
    ];
    assert_eq!(after, headers(&expected));
}

#[test]
fn counters_only_go_up_and_each_definition_has_its_own_id() {
    let define = |at| format!("(drop (call $define (i32.const 0) (i32.const 8) (i32.const 5) (i32.const {at})))");
    let add = |at, by| format!("(call $log_status (call $increment (i32.load (i32.const {at})) (i64.const {by})))");
    let body = [define(100), define(104), add(100, 2), add(104, 3), add(100, 0), add(100, -1)].concat();
    let unknown = "(call $log_status (call $increment (i32.const 999) (i64.const 1)))
        (if (i32.eq (i32.load (i32.const 100)) (i32.load (i32.const 104))) (then unreachable))";
    let (vm, plugin) = start(&on_request(&(body + unknown), 0));
    plugin.request(vec![], &[]).end().unwrap();
    assert_eq!(lines(&vm), ["0", "0", "2", "2", "1"]);
    assert_eq!(vm.metrics().into_iter().collect::<Vec<_>>(), [("value".to_owned(), 5)]);
}

#[test]
fn properties_are_given_and_what_is_set_becomes_filter_state() {
    let body = "(drop (call $property (i32.const 32) (i32.const 14) (i32.const 64) (i32.const 68)))
        (call $log_answer)
        (call $log_status (call $property (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 68)))
        (drop (call $set_property (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 5)))
        (drop (call $property (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 68)))
        (call $log_answer)";
    let (vm, plugin) = start(&on_request(body, 0));
    let stream = plugin.request(vec![], &[("source.address", b"10.0.0.1:47")]);
    assert_eq!(lines(&vm), ["10.0.0.1:47", "1", "value"]);
    assert_eq!(stream.filter_state().into_iter().collect::<Vec<_>>(), [("wasm.x-a".to_owned(), b"value".to_vec())]);
    assert_eq!(stream.route_cache_clears(), 0, "filter state is no header");
}

/// Accepts a configuration that starts with `o`, traps on `t`, refuses the rest; logs what it was given.
const PICKY: &str = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $buffer (i32.const 7) (i32.const 0) (local.get 1) (i32.const 64) (i32.const 68)))
    (call $log_answer)
    (if (i32.eq (i32.load8_u (i32.load (i32.const 64))) (i32.const 116)) (then unreachable))
    (i32.eq (i32.load8_u (i32.load (i32.const 64))) (i32.const 111)))
    (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
        (call $log_status (call $buffer (i32.const 7) (i32.const 0) (i32.const 9) (i32.const 64) (i32.const 68)))
        (i32.const 0))"#;

#[test]
fn a_configuration_that_the_canary_refuses_leaves_the_old_plugin_in_force() {
    let vm = Vm::start(&module(PICKY), Options::default()).unwrap();
    let old = vm.configure(b"ok").unwrap();
    let line = |text: &str| LogLine { level: 2, text: text.to_owned() };
    let refused = vm.configure(b"no").map(drop).unwrap_err();
    assert_eq!((refused.log, refused.trap), (vec![line("no")], None));
    let refused = vm.configure(b"trap").map(drop).unwrap_err();
    assert_eq!(refused.log, [line("trap")]);
    assert!(refused.trap.is_some_and(|trap| trap.contains("unreachable")));
    assert_eq!(vm.failed(), None, "only the canary trapped");
    let mut stream = old.request(vec![], &[]);
    stream.respond(vec![]).unwrap();
    assert_eq!(lines(&vm), ["ok", "1"], "the configuration can be read while it is being configured, and only then");
}

#[test]
fn a_trap_fails_the_vm_for_good() {
    let (vm, plugin) = start(&on_request("unreachable", 0));
    let (first, second) = (plugin.request(vec![], &[]), plugin.request(vec![], &[]));
    let Outcome::Trapped(message) = first.outcome() else { panic!("{:?}", first.outcome()) };
    assert!(message.contains("unreachable"), "{message}");
    assert_eq!(second.outcome(), first.outcome());
    assert_eq!(vm.failed(), Some(message.clone()));
    assert_eq!(first.end(), Err(message));
}

#[test]
fn memory_has_a_limit() {
    let module = on_request("(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))", 0);
    let vm = Vm::start(&module, Options { memory_limit: 64 << 16, ..Options::default() }).unwrap();
    let plugin = vm.configure(b"").unwrap();
    assert!(matches!(plugin.request(vec![], &[]).outcome(), Outcome::Trapped(_)));
    assert_eq!(vm.memory_size(), 2 << 16);
}

#[test]
fn initialize_may_log_and_ask_wasi_but_no_more() {
    let start = |body: &str| {
        let module = module(&format!(r#"(func (export "_initialize") {body})"#));
        Vm::start(&module, Options::default()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(start("(call $log_status (call $random (i32.const 200) (i32.const 8)))"), Ok(()));
    let message = start("(drop (call $tick (i32.const 1)))").unwrap_err();
    assert_eq!(message, "cannot start: `proxy_set_tick_period_milliseconds` is not allowed in `_initialize`");
}

#[test]
fn random_numbers_and_time_come_from_the_options() {
    let body = "(drop (call $random (i32.const 200) (i32.const 5)))
        (drop (call $log (i32.const 2) (i32.const 200) (i32.const 5)))
        (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 208)))
        (if (i64.ne (i64.load (i32.const 208)) (i64.const 77)) (then unreachable))
        (call $log_status (call $random (i32.const 200) (i32.const 65537)))";
    let module = on_request(body, 0);
    let run = |seed| {
        let vm = Vm::start(&module, Options { seed, start_time_ns: 77, ..Options::default() }).unwrap();
        let outcome = vm.configure(b"").unwrap().request(vec![], &[]).outcome();
        assert_eq!(outcome, Outcome::Continued { headers: vec![] });
        lines(&vm)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert_eq!(run(1)[1].as_bytes(), [48 + 28], "more than 64 KiB at once is EINVAL");
}

#[test]
fn an_injected_answer_takes_the_place_of_the_true_one() {
    let body = "(call $log_status (call $pairs (i32.const 0) (i32.const 64) (i32.const 68)))
        (i32.store (i32.const 84) (i32.load (i32.const 68)))
        (call $log_status (i32.load (i32.const 84)))";
    let (vm, plugin) = start(&on_request(body, 0));
    let run = |fault| {
        let before = vm.log().len();
        vm.inject("proxy_get_header_map_pairs", fault).unwrap();
        plugin.request(vec![], &[]).end().unwrap();
        lines(&vm)[before..].to_vec()
    };
    assert_eq!(run(Fault::Answer(vec![7; 3])), ["0", "3"]);
    assert_eq!(run(Fault::Pointer { address: 0, size: 9 }), ["0", "9"]);
    assert_eq!(run(Fault::Status(6))[0], "6");
    vm.clear_faults();
    plugin.request(vec![], &[]).end().unwrap();
    assert_eq!(lines(&vm).last().unwrap(), "4", "an empty list is its count");
    assert_eq!(vm.inject("nosuch", Fault::Status(0)).unwrap_err().to_string(), "no host call `nosuch`");
}

#[test]
fn a_pointer_outside_of_the_memory_is_told() {
    let body = "(call $log_status (call $log (i32.const 2) (i32.const -8) (i32.const 16)))
        (call $log_status (call $get (i32.const 0) (i32.const 0) (i32.const 3) (i32.const -2) (i32.const 68)))";
    let (vm, plugin) = start(&on_request(body, 0));
    plugin.request(headers(&[("x-a", "1")]), &[]).end().unwrap();
    assert_eq!(lines(&vm), ["6", "6"]);
}

#[test]
fn a_plugin_ends_after_its_streams() {
    let module = module(
        r#"(func (export "proxy_on_done") (param i32) (result i32) (call $log_status (local.get 0)) (i32.const 1))
           (func (export "proxy_on_delete") (param i32) (call $log_status (i32.add (i32.const 10) (local.get 0))))"#,
    );
    let (vm, plugin) = start(&module);
    assert_eq!(plugin.root_id(), 1);
    let stream = plugin.request(vec![], &[]);
    drop(plugin);
    assert_eq!(lines(&vm), [""; 0]);
    drop(stream);
    assert_eq!(lines(&vm), ["2", "<", "1", ";"], "done and delete of the stream (2), then of the root (1)");
}
