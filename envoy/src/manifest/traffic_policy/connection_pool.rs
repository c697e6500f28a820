//! `connectionPool` (istio.md 2.2). Zero is as good as unset everywhere.

use crate::manifest::Duration;
use switchyard_filter::{choice, record};

record! {
    /// How many connections and requests there may be, and how long connections live.
    pub struct ConnectionPool {
        /// What is said of connections.
        tcp: Option<TcpSettings> = "tcp",
        /// What is said of requests.
        http: Option<HttpSettings> = "http",
    }
}

record! {
    /// What is said of connections.
    pub struct TcpSettings {
        /// How many there may be at most. Default: no limit.
        max_connections: i32 = "maxConnections",
        /// How long connecting may take. Default: 10 s.
        connect_timeout: Option<Duration> = "connectTimeout",
        /// Whether the system asks if the other side is still there.
        tcp_keepalive: Option<TcpKeepalive> = "tcpKeepalive",
        /// How long a connection may live.
        max_connection_duration: Option<Duration> = "maxConnectionDuration",
        /// How long a connection may be without requests; `0s`: for ever. `http.idleTimeout` comes first.
        idle_timeout: Option<Duration> = "idleTimeout",
    }
}

record! {
    /// How the system asks if the other side is still there.
    pub struct TcpKeepalive {
        /// How often without an answer.
        probes: u32 = "probes",
        /// After how long without traffic, in whole seconds.
        time: Option<Duration> = "time",
        /// How long between two questions, in whole seconds.
        interval: Option<Duration> = "interval",
    }
}

record! {
    /// What is said of requests.
    pub struct HttpSettings {
        /// How many may wait for a connection. Default: no limit.
        http1_max_pending_requests: i32 = "http1MaxPendingRequests",
        /// How many may be under way, also by HTTP/1. Default: no limit.
        http2_max_requests: i32 = "http2MaxRequests",
        /// How many a connection carries; 1: none is kept alive. Default: no limit.
        max_requests_per_connection: i32 = "maxRequestsPerConnection",
        /// How many may be retries at the same time. Default: no limit.
        max_retries: i32 = "maxRetries",
        /// How long a connection may be without requests. Default: Envoy's hour.
        idle_timeout: Option<Duration> = "idleTimeout",
        /// Whether HTTP/2 is spoken where the port does not say so.
        h2_upgrade_policy: H2UpgradePolicy = "h2UpgradePolicy",
        /// Whether the client's version of HTTP is spoken.
        use_client_protocol: bool = "useClientProtocol",
        /// How many requests an HTTP/2 connection carries at the same time; only where HTTP/2 is spoken anyway.
        max_concurrent_streams: i32 = "maxConcurrentStreams",
    }
    later { "http2KeepAlive" }
}

choice! {
    /// Whether HTTP/2 is spoken where the port does not say so.
    pub enum H2UpgradePolicy {
        /// As the mesh says: no.
        Default = "DEFAULT",
        /// No.
        DoNotUpgrade = "DO_NOT_UPGRADE",
        /// Yes.
        Upgrade = "UPGRADE",
    }
}
