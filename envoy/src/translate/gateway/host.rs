//! Hosts of servers, and what they have in common with those of a VirtualService.

/// A host of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedHost {
    /// The namespace whose VirtualServices may bind; `None` for any.
    pub namespace: Option<String>,
    /// A name, `*.suffix` or `*`, in lower case.
    pub host: String,
}

impl ServedHost {
    /// `[namespace/]host`, of a Gateway in this namespace.
    pub fn new(written: &str, own: &str) -> Self {
        let (namespace, host) = written.split_once('/').unwrap_or(("*", written));
        let namespace = match namespace {
            "*" => None,
            "." => Some(own.to_owned()),
            other => Some(other.to_owned()),
        };
        Self { namespace, host: host.to_ascii_lowercase() }
    }

    /// Whether VirtualServices of a namespace may bind.
    pub fn allows(&self, namespace: &str) -> bool {
        self.namespace.as_ref().is_none_or(|allowed| allowed == namespace)
    }
}

/// The more specific of two hosts, where one covers the other.
pub fn meet(a: &str, b: &str) -> Option<String> {
    if covers(a, b) {
        Some(b.to_owned())
    } else if covers(b, a) {
        Some(a.to_owned())
    } else {
        None
    }
}

/// Whether a host stands for another one.
pub fn covers(wide: &str, narrow: &str) -> bool {
    wide == narrow
        || wide.strip_prefix('*').is_some_and(|suffix| narrow.ends_with(suffix) && narrow.len() > suffix.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_specific_host_of_a_pair_is_served() {
        let table = [
            ("*", "www.example.com", Some("www.example.com")),
            ("*.example.com", "www.example.com", Some("www.example.com")),
            ("www.example.com", "*.example.com", Some("www.example.com")),
            ("*.example.com", "*.shop.example.com", Some("*.shop.example.com")),
            ("*", "*", Some("*")),
            ("*", "*.example.com", Some("*.example.com")),
            ("*.example.com", "example.com", None),
            ("www.example.com", "api.example.com", None),
            ("*.example.com", "*.example.org", None),
        ];
        for (server, service, both) in table {
            assert_eq!(meet(server, service).as_deref(), both, "{server} and {service}");
        }
    }
}
