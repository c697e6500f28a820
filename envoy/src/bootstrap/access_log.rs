//! What Envoy writes of each request: its standard line with the decision, or a recording that replays.

use super::{Settings, absolute, typed};
use crate::translate::Listener;
use serde_json::{Map, Value, json};
use switchyard_filter::Policy;
use switchyard_filter::split::Subject;

/// Never in a recording, unless every header is asked for.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Envoy's default line (envoy.md 7), then rule, tags and cluster.
const LINE: &str = concat!(
    r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% "#,
    r#"%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "#,
    r#""%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" "#,
    "%FILTER_STATE(wasm.switchyard_rule:PLAIN)% %FILTER_STATE(wasm.switchyard_tags:PLAIN)% ",
    "%FILTER_STATE(wasm.switchyard_cluster:PLAIN)%\n",
);

/// The access log of a listener.
pub fn access_log(listener: &Listener<'_>, settings: &Settings) -> Value {
    let Some(record) = &settings.record else {
        let format = json!({"text_format_source": {"inline_string": LINE}});
        return json!({
            "name": "envoy.access_loggers.stdout",
            "typed_config": typed("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", json!({"log_format": format})),
        });
    };
    let format = json!({"json_format": recorded(listener, settings)});
    let file = json!({"path": absolute(record), "log_format": format});
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": typed("envoy.extensions.access_loggers.file.v3.FileAccessLog", file),
    })
}

/// The keys of a recorded line. Two lines a request: `type` is `DownstreamStart`, with the headers before the filter, and
/// `DownstreamEnd`, with what became of it; they are joined on `id`.
fn recorded(listener: &Listener<'_>, settings: &Settings) -> Value {
    let policy = &listener.policy;
    // Not `%REQ(…)%`, which is the first of repeated headers: rules see them joined with `,` (seen in 1.36.2, 1.40.0).
    let header = |name: &str| format!("%TYPED_CEL(request.headers['{name}'])%");
    let is_listed = !settings.record_all_headers;
    // `%PATH(NQ:…)%` and not `%REQ_WITHOUT_QUERY(…)%`: that one is an extension's (seen in 1.36.2, 1.40.0).
    let without_query = is_listed && drops_query(policy);
    let [path, original] = if without_query {
        ["%PATH(NQ:PATH)%", "%PATH(NQ:ORIG)%"]
    } else {
        ["%REQ(:PATH)%", "%REQ(X-ENVOY-ORIGINAL-PATH)%"]
    };
    let mut keys = json!({
        "t": "%START_TIME(%s.%6f)%",
        "type": "%ACCESS_LOG_TYPE%",
        // The stream's id is the request's, which callers hand on: several requests may have it (seen in 1.40.0).
        "id": "%STREAM_ID%/%CONNECTION_ID%/%START_TIME(%s.%9f)%",
        "listener": listener.name,
        "m": "%REQ(:METHOD)%",
        "s": "%REQ(:SCHEME)%",
        "a": "%REQ(:AUTHORITY)%",
        "p": path,
        "op": original,
        "rid": "%REQ(X-REQUEST-ID)%",
        "c": "%RESPONSE_CODE%",
        "f": "%RESPONSE_FLAGS%",
        "d": "%RESPONSE_CODE_DETAILS%",
        "uc": "%UPSTREAM_CLUSTER_RAW%",
        "rule": "%FILTER_STATE(wasm.switchyard_rule:PLAIN)%",
        "tags": "%FILTER_STATE(wasm.switchyard_tags:PLAIN)%",
        "cluster": "%FILTER_STATE(wasm.switchyard_cluster:PLAIN)%",
        "draws": "%FILTER_STATE(wasm.switchyard_draws:PLAIN)%",
    });
    if let Value::Object(keys) = &mut keys {
        if without_query {
            keys.insert("qp".into(), "dropped".into());
        }
        if !(is_listed && hides_source_address(policy)) {
            keys.insert("ra".into(), "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%".into());
        }
        if settings.record_all_headers {
            keys.insert("h".into(), "%TYPED_CEL(request.headers)%".into());
        } else {
            let listed: Map<String, Value> =
                listed_headers(policy).into_iter().map(|name| (name.to_owned(), header(name).into())).collect();
            keys.insert("h".into(), listed.into());
            // A header that is no key of `h` is unknown; of one that is, `null` says that there was none.
            keys.insert("hp".into(), "listed".into());
        }
    }
    keys
}

/// Headers that decide, and whose values may be kept.
fn listed_headers(policy: &Policy) -> Vec<&str> {
    let mut names = policy.matched_headers();
    // A gRPC call has a deadline of its own, and a rule's timeout shortens it.
    names.extend(["content-type", "grpc-timeout"]);
    names.into_iter().filter(|name| !name.starts_with(':') && !is_private(policy, name)).collect()
}

/// Whether a header's value is never recorded: secrets, sticky subjects, of which the digest is, and names that a format
/// of Envoy's cannot hold.
fn is_private(policy: &Policy, name: &str) -> bool {
    let subject = format!("header/{name}");
    let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    !fits || SECRET.contains(&name) || policy.sticky_subjects().iter().any(|sticky| sticky.key() == subject)
}

/// Whether the recorded path goes without its query: a sticky subject is in it.
fn drops_query(policy: &Policy) -> bool {
    policy.sticky_subjects().iter().any(|subject| matches!(subject, Subject::Query { .. }))
}

/// Whether the source address is a sticky subject.
fn hides_source_address(policy: &Policy) -> bool {
    policy.sticky_subjects().contains(&&Subject::SourceIp)
}

/// What to know before a recording is made.
pub fn warnings(listener: &Listener<'_>, settings: &Settings) -> Vec<String> {
    if settings.record.is_none() {
        return vec![];
    }
    let policy = &listener.policy;
    if settings.record_all_headers {
        return vec![format!(
            "the recording of `{}` holds every header, cookies and credentials too: keep it as you keep those",
            listener.name
        )];
    }
    let mut hidden: Vec<String> = policy
        .matched_headers()
        .into_iter()
        .filter(|name| !name.starts_with(':') && is_private(policy, name))
        .map(|name| format!("the values of header `{name}`"))
        .collect();
    if drops_query(policy) && !policy.matched_query_parameters().is_empty() {
        hidden.push("queries".into());
    }
    if hides_source_address(policy) && policy.matches_source_address() {
        hidden.push("source addresses".into());
    }
    let told = |hidden: String| {
        format!(
            "the recording of `{}` does not hold {hidden}, so requests whose rules ask for them cannot be replayed \
             (`--record-headers all` holds everything)",
            listener.name
        )
    };
    hidden.into_iter().map(told).collect()
}
