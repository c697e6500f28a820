//! Envoy's listeners: one per address and port.

use super::{Settings, address, http};
use crate::translate::Listener;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Envoy's listeners, `envoy.config.listener.v3.Listener`, for all that is served.
pub fn listeners(all: &[Listener<'_>], settings: &Settings) -> Vec<Value> {
    all.iter().map(|one| listener(one, settings)).collect()
}

fn listener(listener: &Listener<'_>, settings: &Settings) -> Value {
    let port = if listener.is_mesh() { settings.listen.port() } else { listener.port() };
    let manager = http::connection_manager(listener, settings);
    json!({
        "name": listener.name,
        "address": address(SocketAddr::new(settings.listen.ip(), port)),
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": manager,
        }]}],
    })
}
