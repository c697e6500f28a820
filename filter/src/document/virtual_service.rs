//! VirtualServices, field for field Istio's (istio.md 1), plus `stickyBy`.

use super::{
    CorsPolicy, Headers, HttpFaultInjection, HttpMatchRequest, HttpMirrorPolicy, HttpRedirect, Percent, StickyBy,
};
use super::{HttpDirectResponse, HttpRewrite};
use crate::record;

const NO_HTTP: &str = "routes of TLS and TCP connections never reach an HTTP filter: keep them in a VirtualService of \
                       their own, which Istio carries out";

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
        /// Namespaces whose proxies see it: `.` its own, `*` all, `~` none, or a name. Default: `[*]`.
        export_to: Vec<String> = "exportTo",
    }
    refused { "tls" = NO_HTTP, "tcp" = NO_HTTP }
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
        /// The client is sent elsewhere, in place of `route`.
        redirect: Option<HttpRedirect> = "redirect",
        /// The request is answered, in place of `route`.
        direct_response: Option<HttpDirectResponse> = "directResponse",
        /// Another VirtualService, one without hosts, has the rules for these requests.
        delegate: Option<Delegate> = "delegate",
        /// What becomes of path and authority.
        rewrite: Option<HttpRewrite> = "rewrite",
        /// How long the whole exchange may take, retries included (Go duration, whole milliseconds). Default: no limit.
        timeout: Option<String> = "timeout",
        /// When a request is tried again. Default: Istio's.
        retries: Option<HttpRetry> = "retries",
        /// What goes wrong on purpose.
        fault: Option<HttpFaultInjection> = "fault",
        /// Where a copy of the request goes, its answer thrown away.
        mirror: Option<Destination> = "mirror",
        /// Deprecated for `mirrorPercentage`: how many of 100 requests are mirrored.
        mirror_percent: Option<u32> = "mirrorPercent",
        /// The same under its other name.
        mirror_percent_snake: Option<u32> = "mirror_percent",
        /// How many of 100 requests `mirror` gets. Default: all.
        mirror_percentage: Option<Percent> = "mirrorPercentage",
        /// Several such, each with its percentage.
        mirrors: Vec<HttpMirrorPolicy> = "mirrors",
        /// What browsers may do with the answers on pages of other origins.
        cors_policy: Option<CorsPolicy> = "corsPolicy",
        /// What becomes of headers.
        headers: Option<Headers> = "headers",
        /// By what the choice of a destination is sticky. Default: the request's id.
        sticky_by: Option<StickyBy> = "stickyBy",
    }
}

record! {
    /// A VirtualService by name.
    pub struct Delegate {
        /// Its name.
        name: String = "name",
        /// Its namespace. Default: that of the VirtualService that delegates.
        namespace: String = "namespace",
    }
}

record! {
    /// A destination and its weight.
    pub struct HttpRouteDestination {
        /// Where to.
        destination: Destination = "destination" required,
        /// Its weight, of the sum of all. Without meaning for a single destination.
        weight: i32 = "weight",
        /// What becomes of headers of requests that go there.
        headers: Option<Headers> = "headers",
    }
    // Indented too little, as tutorials print it.
    refused {
        "host" = "`host` belongs in `destination`: write `destination: {host: …}`",
        "subset" = "`subset` belongs in `destination`: write `destination: {host: …, subset: …}`",
        "port" = "`port` belongs in `destination`: write `destination: {host: …, port: {number: …}}`",
    }
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
    /// When a request is tried again (istio.md 1.12).
    pub struct HttpRetry {
        /// How often at most; 0: never.
        attempts: i32 = "attempts",
        /// How long each try may take (Go duration, whole milliseconds).
        per_try_timeout: Option<String> = "perTryTimeout",
        /// Envoy's conditions and status codes, joined with `,`.
        retry_on: String = "retryOn",
    }
    refused {
        "retryIgnorePreviousHosts" = "Envoy takes no header for it: each retry goes to another host, as is Istio's default; \
                                      leave the field out",
        "retryRemoteLocalities" = "Envoy takes no header for it: retries go to the localities that load balancing picks; \
                                   leave the field out",
        "backoff" = "Envoy takes no header for it: retries wait 25 ms and longer, as is Istio's default; leave the field out",
    }
}
