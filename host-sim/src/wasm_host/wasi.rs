//! The part of WASI preview 1 that a filter uses; random numbers come from the seed, the time from the virtual clock.

use wasmtime::{Error, Linker, Result};

use super::{env::host_call, guest::Stop, state::State};

const BADF: u32 = 8;
const INVAL: u32 = 28;

/// What proxy-wasm-cpp-host gives at once (`proxy-wasm.md` 2.13).
const MAX_RANDOM: u32 = 64 * 1024;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    host_call!(
        linker,
        "wasi_snapshot_preview1",
        "fd_write",
        |guest, file: u32, parts: u32, count: u32, written: u32| {
            // stdout is logged as info, stderr as error (`proxy-wasm.md` 2.10).
            let level = match file {
                1 => 2,
                2 => 4,
                _ => return Err(BADF.into()),
            };
            let mut text = Vec::new();
            for part in 0..count {
                let at = part.checked_mul(8).and_then(|at| parts.checked_add(at)).ok_or(INVAL)?;
                let (start, size) = (guest.read_u32(at)?, guest.read_u32(at.saturating_add(4))?);
                text.extend(guest.read(start, size)?);
            }
            let size = u32::try_from(text.len()).unwrap_or(u32::MAX);
            guest.state_mut().log(level, text.trim_ascii_end());
            guest.write_u32(written, size)
        }
    );
    host_call!(linker, "wasi_snapshot_preview1", "environ_sizes_get", |guest, count: u32, size: u32| {
        let lines = environment(guest.state());
        guest.write_u32(count, u32::try_from(lines.len()).unwrap_or(u32::MAX))?;
        guest.write_u32(size, u32::try_from(lines.iter().map(Vec::len).sum::<usize>()).unwrap_or(u32::MAX))
    });
    host_call!(linker, "wasi_snapshot_preview1", "environ_get", |guest, pointers: u32, text: u32| {
        let (mut pointers, mut text) = (pointers, text);
        for line in environment(guest.state()) {
            guest.write_u32(pointers, text)?;
            guest.write(text, &line)?;
            pointers = pointers.saturating_add(4);
            text = text.saturating_add(u32::try_from(line.len()).unwrap_or(u32::MAX));
        }
        Ok(())
    });
    host_call!(linker, "wasi_snapshot_preview1", "args_sizes_get", |guest, count: u32, size: u32| {
        guest.write_u32(count, 0)?;
        guest.write_u32(size, 0)
    });
    host_call!(linker, "wasi_snapshot_preview1", "args_get", |_guest, _pointers: u32, _text: u32| Ok(()));
    host_call!(linker, "wasi_snapshot_preview1", "random_get", |guest, at: u32, size: u32| {
        if size > MAX_RANDOM {
            return Err(INVAL.into());
        }
        let mut bytes = Vec::with_capacity(size as usize + 8);
        while bytes.len() < size as usize {
            bytes.extend(guest.state_mut().random().to_le_bytes());
        }
        bytes.truncate(size as usize);
        guest.write(at, &bytes)
    });
    host_call!(linker, "wasi_snapshot_preview1", "clock_time_get", |guest, clock: u32, _precision: u64, time: u32| {
        if clock > 1 {
            return Err(INVAL.into());
        }
        let now = guest.state().now;
        guest.write_u64(time, now)
    });
    let exit = super::status::index_of("proc_exit").expect("`proc_exit` is listed in CALLS");
    linker.func_wrap(
        "wasi_snapshot_preview1",
        "proc_exit",
        move |mut caller: wasmtime::Caller<'_, State>, code: u32| {
            super::guest::Guest::answer(&mut caller, exit, |_| {
                Err(Stop::Trap(Error::msg(format!("exited with {code}"))))
            })
            .map(drop)
        },
    )?;
    Ok(())
}

/// `NAME=value` with a NUL behind each.
fn environment(state: &State) -> Vec<Vec<u8>> {
    state.options.environment.iter().map(|(name, value)| format!("{name}={value}\0").into_bytes()).collect()
}
