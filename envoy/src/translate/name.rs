//! Names as Kubernetes and Istio's validation want them (istio.md 1.18, 2.0, 3).

pub use switchyard_filter::compile::is_label;

/// Whether it is a name of DNS, in any case, with a `*` at most as its whole first label.
pub fn is_wildcard_host(host: &str) -> bool {
    let rest = host.strip_prefix("*.").unwrap_or(host);
    let label = |label: &str| is_label(&label.to_ascii_lowercase().replace('_', "-"));
    host == "*" || (host.len() <= 255 && rest.split('.').all(label))
}

/// What is wrong with a host of a Gateway's server, `[namespace/]host`; `None` when nothing is.
pub fn server_host_error(written: &str) -> Option<&'static str> {
    let (namespace, host) = written.split_once('/').unwrap_or(("*", written));
    if host.contains('/') {
        Some("write `namespace/host` or the host alone")
    } else if !matches!(namespace, "*" | ".") && !is_label(namespace) {
        Some("before the `/` stands a namespace, `.` or `*`")
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
        for host in ["*", "a.example.com", "*.example.com", "ns/*", "./a", "*/A.b", "10.0.0.1", "shop_1"] {
            assert_eq!(server_host_error(host), None, "{host}");
        }
        for host in ["", "a/b/c", "NS/a", "/a", "ns/", "a.*.com", "a*", "**", "*.*.com", "a..b", "-a", "a:80", "a b"] {
            assert!(server_host_error(host).is_some(), "{host}");
        }
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
