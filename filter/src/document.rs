//! The configuration as written: no methods, no meaning. [`compile`](crate::compile()) gives it one.
//!
//! JSON in Envoy, `pluginConfig` in a WasmPlugin; names, defaults and meaning are Istio's wherever Istio has the thing.

mod answer;
mod chance;
mod matching;
mod sticky;
mod tag;
mod transform;
mod virtual_service;

pub use answer::{CorsPolicy, HttpBody, HttpDirectResponse, HttpRedirect, RedirectPort, UnmatchedPreflights};
pub use chance::{Abort, Delay, HttpFaultInjection, HttpMirrorPolicy, Percent};
pub use matching::{HttpMatchRequest, StringMatch};
pub use sticky::{CookieAttribute, HttpCookie, StickyBy};
pub use tag::{Tag, TagRule, TagShare};
pub use transform::{HeaderOperations, Headers, HttpRewrite, RegexRewrite};
pub use virtual_service::{
    Delegate, Destination, HttpRetry, HttpRoute, HttpRouteDestination, PortSelector, VirtualService,
};

use crate::{choice, record};
use std::collections::BTreeMap;

record! {
    /// The configuration of one filter: what one listener decides.
    pub struct Document {
        /// Short host names in tags resolve here; the default of `virtualServices[].namespace`. Default: `default`.
        namespace: String = "namespace",
        /// The cluster's DNS domain. Default: `cluster.local`.
        domain: String = "domain",
        /// Whether decisions are carried out.
        mode: Mode = "mode",
        /// What this listener is: the configuration-time selectors of VirtualServices are compared with it.
        proxy: Proxy = "proxy",
        /// Salts every draw: another seed assigns other users. Default: empty.
        seed: String = "seed",
        /// Headers that the filter sets before it routes, in order.
        tags: Vec<Tag> = "tags",
        /// VirtualService specs with their names, in order.
        virtual_services: Vec<VirtualService> = "virtualServices",
        /// Known destinations: default ports, and short names for hosts that a wildcard covers.
        services: Vec<Service> = "services",
        /// What becomes of a request whose host no VirtualService names.
        on_unmatched: OnUnmatched = "onUnmatched",
        /// Whether the filter removes control headers and client tags by itself.
        control_headers: ControlHeaders = "controlHeaders",
        /// Which carrier faults have.
        faults: FaultCarrier = "faults",
        /// How many requests the filter delays at once, per worker; above it there is no delay. Default: 1000.
        max_delayed: Option<u32> = "maxDelayed",
        /// What is counted of each request.
        metrics: MetricsDetail = "metrics",
        /// What the filter tells the access log, as filter state.
        access_log: AccessLog = "accessLog",
    }
}

choice! {
    /// What is counted of each request.
    pub enum MetricsDetail {
        /// By VirtualService, destination, tag value and outcome.
        Destination = "destination",
        /// Also by rule.
        Rule = "rule",
        /// Totals only.
        Total = "total",
    }
}

choice! {
    /// Whether decisions are carried out.
    pub enum Mode {
        /// Decide and do.
        Enforce = "enforce",
        /// Decide, count and tell; change nothing.
        Observe = "observe",
    }
}

choice! {
    /// What becomes of a request whose host no VirtualService names.
    pub enum OnUnmatched {
        /// It is left to Envoy's own routes.
        Continue = "continue",
        /// It is answered with 404.
        NotFound = "notFound",
    }
}

choice! {
    /// Who removes control headers and client tags.
    pub enum ControlHeaders {
        /// The filter removes every control header, and every client tag in every spelling.
        Remove = "remove",
        /// Something in front of the filter does already (the generated `early_header_mutation`).
        Stripped = "stripped",
    }
}

choice! {
    /// Which carrier faults have.
    pub enum FaultCarrier {
        /// The filter delays and aborts by itself.
        Filter = "filter",
        /// Envoy's fault filter does, by `x-envoy-fault-*` headers; a chain must have one.
        Envoy = "envoy",
    }
}

choice! {
    /// What the filter tells the access log, as filter state.
    pub enum AccessLog {
        /// Nothing; with `mode: observe` the decision.
        Off = "off",
        /// Rule, tags and cluster: `wasm.switchyard_rule`, `wasm.switchyard_tags`, `wasm.switchyard_cluster`.
        Decision = "decision",
        /// Also what replays the decision: digests of sticky subjects and the request's own random number, as
        /// `wasm.switchyard_draws`.
        Draws = "draws",
    }
}

record! {
    /// What a listener is.
    pub struct Proxy {
        /// The proxy's namespace: its short names are served, `sourceNamespace` is compared with it. Default: that of
        /// the document.
        namespace: String = "namespace",
        /// `mesh`, or the gateways (`namespace/name`) that the listener belongs to. Default: `[mesh]`.
        gateways: Vec<String> = "gateways",
        /// The listener's port, as `match.port` and default ports mean it. Default: 80.
        port: Option<u16> = "port",
        /// Whether it ends TLS: a redirect leaves out a port that is the default then (istio.md 1.9). Default: no in a
        /// mesh and on port 80, yes on port 443, on others what the request's scheme says.
        tls: Option<bool> = "tls",
        /// The workload's labels: `sourceLabels` are compared with them.
        labels: BTreeMap<String, String> = "labels",
    }
}

record! {
    /// A known destination.
    pub struct Service {
        /// Its full host name.
        host: String = "host" required,
        /// Its ports. A destination without a port means the only one, else the listener's (istio.md 1.5).
        ports: Vec<u16> = "ports",
        /// Its subsets.
        subsets: Vec<Subset> = "subsets",
        /// By what its hosts are chosen, where its load balancing hashes (consistentHash). That of a subset comes first.
        hash: Option<StickyBy> = "hash",
        /// The same by port, for rules that name the port; comes before `hash`.
        port_hashes: Vec<PortHash> = "portHashes",
    }
}

record! {
    /// A subset of a destination.
    pub struct Subset {
        /// Its name.
        name: String = "name" required,
        /// By what its hosts are chosen. Default: that of the service.
        hash: Option<StickyBy> = "hash",
        /// The same by port, for rules that name the port; comes before `hash`.
        port_hashes: Vec<PortHash> = "portHashes",
    }
}

record! {
    /// By what the hosts of one port are chosen.
    pub struct PortHash {
        /// The port's number.
        port: u16 = "port" required,
        /// By what.
        hash: StickyBy = "hash" required,
    }
}
