//! Properties and filter state (`proxy-wasm.md` 2.8).
//!
//! A property is what the caller gave for the stream, else one of the few that follow from the request headers, else
//! the plugin's own names, else what a `proxy_set_property` of the same path wrote.

use wasmtime::{Linker, Result};

use super::host_call;
use crate::wasm_host::{state::State, status};

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    host_call!(linker, "env", "proxy_get_property", |guest, path: u32, path_size: u32, at: u32, size: u32| {
        let path = guest.read(path, path_size)?;
        let value = property(guest.state(), &path).ok_or(status::NOT_FOUND)?;
        guest.give(&value, at, size)
    });
    host_call!(linker, "env", "proxy_set_property", |guest, path: u32, path_size: u32, value: u32, value_size: u32| {
        let (path, value) = (guest.read(path, path_size)?, guest.read(value, value_size)?);
        // Without a stream there is no filter state.
        let stream = guest.state_mut().stream().ok_or(status::NOT_FOUND)?;
        stream.filter_state.insert(format!("wasm.{}", String::from_utf8_lossy(&path)), value);
        Ok(())
    });
    Ok(())
}

fn property(state: &State, path: &[u8]) -> Option<Vec<u8>> {
    let raw = String::from_utf8_lossy(path);
    let dotted = raw.trim_end_matches('\0').replace('\0', ".");
    let own = || match dotted.as_str() {
        "plugin_name" => Some(state.options.plugin_name.clone().into_bytes()),
        "plugin_root_id" => Some(state.options.root_id.clone().into_bytes()),
        "plugin_vm_id" => Some(Vec::new()),
        _ => None,
    };
    let Some(stream) = state.streams.get(&state.effective) else { return own() };
    let first = |name: &str| stream.request.first(name.as_bytes()).map(<[u8]>::to_vec);
    let derived = || match dotted.as_str() {
        "request.path" => first(":path"),
        "request.url_path" => Some(first(":path")?.split(|byte| *byte == b'?').next().unwrap_or_default().to_vec()),
        "request.host" => first(":authority"),
        "request.scheme" => first(":scheme"),
        "request.method" => first(":method"),
        "request.id" => first("x-request-id"),
        other => stream.request.joined(other.strip_prefix("request.headers.")?.as_bytes()),
    };
    let given = stream.properties.get(&dotted).cloned();
    given.or_else(derived).or_else(own).or_else(|| stream.filter_state.get(&format!("wasm.{raw}")).cloned())
}
