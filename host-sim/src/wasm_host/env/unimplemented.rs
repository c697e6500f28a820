//! What the Rust SDK imports and Switchyard never calls: there, so that the module links, and answered with
//! [`UNIMPLEMENTED`](crate::wasm_host::status::UNIMPLEMENTED).

use wasmtime::{Linker, Result};

use super::host_call;
use crate::wasm_host::{state::State, status};

macro_rules! unimplemented_calls {
    ($linker:expr, $($name:literal($($argument:ident)*)),+ $(,)?) => {$(
        host_call!($linker, "env", $name, |_guest $(, $argument: u32)*| {
            $(let _ = $argument;)*
            Err(status::UNIMPLEMENTED.into())
        });
    )+};
}

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    unimplemented_calls!(
        linker,
        "proxy_set_buffer_bytes"(a b c d e),
        "proxy_get_buffer_status"(a b c),
        "proxy_register_shared_queue"(a b c),
        "proxy_resolve_shared_queue"(a b c d e),
        "proxy_dequeue_shared_queue"(a b c),
        "proxy_enqueue_shared_queue"(a b c),
        "proxy_http_call"(a b c d e f g h i j),
        "proxy_grpc_call"(a b c d e f g h i j k l),
        "proxy_grpc_stream"(a b c d e f g h i),
        "proxy_grpc_send"(a b c d),
        "proxy_grpc_cancel"(a),
        "proxy_grpc_close"(a),
        "proxy_get_status"(a b c),
    );
    Ok(())
}
