//! The host calls that we make, declared to return what hosts return: a number. The only unsafe code of the filter.
//!
//! A host hands bytes over in memory that it had the SDK's `proxy_on_memory_allocate` allocate: a boxed slice of exactly
//! that size, which becomes a `Vec` here. That the pointer of a successful answer is such a one is the contract of the
//! ABI; what can be checked of it (null, beyond the memory) is checked.

use core::fmt;

/// What a host call answered instead of Ok.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(u32);

impl Status {
    /// There is no such thing.
    pub const NOT_FOUND: Self = Self(1);
    /// Our own: Ok, with an answer that is none.
    pub const MALFORMED: Self = Self(u32::MAX);

    fn of(answer: u32) -> Result<(), Self> {
        if answer == 0 { Ok(()) } else { Err(Self(answer)) }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MALFORMED => f.write_str("with a malformed answer"),
            Self(status) => write!(f, "with status {status}"),
        }
    }
}

/// A host call that failed.
#[derive(Clone, Copy, Debug)]
pub struct Error {
    /// Which.
    pub call: &'static str,
    /// What it answered.
    pub status: Status,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answers {}", self.call, self.status)
    }
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug)]
pub enum Level {
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// A header map.
#[derive(Clone, Copy, Debug)]
pub enum Map {
    Request = 0,
    Response = 2,
}

const PLUGIN_CONFIGURATION: u32 = 7;
const COUNTER: u32 = 0;
/// No gRPC status: Envoy derives one from the HTTP status for a gRPC request.
pub const NO_GRPC_STATUS: i32 = -1;
/// The stream of a request, where one is to go on.
const REQUEST: u32 = 0;
/// WASI's clock that nobody sets.
const MONOTONIC: u32 = 1;

#[expect(unsafe_code, reason = "the ABI of the host: each wrapper passes slices that live through the call")]
mod abi {
    use super::Status;
    use core::ptr::null_mut;

    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
        fn proxy_get_buffer_bytes(kind: u32, start: usize, max: usize, to: *mut *mut u8, size: *mut usize) -> u32;
        fn proxy_get_header_map_pairs(map: u32, to: *mut *mut u8, size: *mut usize) -> u32;
        fn proxy_add_header_map_value(map: u32, name: *const u8, n: usize, value: *const u8, v: usize) -> u32;
        fn proxy_replace_header_map_value(map: u32, name: *const u8, n: usize, value: *const u8, v: usize) -> u32;
        fn proxy_remove_header_map_value(map: u32, name: *const u8, n: usize) -> u32;
        fn proxy_get_property(path: *const u8, n: usize, to: *mut *mut u8, size: *mut usize) -> u32;
        fn proxy_set_property(path: *const u8, n: usize, value: *const u8, v: usize) -> u32;
        fn proxy_define_metric(kind: u32, name: *const u8, n: usize, id: *mut u32) -> u32;
        fn proxy_increment_metric(id: u32, by: i64) -> u32;
        fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        fn proxy_set_effective_context(id: u32) -> u32;
        fn proxy_continue_stream(kind: u32) -> u32;
        fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc_status: i32,
        ) -> u32;
    }

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        // std's `Instant` panics where the host has no such clock.
        fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
    }

    /// Takes what a host call answers in memory of ours.
    fn take(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Status> {
        let (mut at, mut size) = (null_mut::<u8>(), 0_usize);
        Status::of(call(&raw mut at, &raw mut size))?;
        if size == 0 {
            return Ok(Vec::new());
        }
        let memory = core::arch::wasm32::memory_size::<0>().saturating_mul(0x1_0000);
        let is_inside = at.addr().checked_add(size).is_some_and(|end| end <= memory) && isize::try_from(size).is_ok();
        if at.is_null() || !is_inside {
            return Err(Status::MALFORMED);
        }
        let slice = core::ptr::slice_from_raw_parts_mut(at, size);
        // SAFETY: not null, inside the memory, and by the ABI a boxed slice of `size` bytes of the global allocator that
        // the host gives to us.
        Ok(unsafe { Box::from_raw(slice) }.into_vec())
    }

    pub fn log(level: u32, text: &[u8]) -> Result<(), Status> {
        // SAFETY: the slice lives through the call; so in all calls below.
        Status::of(unsafe { proxy_log(level, text.as_ptr(), text.len()) })
    }

    pub fn buffer(kind: u32) -> Result<Vec<u8>, Status> {
        // All that there is: hosts clamp the size, but refuse a sum that overflows.
        const ALL: usize = 0x7FFF_FFFF;
        // SAFETY: both places live through the call; so in all calls below.
        take(|to, size| unsafe { proxy_get_buffer_bytes(kind, 0, ALL, to, size) })
    }

    pub fn headers(map: u32) -> Result<Vec<u8>, Status> {
        // SAFETY: see `buffer`.
        take(|to, size| unsafe { proxy_get_header_map_pairs(map, to, size) })
    }

    pub fn add_header(map: u32, name: &[u8], value: &[u8]) -> Result<(), Status> {
        // SAFETY: see `log`.
        Status::of(unsafe { proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
    }

    pub fn replace_header(map: u32, name: &[u8], value: &[u8]) -> Result<(), Status> {
        // SAFETY: see `log`.
        Status::of(unsafe {
            proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
        })
    }

    pub fn remove_header(map: u32, name: &[u8]) -> Result<(), Status> {
        // SAFETY: see `log`.
        Status::of(unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) })
    }

    pub fn property(path: &[u8]) -> Result<Vec<u8>, Status> {
        // SAFETY: see `log` and `buffer`.
        take(|to, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), to, size) })
    }

    pub fn set_property(path: &[u8], value: &[u8]) -> Result<(), Status> {
        // SAFETY: see `log`.
        Status::of(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
    }

    pub fn define_metric(kind: u32, name: &[u8]) -> Result<u32, Status> {
        let mut id = 0;
        // SAFETY: see `log` and `buffer`.
        Status::of(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
        Ok(id)
    }

    pub fn increment_metric(id: u32, by: i64) -> Result<(), Status> {
        // SAFETY: only numbers are passed.
        Status::of(unsafe { proxy_increment_metric(id, by) })
    }

    pub fn time() -> Result<u64, Status> {
        let mut time = 0;
        // SAFETY: see `buffer`.
        Status::of(unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
        Ok(time)
    }

    pub fn clock(clock: u32) -> Result<u64, Status> {
        let mut time = 0;
        // SAFETY: see `buffer`.
        Status::of(unsafe { clock_time_get(clock, 1, &raw mut time) })?;
        Ok(time)
    }

    pub fn set_tick_period(milliseconds: u32) -> Result<(), Status> {
        // SAFETY: only numbers are passed; so in the next two.
        Status::of(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
    }

    pub fn set_effective_context(id: u32) -> Result<(), Status> {
        // SAFETY: see `set_tick_period`.
        Status::of(unsafe { proxy_set_effective_context(id) })
    }

    pub fn continue_stream(kind: u32) -> Result<(), Status> {
        // SAFETY: see `set_tick_period`.
        Status::of(unsafe { proxy_continue_stream(kind) })
    }

    pub fn local_response(
        status: u32,
        details: &[u8],
        headers: &[u8],
        body: &[u8],
        grpc_status: i32,
    ) -> Result<(), Status> {
        // SAFETY: see `log`.
        Status::of(unsafe {
            proxy_send_local_response(
                status,
                details.as_ptr(),
                details.len(),
                body.as_ptr(),
                body.len(),
                headers.as_ptr(),
                headers.len(),
                grpc_status,
            )
        })
    }
}

fn named<T>(call: &'static str, result: Result<T, Status>) -> Result<T, Error> {
    result.map_err(|status| Error { call, status })
}

/// Logs a line. A host that does not take it cannot be told so.
pub fn log(level: Level, text: &str) {
    let _ = abi::log(level as u32, text.as_bytes());
}

/// The plugin's configuration, while it is being configured; empty where there is none.
pub fn configuration() -> Result<Vec<u8>, Status> {
    match abi::buffer(PLUGIN_CONFIGURATION) {
        Err(Status::NOT_FOUND) => Ok(Vec::new()),
        result => result,
    }
}

/// All request headers in the form of [`pairs`](crate::pairs).
pub fn request_headers() -> Result<Vec<u8>, Error> {
    named("proxy_get_header_map_pairs", abi::headers(Map::Request as u32))
}

/// Sets the first line of a header.
pub fn replace_header(map: Map, name: &[u8], value: &[u8]) -> Result<(), Error> {
    named("proxy_replace_header_map_value", abi::replace_header(map as u32, name, value))
}

/// Adds a line to a header.
pub fn add_header(map: Map, name: &[u8], value: &[u8]) -> Result<(), Error> {
    named("proxy_add_header_map_value", abi::add_header(map as u32, name, value))
}

/// Removes all lines of a header.
pub fn remove_header(map: Map, name: &[u8]) -> Result<(), Error> {
    named("proxy_remove_header_map_value", abi::remove_header(map as u32, name))
}

/// A property by its path, its parts with a NUL between; `None` where there is none.
pub fn property(path: &str) -> Result<Option<Vec<u8>>, Error> {
    match abi::property(path.as_bytes()) {
        Err(Status::NOT_FOUND) => Ok(None),
        result => named("proxy_get_property", result.map(Some)),
    }
}

/// Sets filter state: Envoy has it as `wasm.<name>`.
pub fn set_filter_state(name: &str, value: &str) -> Result<(), Error> {
    named("proxy_set_property", abi::set_property(name.as_bytes(), value.as_bytes()))
}

/// Defines a counter; its id.
pub fn define_counter(name: &str) -> Result<u32, Status> {
    abi::define_metric(COUNTER, name.as_bytes())
}

/// Adds to a counter.
pub fn count(id: u32, by: u32) -> Result<(), Error> {
    named("proxy_increment_metric", abi::increment_metric(id, by.into()))
}

/// The time in nanoseconds since 1970.
pub fn time() -> Result<u64, Error> {
    named("proxy_get_current_time_nanoseconds", abi::time())
}

/// Nanoseconds since some moment, of a clock that nobody sets.
pub fn monotonic_time() -> Result<u64, Error> {
    named("clock_time_get", abi::clock(MONOTONIC))
}

/// Has the root context called so often; 0 for never.
pub fn set_tick_period(milliseconds: u32) -> Result<(), Error> {
    named("proxy_set_tick_period_milliseconds", abi::set_tick_period(milliseconds))
}

/// Makes later calls of this callback act on another context.
pub fn set_effective_context(id: u32) -> Result<(), Error> {
    named("proxy_set_effective_context", abi::set_effective_context(id))
}

/// Lets the request go on; the host does it once the callback has returned. Its headers cannot be changed any more.
pub fn resume_request() -> Result<(), Error> {
    named("proxy_continue_stream", abi::continue_stream(REQUEST))
}

/// Answers the request; the host does it once the callback has returned. `headers` in the form of
/// [`pairs`](crate::pairs).
pub fn reply(status: u16, details: &str, headers: &[u8], body: &[u8], grpc_status: i32) -> Result<(), Error> {
    let result = abi::local_response(status.into(), details.as_bytes(), headers, body, grpc_status);
    named("proxy_send_local_response", result)
}
