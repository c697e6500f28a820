//! One request and its response.

use std::{collections::BTreeMap, rc::Rc};

use super::{Header, headers::HeaderMap, state::StreamState, vm::Root};

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on to the next filter.
    Continued {
        /// The request headers as the next filter sees them.
        headers: Vec<Header>,
    },
    /// The filter answered it. The headers went through the filter's own `on_http_response_headers` already.
    LocalReply {
        /// The status that the filter asked for; `:status` is 200 for a gRPC request.
        status: u32,
        /// `%RESPONSE_CODE_DETAILS%`, white space replaced by underscores.
        details: String,
        /// The response headers as the client sees them.
        headers: Vec<Header>,
        /// The body that the filter asked for.
        body: Vec<u8>,
        /// The gRPC status that the filter asked for.
        grpc: Option<u32>,
    },
    /// It waits for `proxy_continue_stream`.
    Paused,
    /// The filter dropped it (`wasm_close_stream`).
    Closed,
    /// The VM failed, here or before: the client gets a 503 with the details `wasm_fail_stream`.
    Trapped(String),
}

/// A request under way. It ends when dropped, see [`Stream::end`].
pub struct Stream {
    root: Rc<Root>,
    context: u32,
    trapped: Option<String>,
    ended: bool,
}

impl Stream {
    pub(super) fn open(root: Rc<Root>, headers: Vec<Header>, properties: &[(&str, &[u8])]) -> Self {
        let mut inner = root.inner.borrow_mut();
        let context = inner.new_context();
        let request = HeaderMap::new(headers);
        let count = u32::try_from(request.len()).unwrap_or(u32::MAX);
        let stream = StreamState {
            root: root.id,
            request,
            request_open: true,
            properties: properties.iter().map(|(path, value)| ((*path).to_owned(), value.to_vec())).collect(),
            ..StreamState::default()
        };
        inner.state_mut().streams.insert(context, stream);
        let (create, headers) = (inner.exports.context_create.clone(), inner.exports.request_headers.clone());
        let action = inner
            .call(context, create, (context, root.id))
            .and_then(|_| inner.call(context, headers, (context, count, 1)));
        let stream = inner.state_mut().streams.get_mut(&context);
        let trapped = match (action, stream) {
            (Ok(action), Some(stream)) => {
                // A resume within the callback counts; a local reply stops the request whatever was returned.
                let stopped = stream.replied || stream.closed;
                stream.paused = !stopped && stream.request_open && action.unwrap_or(0) != 0;
                stream.request_open &= stream.paused || stopped;
                None
            }
            (Err(message), _) => Some(message),
            (Ok(_), None) => None,
        };
        drop(inner);
        Self { root, context, trapped, ended: false }
    }

    /// What became of the request by now; a paused one may have gone on since.
    pub fn outcome(&self) -> Outcome {
        let inner = self.root.inner();
        if let Some(message) = &self.trapped {
            return Outcome::Trapped(message.clone());
        }
        let Some(stream) = inner.state().streams.get(&self.context) else { return Outcome::Closed };
        match &stream.reply {
            _ if stream.closed => Outcome::Closed,
            Some(reply) if stream.replied => Outcome::LocalReply {
                status: reply.status,
                details: reply.details.clone(),
                headers: stream.response.to_vec(),
                body: reply.body.clone(),
                grpc: reply.grpc,
            },
            _ if stream.paused => Outcome::Paused,
            _ => Outcome::Continued { headers: stream.request.to_vec() },
        }
    }

    /// The upstream's response headers (`:status` among them) through the plugin; as the client gets them.
    ///
    /// Errors: the message of the trap, when the filter trapped here or the VM had failed before.
    pub fn respond(&mut self, headers: Vec<Header>) -> Result<Vec<Header>, String> {
        let result = self.root.inner.borrow_mut().response_headers(self.context, HeaderMap::new(headers), false);
        if let Err(message) = &result {
            self.trapped = Some(message.clone());
        }
        result
    }

    /// Filter state by name (`wasm.` and the path of `proxy_set_property`).
    pub fn filter_state(&self) -> BTreeMap<String, Vec<u8>> {
        self.with_state(|stream| stream.filter_state.clone())
    }

    /// How often the route cache was cleared: once for each edit of a request header (`proxy-wasm.md` 2.3).
    pub fn route_cache_clears(&self) -> u64 {
        self.with_state(|stream| stream.route_cache_clears)
    }

    /// What the filter did that Envoy would forbid or ignore: a second local reply, a request continued twice.
    pub fn misuse(&self) -> Vec<String> {
        self.with_state(|stream| stream.misuse.clone())
    }

    /// Ends the stream: `proxy_on_log` (both header maps readable), `proxy_on_done`, `proxy_on_delete`.
    ///
    /// Errors: the message of the trap, when the filter trapped here or the VM had failed before.
    pub fn end(mut self) -> Result<(), String> {
        self.finish()
    }

    fn with_state<R: Default>(&self, read: impl FnOnce(&StreamState) -> R) -> R {
        self.root.inner().state().streams.get(&self.context).map(read).unwrap_or_default()
    }

    fn finish(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        // Borrowed only while the thread unwinds out of a host call.
        let Ok(mut inner) = self.root.inner.try_borrow_mut() else { return Ok(()) };
        if let Some(stream) = inner.state_mut().streams.get_mut(&self.context) {
            stream.request_open = false;
            stream.response_open = false;
            stream.log_phase = true;
        }
        let log = inner.exports.log.clone();
        let result = inner.call(self.context, log, self.context).and_then(|_| inner.delete(self.context));
        inner.state_mut().streams.remove(&self.context);
        result
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Nobody asked for the result; the VM remembers that it failed.
        let _ = self.finish();
    }
}
