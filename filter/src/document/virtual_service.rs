//! VirtualServices, field for field Istio's (istio.md 1), plus `stickyBy`.

use super::{HttpMatchRequest, StickyBy};
use crate::record;

record! {
    /// A VirtualService's spec with its name.
    pub struct VirtualService {
        /// Its name.
        name: String = "name" required,
        /// Its namespace: short names resolve here. Default: that of the document.
        namespace: String = "namespace",
        /// When it was made (RFC 3339); of two for one host the older wins, none is oldest.
        creation_timestamp: String = "creationTimestamp",
        /// Hosts whose requests it routes: names, `*.suffix`, or `*` on a gateway.
        hosts: Vec<String> = "hosts",
        /// Gateways that it is bound to. Default: `[mesh]`.
        gateways: Vec<String> = "gateways",
        /// Rules, first match wins.
        http: Vec<HttpRoute> = "http",
    }
    later { "tls", "tcp", "exportTo" }
}

record! {
    /// A rule.
    pub struct HttpRoute {
        /// Its name; draws are named after it.
        name: String = "name",
        /// Conditions: any of them. None: every request.
        matches: Vec<HttpMatchRequest> = "match",
        /// Destinations by weight.
        route: Vec<HttpRouteDestination> = "route",
        /// What becomes of the path.
        rewrite: Option<HttpRewrite> = "rewrite",
        /// How long the whole exchange may take, retries included (Go duration, whole milliseconds). Default: no limit.
        timeout: Option<String> = "timeout",
        /// When a request is tried again. Default: Istio's.
        retries: Option<HttpRetry> = "retries",
        /// By what the choice of a destination is sticky. Default: the request's id.
        sticky_by: Option<StickyBy> = "stickyBy",
    }
    later {
        "redirect", "directResponse", "delegate", "fault", "mirror", "mirrors", "mirrorPercent", "mirrorPercentage",
        "corsPolicy", "headers",
    }
}

record! {
    /// A destination and its weight.
    pub struct HttpRouteDestination {
        /// Where to.
        destination: Destination = "destination" required,
        /// Its weight, of the sum of all. Without meaning for a single destination.
        weight: i32 = "weight",
    }
    later { "headers" }
}

record! {
    /// A service, or a subset of one.
    pub struct Destination {
        /// Its host; a short name resolves in the VirtualService's namespace.
        host: String = "host" required,
        /// Its subset.
        subset: String = "subset",
        /// Its port. Default: the only port of the service, else the listener's.
        port: Option<PortSelector> = "port",
    }
}

record! {
    /// A port by number.
    pub struct PortSelector {
        /// The number, 1 to 65535.
        number: u16 = "number" required,
    }
}

record! {
    /// What becomes of the path (istio.md 1.8).
    pub struct HttpRewrite {
        /// Replaces what `uri` matched: the prefix, or the whole path of an exact or regex match.
        uri: String = "uri",
    }
    later { "authority", "uriRegexRewrite" }
}

record! {
    /// When a request is tried again (istio.md 1.12).
    pub struct HttpRetry {
        /// How often at most; 0: never.
        attempts: i32 = "attempts",
        /// How long each try may take (Go duration, whole milliseconds).
        per_try_timeout: Option<String> = "perTryTimeout",
        /// Envoy's conditions and status codes, joined with `,`.
        retry_on: String = "retryOn",
    }
    later { "retryIgnorePreviousHosts", "retryRemoteLocalities", "backoff" }
}
