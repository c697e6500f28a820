//! The HTTP connection manager: what it strips, its filters, its two routes.

mod redirect;

use super::yaml::ascii;
use super::{Settings, absolute, access_log, typed};
use crate::translate::Listener;
use serde_json::{Value, json};
use switchyard_filter::document::Mode;
use switchyard_filter::headers::{CLUSTER, HASH, MIRROR_PREFIX, REQUEST_ID};

/// Names of [`FAULT_PREFIX`](switchyard_filter::headers::FAULT_PREFIX) that Envoy's fault filter knows (envoy.md 2).
const FAULT_HEADERS: [&str; 7] = [
    "x-envoy-fault-abort-grpc-request",
    "x-envoy-fault-abort-request",
    "x-envoy-fault-abort-request-percentage",
    "x-envoy-fault-delay-request",
    "x-envoy-fault-delay-request-percentage",
    "x-envoy-fault-throughput-response",
    "x-envoy-fault-throughput-response-percentage",
];

/// The most mirrors that a rule may have. Envoy asks each policy at every request, and the destination sees each mirror's
/// header.
pub const MOST_MIRRORS: usize = 16;

/// The connection manager of a listener.
pub fn connection_manager(listener: &Listener<'_>, settings: &Settings) -> Value {
    let mut manager = json!({
        "stat_prefix": listener.name,
        "codec_type": "AUTO",
        // As istiod has it (istio.md 1.3), and as the commands without an Envoy do.
        "normalize_path": true,
        // The peer's address is the client's: from `x-forwarded-for` anybody could choose a `sourceIp`.
        "use_remote_address": true,
        "internal_address_config": nobody_is_internal(),
        "early_header_mutation_extensions": early_header_mutation(listener),
        "http_filters": [redirect::filter(listener, wasm(listener, settings)), fault(), router()],
        "route_config": redirect::route_config(listener),
        // As Istio: how long a stream may be silent is the application's matter.
        "stream_idle_timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": [access_log::access_log(listener, settings)],
    });
    if let Value::Object(fields) = &mut manager {
        if listener.is_mesh() {
            // Callers hand a request's id on, and draws of their requests follow it.
            fields.insert("preserve_external_request_id".into(), true.into());
            fields.insert("skip_xff_append".into(), true.into());
        } else {
            // As Istio: a destination is told who the client is by its certificate, and nobody else tells it.
            fields.insert("forward_client_cert_details".into(), "SANITIZE_SET".into());
            let details = json!({"subject": true, "cert": true, "dns": true, "uri": true});
            fields.insert("set_current_client_cert_details".into(), details);
            if settings.trusted_hops > 0 {
                fields.insert("xff_num_trusted_hops".into(), settings.trusted_hops.into());
            }
        }
        if settings.record.is_some() {
            // A line with the headers as they came, before the filter changes them (envoy.md 7).
            fields.insert("access_log_options".into(), json!({"flush_access_log_on_new_request": true}));
        }
    }
    typed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", manager)
}

/// Nobody is internal, whose `x-envoy-` headers would be believed; private peers are by default.
pub fn nobody_is_internal() -> Value {
    json!({"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]})
}

/// Removes, before anything else and also when the filter is bypassed, what nobody outside may set: control headers and
/// tags, in every spelling that is equal after `_` → `-`; on a gateway also the request's id, of which one would draw.
pub fn early_header_mutation(listener: &Listener<'_>) -> Value {
    // Where the filter only observes, nobody sets the tags anew, and what they were before is not ours to take.
    let is_enforced = listener.policy.mode() == Mode::Enforce;
    let tags = listener.stripped_tags().filter(|_| is_enforced);
    removing(tags, is_enforced && !listener.is_mesh())
}

/// Removes control headers, these tags, and where it `makes_ids` the request's id.
pub fn removing<'a>(tags: impl Iterator<Item = &'a str>, makes_ids: bool) -> Value {
    let matching = |regex: String| json!({"remove_on_match": {"key_matcher": {"safe_regex": {"regex": regex}}}});
    let mut mutations = vec![matching("x[-_]switchyard[-_].*".into()), matching("x[-_]envoy[-_]fault[-_].*".into())];
    for header in tags {
        mutations.push(if header.contains(['-', '_']) {
            matching(any_spelling(header))
        } else {
            json!({"remove": header})
        });
    }
    if makes_ids {
        mutations.push(json!({"remove": REQUEST_ID}));
    }
    json!([{
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": typed(
            "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            json!({"mutations": mutations}),
        ),
    }])
}

