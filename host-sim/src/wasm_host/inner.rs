//! The running instance: calls into the guest, and what is done after each.

use wasmtime::{Store, TypedFunc, WasmParams, WasmResults};

use super::{
    Error, Header, Module, Options,
    exports::{Exports, find},
    headers::HeaderMap,
    state::{Deferred, Metrics, Reply, RootState, State},
    status::CRITICAL,
};

/// One instance with its state. A trap fails it for good: every later call answers with the same message.
pub(super) struct Inner {
    store: Store<State>,
    pub exports: Exports,
    next_context: u32,
    pub failed: Option<String>,
}

impl Inner {
    /// Instantiates the module and runs `_initialize`.
    pub fn start(module: &Module, options: Options, metrics: Metrics) -> Result<Self, Error> {
        let mut store = Store::new(module.instance.module().engine(), State::new(options, metrics));
        store.limiter(|state| &mut state.limits);
        let run = |store: &mut Store<State>| {
            let instance = module.instance.instantiate(&mut *store)?;
            store.data_mut().memory = instance.get_memory(&mut *store, "memory");
            // Older SDKs export the allocator as `malloc`.
            let allocate = match find(&instance, store, "proxy_on_memory_allocate")? {
                Some(allocate) => Some(allocate),
                None => find(&instance, store, "malloc")?,
            };
            store.data_mut().allocate = allocate;
            if let Some(initialize) = find::<(), ()>(&instance, store, "_initialize")? {
                initialize.call(&mut *store, ())?;
            }
            store.data_mut().initializing = false;
            Exports::of(&instance, store)
        };
        match run(&mut store) {
            Ok(exports) => Ok(Self { store, exports, next_context: 1, failed: None }),
            Err(error) => Err(Error(format!("cannot start: {}", describe(&error, store.data())))),
        }
    }

    pub fn state(&self) -> &State {
        self.store.data()
    }

    pub fn state_mut(&mut self) -> &mut State {
        self.store.data_mut()
    }

    pub fn memory_size(&self) -> usize {
        self.state().memory.map_or(0, |memory| memory.data_size(&self.store))
    }

    pub fn new_context(&mut self) -> u32 {
        let id = self.next_context;
        self.next_context += 1;
        id
    }

