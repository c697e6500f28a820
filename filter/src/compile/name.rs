//! Names: of hosts, gateways, namespaces (istio.md 1.0, 1.1, 1.18).

use crate::error::At;

/// The gateway that stands for all sidecars.
pub const MESH: &str = "mesh";

/// The full name of a host: names without a dot are services of `namespace`. `*` and addresses stay.
pub fn resolve(host: &str, namespace: &str, domain: &str) -> String {
    if host.parse::<core::net::Ipv6Addr>().is_ok() {
        // As it stands in an `:authority`.
        format!("[{}]", host.to_ascii_lowercase())
    } else if host.contains(['.', ':']) || host == "*" {
        host.to_ascii_lowercase()
    } else {
        format!("{}.{namespace}.svc.{domain}", host.to_ascii_lowercase())
    }
}

/// Names under which a sidecar serves a service beside its full one: shorter ones for proxies of its namespace, and
/// those with the namespace for all.
pub fn aliases(host: &str, proxy_namespace: &str) -> Vec<String> {
    let Some((start, _)) = host.split_once(".svc.") else {
        return Vec::new();
    };
    let Some((name, namespace)) = start.split_once('.').filter(|(name, _)| !name.contains('*')) else {
        return Vec::new();
    };
    let mut names = vec![start.to_owned(), format!("{start}.svc")];
    if namespace == proxy_namespace {
        names.push(name.to_owned());
    }
    names
}

/// A gateway as `namespace/name`; a bare name is one of `namespace`, `mesh` stays.
pub fn resolve_gateway(gateway: &str, namespace: &str) -> String {
    if gateway == MESH || gateway.contains('/') {
        return gateway.to_owned();
    }
    // Istio still reads the full name that gateways once had.
    match gateway.split_once('.') {
        Some((name, rest)) => format!("{}/{name}", rest.split('.').next().unwrap_or(rest)),
        None => format!("{namespace}/{gateway}"),
    }
}

/// Notes a gateway that is no `mesh`, name, or `namespace/name`.
pub fn check_gateway(gateway: &str, at: &mut At) {
    let resolved = resolve_gateway(gateway, "default");
    let good = gateway == MESH
        || resolved.split_once('/').is_some_and(|(namespace, name)| is_label(namespace) && is_name(name));
    if !good {
        at.error(format!("`{gateway}` is no gateway: write `mesh`, `name` or `namespace/name`"));
    }
}

/// Whether it is a label of DNS in any case, as names of subsets are in Istio (`IsDNS1123Label`; istio.md 2.6).
pub fn is_any_label(name: &str) -> bool {
    is_label(&name.to_ascii_lowercase())
}

/// Notes a name that Kubernetes would not take for an object.
pub fn check_name(name: &str, at: &mut At) {
    if !is_name(name) {
        at.error(format!("`{}` is no name: write lower-case letters, digits, `-` and `.`", name.escape_debug()));
    }
}

/// Notes a name for people that would break the lines it is written into.
pub fn check_text(name: &str, at: &mut At) {
    if name.len() > 253 || name.chars().any(char::is_control) {
        at.error(format!("`{}` is no name: leave control characters out, at most 253 bytes", name.escape_debug()));
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Whether it is a label of DNS: lower-case letters, digits and `-`, at most 63.
pub fn is_label(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.len() <= 63 && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// Notes a name that Kubernetes would not take as a label of DNS.
pub fn check_label(name: &str, what: &str, at: &mut At) {
    if !is_label(name) {
        at.error(format!("`{name}` is no {what}: write lower-case letters, digits and `-`, at most 63"));
    }
}

/// Notes a name that no subset can have.
pub fn check_subset(name: &str, at: &mut At) {
    if !is_any_label(name) {
        at.error(format!("`{name}` is no subset: write letters, digits and `-`, at most 63"));
    }
}

/// Notes an authority that no request could have.
pub fn check_authority(authority: &str, at: &mut At) {
    if !authority.bytes().all(|b| (0x21..0x7f).contains(&b)) {
        at.error(format!("`{}` is no authority: write a host, and a port where it has one", authority.escape_debug()));
    }
}

/// Notes a host that is no name, `*.suffix` or `*`.
pub fn check_host(host: &str, at: &mut At) {
    if host == "*" || host.parse::<core::net::IpAddr>().is_ok() {
        return;
    }
    let rest = host.strip_prefix("*.").unwrap_or(host);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if rest.len() > 255 || !rest.split('.').all(label) {
        let hint = if rest.contains('*') {
            ": a `*` can only be the whole first label"
        } else if rest.contains('/') {
            ": write the host alone"
        } else if rest.contains(':') {
            ": leave the port out, it is ignored"
        } else {
            ""
        };
        at.error(format!("`{host}` is no host{hint}"));
    }
}
