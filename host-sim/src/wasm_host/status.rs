//! The numbers of the ABI: statuses, header maps, and the names of the host calls (`proxy-wasm.md` 4.1).

/// The call did what it says.
pub const OK: u32 = 0;
/// There is no such header, property, metric, plugin configuration.
pub const NOT_FOUND: u32 = 1;
/// Not now (request headers after they went on), or not like this (a counter that should go down).
pub const BAD_ARGUMENT: u32 = 2;
/// A pointer and length that the guest's memory does not have.
pub const INVALID_MEMORY_ACCESS: u32 = 6;
/// `proxy_set_shared_data` with a stale number.
pub const CAS_MISMATCH: u32 = 8;
/// What Envoy answers to a call that the plugin's capability restriction forbids.
pub const INTERNAL_FAILURE: u32 = 10;
/// This host does not do it; see the table in [`crate::wasm_host`].
pub const UNIMPLEMENTED: u32 = 12;

pub(super) const REQUEST_HEADERS: u32 = 0;
pub(super) const RESPONSE_HEADERS: u32 = 2;

pub(super) const CRITICAL: u32 = 5;

/// Every host call of this host, in the order of their names.
pub const CALLS: [&str; 47] = [
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_get_header_map_value",
    "proxy_get_log_level",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
    "random_get",
];

/// The place of `name` in [`CALLS`]; `None` when this host has no such call.
pub(super) fn index_of(name: &str) -> Option<usize> {
    CALLS.binary_search(&name).ok()
}

/// While `_initialize` runs Envoy allows these and traps on the rest (`proxy-wasm.md` 2.12).
pub(super) fn allowed_in_initialize(call: usize) -> bool {
    CALLS.get(call).is_some_and(|name| *name == "proxy_log" || !name.starts_with("proxy_"))
}
