//! Where proxies get the filter from.

use crate::diagnostic::Diagnostic;
use switchyard_filter::compile::is_label;

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

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    text: String,
    scheme: Scheme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Oci,
    File,
    Http,
}

impl Url {
    /// Reads an `oci://`, `file://`, `http://` or `https://` URL.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let schemes =
            [("oci://", Scheme::Oci), ("file://", Scheme::File), ("http://", Scheme::Http), ("https://", Scheme::Http)];
        let known = schemes.iter().find_map(|(prefix, scheme)| Some((text.strip_prefix(prefix)?, *scheme)));
        let Some((rest, scheme)) = known else {
            return Err("write `oci://REGISTRY/IMAGE:TAG`, `file:///PATH` or `http(s)://HOST/PATH`".into());
        };
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("a URL has no spaces".into());
        }
        match scheme {
            // A path of the proxy's own container.
            Scheme::File if !rest.starts_with('/') || rest.ends_with('/') => {
                Err("write the path from the root of the proxy's file system: `file:///PATH`".into())
            }
            Scheme::Oci | Scheme::Http if !has_host_and_path(rest) => Err(match scheme {
                Scheme::Oci => "write `oci://REGISTRY/IMAGE:TAG`".into(),
                _ => "write `http(s)://HOST/PATH`".into(),
            }),
            _ => Ok(Self { text: text.into(), scheme }),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether an image without a tag or digest is named, or that with the tag `latest`.
    fn is_moving(&self) -> bool {
        let image = self.text.rsplit('/').next().unwrap_or_default();
        self.scheme == Scheme::Oci
            && !image.contains('@')
            && image.split_once(':').is_none_or(|(_, tag)| tag == "latest")
    }
}

fn has_host_and_path(rest: &str) -> bool {
    rest.split_once('/').is_some_and(|(host, path)| !host.is_empty() && !path.is_empty() && !path.ends_with('/'))
}

impl Code {
    /// What contradicts itself.
    pub(super) fn check(&self) -> Vec<Diagnostic> {
        let mut found = vec![];
        if let Some(sha256) = &self.sha256 {
            if sha256.len() != 64 || !sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                let message = format!("`{}` is no SHA-256 digest", sha256.escape_debug());
                found.push(Diagnostic::unplaced(message).help("write 64 hexadecimal digits in lower case"));
            }
            // istio.md 4.1.
            if self.url.scheme == Scheme::File {
                let message = "Istio does not look at `--sha256` for a `file://` URL";
                found.push(Diagnostic::unplaced(message).help("leave it out"));
            }
        }
        if let Some(secret) = &self.pull_secret {
            if !secret.split('.').all(is_label) {
                let message = format!("`{}` is no name of a Secret", secret.escape_debug());
                found.push(Diagnostic::unplaced(message).help("name one of the WasmPlugin's namespace"));
            }
            if self.url.scheme != Scheme::Oci {
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
    fn urls_are_those_that_istio_takes() {
        for url in ["oci://ghcr.io/a/b:1", "oci://127.0.0.1:5000/b", "file:///a/b.wasm", "https://a/b.wasm"] {
            assert_eq!(Url::parse(url).map(|url| url.as_str().to_owned()), Ok(url.to_owned()));
        }
        let wrong = [
            "",
            "ghcr.io/a/b:1",
            "oci://",
            "oci://a",
            "oci:///a",
            "oci://a/",
            "file://a.wasm",
            "file:///",
            "ftp://a/b",
            "http://a",
            "oci://a/b c",
        ];
        for url in wrong {
            assert!(Url::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_image_without_a_tag_is_told() {
        let is_told = |url: &str, sha256: Option<&str>| {
            let url = Url::parse(url).expect("a URL");
            Code { url, sha256: sha256.map(Into::into), pull_secret: None }.warning().is_some()
        };
        assert!(is_told("oci://127.0.0.1:5000/b", None));
        assert!(is_told("oci://a/b:latest", None));
        assert!(!is_told("oci://127.0.0.1:5000/b:1", None));
        assert!(!is_told("oci://a/b@sha256:00", None));
        assert!(!is_told("oci://a/b", Some("0")));
        assert!(!is_told("file:///a", None));
    }
}
