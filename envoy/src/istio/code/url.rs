//! URLs of a WasmPlugin: what istio-agent would not understand is refused here (istio.md 4.1), and not by each proxy.

use std::net::Ipv6Addr;

/// Bytes of a URL; a repository's name has at most 255 of them.
const LONGEST: usize = 2048;
const WANTED: &str = "write `oci://REGISTRY/IMAGE:TAG`, `file:///PATH` or `http(s)://HOST/PATH`";

/// Where the filter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    text: String,
    scheme: Scheme,
}

/// How it is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// From a registry.
    Oci,
    /// From the proxy's own container.
    File,
    /// From a server.
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
            return Err(WANTED.into());
        };
        if text.len() > LONGEST {
            return Err(format!("a URL has at most {LONGEST} bytes, this has {}", text.len()));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("a URL has no spaces".into());
        }
        if let Some(strange) = text.chars().find(|c| !c.is_ascii() || "\"'`\\<>^{|}#".contains(*c)) {
            return Err(format!("a URL has no `{}` here: {WANTED}", strange.escape_debug()));
        }
        match scheme {
            Scheme::Oci => image(rest)?,
            Scheme::File => file(rest)?,
            Scheme::Http => page(rest)?,
        }
        Ok(Self { text: text.into(), scheme })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The 64 digits of `@sha256:…`.
    pub(super) fn digest(&self) -> Option<&str> {
        let (_, digest) = self.text.rsplit_once("@sha256:").filter(|_| self.scheme == Scheme::Oci)?;
        Some(digest)
    }

    /// Whether an image without a tag or digest is named, or that with the tag `latest`.
    pub(super) fn is_moving(&self) -> bool {
        let image = self.text.rsplit('/').next().unwrap_or_default();
        self.scheme == Scheme::Oci
            && !image.contains('@')
            && image.split_once(':').is_none_or(|(_, tag)| tag == "latest")
    }
}

/// Whether these are the digits of a SHA-256, as registries write them.
pub(super) fn is_hex_of_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// `REGISTRY[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]`, by the grammar of github.com/distribution/reference.
fn image(rest: &str) -> Result<(), String> {
    let wanted = "write `oci://REGISTRY/IMAGE:TAG`";
    let (registry, rest) = rest.split_once('/').ok_or(wanted)?;
    host(registry, "`--pull-secret` names a Secret that opens the registry")?;
    let (named, digest) = rest.split_once('@').map_or((rest, None), |(named, digest)| (named, Some(digest)));
    if digest.is_some_and(|digest| !digest.strip_prefix("sha256:").is_some_and(is_hex_of_sha256)) {
        return Err("after `@` comes the image's digest: `sha256:` and 64 hexadecimal digits in lower case".into());
    }
    let (repository, tag) = named.split_once(':').map_or((named, None), |(name, tag)| (name, Some(tag)));
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err(
            "after `:` comes a tag of at most 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`".into()
        );
    }
    if repository.is_empty() {
        return Err(wanted.into());
    }
    if registry.len() + 1 + repository.len() > 255 {
        return Err("the names of a registry and its image have at most 255 bytes".into());
    }
    let wrong = repository.split('/').find(|part| !is_component(part));
    wrong.map_or(Ok(()), |part| {
        Err(format!(
            "`{part}` is no part of an image's name: lower-case letters and digits, between them `.`, `_`, `__` or `-`; {wanted}"
        ))
    })
}

