//! The callbacks of a module. All but the allocator may be missing, as in Envoy.

use wasmtime::{Instance, Store, TypedFunc, WasmParams, WasmResults};

use super::state::State;

/// Function types by what they take: a context, a context and a number, a context, a number and a flag.
type Context = TypedFunc<u32, ()>;
type Decide = TypedFunc<(u32, u32), u32>;
type Headers = TypedFunc<(u32, u32, u32), u32>;

/// The callbacks that this host calls.
#[derive(Clone)]
pub(super) struct Exports {
    pub context_create: Option<TypedFunc<(u32, u32), ()>>,
    pub vm_start: Option<Decide>,
    pub configure: Option<Decide>,
    pub tick: Option<Context>,
    pub request_headers: Option<Headers>,
    pub response_headers: Option<Headers>,
    pub done: Option<TypedFunc<u32, u32>>,
    pub log: Option<Context>,
    pub delete: Option<Context>,
}

impl Exports {
    pub fn of(instance: &Instance, store: &mut Store<State>) -> wasmtime::Result<Self> {
        Ok(Self {
            context_create: find(instance, store, "proxy_on_context_create")?,
            vm_start: find(instance, store, "proxy_on_vm_start")?,
            configure: find(instance, store, "proxy_on_configure")?,
            tick: find(instance, store, "proxy_on_tick")?,
            request_headers: find(instance, store, "proxy_on_request_headers")?,
            response_headers: find(instance, store, "proxy_on_response_headers")?,
            done: find(instance, store, "proxy_on_done")?,
            log: find(instance, store, "proxy_on_log")?,
            delete: find(instance, store, "proxy_on_delete")?,
        })
    }
}

/// The export `name`; an error when it has another type.
pub(super) fn find<P: WasmParams, R: WasmResults>(
    instance: &Instance,
    store: &mut Store<State>,
    name: &str,
) -> wasmtime::Result<Option<TypedFunc<P, R>>> {
    match instance.get_func(&mut *store, name) {
        Some(function) => function.typed(&*store).map(Some).map_err(|error| error.context(format!("export `{name}`"))),
        None => Ok(None),
    }
}
