//! What istiod refuses of a mesh configuration (`ValidateMeshConfig`), and what of it is not carried out.

use super::super::name::is_label;
use super::super::{Notes, spec, traffic};
use crate::diagnostic::Diagnostic;
use crate::manifest::{
    Duration, ForwardClientCert, GatewayTopology, Manifest, MeshConfig, Normalization, OutboundMode,
};
use crate::yaml::Data;
use switchyard_filter::error::At;
use switchyard_filter::retry::Retries;

/// Notes what is wrong with it.
pub fn check(manifest: &Manifest, written: &MeshConfig, notes: &mut Notes) {
    let hour = Duration { ms: 3_600_000 };
    if written.connect_timeout.is_some_and(|timeout| timeout.ms == 0 || timeout > hour) {
        notes.push(manifest.error(&spec("connectTimeout"), "a duration of `1ms` to `1h` is expected"));
    }
    let keepalive = written.tcp_keepalive.as_ref();
    let durations = [
        ("tcpKeepalive.time", keepalive.and_then(|keepalive| keepalive.time)),
        ("tcpKeepalive.interval", keepalive.and_then(|keepalive| keepalive.interval)),
        ("dnsRefreshRate", written.dns_refresh_rate),
    ];
    for (field, _) in durations.into_iter().filter(|(_, one)| one.is_some_and(|duration| duration.ms == 0)) {
        notes.push(manifest.error(&spec(field), "a duration of at least `1ms` is expected"));
    }
    if let Some(setting) = &written.locality_lb_setting {
        traffic::check_locality(manifest, "localityLbSetting", setting, notes);
    }
    if let Some(retries) = &written.default_http_retry_policy {
        let mut at = At::root();
        at.field("defaultHttpRetryPolicy", |at| Retries::compile(Some(retries), at));
        notes.all.extend(at.into_errors().iter().map(|error| manifest.error(&spec(&error.path), &error.message)));
    }
    names(manifest, written, notes);
    exports(manifest, written, notes);
    others(manifest, written, notes);
}

fn names(manifest: &Manifest, written: &MeshConfig, notes: &mut Notes) {
    if let Some(namespace) = written.root_namespace.as_ref().filter(|namespace| !is_label(namespace)) {
        let message = format!("`{}` is no namespace", namespace.escape_debug());
        notes.push(manifest.error(&spec("rootNamespace"), &message));
    }
    let aliases = written.trust_domain_aliases.iter().enumerate();
    let aliases = aliases.map(|(index, name)| (format!("trustDomainAliases[{index}]"), name));
    for (field, name) in written.trust_domain.iter().map(|name| ("trustDomain".to_owned(), name)).chain(aliases) {
        if !name.strip_suffix('.').unwrap_or(name).split('.').all(is_label) {
            let message = format!("`{}` is no trust domain", name.escape_debug());
            notes.push(manifest.error(&spec(&field), &message).help("write lower-case labels with dots between them"));
        }
    }
}

/// Names of namespaces, which people write and which say nothing here.
fn exports(manifest: &Manifest, written: &MeshConfig, notes: &mut Notes) {
    let all = [
        ("defaultServiceExportTo", &written.default_service_export_to),
        ("defaultVirtualServiceExportTo", &written.default_virtual_service_export_to),
        ("defaultDestinationRuleExportTo", &written.default_destination_rule_export_to),
    ];
    for (field, names) in all {
        for (index, name) in names.iter().enumerate() {
            let path = spec(&format!("{field}[{index}]"));
            if !matches!(name.as_str(), "." | "*" | "~") && !is_label(name) {
                let message = format!("`{}` is no namespace", name.escape_debug());
                notes.push(manifest.error(&path, &message).help("write `.`, `*` or `~`"));
            } else if names.iter().take(index).any(|before| before == name) {
                notes.push(manifest.error(&path, &format!("the namespace `{name}` is listed twice")));
            } else if !matches!(name.as_str(), "." | "*" | "~") {
                let message = format!("`{name}` has no effect: of a default istiod reads `.` and `*` alone");
                notes.push(manifest.warning(&path, &message).code("ignored-field").help("write it in `exportTo`"));
            }
        }
    }
}

fn others(manifest: &Manifest, written: &MeshConfig, notes: &mut Notes) {
    let selectors = manifest.node.at(&spec("discoverySelectors"));
    if selectors.is_some_and(|node| matches!(&node.data, Data::List(items) if !items.is_empty())) {
        let message = "`discoverySelectors` are not carried out: every manifest that is given counts";
        let found = manifest.warning(&spec("discoverySelectors"), message).code("unsupported-field");
        notes.push(found.help("give the manifests of the namespaces that they select"));
    }
    let trusted = topology(written).map_or(0, |topology| topology.num_trusted_proxies);
    if trusted > 255 {
        let message = format!("`{trusted}` is out of range: 0 to 255");
        notes.push(manifest.error(&spec("defaultConfig.gatewayTopology.numTrustedProxies"), &message));
    }
}

fn topology(written: &MeshConfig) -> Option<&GatewayTopology> {
    written.default_config.as_ref()?.gateway_topology.as_ref()
}

/// What is not carried out by an Envoy of which all is ours.
pub fn lost(manifest: &Manifest, written: &MeshConfig) -> Vec<Diagnostic> {
    let mut all = vec![];
    if written.outbound_traffic_policy.as_ref().is_some_and(|policy| policy.mode == OutboundMode::AllowAny) {
        let message = "`ALLOW_ANY` is not carried out: requests to hosts that no manifest has are answered 404";
        let found = manifest.warning(&spec("outboundTrafficPolicy.mode"), message).code("unsupported-field");
        all.push(found.help("write ServiceEntries and VirtualServices for them"));
    }
    let mut unsupported = |field: &str, message: &str| all.push(manifest.error(&spec(field), message));
    let normalization = written.path_normalization.as_ref().map(|path| path.normalization).unwrap_or_default();
    if !matches!(normalization, Normalization::Default | Normalization::Base) {
        let message = "path normalization other than `BASE` is not supported: other rules would match than in the mesh";
        unsupported("pathNormalization.normalization", message);
    }
    let details = topology(written).map(|topology| topology.forward_client_cert_details).unwrap_or_default();
    if !matches!(details, ForwardClientCert::Undefined | ForwardClientCert::SanitizeSet) {
        let message =
            "anything but `SANITIZE_SET` is not supported: a gateway here says who the client is, nobody else";
        unsupported("defaultConfig.gatewayTopology.forwardClientCertDetails", message);
    }
    if topology(written).is_some_and(|topology| topology.proxy_protocol.is_some()) {
        let message = "the PROXY protocol is not supported: gateways would take its first line for a request";
        unsupported("defaultConfig.gatewayTopology.proxyProtocol", message);
    }
    all
}
