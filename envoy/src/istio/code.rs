//! Where proxies get the filter from.

mod url;

pub use url::Url;

use crate::diagnostic::Diagnostic;
use switchyard_filter::compile::is_label;
use url::{Scheme, is_hex_of_sha256};

/// The filter, as a WasmPlugin names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Where it is.
    pub url: Url,
    /// Its digest: of the file behind `http://`, of the image behind `oci://`.
    pub sha256: Option<String>,
    /// The Secret of the WasmPlugin's namespace that opens the registry.
    pub pull_secret: Option<String>,
}

impl Code {
    /// What contradicts itself.
    pub(super) fn check(&self) -> Vec<Diagnostic> {
        let mut found = vec![];
        if let Some(sha256) = &self.sha256 {
            if !is_hex_of_sha256(sha256) {
                let message = format!("`{}` is no SHA-256 digest", sha256.escape_debug());
                found.push(Diagnostic::unplaced(message).help("write 64 hexadecimal digits in lower case"));
            }
            if let Some(other) = self.url.digest().filter(|digest| digest != sha256) {
                let message = format!("the URL names the image `sha256:{other}`, and `--sha256` another one");
                found.push(Diagnostic::unplaced(message).help("leave one of them out"));
            }
            // istio.md 4.1.
            if self.url.scheme() == Scheme::File {
                let message = "Istio does not look at `--sha256` for a `file://` URL";
                found.push(Diagnostic::unplaced(message).help("leave it out"));
            }
        }
        if let Some(secret) = &self.pull_secret {
            if !secret.split('.').all(is_label) {
                let message = format!("`{}` is no name of a Secret", secret.escape_debug());
                found.push(Diagnostic::unplaced(message).help("name one of the WasmPlugin's namespace"));
            }
            if self.url.scheme() != Scheme::Oci {
                let message = "`--pull-secret` opens a registry, and the URL names none";
                found.push(Diagnostic::unplaced(message).help("leave it out, or write an `oci://` URL"));
            }
        }
        found
    }

    /// What to know of it.
    pub(super) fn warning(&self) -> Option<String> {
        (self.url.is_moving() && self.sha256.is_none()).then(|| {
            format!(
                "warning: `{}` names whatever image is newest: pods that start later may get another one; name a tag",
                self.url.as_str()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_tag_is_told() {
        let is_told = |url: &str, sha256: Option<&str>| {
            let url = Url::parse(url).expect("a URL");
            Code { url, sha256: sha256.map(Into::into), pull_secret: None }.warning().is_some()
        };
        assert!(is_told("oci://127.0.0.1:5000/b", None));
        assert!(is_told("oci://a/b:latest", None));
        assert!(!is_told("oci://127.0.0.1:5000/b:1", None));
        assert!(!is_told(&format!("oci://a/b@sha256:{}", "0".repeat(64)), None));
        assert!(!is_told("oci://a/b", Some("0")));
        assert!(!is_told("file:///a", None));
    }

    #[test]
    fn two_digests_are_one() {
        let digests = |in_url: &str, sha256: &str| {
            let url = Url::parse(&format!("oci://a/b:1@sha256:{}", in_url.repeat(64))).expect("a URL");
            Code { url, sha256: Some(sha256.repeat(64)), pull_secret: None }.check()
        };
        assert_eq!(digests("a", "a"), []);
        let [found] = &digests("a", "b")[..] else { panic!("one problem") };
        assert!(found.message.ends_with("aaa`, and `--sha256` another one"), "{}", found.message);
    }
}
