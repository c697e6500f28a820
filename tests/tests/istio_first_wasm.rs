//! The first Wasm that reaches an Envoy which runs already, where the processor has memory protection keys (istio.md 5.6): V8
//! uses them, and Envoy up to 1.37.0 dies. Many machines have none, so QEMU emulates one that has.

#![cfg(not(target_family = "wasm"))]

use std::time::Duration;

use serde_json::{Value, json};
use switchyard_tests::emulator::Machine;
use switchyard_tests::harness::{envoy_binary_of, released_wasm};

/// `try VERSION plain|wasm`: begins with a listener without the filter, which it is given then, or with it.
const SCENARIOS: &str = r#"
echo "seen: processors with the keys: $(grep -c -w ospke /proc/cpuinfo)"
ask() {
  if said=$(wget -q -O /dev/null http://127.0.0.1:8080/ 2>&1); then echo 200
  else echo "$said" | sed -n 's|.*HTTP/1.1 \([0-9]*\).*|\1|p'; fi
}
lasts() { kill -0 $envoy 2>/dev/null; }
until_said() { n=0; while lasts && [ "$(ask)" != $1 ] && [ $n -lt 100 ]; do sleep 1; n=$((n + 1)); done; }
serve() { cp /$1.json /listeners/new && mv /listeners/new /listeners/now.json; }
try() {
  serve $2
  /envoy-$1 -c /envoy.json --concurrency 2 --disable-hot-restart --log-level warning > /tmp/log 2>&1 &
  envoy=$!
  if [ $2 = plain ]; then
    until_said 200
    echo "seen: $1 runs without Wasm: $(ask)"
    serve wasm
  fi
  until_said 418
  if lasts; then
    echo "seen: $1 with Wasm, began $2: $(ask)"
    tail -n 3 /tmp/log
    kill $envoy; wait $envoy
  else
    wait $envoy; code=$?
    echo "seen: $1 with Wasm, began $2: ended with $code, $(grep -o -m1 'Caught [A-Za-z ]*' /tmp/log)"
  fi
}
try 1.37.0 plain
try 1.37.0 wasm
try 1.40.0 plain
"#;

#[tokio::test]
async fn the_first_wasm_kills_a_running_1_37_0_and_neither_one_that_starts_with_it_nor_1_40_0() {
    let machine = Machine::new().unwrap();
    for version in ["1.37.0", "1.40.0"] {
        machine.program(&format!("/envoy-{version}"), &envoy_binary_of(version).unwrap()).unwrap();
    }
    machine.file("/plugin.wasm", &released_wasm()).unwrap();
    machine.write("/envoy.json", &bootstrap().to_string()).unwrap();
    machine.write("/plain.json", &listener(&[]).to_string()).unwrap();
    machine.write("/wasm.json", &listener(&[filter()]).to_string()).unwrap();
    machine.write("/listeners/now.json", "").unwrap();

    let shown = machine.run(SCENARIOS, Duration::from_mins(10)).await.unwrap();
    let told: Vec<_> = shown.lines().filter_map(|line| Some(line.split_once("seen: ")?.1.trim())).collect();
    println!("{}", told.join("\n"));
    assert_eq!(
        told,
        [
            "processors with the keys: 2",
            "1.37.0 runs without Wasm: 200",
            "1.37.0 with Wasm, began plain: ended with 139, Caught Segmentation fault",
            "1.37.0 with Wasm, began wasm: 418",
            "1.40.0 runs without Wasm: 200",
            "1.40.0 with Wasm, began plain: 418",
        ],
        "{shown}"
    );
}

/// An Envoy that is told its listener by a file.
fn bootstrap() -> Value {
    let listeners = json!({"path": "/listeners/now.json", "watched_directory": {"path": "/listeners"}});
    json!({"node": {"id": "gateway", "cluster": "shop"},
        "dynamic_resources": {"lds_config": {"path_config_source": listeners}}})
}

/// A listener with these filters, whose route answers 200.
fn listener(filters: &[Value]) -> Value {
    let all = [
        filters,
        &[json!({"name": "router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}})],
    ]
    .concat();
    let answer = json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http", "http_filters": all,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [answer]}]}});
    json!({"resources": [{"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": "http",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 8080}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}]})
}

/// Our filter, with a policy that answers 418 itself.
fn filter() -> Value {
    let rule = json!({"name": "all", "namespace": "shop", "hosts": ["*"], "gateways": ["shop/edge"],
        "http": [{"directResponse": {"status": 418}}]});
    let proxy = json!({"namespace": "shop", "gateways": ["shop/edge"], "port": 8080});
    let policy = json!({"namespace": "shop", "proxy": proxy, "virtualServices": [rule]});
    json!({"name": "switchyard", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {"name": "switchyard", "root_id": "switchyard",
            "vm_config": {"vm_id": "switchyard", "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": "/plugin.wasm"}}},
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": policy.to_string()}}}})
}
