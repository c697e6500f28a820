//! The released .wasm as Envoy meets it: what it asks for, what it does with headers, and that nothing makes it trap.

#![cfg(not(target_family = "wasm"))]

#[path = "wasm_module/delay.rs"]
mod delay;
#[path = "wasm_module/hostile.rs"]
mod hostile;
#[path = "wasm_module/limits.rs"]
mod limits;
#[path = "wasm_module/module.rs"]
mod module;
#[path = "wasm_module/shell.rs"]
mod shell;

use std::sync::LazyLock;
use switchyard_host_sim::wasm_host::{Header, Module, Options, Outcome, Plugin, Vm};
use switchyard_tests::harness::released_wasm;

static MODULE: LazyLock<Module> = LazyLock::new(|| Module::load(released_wasm()).expect("the released .wasm loads"));

/// Tags by a header and by address, one rule that rewrites, one split that a cookie keeps, one split by request, one
/// path without a rule.
const POLICY: &str = r#"{
    "namespace": "workshop", "seed": "s", "accessLog": "draws",
    "tags": [
        {"header": "user-type", "rules": [
            {"value": "internal", "match": [{"sourceIp": ["10.20.0.0/16", "2001:db8::/32"]}]},
            {"value": "staff", "match": [{"headers": {"x-badge": {"exact": "caf\u00e9"}}}]},
            {"value": "external"}]}],
    "virtualServices": [{"name": "shop", "namespace": "workshop", "hosts": ["shop"], "http": [
        {"name": "old", "match": [{"uri": {"prefix": "/old"}}], "rewrite": {"uri": "/new"},
         "route": [{"destination": {"host": "shop", "subset": "v1"}}]},
        {"name": "kept", "match": [{"uri": {"prefix": "/kept"}}],
         "stickyBy": {"httpCookie": {"name": "uid", "path": "/", "ttl": "720h"}},
         "route": [{"destination": {"host": "shop", "subset": "v1"}, "weight": 50},
                   {"destination": {"host": "shop", "subset": "v2"}, "weight": 50}]},
        {"name": "drawn", "match": [{"uri": {"prefix": "/drawn"}}],
         "route": [{"destination": {"host": "shop", "subset": "v1"}, "weight": 50},
                   {"destination": {"host": "shop", "subset": "v2"}, "weight": 50}]}]}]}"#;

/// [`POLICY`] without the address rule, the access log and the issued cookie: nothing of it hangs on the host.
fn plain_policy() -> String {
    let changes = [
        (r#""accessLog": "draws","#, ""),
        (r#"{"value": "internal", "match": [{"sourceIp": ["10.20.0.0/16", "2001:db8::/32"]}]},"#, ""),
        (r#", "ttl": "720h""#, ""),
    ];
    changes.iter().fold(POLICY.to_owned(), |policy, (from, to)| {
        assert!(policy.contains(from), "{from}");
        policy.replace(from, to)
    })
}

fn start(policy: &str) -> (Vm, Plugin) {
    let vm = Vm::start(&MODULE, Options::default()).expect("the VM starts");
    let plugin = vm.configure(policy.as_bytes()).expect("the policy is right");
    (vm, plugin)
}

/// A GET request to `shop` with further header lines.
fn get(path: &[u8], lines: &[(&[u8], &[u8])]) -> Vec<Header> {
    let pseudo: [(&[u8], &[u8]); 4] =
        [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"shop"), (b":path", path)];
    pseudo.iter().chain(lines).map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// The header lines with which the request went on.
fn went_on(outcome: Outcome) -> Vec<Header> {
    let Outcome::Continued { headers } = outcome else { panic!("{outcome:?}") };
    headers
}

/// The values of a header, in order.
fn values(headers: &[Header], name: &str) -> Vec<String> {
    let lines = headers.iter().filter(|(line, _)| line == name.as_bytes());
    lines.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

fn cluster(subset: &str) -> String {
    format!("outbound|80|{subset}|shop.workshop.svc.cluster.local")
}
