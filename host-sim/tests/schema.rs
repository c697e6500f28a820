//! The schemas describe what the command prints, and what people write.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn json(arguments: &[&str]) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command");
    let output =
        Command::new(env!("CARGO_BIN_EXE_switchyard")).args(arguments).current_dir(folder).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn properties(schema: &Value) -> Vec<&str> {
    schema["properties"].as_object().expect("properties").keys().map(String::as_str).collect()
}

#[test]
fn a_decision_has_the_fields_that_scripts_rely_on() {
    let schema = json(&["schema", "decision"]);
    let fields = properties(&schema);
    for field in [
        "virtualService",
        "rule",
        "action",
        "cluster",
        "host",
        "subset",
        "port",
        "path",
        "authority",
        "tags",
        "requestHeaders",
        "responseHeaders",
        "mirrors",
        "timeoutMs",
        "retries",
        "fault",
        "reply",
    ] {
        assert!(fields.contains(&field), "{field}");
    }
    for (name, fields) in
        [("Fault", &["delayMs", "abortStatus", "grpcStatus"][..]), ("ReplyReport", &["status", "headers", "body"])]
    {
        let described = properties(&schema["$defs"][name]);
        assert!(fields.iter().all(|field| described.contains(field)), "{name}: {described:?}");
    }
}

#[test]
fn what_explain_prints_is_what_its_schema_describes() {
    let printed = json(&["explain", "shop", "--request", "GET http://shop/new", "--format", "json"]);
    let printed: Vec<_> = printed.as_object().expect("an object").keys().cloned().collect();
    let (decision, explanation) = (json(&["schema", "decision"]), json(&["schema", "explanation"]));
    let mut described = properties(&explanation);
    described.sort_unstable();
    let mut sorted: Vec<_> = printed.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    assert_eq!(described, sorted);
    for field in properties(&decision) {
        assert!(described.contains(&field), "{field}");
    }
}

#[test]
fn what_people_write_is_described_with_its_defaults_left_out() {
    let policy = json(&["schema", "policy"]);
    assert_eq!(properties(&policy), ["apiVersion", "kind", "metadata", "spec"]);
    let spec = &policy["$defs"]["SwitchyardPolicy"];
    assert_eq!(properties(spec), ["faults", "maxDelayed", "metrics", "mode", "onUnmatched", "seed", "sticky", "tags"]);
    assert_eq!(spec["additionalProperties"], Value::Bool(false));
    assert_eq!(spec["required"], Value::Null, "every field may be left out");
    assert_eq!(policy["$defs"]["Tag"]["required"], serde_json::json!(["header"]));
    let config = json(&["schema", "config"]);
    assert!(properties(&config).contains(&"virtualServices"));
}