/// A regex for a header's name, `-` and `_` alike.
fn any_spelling(header: &str) -> String {
    let mut regex = String::new();
    for c in header.chars() {
        match c {
            '-' | '_' => regex.push_str("[-_]"),
            c if c.is_ascii_alphanumeric() => regex.push(c),
            c => regex.extend(['\\', c]),
        }
    }
    regex
}

/// Our filter.
pub fn wasm(listener: &Listener<'_>, settings: &Settings) -> Value {
    let configuration = json!({
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": configuration(listener),
    });
    let config = json!({
        "name": listener.name,
        "root_id": "switchyard",
        // A trap costs the requests of that moment, not the listener (envoy.md 5.3).
        "failure_policy": "FAIL_RELOAD",
        "vm_config": {
            "vm_id": "switchyard",
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": absolute(&settings.wasm)}},
        },
        "configuration": configuration,
    });
    json!({
        "name": redirect::FILTER,
        "typed_config": typed("envoy.extensions.filters.http.wasm.v3.Wasm", json!({"config": config})),
    })
}

/// The document as JSON for people.
fn configuration(listener: &Listener<'_>) -> String {
    ascii(&serde_json::to_string_pretty(&listener.document).unwrap_or_default()) + "\n"
}

/// Envoy's fault filter, which takes every fault from headers.
pub fn fault() -> Value {
    let percentage = json!({"numerator": 100, "denominator": "HUNDRED"});
    let fault = json!({
        "delay": {"header_delay": {}, "percentage": percentage},
        "abort": {"header_abort": {}, "percentage": percentage},
    });
    json!({
        "name": "envoy.filters.http.fault",
        "typed_config": typed("envoy.extensions.filters.http.fault.v3.HTTPFault", fault),
    })
}

fn router() -> Value {
    json!({
        "name": "envoy.filters.http.router",
        "typed_config": typed("envoy.extensions.filters.http.router.v3.Router", json!({})),
    })
}

/// The route of every request that the filter decided. Timeouts, retries and mirrors come in headers, per rule.
pub fn decided_route(listener: &Listener<'_>) -> Value {
    deciding_route(listener.policy.most_mirrors())
}

/// The same, with so many mirror policies.
pub fn deciding_route(mirrors: usize) -> Value {
    let removed: Vec<_> = std::iter::once(CLUSTER).chain(FAULT_HEADERS).collect();
    let previous_hosts = typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate", json!({}));
    let mut route = json!({
        "name": "decided",
        // Not `/`: a rewrite may leave a path without a slash.
        "match": {"prefix": "", "headers": [{"name": CLUSTER, "present_match": true}]},
        "route": {
            "cluster_header": CLUSTER,
            // As Istio: none, unless the rule has one (istio.md 1.11).
            "timeout": "0s",
            "hash_policy": [{"header": {"header_name": HASH}}],
            // As Istio: another host for each try (istio.md 1.12). Without conditions there are no retries.
            "retry_policy": {
                "retry_host_predicate": [{
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": previous_hosts,
                }],
                "host_selection_retry_max_attempts": 5,
            },
        },
        "request_headers_to_remove": removed,
    });
    if mirrors > 0 {
        route["route"]["request_mirror_policies"] = mirror_policies(mirrors);
    }
    route
}

/// As many as the rule with the most mirrors needs. The headers must reach the destination (envoy.md 1.3), but no mirror.
fn mirror_policies(count: usize) -> Value {
    let name = |number: usize| format!("{MIRROR_PREFIX}{number}");
    let ours = || (1..=count).map(name).chain([HASH.to_owned()]);
    let policy = |number| {
        json!({
            "cluster_header": name(number),
            // As Istio (istio.md 1.14): the host stays, and no trace of its own.
            "trace_sampled": false,
            "disable_shadow_host_suffix_append": true,
            "request_headers_mutations": ours().map(|name| json!({"remove": name})).collect::<Value>(),
        })
    };
    (1..=count).map(policy).collect()
}

/// What happens to the rest. The filter answers it before, so this is what happens without the filter.
fn unmatched_route() -> Value {
    json!({"name": "unmatched", "match": {"prefix": ""}, "direct_response": {"status": 404}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_matched_in_every_spelling() {
        assert_eq!(any_spelling("user-type"), "user[-_]type");
        assert_eq!(any_spelling("x_a.b"), "x[-_]a\\.b");
    }
}
