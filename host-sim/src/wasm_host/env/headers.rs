//! Header maps.

use wasmtime::{Linker, Result};

use super::host_call;
use crate::wasm_host::{
    headers::{HeaderMap, from_wire},
    state::State,
    status,
};

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    host_call!(linker, "env", "proxy_get_header_map_size", |guest, map: u32, size: u32| {
        let bytes = guest.state().map(map).ok_or(status::BAD_ARGUMENT)?.byte_size();
        guest.write_u32(size, u32::try_from(bytes).unwrap_or(u32::MAX))
    });
    host_call!(linker, "env", "proxy_get_header_map_pairs", |guest, map: u32, at: u32, size: u32| {
        let wire = guest.state().map(map).ok_or(status::BAD_ARGUMENT)?.to_wire();
        guest.give(&wire, at, size)
    });
    host_call!(linker, "env", "proxy_set_header_map_pairs", |guest, map: u32, at: u32, size: u32| {
        let headers = from_wire(&guest.read(at, size)?);
        Ok(guest.state_mut().change(map, |map| *map = HeaderMap::new(headers))?)
    });
    host_call!(
        linker,
        "env",
        "proxy_get_header_map_value",
        |guest, map: u32, name: u32, name_size: u32, at: u32, size: u32| {
            let name = guest.read(name, name_size)?;
            let map = guest.state().map(map).ok_or(status::BAD_ARGUMENT)?;
            let value = map.first(&name).ok_or(status::NOT_FOUND)?.to_vec();
            guest.give(&value, at, size)
        }
    );
    host_call!(
        linker,
        "env",
        "proxy_add_header_map_value",
        |guest, map: u32, name: u32, name_size: u32, value: u32, value_size: u32| {
            let (name, value) = (guest.read(name, name_size)?, guest.read(value, value_size)?);
            Ok(guest.state_mut().change(map, |map| map.add(&name, &value))?)
        }
    );
    host_call!(
        linker,
        "env",
        "proxy_replace_header_map_value",
        |guest, map: u32, name: u32, name_size: u32, value: u32, value_size: u32| {
            let (name, value) = (guest.read(name, name_size)?, guest.read(value, value_size)?);
            Ok(guest.state_mut().change(map, |map| map.replace(&name, &value))?)
        }
    );
    host_call!(linker, "env", "proxy_remove_header_map_value", |guest, map: u32, name: u32, name_size: u32| {
        let name = guest.read(name, name_size)?;
        Ok(guest.state_mut().change(map, |map| map.remove(&name))?)
    });
    Ok(())
}