    /// Calls `callback` for `context`, then does what the guest asked for meanwhile. `None` when the module lacks it.
    pub fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        context: u32,
        callback: Option<TypedFunc<P, R>>,
        arguments: P,
    ) -> Result<Option<R>, String> {
        if let Some(message) = &self.failed {
            return Err(message.clone());
        }
        let Some(callback) = callback else { return Ok(None) };
        let before = std::mem::replace(&mut self.state_mut().effective, context);
        let result = callback.call(&mut self.store, arguments);
        self.state_mut().effective = before;
        match result {
            Ok(result) => {
                self.run_deferred()?;
                Ok(Some(result))
            }
            Err(error) => {
                let message = describe(&error, self.state());
                self.state_mut().deferred.clear();
                self.failed = Some(message.clone());
                Err(message)
            }
        }
    }

    fn run_deferred(&mut self) -> Result<(), String> {
        while let Some(deferred) = self.state_mut().deferred.pop_front() {
            match deferred {
                Deferred::Continue(context) => {
                    if let Some(stream) = self.state_mut().streams.get_mut(&context) {
                        stream.paused = false;
                    }
                }
                Deferred::Close(context) => {
                    if let Some(stream) = self.state_mut().streams.get_mut(&context) {
                        stream.closed = true;
                    }
                }
                Deferred::Reply(context) => self.reply(context)?,
            }
        }
        Ok(())
    }

    /// Envoy sends its local reply through the filter chain, also through the filter that asked for it.
    fn reply(&mut self, context: u32) -> Result<(), String> {
        let Some(stream) = self.state_mut().streams.get_mut(&context) else { return Ok(()) };
        let Some(reply) = stream.reply.clone().filter(|_| !stream.closed) else { return Ok(()) };
        stream.replied = true;
        let (headers, bodiless) = local_reply(&reply, &stream.request);
        self.response_headers(context, headers, bodiless).map(drop)
    }

    /// `proxy_on_response_headers` over `headers`; what became of them.
    pub fn response_headers(
        &mut self,
        context: u32,
        headers: HeaderMap,
        bodiless: bool,
    ) -> Result<Vec<Header>, String> {
        let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        if let Some(stream) = self.state_mut().streams.get_mut(&context) {
            stream.response = headers;
            stream.response_open = true;
        }
        let callback = self.exports.response_headers.clone();
        let result = self.call(context, callback, (context, count, u32::from(bodiless)));
        let stream = self.state_mut().streams.get_mut(&context);
        let after = stream.map_or_else(Vec::new, |stream| {
            stream.response_open = false;
            stream.response.to_vec()
        });
        result.map(|_| after)
    }

    /// Creates a root context and configures it; its id, or `None` when a callback returned false.
    pub fn configure(&mut self, configuration: &[u8]) -> Result<Option<u32>, String> {
        let root = self.new_context();
        self.state_mut().roots.insert(root, RootState::default());
        self.call(root, self.exports.context_create.clone(), (root, 0))?;
        self.state_mut().configuration = Some(configuration.to_vec());
        let vm_size = u32::try_from(self.state().options.vm_configuration.len()).unwrap_or(u32::MAX);
        let size = u32::try_from(configuration.len()).unwrap_or(u32::MAX);
        let started = self.call(root, self.exports.vm_start.clone(), (root, vm_size))?.unwrap_or(1) != 0;
        let accepted = started && self.call(root, self.exports.configure.clone(), (root, size))?.unwrap_or(1) != 0;
        self.state_mut().configuration = None;
        Ok(accepted.then_some(root))
    }

    /// The end of a root or stream: `proxy_on_done`, then `proxy_on_delete`.
    pub fn delete(&mut self, context: u32) -> Result<(), String> {
        self.call(context, self.exports.done.clone(), context)?;
        self.call(context, self.exports.delete.clone(), context)?;
        Ok(())
    }
}

/// The trap, and the guest's last words: the SDK's panic hook logs file and line as critical, std writes to stderr.
fn describe(error: &wasmtime::Error, state: &State) -> String {
    let words = state.log.iter().rev().find(|line| line.level == CRITICAL || line.text.contains("panicked at"));
    let cause = error.root_cause();
    words.map_or_else(|| cause.to_string(), |line| format!("{cause}: {}", line.text))
}

/// The response that Envoy makes of a local reply; a gRPC request gets a gRPC answer (`proxy-wasm.md` 2.5).
fn local_reply(reply: &Reply, request: &HeaderMap) -> (HeaderMap, bool) {
    let content_type = request.first(b"content-type").unwrap_or_default();
    let rest = content_type.strip_prefix(b"application/grpc");
    let is_grpc = rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')));
    let mut headers = HeaderMap::default();
    let mut bodiless = reply.body.is_empty();
    if is_grpc {
        headers.add(b":status", b"200");
        headers.add(b"content-type", b"application/grpc");
        headers.add(b"grpc-status", reply.grpc.unwrap_or_else(|| grpc_status(reply.status)).to_string().as_bytes());
        if !bodiless {
            headers.add(b"grpc-message", &reply.body);
        }
        bodiless = true;
    } else {
        headers.add(b":status", reply.status.to_string().as_bytes());
        let has_type = reply.headers.iter().any(|(name, _)| name == b"content-type");
        if !bodiless {
            headers.add(b"content-length", reply.body.len().to_string().as_bytes());
        }
        if !bodiless && !has_type {
            headers.add(b"content-type", b"text/plain");
        }
    }
    // Without a body there is no type, whatever the filter says.
    for (name, value) in reply.headers.iter().filter(|(name, _)| is_grpc || !bodiless || name != b"content-type") {
        headers.add(name, value);
    }
    (headers, bodiless)
}

/// `Grpc::Utility::httpToGrpcStatus`.
fn grpc_status(http: u32) -> u32 {
    match http {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}
