//! The small alphabet of policies and requests: few words that overlap, so that conditions nearly hold often.

/// Paths for `uri.exact` and `uri.prefix`.
pub const PATHS: [&str; 16] = [
    "/", "/a", "/a/", "/ab", "/a/b", "/api", "/api/", "/api/v1", "/A", "/b", "/a.b", "/a%2Fb", "/x_y", "/a/b/c",
    "/API/v1", "/a b",
];
/// Values of headers and query parameters.
pub const VALUES: [&str; 12] = ["a", "ab", "A", "b", "v1", "a,b", "beta", "a b", "v1,v2", "1", "aa", "Jason"];
/// Words for regular expressions over them.
pub const WORDS: [&str; 7] = ["a", "ab", "b", "v1", "A", ",", "beta"];
/// Headers that conditions ask for.
pub const HEADERS: [&str; 6] = ["x-a", "x-b", "user", "end-user", "cookie", "x-a-b"];
/// Pseudo headers, which `headers` may name too, and what stands for one of them.
pub const PSEUDO: [&str; 5] = [":method", ":path", ":authority", "host", ":scheme"];
/// Query parameters.
pub const PARAMETERS: [&str; 4] = ["k", "q", "K", "a-b"];
/// Methods.
pub const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get"];
/// What rewrites make of a path.
pub const REWRITES: [&str; 7] = ["/", "/new", "/new/", "/n?x=1", "new", "/a", "/%41"];
/// What requests' headers are set to, without operators.
pub const PLAIN: [&str; 6] = ["a", "set", "a, b", "", "100%%", "a  b"];
/// The same with operators.
pub const OPERATORS: [&str; 14] = [
    "%REQ(x-a)%",
    "<%REQ(x-a)%>",
    "%REQ(x-none)%",
    "%REQ(x-a?x-b)%",
    "%REQ(user)%%REQ(x-a)%",
    "%REQ(:path)%",
    "%REQ(:method)% %REQ(:authority)%",
    "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "%PROTOCOL%",
    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "%REQ(x-b)%%%",
    "%%%REQ(x-a)%",
    "%REQ(host)%",
    "%REQ(:scheme)%",
];
/// Origins of pages.
pub const ORIGINS: [&str; 6] =
    ["http://a.test", "https://a.test", "http://b.test", "http://a.test:80", "http://A.test", "null"];
