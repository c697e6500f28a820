//! What kinds of things diagnostics tell: names that stay, for programs to count and to sort by.

/// A kind of diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its name, in kebab case.
    pub id: &'static str,
    /// What it is about, in a sentence.
    pub about: &'static str,
}

/// An error of a field that has no code of its own.
pub(super) const INVALID_FIELD: &str = "invalid-field";
/// A warning that has no code of its own.
pub const ADVICE: &str = "advice";
/// A text that is no YAML.
pub(super) const INVALID_YAML: &str = "invalid-yaml";

/// Every kind, by name.
pub const CODES: &[Code] = &[
    code("abort-never-fires", "An abort without a percentage, or without a status, never happens."),
    code("advice", "Worth a look."),
    code("delay-never-fires", "A delay without a percentage, or without a time, never happens."),
    code("delegate-conflict", "A rule that delegates and its delegate's contradict each other, so Istio drops both."),
    code("deprecated-field", "Istio deprecates the field in favour of another one."),
    code("dormant-match", "A selector holds on no listener that is served."),
    code("double-slash", "A prefix rewrite leaves a path with `//`."),
    code("drifted", "A live WasmPlugin, its EnvoyFilter, or what it embeds is not what it was generated from."),
    code("dropped-subset", "An older DestinationRule has a subset of this name."),
    code("duplicate-host", "In the mesh another VirtualService has the host alone."),
    code("ejects-no-host", "Of so few hosts the share that may be ejected is none."),
    code("empty-seed", "A choice is kept by a value that clients choose, and nothing salts it."),
    code("glued-path", "A prefix rewrite leaves a path whose segments run together."),
    code("ignored-field", "The field has no effect here."),
    code("ignored-port", "No HTTP request comes by the port's protocol."),
    code("invalid-field", "A field's value is wrong."),
    code("invalid-yaml", "The text is no YAML, or not what Kubernetes reads."),
    code("large-body", "A direct response has a large body."),
    code("mirror-without-destination", "A mirror percentage without a mirror has no effect."),
    code("missing-counts-as-empty", "A condition on a header that must not match fails where it is missing."),
    code("never-matches", "No request fulfils the conditions."),
    code("newer-than-istio", "Istio 1.29 does not know the field."),
    code("no-endpoints", "Requests to a known destination get 503."),
    code("not-exported", "A VirtualService, a delegate or a ServiceEntry is exported to other namespaces only."),
    code("observe-without-routes", "The filter routes nothing, and neither does the Envoy around it."),
    code("share-of-zero", "A percentage is cut off to nothing."),
    code("sticky-without-choice", "A rule with one destination has nothing to be sticky about."),
    code("tag-by-client", "A client can give itself the tag."),
    code("two-switchyards", "Two live WasmPlugins of ours decide, or may decide, for one workload."),
    code("unknown-field", "There is no such field."),
    code("unknown-host", "No service has the host."),
    code("unknown-reference", "A destination, subset, port or Gateway that is named is not there."),
    code("unreachable-rule", "Rules before take every request."),
    code("unreached-by-gateway", "Traffic of a Gateway never reaches the rules of the mesh for this host."),
    code("unselected-gateway", "The Gateway selects other proxies than this one."),
    code("unserved-gateway", "The Gateway serves none of the hosts."),
    code("unsupported-field", "The field is Istio's and is not carried over."),
    code("unused-delegate", "No rule delegates to a VirtualService without hosts."),
    code("unused-destination-rule", "Other DestinationRules count for the host."),
    code("weight-sum", "Weights look like percent and do not sum to 100."),
];

const fn code(id: &'static str, about: &'static str) -> Code {
    Code { id, about }
}

/// The code of what a reader or the compiler says of a field.
pub(super) fn of_message(message: &str) -> &'static str {
    if message.starts_with("unknown field `") {
        "unknown-field"
    } else if message.contains(" is not supported") {
        "unsupported-field"
    } else {
        INVALID_FIELD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_in_kebab_case() {
        assert!(CODES.is_sorted_by(|a, b| a.id < b.id));
        for code in CODES {
            assert!(code.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", code.id);
            assert!(code.about.ends_with('.'), "{}", code.id);
        }
    }

    #[test]
    fn what_a_reader_says_has_a_code() {
        for (message, expected) in [
            ("unknown field `a`, did you mean `b`?", "unknown-field"),
            ("`peer` is not supported yet", "unsupported-field"),
            ("expected a string, found `1`", "invalid-field"),
        ] {
            assert_eq!(of_message(message), expected);
            assert!(CODES.iter().any(|code| code.id == expected));
        }
    }
}
