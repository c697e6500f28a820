//! `redirect` as it is written (istio.md 1.9).

use super::location::{Port, Target, To};
use crate::document::{HttpMatchRequest, HttpRedirect, RedirectPort};
use crate::error::At;

/// A redirect.
#[derive(Debug)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// Where to.
    pub(super) target: Target,
}

/// The listener that a redirect is compiled for.
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// Its port.
    pub port: u16,
    /// Whether sidecars have it, which take requests without TLS.
    pub is_mesh: bool,
    /// Whether it ends TLS, where the document says so.
    pub tls: Option<bool>,
}

impl Listener {
    /// Whether it ends TLS; `None`: only the request's scheme tells.
    fn ends_tls(self) -> Option<bool> {
        self.tls.or(if self.is_mesh { Some(false) } else { tls_by_port(self.port) })
    }
}

/// Whether a gateway's listener ends TLS, as far as its port tells: not 80, but 443.
pub fn tls_by_port(port: u16) -> Option<bool> {
    match port {
        80 => Some(false),
        443 => Some(true),
        _ => None,
    }
}

impl Redirect {
    /// Compiles `redirect` of a rule with these match blocks; `None` when it is wrong, which has been noted.
    pub fn compile(
        written: &HttpRedirect,
        matches: &[HttpMatchRequest],
        listener: Listener,
        at: &mut At,
    ) -> Option<Self> {
        let before = at.count();
        check(written, matches, at);
        let status = match written.redirect_code {
            0 => 301,
            301 | 302 | 303 | 307 | 308 => u16::try_from(written.redirect_code).unwrap_or(301),
            code => {
                // istio.md 1.9: Istio takes every 3xx and then gives the route no action.
                let who = if (300..400).contains(&code) { "Envoy refuses it" } else { "it is no redirect" };
                at.field("redirectCode", |at| at.error(format!("`{code}`: {who}, write 301, 302, 303, 307 or 308")));
                0
            }
        };
        let number = match written.derive_port {
            Some(RedirectPort::FromRequestPort) => listener.port,
            Some(RedirectPort::FromProtocolDefault) => 0,
            None => written.port.unwrap_or(0),
        };
        let (scheme, tls) = match written.scheme.as_str() {
            "http" => ("http", Some(false)),
            "https" => ("https", Some(true)),
            _ => ("", listener.ends_tls()),
        };
        // RT:822-827: the default port is not written.
        let port = match (number, tls) {
            (0, _) | (80, Some(false)) | (443, Some(true)) => Port::None,
            (80 | 443, None) => Port::UnlessDefault(number),
            _ => Port::Always(number),
        };
        let to = if !written.prefix_rewrite.is_empty() {
            To::Prefix(written.prefix_rewrite.as_str().into())
        } else if written.uri.is_empty() {
            To::Same
        } else {
            To::Path { path: written.uri.as_str().into(), has_query: written.uri.contains('?') }
        };
        let target = Target { scheme, authority: written.authority.clone().into(), port, to };
        (at.count() == before).then_some(Self { status, target })
    }
}

/// Notes what Istio refuses, and what is no header's value.
fn check(written: &HttpRedirect, matches: &[HttpMatchRequest], at: &mut At) {
    let HttpRedirect { uri, prefix_rewrite, authority, scheme, .. } = written;
    let texts =
        [("uri", uri), ("prefixRewrite", prefix_rewrite), ("authority", authority)].map(|(name, text)| (name, &**text));
    let has_port = written.port.is_some() || written.derive_port.is_some();
    if texts.iter().all(|(_, text)| text.is_empty()) && scheme.is_empty() && !has_port {
        at.error("a redirect needs `uri`, `prefixRewrite`, `authority`, `scheme`, `port` or `derivePort`");
    }
    for (name, text) in texts {
        if text.chars().any(char::is_control) {
            at.field(name, |at| at.error(format!("`{}`: leave control characters out", text.escape_debug())));
        }
    }
    if !matches!(scheme.as_str(), "" | "http" | "https") {
        at.field("scheme", |at| at.error(format!("`{}` is no scheme: write `http` or `https`", scheme.escape_debug())));
    }
    if written.port.is_some() && written.derive_port.is_some() {
        at.error("`port` and `derivePort` exclude each other: leave one of them out");
    }
    if prefix_rewrite.is_empty() {
        return;
    }
    if !uri.is_empty() {
        at.error("`uri` and `prefixRewrite` exclude each other: leave one of them out");
    }
    let is_prefix = |block: &HttpMatchRequest| block.uri.as_ref().is_some_and(|uri| uri.prefix.is_some());
    if matches.is_empty() || !matches.iter().all(is_prefix) {
        at.field("prefixRewrite", |at| at.error("every match block of the rule needs `uri.prefix`, which it replaces"));
    }
}
