//! By what a choice is sticky.

use crate::record;

record! {
    /// The subject of a choice: exactly one of Istio's consistentHash keys.
    pub struct StickyBy {
        /// The first cookie of this name.
        http_cookie: Option<HttpCookie> = "httpCookie",
        /// This request header; repeated ones are joined with `,`.
        http_header_name: String = "httpHeaderName",
        /// The first query parameter of this name, not decoded.
        http_query_parameter_name: String = "httpQueryParameterName",
        /// The trusted downstream address.
        use_source_ip: bool = "useSourceIp",
    }
}

record! {
    /// A cookie that names a user.
    pub struct HttpCookie {
        /// Its name.
        name: String = "name" required,
        /// `Path` of a cookie that is issued. Default: `/`; none where a host of a destination is chosen by it, as in Istio.
        path: String = "path",
        /// When set, a request without the cookie gets one, valid this long (Go duration; `0s`: for the session).
        ttl: Option<String> = "ttl",
        /// Further attributes of a cookie that is issued, in order: `SameSite`, `Secure`.
        attributes: Vec<CookieAttribute> = "attributes",
    }
}

record! {
    /// An attribute of a cookie.
    pub struct CookieAttribute {
        /// Its name.
        name: String = "name" required,
        /// Its value. Default: none, the name stands alone.
        value: String = "value",
    }
}
