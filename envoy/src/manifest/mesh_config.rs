//! Istio's `MeshConfig` (1.29): what counts in a mesh where nobody says otherwise.

mod find;

pub use find::find;

use super::{Duration, LocalityLbSetting, TcpKeepalive};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use switchyard_filter::document::HttpRetry;
use switchyard_filter::error::At;
use switchyard_filter::read::Read;
use switchyard_filter::{choice, record};

record! {
    /// What counts in a mesh where nobody says otherwise. A field replaces Istio's default as a whole.
    pub struct MeshConfig {
        /// How long connecting may take, at least 1 ms. Default: 10 s.
        connect_timeout: Option<Duration> = "connectTimeout",
        /// Whether the system asks if the other side is still there; fields of a DestinationRule replace single ones.
        tcp_keepalive: Option<TcpKeepalive> = "tcpKeepalive",
        /// Whether HTTP/2 is spoken to ports that are HTTP's and do not say which.
        h2_upgrade_policy: MeshH2Upgrade = "h2UpgradePolicy",
        /// How endpoints are chosen by where they are; one of a DestinationRule replaces it. Default: it is on.
        locality_lb_setting: Option<LocalityLbSetting> = "localityLbSetting",
        /// When a request is tried again, of rules that do not say. Default: twice, where it never arrived.
        default_http_retry_policy: Option<HttpRetry> = "defaultHttpRetryPolicy",
        /// The namespace whose rules count for everybody who has no other. Default: `istio-system`.
        root_namespace: Option<String> = "rootNamespace",
        /// Who sees services that do not say: `.` before `*`; anything else is nobody. Default: `*`.
        default_service_export_to: Vec<String> = "defaultServiceExportTo",
        /// The same of VirtualServices.
        default_virtual_service_export_to: Vec<String> = "defaultVirtualServiceExportTo",
        /// The same of DestinationRules; without `.` everybody.
        default_destination_rule_export_to: Vec<String> = "defaultDestinationRuleExportTo",
        /// What the names in certificates of workloads begin with. Default: `cluster.local`.
        trust_domain: Option<String> = "trustDomain",
        /// Others that the same workloads have.
        trust_domain_aliases: Vec<String> = "trustDomainAliases",
        /// How often names are asked for that were not found. Default: 60 s.
        dns_refresh_rate: Option<Duration> = "dnsRefreshRate",
        /// What becomes of requests to hosts that nobody has.
        outbound_traffic_policy: Option<OutboundTrafficPolicy> = "outboundTrafficPolicy",
        /// How paths are written before they are looked at.
        path_normalization: Option<PathNormalization> = "pathNormalization",
        /// What proxies are started with.
        default_config: Option<ProxyConfig> = "defaultConfig",
        /// Which namespaces istiod looks at.
        discovery_selectors: Unread = "discoverySelectors",
        /// Of sidecars' listeners.
        proxy_listen_port: Unread = "proxyListenPort",
        /// Of sidecars' listeners.
        proxy_inbound_listen_port: Unread = "proxyInboundListenPort",
        /// Of sidecars' listeners.
        proxy_http_port: Unread = "proxyHttpPort",
        /// Of sidecars' listeners.
        inbound_traffic_policy: Unread = "inboundTrafficPolicy",
        /// Of sidecars' listeners, which look what a connection speaks.
        protocol_detection_timeout: Unread = "protocolDetectionTimeout",
        /// Of ambient meshes.
        hbone_idle_timeout: Unread = "hboneIdleTimeout",
        /// Of Kubernetes' Ingress.
        ingress_class: Unread = "ingressClass",
        /// Of Kubernetes' Ingress.
        ingress_service: Unread = "ingressService",
        /// Of Kubernetes' Ingress.
        ingress_controller_mode: Unread = "ingressControllerMode",
        /// Of Kubernetes' Ingress.
        ingress_selector: Unread = "ingressSelector",
        /// Of traces.
        enable_tracing: Unread = "enableTracing",
        /// Of access logs: ours is the filter's.
        access_log_file: Unread = "accessLogFile",
        /// Of access logs.
        access_log_format: Unread = "accessLogFormat",
        /// Of access logs.
        access_log_encoding: Unread = "accessLogEncoding",
        /// Of access logs.
        enable_envoy_access_log_service: Unread = "enableEnvoyAccessLogService",
        /// Of access logs.
        disable_envoy_listener_log: Unread = "disableEnvoyListenerLog",
        /// Where istiod finds resources.
        config_sources: Unread = "configSources",
        /// Of certificates between sidecars: here a DestinationRule asks for them.
        enable_auto_mtls: Unread = "enableAutoMtls",
        /// Of certificates between sidecars: `--certs` has the authorities.
        ca_certificates: Unread = "caCertificates",
        /// Of certificates that istiod makes.
        certificates: Unread = "certificates",
        /// Of certificates that istiod makes.
        ca: Unread = "ca",
        /// Of certificates; istiod 1.29 does not read it.
        verify_certificate_at_client: Unread = "verifyCertificateAtClient",
        /// Of what sidecars take.
        mesh_mtls: Unread = "meshMTLS",
        /// Of names of statistics.
        inbound_cluster_stat_name: Unread = "inboundClusterStatName",
        /// Of names of statistics.
        outbound_cluster_stat_name: Unread = "outboundClusterStatName",
        /// Of metrics.
        enable_prometheus_merge: Unread = "enablePrometheusMerge",
        /// Of meshes of several clusters.
        service_settings: Unread = "serviceSettings",
        /// Of meshes of several clusters.
        service_scope_configs: Unread = "serviceScopeConfigs",
        /// What other kinds name, which are not read.
        extension_providers: Unread = "extensionProviders",
        /// What other kinds name, which are not read.
        default_providers: Unread = "defaultProviders",
    }
    later { "tlsDefaults", "defaultTrafficPolicy" }
}

