//! Envoy's listeners, `envoy.config.listener.v3.Listener`: one per address and port, HTTPS servers as its filter chains.

use super::cluster::any::{Any, Empty};
use super::tls::{DownstreamTransportSocket, downstream};
use super::{Settings, address, http};
use crate::diagnostic::{Diagnostic, sort};
use crate::translate::{Edge, Listener, Model};
use serde::Serialize;
use serde_json::Value;
use std::net::SocketAddr;

#[derive(Debug, Serialize)]
struct EnvoyListener {
    name: String,
    address: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listener_filters: Vec<ListenerFilter>,
    filter_chains: Vec<FilterChain>,
}

#[derive(Debug, Serialize)]
struct ListenerFilter {
    name: &'static str,
    typed_config: Any<Empty>,
}

#[expect(clippy::struct_field_names, reason = "Envoy's names")]
#[derive(Debug, Serialize)]
struct FilterChain {
    #[serde(skip_serializing_if = "FilterChainMatch::is_empty")]
    filter_chain_match: FilterChainMatch,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    filters: [NetworkFilter; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    transport_socket: Option<DownstreamTransportSocket>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport_socket_connect_timeout: Option<&'static str>,
}

#[derive(Debug, Default, Serialize)]
struct FilterChainMatch {
    server_names: Vec<String>,
}

impl FilterChainMatch {
    fn is_empty(&self) -> bool {
        self.server_names.is_empty()
    }
}

#[derive(Debug, Serialize)]
struct NetworkFilter {
    name: &'static str,
    typed_config: Value,
}

/// Envoy's listeners for all that is served: the mesh, then those of gateways.
///
/// # Errors
/// Certificates that are not there.
pub fn listeners(model: &Model<'_>, all: &[Listener<'_>], settings: &Settings) -> Result<Vec<Value>, Vec<Diagnostic>> {
    let mut made: Vec<EnvoyListener> = vec![];
    let mut wrong = vec![];
    for one in all {
        let chain = match filter_chain(model, one, settings) {
            Ok(chain) => chain,
            Err(found) => {
                wrong.extend(found);
                continue;
            }
        };
        let name = one.edge.map_or(&one.name, |edge| &edge.listener);
        // Those of one address and port follow each other.
        match made.last_mut().filter(|before| before.name == *name) {
            Some(before) => before.filter_chains.push(chain),
            None => made.push(EnvoyListener {
                name: name.clone(),
                address: address(at(one, settings)),
                listener_filters: one.edge.and_then(inspector).into_iter().collect(),
                filter_chains: vec![chain],
            }),
        }
    }
    if !wrong.is_empty() {
        sort(&mut wrong);
        return Err(wrong);
    }
    let values: Result<Vec<_>, _> = made.iter().map(serde_json::to_value).collect();
    values.map_err(|error| vec![Diagnostic::unplaced(error.to_string())])
}

/// Where it listens.
pub fn at(listener: &Listener<'_>, settings: &Settings) -> SocketAddr {
    match listener.edge {
        Some(edge) => SocketAddr::new(edge.bind.unwrap_or(settings.edge), edge.port),
        None if listener.is_mesh() => settings.listen,
        None => SocketAddr::new(settings.edge, listener.port()),
    }
}

fn filter_chain(
    model: &Model<'_>,
    listener: &Listener<'_>,
    settings: &Settings,
) -> Result<FilterChain, Vec<Diagnostic>> {
    let tls = listener.edge.and_then(|edge| edge.tls.as_ref());
    let manager = http::connection_manager(listener, settings);
    Ok(FilterChain {
        filter_chain_match: FilterChainMatch {
            server_names: tls.map(|tls| tls.server_names.clone()).unwrap_or_default(),
        },
        name: tls.map(|_| listener.name.clone()).unwrap_or_default(),
        filters: [NetworkFilter { name: "envoy.filters.network.http_connection_manager", typed_config: manager }],
        transport_socket: tls.map(|tls| downstream(model, tls)).transpose()?,
        // As Istio: a handshake has an end.
        transport_socket_connect_timeout: tls.map(|_| "15s"),
    })
}

/// What reads the name that a client asks for.
fn inspector(edge: &Edge) -> Option<ListenerFilter> {
    edge.tls.as_ref()?;
    Some(ListenerFilter {
        name: "envoy.filters.listener.tls_inspector",
        typed_config: Any::new("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector", Empty {}),
    })
}