fn is_tag(tag: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    (1..=128).contains(&tag.len()) && tag.bytes().all(inner) && !tag.starts_with(['.', '-'])
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(part: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut between = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    part.bytes().next().is_some_and(is_inner)
        && part.bytes().next_back().is_some_and(is_inner)
        && between.all(|sign| matches!(sign, "" | "." | "_" | "__") || sign.bytes().all(|b| b == b'-'))
}

fn file(path: &str) -> Result<(), String> {
    if !path.starts_with('/') || path.ends_with('/') {
        return Err("write the path from the root of the proxy's file system: `file:///PATH`".into());
    }
    // Go reads a URL in it, where these are no part of the path or stand for something else.
    if path.contains(['%', '?']) || path.split('/').skip(1).any(|part| matches!(part, "" | "." | "..")) {
        return Err("write the file's own path, without `%`, `?`, `..` and empty parts: `file:///PATH`".into());
    }
    Ok(())
}

fn page(rest: &str) -> Result<(), String> {
    let wanted = "write `http(s)://HOST/PATH`";
    let (server, path) = rest.split_once('/').ok_or(wanted)?;
    host(server, "nobody is asked for a password here: leave it out")?;
    if path.is_empty() || path.ends_with('/') {
        return Err(wanted.into());
    }
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if path.split('%').skip(1).any(|rest| !is_escape(rest)) {
        return Err("after `%` come two hexadecimal digits".into());
    }
    Ok(())
}

/// `HOST[:PORT]`, without who asks.
fn host(text: &str, instead: &str) -> Result<(), String> {
    if text.contains('@') {
        return Err(format!("everybody who may read the WasmPlugin would read the password too: {instead}"));
    }
    let is_v6 = text.starts_with('[');
    let (name, port) = match text.rsplit_once(':').filter(|_| !is_v6 || !text.ends_with(']')) {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    if port.is_some_and(|port| !is_port(port)) {
        return Err("a port is a number from 1 to 65535".into());
    }
    let is_label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_name = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => name.len() <= 253 && name.split('.').all(is_label),
    };
    if is_name { Ok(()) } else { Err(format!("`{name}` is no name of a server: {WANTED}")) }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_that_istio_takes() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for url in [
            "oci://ghcr.io/a/b:1",
            "oci://127.0.0.1:5000/b",
            "oci://[::1]:5000/b__c/d-e--f.g:V_1.2-x",
            &format!("oci://a/b@{digest}"),
            &format!("oci://a/b:1@{digest}"),
            "file:///a/b.wasm",
            "https://a/b.wasm",
            "http://a.example.com:8080/b/c%20d.wasm?v=1",
        ] {
            assert_eq!(Url::parse(url).map(|url| url.as_str().to_owned()), Ok(url.to_owned()));
        }
    }

    #[test]
    fn others_are_refused_with_what_to_write() {
        let long = format!("oci://a/{}", "b".repeat(254));
        let absurd = format!("https://a/{}", "b".repeat(2048));
        let tag = format!("oci://a/b:{}", "t".repeat(129));
        let upper = format!("oci://a/b@sha256:{}", "0A".repeat(32));
        for (url, why) in [
            ("", WANTED),
            ("ghcr.io/a/b:1", WANTED),
            ("ftp://a/b", WANTED),
            ("oci://", "write `oci://REGISTRY/IMAGE:TAG`"),
            ("oci://a", "write `oci://REGISTRY/IMAGE:TAG`"),
            ("oci://a/", "write `oci://REGISTRY/IMAGE:TAG`"),
            ("oci:///a", "`` is no name of a server: "),
            ("oci://a_b/c", "`a_b` is no name of a server: "),
            ("oci://-a/c", "`-a` is no name of a server: "),
            ("oci://[::x]/c", "`[::x]` is no name of a server: "),
            (
                "oci://user:secret@a/b:1",
                "everybody who may read the WasmPlugin would read the password too: `--pull-secret`",
            ),
            ("oci://a:0/b", "a port is a number from 1 to 65535"),
            ("oci://a:65536/b", "a port is a number from 1 to 65535"),
            ("oci://a:/b", "a port is a number from 1 to 65535"),
            ("oci://a:+1/b", "a port is a number from 1 to 65535"),
            ("oci://a/B", "`B` is no part of an image's name: "),
            ("oci://a/b//c", "`` is no part of an image's name: "),
            ("oci://a/b___c", "`b___c` is no part of an image's name: "),
            ("oci://a/b-", "`b-` is no part of an image's name: "),
            ("oci://a/b%20c", "`b%20c` is no part of an image's name: "),
            ("oci://a/b?c", "`b?c` is no part of an image's name: "),
            ("oci://a/b:", "after `:` comes a tag"),
            ("oci://a/b:.1", "after `:` comes a tag"),
            ("oci://a/b:1:2", "after `:` comes a tag"),
            (&tag, "after `:` comes a tag"),
            ("oci://a/b@sha256:00", "after `@` comes the image's digest"),
            ("oci://a/b@", "after `@` comes the image's digest"),
            (&upper, "after `@` comes the image's digest"),
            (&long, "the names of a registry and its image have at most 255 bytes"),
            (&absurd, "a URL has at most 2048 bytes, this has 2058"),
            ("oci://a/b c", "a URL has no spaces"),
            ("oci://a/b\u{a0}c", "a URL has no spaces"),
            ("oci://a/'b'", "a URL has no `\\'` here: "),
            ("oci://a/b\"", "a URL has no `\\\"` here: "),
            ("oci://a/ä", "a URL has no `ä` here: "),
            ("https://a/b#c", "a URL has no `#` here: "),
            ("file://a.wasm", "write the path from the root"),
            ("file:///", "write the path from the root"),
            ("file:///a/../b", "write the file's own path"),
            ("file:///a//b", "write the file's own path"),
            ("file:///a%20b", "write the file's own path"),
            ("http://a", "write `http(s)://HOST/PATH`"),
            ("http://a/", "write `http(s)://HOST/PATH`"),
            ("https://me:secret@a/b", "everybody who may read the WasmPlugin would read the password too: nobody"),
            ("https://a:70000/b", "a port is a number"),
            ("https://a/b%2", "after `%` come two hexadecimal digits"),
        ] {
            let said = Url::parse(url).expect_err(url);
            assert!(said.starts_with(why), "{url}: {said}");
        }
    }
}