choice! {
    /// Whether HTTP/2 is spoken where a port does not say so.
    pub enum MeshH2Upgrade {
        /// No.
        DoNotUpgrade = "DO_NOT_UPGRADE",
        /// Yes.
        Upgrade = "UPGRADE",
    }
}

record! {
    /// What becomes of requests to hosts that nobody has.
    pub struct OutboundTrafficPolicy {
        /// What becomes of them.
        mode: OutboundMode = "mode",
    }
}

choice! {
    /// What becomes of requests to hosts that nobody has.
    pub enum OutboundMode {
        /// They are refused.
        RegistryOnly = "REGISTRY_ONLY",
        /// They are sent where they were going.
        AllowAny = "ALLOW_ANY",
    }
}

record! {
    /// How paths are written before they are looked at.
    pub struct PathNormalization {
        /// How.
        normalization: Normalization = "normalization",
    }
}

choice! {
    /// How paths are written before they are looked at.
    pub enum Normalization {
        /// As `BASE`.
        Default = "DEFAULT",
        /// As they come.
        None = "NONE",
        /// By RFC 3986.
        Base = "BASE",
        /// And several slashes are one.
        MergeSlashes = "MERGE_SLASHES",
        /// And escaped ones are slashes.
        DecodeAndMergeSlashes = "DECODE_AND_MERGE_SLASHES",
    }
}

