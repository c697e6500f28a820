//! Rules of istiod's validation of ServiceEntries.

use super::super::super::name::{is_any_label, is_label, is_wildcard_host};
use super::super::super::{Notes, selector, spec};
use super::super::protocol;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::{Manifest, Resolution, ServiceEntry};
use crate::yaml::Path;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What is wrong with a host, in lower case.
pub fn host_error(host: &str) -> Option<String> {
    let is_wrong = host == "*" || !is_wildcard_host(host);
    is_wrong.then(|| format!("`{}` is no host of a ServiceEntry", host.escape_debug()))
}

/// Notes what is wrong with a ServiceEntry.
pub fn check(manifest: &Manifest, entry: &ServiceEntry, notes: &mut Notes) {
    if entry.workload_selector.is_some() && !entry.endpoints.is_empty() {
        let message = "`endpoints` and `workloadSelector` exclude each other: leave one of them out";
        notes.push(manifest.error(&spec("workloadSelector"), message));
    }
    if let Some(selector) = &entry.workload_selector {
        selector::check(manifest, "workloadSelector.labels", &selector.labels, notes);
    }
    if entry.hosts.is_empty() {
        notes.push(manifest.error(&spec("hosts"), "`hosts` needs a host"));
    }
    let is_resolved = matches!(entry.resolution, Resolution::Dns | Resolution::DnsRoundRobin);
    for (at, host) in entry.hosts.iter().enumerate() {
        let field = spec(&format!("hosts[{at}]"));
        let host = host.to_ascii_lowercase();
        if let Some(message) = host_error(&host) {
            notes.push(manifest.error(&field, &message).help("write a name or `*.suffix`"));
        } else if host.starts_with('*') && is_resolved && entry.endpoints.is_empty() {
            // With a `workloadSelector` too: istiod does not look at what that selects.
            let message = format!("`{host}` cannot be resolved: it is no name");
            notes.push(manifest.error(&field, &message).help("list its `endpoints`"));
        }
    }
    if entry.resolution == Resolution::DnsRoundRobin && entry.endpoints.len() > 1 {
        let message = "`resolution: DNS_ROUND_ROBIN` takes one endpoint";
        notes.push(manifest.error(&spec("endpoints[1]"), message).help("write `resolution: DNS`"));
    }
    if entry.resolution == Resolution::None {
        let help = "write `resolution: STATIC` or `DNS`";
        // Where it is left out, `NONE` is meant.
        let written = spec("resolution");
        let place = if manifest.node.at(&written).is_some() { written } else { spec("hosts") };
        notes.push(if entry.endpoints.is_empty() {
            let message = "`resolution: NONE` goes to the address that a captured connection was meant for: nothing \
                           captures here, and requests get 503";
            let help = format!("{help}, unless the Envoy has an `original_dst` listener filter");
            manifest.warning(&place, message).code("no-endpoints").help(help)
        } else {
            let message = "`resolution: NONE` goes to where the caller was going: it takes no endpoints";
            manifest.error(&spec("endpoints"), message).help(help)
        });
    }
    for (at, address) in entry.addresses.iter().enumerate() {
        let field = spec(&format!("addresses[{at}]"));
        if !is_subnet(address) {
            let message = format!("`{}` is no IP address and no subnet", address.escape_debug());
            notes.push(manifest.error(&field, &message).help("write `10.0.0.1` or `10.0.0.0/8`"));
        } else if address.contains('/') && is_resolved {
            let message = format!("`{address}` is a subnet: it does not go with names that are resolved");
            notes.push(manifest.error(&field, &message).help("write `resolution: STATIC` or `NONE`"));
        }
    }
    exports(manifest, entry, notes);
    ports(manifest, entry, notes);
    endpoints(manifest, entry, notes);
}

/// Notes a name of a port that is no label of DNS (Istio's `ValidatePortName`).
pub fn port_name(manifest: &Manifest, path: &Path, name: &str, notes: &mut Notes) {
    if !is_any_label(name) {
        let found = manifest.error(path, &format!("`{}` is no name of a port", name.escape_debug()));
        notes.push(found.help("write letters, digits and `-`, at most 63"));
    }
}

/// Whether it is an IP address, or a subnet as `10.0.0.0/8`.
fn is_subnet(written: &str) -> bool {
    let (address, length) = written.split_once('/').unwrap_or((written, "0"));
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.bytes().all(|byte| byte.is_ascii_digit()) && length.parse::<u8>().is_ok_and(|length| length <= most)
}

/// To whom it is known (istio.md 2.6).
fn exports(manifest: &Manifest, entry: &ServiceEntry, notes: &mut Notes) {
    let mut before = BTreeSet::new();
    for (index, name) in entry.export_to.iter().enumerate() {
        let path = spec(&format!("exportTo[{index}]"));
        let meant = if name == "." { manifest.namespace.as_str() } else { name };
        if !matches!(meant, "*" | "~") && !is_label(meant) {
            let message = format!("`{}` is no namespace", name.escape_debug());
            notes.push(manifest.error(&path, &message).help("write a name, `.`, `*` or `~`"));
        } else if !before.insert(meant) {
            notes.push(manifest.error(&path, &format!("the namespace `{meant}` is listed twice")));
        } else if name == "*" && entry.export_to.len() > 1 {
            notes.push(manifest.error(&path, "`*` is every namespace: leave the others out"));
        } else if name == "~" && entry.export_to.len() > 1 {
            notes.push(manifest.error(&path, "`~` is no namespace at all: leave it out, or the others"));
        }
    }
}

