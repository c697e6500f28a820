//! One request through a proxy of Istio, and what both sides saw of it.

use crate::harness::{Received, Response, latin1};
use serde_json::Value;

/// What the names of this harness's own response headers begin with.
pub(super) const SEEN: &str = "x-seen-";

/// The response header that tells which manifests a route table is of.
pub(super) const VERSION: &str = "x-seen-version";

/// What is known of a request that a proxy answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The status that the client got.
    pub status: u16,
    /// Response headers in order, names in lower case, values Latin-1 text; those of this harness are left out.
    pub response: Vec<(String, String)>,
    /// The response's body.
    pub body: Vec<u8>,
    /// Envoy's name of the cluster that it went to, also of one that does not exist; `None` where it was answered.
    pub cluster: Option<String>,
    /// The route's name: that of the rule, and of the match block behind a dot (istio.md 1.2). `None`: no route, or one
    /// without a name.
    pub route: Option<String>,
    /// `namespace/name` of the VirtualService that the route is of.
    pub virtual_service: Option<String>,
    /// Envoy's response code details: `via_upstream`, `route_not_found`, `direct_response` …
    pub details: String,
    /// Envoy's response flags: `NR`, `DI,FI` …; empty for none.
    pub flags: String,
    /// `:path` as it left the proxy, or would have; Latin-1 text.
    pub path: Option<String>,
    /// `:authority` as it left the proxy, or would have.
    pub authority: Option<String>,
    /// The request as it came to the upstream; retries are told apart by [`Exchange::tries`].
    pub upstream: Option<Received>,
    /// How many requests came to the upstream, mirrors left out.
    pub tries: usize,
    /// Copies that came to the upstream until the response was there: mirrors.
    pub mirrored: Vec<Received>,
}

impl Exchange {
    /// Puts together what the client and the upstream saw. Errors: Envoy lacks what [`super::Istiod`] adds.
    pub(crate) fn new(response: Response, arrived: Vec<Received>) -> Result<Self, String> {
        let told = |name: &str| {
            let value = response.header(&format!("{SEEN}{name}")).next().map(latin1)?;
            (value != "-" && !value.is_empty()).then_some(value)
        };
        let details = told("details").unwrap_or_default();
        let flags = told("flags").unwrap_or_default();
        let route = told("route");
        let virtual_service = told("virtual-service").map(|path| named(&path)).transpose()?;
        let (cluster, path, authority) = (told("cluster"), told("path"), told("authority"));
        let fewest = arrived.iter().map(hops).min().unwrap_or_default();
        let (mirrored, mut direct): (Vec<_>, Vec<_>) = arrived.into_iter().partition(|one| hops(one) > fewest);
        let headers = response.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), latin1(value)));
        Ok(Self {
            status: response.status,
            response: headers.filter(|(name, _)| !name.starts_with(SEEN)).collect(),
            cluster,
            route,
            virtual_service,
            details,
            flags,
            path,
            authority,
            tries: direct.len(),
            upstream: direct.pop(),
            mirrored,
            body: response.body,
        })
    }

    /// The values of this response header.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &str> {
        self.response.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// `/apis/networking.istio.io/v1/namespaces/<ns>/virtual-service/<name>` (istio.md 1.2).
fn named(path: &str) -> Result<String, String> {
    let mut parts = path.split('/').skip_while(|part| *part != "namespaces").skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(namespace), Some("virtual-service"), Some(name)) => Ok(format!("{namespace}/{name}")),
        _ => Err(format!("`{path}` names no VirtualService")),
    }
}

/// How many addresses `x-forwarded-for` has. Envoy appends one to what it mirrors, and Istio has it leave the authority
/// as it is, so nothing else tells a copy.
fn hops(received: &Received) -> usize {
    let lines = received.headers.iter().filter(|(name, _)| name == "x-forwarded-for");
    lines.map(|(_, value)| value.split(',').count()).sum()
}

/// The string at a path of field names.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(value, |value, field| value.get(field))?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_names_a_virtual_service() {
        let path = "/apis/networking.istio.io/v1/namespaces/demo/virtual-service/shop";
        assert_eq!(named(path).unwrap(), "demo/shop");
        assert!(named("/apis/x").is_err());
    }

    #[test]
    fn a_mirror_is_told_by_one_address_more() {
        let with = |addresses: &[&str]| Received {
            method: "GET".into(),
            path: "/".into(),
            headers: addresses.iter().map(|value| ("x-forwarded-for".to_owned(), (*value).to_owned())).collect(),
        };
        assert_eq!([hops(&with(&[])), hops(&with(&["a"])), hops(&with(&["a, b", "c"]))], [0, 1, 3]);
    }
}
