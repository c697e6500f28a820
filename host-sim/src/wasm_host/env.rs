//! The module `env`: the host calls of Proxy-Wasm 0.2.1 with Envoy's behaviour (`proxy-wasm.md` 4.1, 4.2).

mod headers;
mod metrics;
mod properties;
mod shared;
mod stream;
mod unimplemented;

use wasmtime::{Linker, Result};

use super::{
    guest::Guest,
    state::State,
    status::{self, CRITICAL},
};

/// Links one host call whose body answers Ok or stops with a status or a trap.
macro_rules! host_call {
    ($linker:expr, $module:literal, $name:literal, |$guest:ident $(, $argument:ident: $kind:ty)*| $body:expr) => {{
        let call = $crate::wasm_host::status::index_of($name).expect(concat!("`", $name, "` is listed in CALLS"));
        $linker.func_wrap($module, $name, move |mut caller: wasmtime::Caller<'_, $crate::wasm_host::state::State>, $($argument: $kind),*| {
            $crate::wasm_host::guest::Guest::answer(&mut caller, call, |$guest| $body)
        })?;
    }};
}
pub(super) use host_call;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    host_call!(linker, "env", "proxy_log", |guest, level: u32, at: u32, size: u32| {
        let text = guest.read(at, size)?;
        if level > CRITICAL {
            return Err(status::BAD_ARGUMENT.into());
        }
        guest.state_mut().log(level, &text);
        Ok(())
    });
    host_call!(linker, "env", "proxy_get_log_level", |guest, level: u32| {
        let now = guest.state().options.log_level;
        guest.write_u32(level, now)
    });
    host_call!(linker, "env", "proxy_get_current_time_nanoseconds", |guest, time: u32| {
        let now = guest.state().now;
        guest.write_u64(time, now)
    });
    host_call!(linker, "env", "proxy_set_tick_period_milliseconds", |guest, period: u32| {
        set_tick(guest.state_mut(), period);
        Ok(())
    });
    // Nothing here waits for a plugin that is not done, so there is never one to be told about.
    host_call!(linker, "env", "proxy_done", |_guest| Err(status::NOT_FOUND.into()));
    host_call!(linker, "env", "proxy_set_effective_context", |guest, context: u32| {
        let state = guest.state_mut();
        if !state.roots.contains_key(&context) && !state.streams.contains_key(&context) {
            return Err(status::BAD_ARGUMENT.into());
        }
        state.effective = context;
        Ok(())
    });
    host_call!(
        linker,
        "env",
        "proxy_get_buffer_bytes",
        |guest, kind: u32, start: u32, max: u32, at: u32, size: u32| {
            let bytes = buffer(guest, kind)?;
            let end =
                start.checked_add(max).ok_or(status::BAD_ARGUMENT)?.min(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            let part = bytes.get(start as usize..end as usize).ok_or(status::BAD_ARGUMENT)?.to_vec();
            guest.give(&part, at, size)
        }
    );
    host_call!(
        linker,
        "env",
        "proxy_call_foreign_function",
        |guest, name: u32, name_size: u32, argument: u32, argument_size: u32, at: u32, size: u32| {
            let name = guest.read(name, name_size)?;
            guest.read(argument, argument_size)?;
            match name.as_slice() {
                b"clear_route_cache" => {
                    if let Some(stream) = guest.state_mut().stream() {
                        stream.route_cache_clears += 1;
                    }
                    guest.give(&[], at, size)
                }
                b"set_envoy_filter_state" | b"declare_property" => Err(status::UNIMPLEMENTED.into()),
                _ => Err(status::NOT_FOUND.into()),
            }
        }
    );
    headers::link(linker)?;
    metrics::link(linker)?;
    properties::link(linker)?;
    shared::link(linker)?;
    stream::link(linker)?;
    unimplemented::link(linker)
}

/// The timer belongs to the root context, also when a stream's callback sets it (`proxy-wasm.md` 2.1, 6).
fn set_tick(state: &mut State, period_ms: u32) {
    let period = u64::from(period_ms) * 1_000_000;
    let next = state.now.saturating_add(period);
    let root = state.root_id();
    if let Some(root) = state.roots.get_mut(&root) {
        root.tick = (period > 0).then_some((period, next));
    }
}

/// 6 is the VM's configuration, 7 the plugin's while it is being configured; this host carries no bodies.
fn buffer(guest: &Guest<'_, '_>, kind: u32) -> Result<Vec<u8>, u32> {
    match kind {
        6 => Ok(guest.state().options.vm_configuration.clone()),
        7 => guest.state().configuration.clone().ok_or(status::NOT_FOUND),
        _ => Err(status::NOT_FOUND),
    }
}
