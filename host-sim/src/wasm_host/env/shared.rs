//! Shared data with its compare-and-swap number; kept for one VM (all VMs of a `vm_id` share it in Envoy).

use wasmtime::{Linker, Result};

use super::host_call;
use crate::wasm_host::{state::State, status};

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    host_call!(
        linker,
        "env",
        "proxy_get_shared_data",
        |guest, key: u32, key_size: u32, at: u32, size: u32, number: u32| {
            let key = guest.read(key, key_size)?;
            let (value, now) = guest.state().shared.get(&key).cloned().ok_or(status::NOT_FOUND)?;
            guest.give(&value, at, size)?;
            guest.write_u32(number, now)
        }
    );
    host_call!(
        linker,
        "env",
        "proxy_set_shared_data",
        |guest, key: u32, key_size: u32, value: u32, value_size: u32, number: u32| {
            let (key, value) = (guest.read(key, key_size)?, guest.read(value, value_size)?);
            let shared = &mut guest.state_mut().shared;
            let now = shared.get(&key).map_or(0, |(_, now)| *now);
            // 0 asks for no comparison.
            if number != 0 && number != now {
                return Err(status::CAS_MISMATCH.into());
            }
            shared.insert(key, (value, now.wrapping_add(1).max(1)));
            Ok(())
        }
    );
    Ok(())
}