record! {
    /// What proxies are started with.
    pub struct ProxyConfig {
        /// What stands in front of gateways.
        gateway_topology: Option<GatewayTopology> = "gatewayTopology",
        /// Of the proxy's own process.
        config_path: Unread = "configPath",
        /// Of the proxy's own process.
        binary_path: Unread = "binaryPath",
        /// The name of its service.
        service_cluster: Unread = "serviceCluster",
        /// How it is named.
        tracing_service_name: Unread = "tracingServiceName",
        /// Of the proxy's own process.
        drain_duration: Unread = "drainDuration",
        /// Where istiod is.
        discovery_address: Unread = "discoveryAddress",
        /// How often it is asked.
        discovery_refresh_delay: Unread = "discoveryRefreshDelay",
        /// Of traces.
        zipkin_address: Unread = "zipkinAddress",
        /// Of metrics.
        statsd_udp_address: Unread = "statsdUdpAddress",
        /// Of metrics.
        envoy_metrics_service_address: Unread = "envoyMetricsServiceAddress",
        /// `--admin` says it here.
        proxy_admin_port: Unread = "proxyAdminPort",
        /// `--locality` says it here.
        availability_zone: Unread = "availabilityZone",
        /// How istiod is reached.
        control_plane_auth_policy: Unread = "controlPlaneAuthPolicy",
        /// Of the proxy's own process.
        custom_config_file: Unread = "customConfigFile",
        /// Of metrics.
        stat_name_length: Unread = "statNameLength",
        /// Of the proxy's own process.
        concurrency: Unread = "concurrency",
        /// Of the proxy's own process.
        proxy_bootstrap_template_path: Unread = "proxyBootstrapTemplatePath",
        /// Of sidecars' listeners.
        interception_mode: Unread = "interceptionMode",
        /// Of traces.
        tracing: Unread = "tracing",
        /// Of certificates.
        sds: Unread = "sds",
        /// Of access logs.
        envoy_access_log_service: Unread = "envoyAccessLogService",
        /// Of metrics.
        envoy_metrics_service: Unread = "envoyMetricsService",
        /// Of istio-agent.
        proxy_metadata: Unread = "proxyMetadata",
        /// Of the proxy's own process.
        runtime_values: Unread = "runtimeValues",
        /// Of istio-agent.
        status_port: Unread = "statusPort",
        /// Of metrics.
        extra_stat_tags: Unread = "extraStatTags",
        /// Of istio-agent.
        termination_drain_duration: Unread = "terminationDrainDuration",
        /// The name of the mesh.
        mesh_id: Unread = "meshId",
        /// Of istio-agent.
        readiness_probe: Unread = "readinessProbe",
        /// Of metrics.
        proxy_stats_matcher: Unread = "proxyStatsMatcher",
        /// Of pods.
        hold_application_until_proxy_starts: Unread = "holdApplicationUntilProxyStarts",
        /// Of certificates.
        ca_certificates_pem: Unread = "caCertificatesPem",
        /// Of pods.
        image: Unread = "image",
        /// Of certificates.
        private_key_provider: Unread = "privateKeyProvider",
        /// Headers that a proxy adds to answers and requests.
        proxy_headers: Unread = "proxyHeaders",
        /// Of access logs.
        file_flush_interval: Unread = "fileFlushInterval",
        /// Of access logs.
        file_flush_min_size_kb: Unread = "fileFlushMinSizeKb",
        /// Of metrics.
        stats_compression: Unread = "statsCompression",
    }
}

record! {
    /// What stands in front of gateways.
    pub struct GatewayTopology {
        /// How many proxies are trusted to say who the client is, 0 to 255: `--trusted-hops`, where it is not given.
        num_trusted_proxies: u32 = "numTrustedProxies",
        /// What becomes of the header that says who the client is by its certificate.
        forward_client_cert_details: ForwardClientCert = "forwardClientCertDetails",
        /// Whether connections begin with a line that says who the client is.
        proxy_protocol: Option<BTreeMap<String, String>> = "proxyProtocol",
    }
}

choice! {
    /// What becomes of `x-forwarded-client-cert`.
    pub enum ForwardClientCert {
        /// As `SANITIZE_SET`.
        Undefined = "UNDEFINED",
        /// It is removed.
        Sanitize = "SANITIZE",
        /// It is kept.
        ForwardOnly = "FORWARD_ONLY",
        /// It is kept, and the client added.
        AppendForward = "APPEND_FORWARD",
        /// It says who the client is, and nothing else.
        SanitizeSet = "SANITIZE_SET",
        /// It is kept.
        AlwaysForwardOnly = "ALWAYS_FORWARD_ONLY",
    }
}

/// A field that is Istio's and has no part in what is generated: any value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unread {
    /// Whether there is one.
    pub is_written: bool,
}

impl Read for Unread {
    fn read(_: &Value, _: &mut At) -> Option<Self> {
        Some(Self { is_written: true })
    }
}

/// As nothing, which no other field is written as: by that [`MeshConfig::unread`] finds them.
impl Serialize for Unread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl MeshConfig {
    /// The fields that are written and not read, as `defaultConfig.concurrency`, sorted.
    pub fn unread(&self) -> Vec<String> {
        let mut names = vec![];
        below(&serde_json::to_value(self).unwrap_or_default(), "", &mut names);
        names.sort();
        names
    }
}

fn below(value: &Value, at: &str, names: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        if value.is_null() {
            names.push(format!("{at}{name}"));
        } else {
            below(value, &format!("{at}{name}."), names);
        }
    }
}
