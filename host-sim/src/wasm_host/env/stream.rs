//! Continue, close and local reply: all done after the callback has returned (`proxy-wasm.md` 4.2, 5).

use wasmtime::{Linker, Result};

use super::host_call;
use crate::wasm_host::{
    headers::from_wire,
    state::{Deferred, Reply, State},
    status,
};

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    host_call!(linker, "env", "proxy_continue_stream", |guest, kind: u32| {
        let state = guest.state_mut();
        let context = state.effective;
        // On a root context Envoy has nothing to continue and answers Ok; nothing here pauses a response.
        if kind == 0
            && let Some(stream) = state.stream()
        {
            if !stream.request_open {
                stream.misuse.push("continued a request that was not paused".to_owned());
            }
            // At once: edits after this call are bad arguments (`proxy-wasm.md` 2.1, 2).
            stream.request_open = false;
            state.deferred.push_back(Deferred::Continue(context));
        }
        if kind > 1 { Err(status::BAD_ARGUMENT.into()) } else { Ok(()) }
    });
    host_call!(linker, "env", "proxy_close_stream", |guest, kind: u32| {
        let state = guest.state_mut();
        let context = state.effective;
        if state.streams.contains_key(&context) {
            state.deferred.push_back(Deferred::Close(context));
        }
        if kind > 1 { Err(status::BAD_ARGUMENT.into()) } else { Ok(()) }
    });
    host_call!(
        linker,
        "env",
        "proxy_send_local_response",
        |guest,
         code: u32,
         details: u32,
         details_size: u32,
         body: u32,
         body_size: u32,
         headers: u32,
         headers_size: u32,
         grpc: i32| {
            let details = String::from_utf8_lossy(&guest.read(details, details_size)?).into_owned();
            let reply = Reply {
                status: code,
                details: details.replace(char::is_whitespace, "_"),
                body: guest.read(body, body_size)?,
                headers: from_wire(&guest.read(headers, headers_size)?),
                grpc: u32::try_from(grpc).ok().filter(|code| *code <= 16),
            };
            let state = guest.state_mut();
            let context = state.effective;
            let Some(stream) = state.stream() else { return Ok(()) };
            if stream.reply.is_some() {
                stream.misuse.push("sent a second local reply".to_owned());
                return Ok(());
            }
            stream.reply = Some(reply);
            state.deferred.push_back(Deferred::Reply(context));
            Ok(())
        }
    );
    Ok(())
}
