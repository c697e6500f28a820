//! Counters, gauges and histograms. A counter only goes up: an offset of 0 or less is a bad argument (`proxy-wasm.md`
//! 2.6).

use wasmtime::{Linker, Result};

use super::host_call;
use crate::wasm_host::{
    state::{Metric, State},
    status,
};

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    host_call!(linker, "env", "proxy_define_metric", |guest, kind: u32, name: u32, name_size: u32, id: u32| {
        let name = String::from_utf8_lossy(&guest.read(name, name_size)?).into_owned();
        let new = guest.state_mut().define_metric(kind, name)?;
        guest.write_u32(id, new)
    });
    host_call!(linker, "env", "proxy_increment_metric", |guest, id: u32, offset: i64| {
        Ok(guest.state().metric(id, |metric| increment(metric, offset))?)
    });
    host_call!(linker, "env", "proxy_record_metric", |guest, id: u32, value: u64| {
        Ok(guest.state().metric(id, |metric| {
            match metric {
                Metric::Counter(sum) => *sum = sum.wrapping_add(value),
                Metric::Gauge(now) => *now = value,
                Metric::Histogram(samples) => samples.push(value),
            }
            Ok(())
        })?)
    });
    host_call!(linker, "env", "proxy_get_metric", |guest, id: u32, value: u32| {
        let now = guest.state().metric(id, |metric| match metric {
            Metric::Counter(now) | Metric::Gauge(now) => Ok(*now),
            Metric::Histogram(_) => Err(status::BAD_ARGUMENT),
        })?;
        guest.write_u64(value, now)
    });
    Ok(())
}

fn increment(metric: &mut Metric, offset: i64) -> Result<(), u32> {
    match metric {
        Metric::Counter(sum) => {
            let up = u64::try_from(offset).ok().filter(|up| *up > 0).ok_or(status::BAD_ARGUMENT)?;
            *sum = sum.wrapping_add(up);
        }
        Metric::Gauge(now) => *now = now.wrapping_add_signed(offset),
        Metric::Histogram(_) => return Err(status::BAD_ARGUMENT),
    }
    Ok(())
}
