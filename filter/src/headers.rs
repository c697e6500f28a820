//! Header names: what may be one, and which belong to us.

/// The header that names the cluster; the generated route reads it.
pub const CLUSTER: &str = "x-switchyard-cluster";
/// Carries the value by which a host of the destination is chosen; the generated route hashes it.
pub const HASH: &str = "x-switchyard-hash";
/// With a number from 1, names the cluster of a mirror; the generated mirror policies read them.
pub const MIRROR_PREFIX: &str = "x-switchyard-mirror-";
/// What all of our control headers begin with: cluster, hash, mirrors.
pub const CONTROL_PREFIX: &str = "x-switchyard-";
/// Hints for Envoy's fault filter.
pub const FAULT_PREFIX: &str = "x-envoy-fault-";
/// Carries the path as it was before a rewrite, as Envoy's router has it.
pub const ORIGINAL_PATH: &str = "x-envoy-original-path";
/// Carries the authority as it was before a rewrite, as Envoy's router has it.
pub const ORIGINAL_HOST: &str = "x-envoy-original-host";
/// Asks Envoy's fault filter for a delay, in milliseconds.
pub const FAULT_DELAY: &str = "x-envoy-fault-delay-request";
/// Asks Envoy's fault filter for an abort with an HTTP status.
pub const FAULT_ABORT: &str = "x-envoy-fault-abort-request";
/// Asks Envoy's fault filter for an abort with a gRPC status.
pub const FAULT_ABORT_GRPC: &str = "x-envoy-fault-abort-grpc-request";
/// The request's id.
pub const REQUEST_ID: &str = "x-request-id";

/// What a caller could ask of Envoy's router (envoy.md 1.5). On `forward` the rule's own values stand, or none.
pub const ROUTER_HINTS: [&str; 11] = [
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-max-retries",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
];

/// Whether two names are the same to a CGI or WSGI server, which reads `_` and `-` alike. Case never differs here: names
/// arrive in lower case.
pub fn same_spelling(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| spelled(*a) == spelled(*b))
}

/// Whether a name begins with a prefix, `_` and `-` alike.
fn has_prefix(name: &[u8], prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| same_spelling(start, prefix.as_bytes()))
}

fn spelled(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

/// Whether a client must not send this header: it would steer what only a policy decides.
pub fn is_control(name: &[u8]) -> bool {
    // Nearly no header begins with `x`: decide on the first byte.
    matches!(name.first(), Some(b'x' | b'X')) && (has_prefix(name, CONTROL_PREFIX) || has_prefix(name, FAULT_PREFIX))
}

/// Whether a header is one of our own, in any spelling: nobody but a decision has a use for it.
pub fn is_own(name: &[u8]) -> bool {
    has_prefix(name, CONTROL_PREFIX)
}

/// Whether a name is a token of RFC 9110, so that Envoy can carry it.
pub fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Why a tag must not have this name; `None` when it may.
pub fn tag_name_error(name: &str) -> Option<&'static str> {
    const HOP_BY_HOP: [&str; 11] = [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    const OTHERS: [&str; 9] = [
        "authorization",
        "content-type",
        "expect",
        "grpc-timeout",
        "via",
        "x-forwarded-client-cert",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
    ];
    let spelled = name.to_ascii_lowercase().replace('_', "-");
    if name.starts_with(':') {
        Some("a pseudo header cannot be a tag")
    } else if !is_token(name) {
        Some("is no header name")
    } else if HOP_BY_HOP.contains(&spelled.as_str()) {
        Some("host, content-length and hop-by-hop headers cannot be tags")
    } else if OTHERS.contains(&spelled.as_str()) {
        Some("Envoy or the upstream reads this header by its own meaning, so it cannot be a tag")
    } else if spelled.starts_with("x-envoy-") {
        Some("`x-envoy-` headers are Envoy's own and cannot be tags")
    } else if spelled.starts_with(CONTROL_PREFIX) {
        Some("`x-switchyard-` headers are Switchyard's own and cannot be tags")
    } else if spelled == REQUEST_ID || spelled == "cookie" {
        Some("draws rest on this header, so it cannot be a tag")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_control_header_is_one() {
        for name in
            ["x-switchyard-cluster", "x_switchyard_mirror_1", "X-Switchyard_Hash", "x-envoy-fault-abort-request"]
        {
            assert!(is_control(name.as_bytes()), "{name}");
        }
        for name in ["x-switchyar", "x-envoy-retry-on", "switchyard-cluster", "", "x"] {
            assert!(!is_control(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_tag_may_not_take_a_name_that_means_something_to_the_proxy() {
        for name in
            ["host", ":path", "Content_Length", "x-envoy-retry-on", "x-switchyard-cluster", "te", "a b", "", "Cookie"]
        {
            assert!(tag_name_error(name).is_some(), "{name}");
        }
        for name in ["X_Forwarded_For", "x-forwarded-proto", "authorization", "content-type", "grpc-timeout", "via"] {
            assert!(tag_name_error(name).is_some_and(|error| error.contains("its own meaning")), "{name}");
        }
        for name in ["user-type", "User_Type", "x-tier"] {
            assert_eq!(tag_name_error(name), None, "{name}");
        }
    }
}
