//! Rules that answer by themselves, and what browsers are told (istio.md 1.9, 1.10, 1.15).

use super::StringMatch;
use crate::{choice, record};

record! {
    /// Where the client is sent.
    pub struct HttpRedirect {
        /// The whole path. Default: the request's.
        uri: String = "uri",
        /// Replaces what `uri.prefix` matched. Newer than Istio 1.29.
        prefix_rewrite: String = "prefixRewrite",
        /// The authority. Default: the request's.
        authority: String = "authority",
        /// The port.
        port: Option<u16> = "port",
        /// The port in words.
        derive_port: Option<RedirectPort> = "derivePort",
        /// `http` or `https`. Default: the request's.
        scheme: String = "scheme",
        /// 301, 302, 303, 307 or 308. Default: 301.
        redirect_code: u32 = "redirectCode",
    }
}

choice! {
    /// The port that a redirect names.
    pub enum RedirectPort {
        /// That of the scheme: none is named.
        FromProtocolDefault = "FROM_PROTOCOL_DEFAULT",
        /// The listener's.
        FromRequestPort = "FROM_REQUEST_PORT",
    }
}

record! {
    /// An answer.
    pub struct HttpDirectResponse {
        /// Its status, 200 to 600.
        status: u32 = "status" required,
        /// Its body.
        body: Option<HttpBody> = "body",
    }
}

record! {
    /// A body, at most 1 MB: one of the two.
    pub struct HttpBody {
        /// As text.
        string: Option<String> = "string",
        /// As base64.
        bytes: Option<String> = "bytes",
    }
}

record! {
    /// What browsers may do with answers on pages of other origins.
    pub struct CorsPolicy {
        /// Deprecated for `allowOrigins`: origins, or `*`.
        allow_origin: Vec<String> = "allowOrigin",
        /// Origins: any of them.
        allow_origins: Vec<StringMatch> = "allowOrigins",
        /// Methods that may be used.
        allow_methods: Vec<String> = "allowMethods",
        /// Request headers that may be sent.
        allow_headers: Vec<String> = "allowHeaders",
        /// Response headers that pages may read.
        expose_headers: Vec<String> = "exposeHeaders",
        /// How long a browser remembers it (Go duration, whole seconds).
        max_age: Option<String> = "maxAge",
        /// Whether requests may carry cookies.
        allow_credentials: Option<bool> = "allowCredentials",
        /// What becomes of preflights of other origins.
        unmatched_preflights: UnmatchedPreflights = "unmatchedPreflights",
    }
}

choice! {
    /// What becomes of preflights of origins that are not allowed.
    pub enum UnmatchedPreflights {
        /// As `FORWARD`.
        Unspecified = "UNSPECIFIED",
        /// They go to the destination.
        Forward = "FORWARD",
        /// They are answered here, without `access-control-allow-origin`.
        Ignore = "IGNORE",
    }
}