fn ports(manifest: &Manifest, entry: &ServiceEntry, notes: &mut Notes) {
    let unsaid = entry.ports.iter().position(|port| port.protocol.is_empty());
    if let Some(index) = unsaid.filter(|_| entry.hosts.len() > 1 && entry.resolution != Resolution::None) {
        let found = manifest.error(&spec(&format!("ports[{index}]")), "several hosts need ports with a `protocol`");
        notes.push(found.help("write `protocol: HTTP`, by which hosts can be told apart"));
    }
    if entry.ports.is_empty() {
        // As in Istio, which takes it and makes nothing of it.
        let message = "a ServiceEntry without `ports` makes no cluster: nothing can be sent to its hosts";
        notes.push(manifest.warning(&spec(""), message).code("no-endpoints").help("write the `ports` of its hosts"));
    }
    for (index, port) in entry.ports.iter().enumerate() {
        let at = |field: &str| spec(&format!("ports[{index}].{field}"));
        if port.number == 0 {
            notes.push(manifest.error(&at("number"), "`0` is out of range: 1 to 65535"));
        }
        if port.target_port == Some(0) {
            notes.push(manifest.error(&at("targetPort"), "`0` is out of range: 1 to 65535"));
        }
        notes.all.extend(protocol_error(manifest, &at("protocol"), &port.protocol));
        port_name(manifest, &at("name"), &port.name, notes);
        let earlier = entry.ports.iter().take(index);
        if earlier.clone().any(|other| other.number == port.number) {
            notes.push(manifest.error(&at("number"), &format!("the port `{}` is listed twice", port.number)));
        }
        if earlier.clone().any(|other| other.name == port.name) {
            notes.push(manifest.error(&at("name"), &format!("the port `{}` is listed twice", port.name)));
        }
    }
}

/// Whether it is an IP address, or a name that can be resolved.
pub fn is_address(address: &str) -> bool {
    address.parse::<IpAddr>().is_ok() || (is_wildcard_host(address) && !address.starts_with('*'))
}

fn endpoints(manifest: &Manifest, entry: &ServiceEntry, notes: &mut Notes) {
    // Those that are selected are written elsewhere.
    let listed = entry.endpoints.iter().enumerate().filter(|_| entry.workload_selector.is_none());
    for (index, endpoint) in listed {
        let at = format!("endpoints[{index}]");
        if entry.resolution == Resolution::Static && endpoint.address.parse::<IpAddr>().is_err() {
            let message = format!("`{}` is no IP address", endpoint.address);
            notes.push(manifest.error(&spec(&format!("{at}.address")), &message).help("names need `resolution: DNS`"));
        } else if !is_address(&endpoint.address) {
            let message = format!("`{}` is no IP address and no name", endpoint.address.escape_debug());
            notes.push(manifest.error(&spec(&format!("{at}.address")), &message));
        }
        selector::labels(manifest, &format!("{at}.labels"), &endpoint.labels, notes);
        for (name, number) in &endpoint.ports {
            if *number == 0 {
                let path = spec(&format!("{at}.ports")).field(name);
                notes.push(manifest.error(&path, "`0` is out of range: 1 to 65535"));
            }
            let names = || entry.ports.iter().map(|port| port.name.as_str());
            if !names().any(|known| known == name) {
                let path = spec(&format!("{at}.ports")).field(name);
                let mut found = manifest.error(&path, &format!("unknown port `{name}`"));
                found.help = did_you_mean(name, names());
                notes.push(found);
            }
        }
    }
}

/// What is wrong with the protocol of a ServiceEntry's port. Without one Istio looks at the name, or sniffs.
fn protocol_error(manifest: &Manifest, path: &Path, written: &str) -> Option<Diagnostic> {
    let known = |name: &&str| name.eq_ignore_ascii_case(written);
    if written.eq_ignore_ascii_case("UDP") {
        return Some(manifest.warning(path, "the port is left out: no request comes by `UDP`").code("ignored-port"));
    }
    if written.is_empty() || protocol::NAMES.iter().any(known) {
        return None;
    }
    let mut found = manifest.error(path, &format!("unknown protocol `{}`", written.escape_debug()));
    let near = did_you_mean(&written.to_ascii_uppercase(), protocol::NAMES);
    found.help = near.or_else(|| Some("write `HTTP`, `HTTP2`, `GRPC`, `HTTPS`, `TLS` or `TCP`".to_owned()));
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::super::super::tests::told;

    const ENTRY: &str = "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a, namespace: shop}
spec: {hosts: [a.example], resolution: STATIC, PORTS}
";

    #[test]
    fn names_of_ports_are_labels_in_any_case() {
        for (name, said) in [("HTTP-1", ""), ("HTTP_1", "`HTTP_1`"), ("''", "``"), ("a.b", "`a.b`")] {
            let ports =
                format!("ports: [{{number: 80, protocol: HTTP, name: {name}}}], endpoints: [{{address: 10.0.0.1}}]");
            let expected = format!("error a.yaml:4:91: {said} is no name of a port");
            let expected: Vec<&str> = Some(expected.as_str()).filter(|_| !said.is_empty()).into_iter().collect();
            assert_eq!(told(&[&ENTRY.replace("PORTS", &ports)]), expected, "{name}");
        }
    }

    #[test]
    fn a_service_entry_without_ports_is_taken_as_in_istio_and_told_of() {
        let said =
            "warning a.yaml:4:1: a ServiceEntry without `ports` makes no cluster: nothing can be sent to its hosts";
        assert_eq!(told(&[&ENTRY.replace("PORTS", "endpoints: [{address: 10.0.0.1}]")]), [said]);
    }
}
