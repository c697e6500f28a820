//! Virtual hosts: exact name, longest suffix wildcard, `*` (istio.md 1.1). The port is ignored.

use std::borrow::Cow;

/// What belongs to which host.
#[derive(Debug)]
pub struct HostMatch<T> {
    /// By name. Sorted vectors here and elsewhere: each kind of `BTreeMap` is 4 KB of the .wasm.
    exact: Vec<(Box<str>, T)>,
    /// `.example.com` for `*.example.com`, longest first.
    suffixes: Vec<(Box<str>, T)>,
    any: Option<T>,
}

impl<T> Default for HostMatch<T> {
    fn default() -> Self {
        Self { exact: Vec::new(), suffixes: Vec::new(), any: None }
    }
}

impl<T> HostMatch<T> {
    /// What belongs to a host, made by `new` where nothing does yet. `host` is a name, `*.suffix` or `*`, in any case.
    pub fn entry(&mut self, host: &str, new: impl FnOnce() -> T) -> &mut T {
        let host = host.to_ascii_lowercase();
        if host == "*" {
            return self.any.get_or_insert_with(new);
        }
        let (list, name, found) = if let Some(suffix) = host.strip_prefix('*') {
            let found = self.suffixes.binary_search_by(|(known, _)| order(known, suffix));
            (&mut self.suffixes, suffix, found)
        } else {
            let found = self.exact.binary_search_by(|(known, _)| (**known).cmp(&*host));
            (&mut self.exact, &*host, found)
        };
        let at = found.unwrap_or_else(|at| {
            list.insert(at, (name.into(), new()));
            at
        });
        #[expect(clippy::indexing_slicing, reason = "found or inserted at this index in the line before")]
        &mut list[at].1
    }

    /// What belongs to the host that an `:authority` names.
    pub fn find(&self, authority: &[u8]) -> Option<&T> {
        let host = lower_case(without_port(authority));
        // A host that is no UTF-8 can only be anybody.
        let Ok(name) = core::str::from_utf8(&host) else {
            return self.any.as_ref();
        };
        self.exact(name).or_else(|| self.suffix(name)).map(|(_, found)| found).or(self.any.as_ref())
    }

    /// The host that [`find`](Self::find) finds, as [`iter`](Self::iter) names it.
    pub fn find_name(&self, authority: &[u8]) -> Option<String> {
        let host = lower_case(without_port(authority));
        let any = || self.any.as_ref().map(|_| "*".to_owned());
        let Ok(name) = core::str::from_utf8(&host) else {
            return any();
        };
        let exact = self.exact(name).map(|_| name.to_owned());
        exact.or_else(|| self.suffix(name).map(|(suffix, _)| format!("*{suffix}"))).or_else(any)
    }

    fn exact(&self, name: &str) -> Option<&(Box<str>, T)> {
        let at = self.exact.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        self.exact.get(at)
    }

    /// The longest suffix that a name ends with, and something before it.
    fn suffix(&self, name: &str) -> Option<&(Box<str>, T)> {
        self.suffixes.iter().find(|(suffix, _)| name.len() > suffix.len() && name.ends_with(&**suffix))
    }

    /// Every host, as written in lower case, with what belongs to it: exact ones, suffixes, `*`.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, &T)> {
        let exact = self.exact.iter().map(|(host, found)| (Cow::Borrowed(&**host), found));
        let suffixes = self.suffixes.iter().map(|(suffix, found)| (Cow::Owned(format!("*{suffix}")), found));
        exact.chain(suffixes).chain(self.any.as_ref().map(|found| (Cow::Borrowed("*"), found)))
    }
}

/// Longest first, then by name.
fn order(a: &str, b: &str) -> core::cmp::Ordering {
    b.len().cmp(&a.len()).then_with(|| a.cmp(b))
}

/// A host without its port, as Envoy strips it: from the last `:` on, unless that lies within `[…]`.
fn without_port(authority: &[u8]) -> &[u8] {
    let last = |byte| authority.iter().rposition(|b| *b == byte);
    match (last(b':'), last(b']')) {
        (Some(colon), bracket) if bracket.is_none_or(|bracket| bracket < colon) => {
            authority.get(..colon).unwrap_or(authority)
        }
        _ => authority,
    }
}

/// Hosts nearly always arrive in lower case: then nothing is copied.
fn lower_case(host: &[u8]) -> Cow<'_, [u8]> {
    if host.iter().any(u8::is_ascii_uppercase) { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(hosts: &[&'static str]) -> HostMatch<&'static str> {
        let mut all = HostMatch::default();
        for host in hosts {
            all.entry(host, || *host);
        }
        all
    }

    #[test]
    fn exact_before_the_longest_suffix_before_any() {
        let all = hosts(&["*", "*.example.com", "*.b.example.com", "a.example.com"]);
        for (authority, expected) in [
            ("a.example.com", "a.example.com"),
            ("A.Example.COM:8080", "a.example.com"),
            ("x.b.example.com", "*.b.example.com"),
            ("b.example.com", "*.example.com"),
            ("example.com", "*"),
            (".example.com", "*"),
            ("", "*"),
            ("[::1]:80", "*"),
        ] {
            assert_eq!(all.find(authority.as_bytes()).copied(), Some(expected), "{authority}");
        }
        assert_eq!(all.find(b"a\xff.example.com").copied(), Some("*"));
        assert_eq!(hosts(&["a"]).find(b"b"), None);
    }

    #[test]
    fn a_port_is_ignored_and_brackets_are_not_one() {
        for (authority, host) in [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a:", "a")] {
            assert_eq!(without_port(authority.as_bytes()), host.as_bytes(), "{authority}");
        }
    }
}
