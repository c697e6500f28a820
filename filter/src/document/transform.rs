//! What becomes of a request's and a response's headers, path and authority (istio.md 1.7, 1.8).

use crate::record;
use std::collections::BTreeMap;

record! {
    /// Operations on headers.
    pub struct Headers {
        /// Of the request, before it goes to its destination.
        request: Option<HeaderOperations> = "request",
        /// Of the response, before it goes to the client.
        response: Option<HeaderOperations> = "response",
    }
}

record! {
    /// What becomes of headers: removed first, then set, then added. Values may have Envoy's format operators
    /// (`%REQ(x-user)%`); `%%` is a percent sign.
    pub struct HeaderOperations {
        /// Values in place of any that are there.
        set: BTreeMap<String, String> = "set",
        /// Values beside any that are there.
        add: BTreeMap<String, String> = "add",
        /// Names of headers that go.
        remove: Vec<String> = "remove",
    }
}

record! {
    /// What becomes of path and authority.
    pub struct HttpRewrite {
        /// Replaces what `uri` matched: the prefix, or the whole path of an exact or regex match.
        uri: String = "uri",
        /// Replaces `:authority`.
        authority: String = "authority",
        /// Replaces what a regex finds in the path.
        uri_regex_rewrite: Option<RegexRewrite> = "uriRegexRewrite",
    }
}

record! {
    /// A replacement of every match in the path without query.
    pub struct RegexRewrite {
        /// What is searched, in RE2's dialect; anywhere, unless it is anchored.
        matches: String = "match",
        /// What takes its place; `\\1` is the first group.
        rewrite: String = "rewrite",
    }
}
