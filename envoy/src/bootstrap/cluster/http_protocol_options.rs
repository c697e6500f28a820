//! Which HTTP is spoken, and how long connections live (istio.md 2.2).

use super::any::{Any, Empty};
use crate::manifest::{ConnectionPool, Duration, H2UpgradePolicy};
use crate::translate::KnownPort;
use serde::Serialize;
use std::collections::BTreeMap;

const NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// `envoy.extensions.upstreams.http.v3.HttpProtocolOptions`.
#[expect(clippy::struct_field_names, reason = "Envoy's names")]
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct HttpProtocolOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    common_http_protocol_options: Option<Common>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_http_protocol_options: Option<Upstream>,
    #[serde(flatten)]
    version: Option<Version>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Common {
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_timeout: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_connection_duration: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_requests_per_connection: Option<u32>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Upstream {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    auto_sni: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    auto_san_validation: bool,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Version {
    ExplicitHttpConfig(Explicit),
    UseDownstreamProtocolConfig(Downstream),
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Explicit {
    HttpProtocolOptions(Empty),
    Http2ProtocolOptions(Http2),
}

#[derive(Debug, PartialEq, Serialize)]
struct Downstream {
    http_protocol_options: Empty,
    http2_protocol_options: Http2,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Http2 {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_concurrent_streams: Option<u32>,
}

impl HttpProtocolOptions {
    /// What a port and a pool say, in Istio's order: the port, the upgrade, the pool, the client's version.
    /// Where nobody says, ports that are HTTP's are as the mesh has it (`shouldH2Upgrade` of istiod).
    pub fn of(port: KnownPort, is_gateway: bool, pool: Option<&ConnectionPool>, mesh_upgrades: bool) -> Self {
        let http = pool.and_then(|pool| pool.http.as_ref());
        let tcp = pool.and_then(|pool| pool.tcp.as_ref());
        let positive = |number: i32| u32::try_from(number).ok().filter(|number| *number > 0);
        let upgrades = match http.map_or(H2UpgradePolicy::Default, |http| http.h2_upgrade_policy) {
            _ if http.is_some_and(|http| http.use_client_protocol) => false,
            H2UpgradePolicy::Upgrade => true,
            H2UpgradePolicy::DoNotUpgrade => false,
            H2UpgradePolicy::Default => mesh_upgrades && port.is_http(),
        };
        let max_concurrent_streams = http.and_then(|http| positive(http.max_concurrent_streams));
        let common = Common {
            idle_timeout: http.and_then(|http| http.idle_timeout).or(tcp.and_then(|tcp| tcp.idle_timeout)),
            max_connection_duration: tcp.and_then(|tcp| tcp.max_connection_duration),
            max_requests_per_connection: http.and_then(|http| positive(http.max_requests_per_connection)),
        };
        // Whatever is written: an upgrade comes after what the caller speaks in istiod.
        let sniffs = port.is_unsaid() && !is_gateway;
        let version = if sniffs || http.is_some_and(|http| http.use_client_protocol) {
            let downstream = Downstream { http_protocol_options: Empty {}, http2_protocol_options: Http2::default() };
            Some(Version::UseDownstreamProtocolConfig(downstream))
        } else if port.is_http2() || upgrades {
            Some(Version::ExplicitHttpConfig(Explicit::Http2ProtocolOptions(Http2 { max_concurrent_streams })))
        } else {
            None
        };
        let is_said = common != Common::default() || max_concurrent_streams.is_some();
        Self { common_http_protocol_options: is_said.then_some(common), upstream_http_protocol_options: None, version }
    }

    /// Whether HTTP/2 is spoken and nothing else.
    pub fn is_http2(&self) -> bool {
        matches!(self.version, Some(Version::ExplicitHttpConfig(Explicit::Http2ProtocolOptions(_))))
    }

    /// The name that is asked for, and checked, is the request's host.
    pub fn take_host(&mut self, auto_sni: bool, auto_san_validation: bool) {
        if auto_sni || auto_san_validation {
            self.upstream_http_protocol_options = Some(Upstream { auto_sni, auto_san_validation });
        }
    }

    /// As a field of a cluster; nothing where it says nothing. A version is required where it says anything.
    pub fn into_extension(mut self) -> BTreeMap<&'static str, Any<Self>> {
        if self == Self::default() {
            return BTreeMap::new();
        }
        self.version.get_or_insert(Version::ExplicitHttpConfig(Explicit::HttpProtocolOptions(Empty {})));
        BTreeMap::from([(NAME, Any::new(NAME, self))])
    }
}
