//! Names as Kubernetes and Istio's validation want them (istio.md 1.18, 2.0, 3).

pub use switchyard_filter::compile::{is_any_label, is_label};

/// Whether it is a name of DNS, in any case, of whose first label a `*` may stand for all or, at its beginning, for a
/// part (istio.md 2.6; Istio's `ValidateWildcardDomain`). An underscore is in no such name, and no address is one.
pub fn is_wildcard_domain(host: &str) -> bool {
    let (first, rest) = host.split_once('.').map_or((host, None), |(first, rest)| (first, Some(rest)));
    let begins = first == "*" || first.len() <= 63 && is_any_label(first.strip_prefix('*').map_or(first, after_star));
    host.len() <= 255 && begins && rest.is_none_or(is_domain)
}

/// What follows a `*`, with or without a `-` between them.
fn after_star(rest: &str) -> &str {
    rest.strip_prefix('-').unwrap_or(rest)
}

/// Labels, a dot after the last one or none (Istio's `ValidateDNS1123Labels`). Those that end in a number are addresses.
fn is_domain(name: &str) -> bool {
    let labels = name.strip_suffix('.').unwrap_or(name);
    let is_number = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    name.is_empty() || (!name.rsplit('.').next().is_some_and(is_number) && labels.split('.').all(is_any_label))
}

/// The same with a `*` at most as the whole first label (Istio's `ValidatePartialWildCard`).
pub fn is_wildcard_host(host: &str) -> bool {
    is_wildcard_domain(host) && (host == "*" || !host.strip_prefix("*.").unwrap_or(host).contains('*'))
}

/// What is wrong with a host of a Gateway's server, `[namespace/]host`; `None` when nothing is (Istio's
/// `ValidateNamespaceSlashWildcardHostname`).
pub fn server_host_error(written: &str) -> Option<&'static str> {
    let (namespace, host) = written.split_once('/').unwrap_or(("*", written));
    if host.contains('/') {
        Some("write `namespace/host` or the host alone")
    } else if !matches!(namespace, "*" | ".") && !is_label(namespace) {
        Some("before the `/` stands a namespace, `.` or `*`")
    } else if host != "*" && !host.is_empty() && !host.contains('.') {
        Some("a short name means nothing here: write it with its domain")
    } else if host.parse::<std::net::IpAddr>().is_ok() || is_wildcard_host(host) {
        None
    } else if host.contains('*') {
        Some("a `*` can only be the whole first label")
    } else {
        Some("write a name, `*.suffix` or `*`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_servers_are_names_after_an_optional_namespace() {
        for host in ["*", "a.example.com", "*.example.com", "ns/*", "./a.b", "*/A.b", "10.0.0.1", "a.example.com."] {
            assert_eq!(server_host_error(host), None, "{host}");
        }
        for host in [
            "", "a/b/c", "NS/a.b", "/a.b", "ns/", "a.*.com", "a*.b", "**.b", "*.*.com", "a..b", "-a.b", "a.b:80",
            "a b.c", "shop", "ns/shop", "shop_1.b", "*-a.b", "::1",
        ] {
            assert!(server_host_error(host).is_some(), "{host}");
        }
    }

    /// Istio's own rows (`TestValidateWildcardDomain`), and what it says of ends.
    #[test]
    fn hosts_are_names_of_dns_whose_first_label_may_have_a_star() {
        let long = "a".repeat(63);
        for host in ["*", "a", "A.B", "*.a", "*-a.b", "*a.b", "1.a", "10", "a.", "a.b.", "*.", &format!("{long}.a")] {
            assert!(is_wildcard_domain(host), "{host}");
        }
        let bad = ". a.. a..b a.b.. -a a- a_b a.b_c a.* a*.b *-.b *--a.b ** 1.2.3.4 a.10";
        let too_long = [format!("{long}a.b"), format!("*{long}.b"), format!("{}.b", [long.as_str(); 4].join("."))];
        for host in bad.split(' ').chain(["", "a b"]).chain(too_long.iter().map(String::as_str)) {
            assert!(!is_wildcard_domain(host), "{host}");
        }
        assert!(is_wildcard_host("*.a") && !is_wildcard_host("*-a.b") && !is_wildcard_host("*a.b"));
    }

    #[test]
    fn labels_are_those_of_dns() {
        for name in ["v1", "a-b", "1"] {
            assert!(is_label(name), "{name}");
        }
        for name in ["", "V1", "v_1", "-a", "a-", "a.b", "v1|x", &"a".repeat(64)] {
            assert!(!is_label(name), "{name}");
        }
    }
}
