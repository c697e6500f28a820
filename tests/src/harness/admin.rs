//! Envoy's admin interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::client::{Client, Request, Response};

/// The admin interface of an Envoy, whoever started it.
#[derive(Clone, Copy, Debug)]
pub struct Admin(pub SocketAddr);

impl Admin {
    /// `GET path`. Errors: no answer, or another status than 200.
    pub async fn get(&self, path: &str) -> Result<Response, String> {
        self.call("GET", path).await
    }

    /// `POST path`: what changes something. Errors as for [`Self::get`].
    pub async fn post(&self, path: &str) -> Result<Response, String> {
        self.call("POST", path).await
    }

    async fn call(&self, method: &str, path: &str) -> Result<Response, String> {
        let request = Request::new(method, "admin", path);
        let response = Client::new(self.0).send(&request).await.map_err(|error| format!("admin `{path}`: {error}"))?;
        if response.status == 200 {
            Ok(response)
        } else {
            Err(format!("admin `{path}` answers {}: {}", response.status, response.text()))
        }
    }

    /// Where the listener of this name listens. Errors: there is none.
    pub async fn listener(&self, name: &str) -> Result<SocketAddr, String> {
        let listeners = self.get("/listeners?format=json").await?.json()?;
        let found = listeners["listener_statuses"].as_array().into_iter().flatten().find(|one| one["name"] == name);
        let address = found.map(|one| &one["local_address"]["socket_address"]);
        let parsed = address.and_then(|address| {
            let port = u16::try_from(address["port_value"].as_u64()?).ok()?;
            Some(SocketAddr::new(address["address"].as_str()?.parse().ok()?, port))
        });
        parsed.ok_or_else(|| format!("no listener `{name}` among {listeners}"))
    }

    /// Counters and gauges whose name matches the regular expression, which may match a part; histograms are left out.
    pub async fn stats(&self, filter: &str) -> Result<BTreeMap<String, u64>, String> {
        let text = self.get(&format!("/stats?filter={}", escaped(filter))).await?.text();
        let pairs = text.lines().filter_map(|line| line.rsplit_once(": "));
        Ok(pairs.filter_map(|(name, value)| Some((name.to_owned(), value.trim().parse().ok()?))).collect())
    }
}

/// A query parameter: everything that is not unreserved (RFC 3986 2.3) as %XX.
fn escaped(text: &str) -> String {
    let bytes = text.bytes();
    let escape = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    bytes.map(escape).collect()
}
