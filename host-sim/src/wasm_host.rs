//! A Proxy-Wasm 0.2.1 host on wasmtime: runs the released .wasm as Envoy would, without Envoy.
//!
//! It knows headers, properties and statuses; it knows nothing of policies. Everything is deterministic: random numbers
//! come from [`Options::seed`], the time is a virtual clock that only [`Vm::advance`] moves.
//!
//! What it copies from Envoy is listed in `proxy-wasm.md` 4.2: request headers gone once the request went on, first
//! value only, `replace` that leaves repeats, each edit of a request header a route-cache clear, continue, close and
//! local reply deferred until the callback has returned, one's own local reply seen by `on_http_response_headers`, a
//! canary VM that must accept a configuration first, counters that only go up, a new id for each `define_metric`,
//! traps that fail the VM, a memory limit, the few calls that `_initialize` may make.
//!
//! | Left out | what happens |
//! |---|---|
//! | bodies, trailers | no callback; body buffers are `NotFound` (1), `proxy_set_buffer_bytes` and `proxy_get_buffer_status` `Unimplemented` (12) |
//! | HTTP and gRPC callouts, shared queues, `proxy_get_status` | `Unimplemented` (12) |
//! | foreign functions | `clear_route_cache` works; `set_envoy_filter_state`, `declare_property` are `Unimplemented` (12), others `NotFound` (1) |
//! | `proxy_done` | `NotFound` (1): no plugin is waited for |
//! | failure policies | the VM fails and says so ([`Outcome::Trapped`], [`Vm::failed`]); start another one for `FAIL_RELOAD` |
//! | endless loops | not stopped, as in Envoy |

mod env;
mod exports;
mod guest;
mod headers;
mod inner;
mod state;
pub mod status;
mod stream;
mod vm;
mod wasi;

use std::{fmt, path::Path};

use wasmtime::{Engine, InstancePre, Linker};

pub use headers::{Header, to_wire};
pub use stream::{Outcome, Stream};
pub use vm::{Plugin, Refused, Vm};

use state::State;

/// A compiled module; compile once, start many [`Vm`]s, also on other threads.
#[derive(Clone)]
pub struct Module {
    instance: InstancePre<State>,
    imports: Vec<(String, String)>,
}

impl Module {
    /// Compiles the file at `path`.
    ///
    /// Errors: the file cannot be read, or see [`Module::from_bytes`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| Error(format!("cannot read `{}`: {error}", path.display())))?;
        Self::from_bytes(&bytes)
    }

    /// Compiles a module in the binary format.
    ///
    /// Errors: it is no valid module, it lacks the marker `proxy_abi_version_0_2_1`, or it imports what Envoy does not
    /// have (Envoy refuses such a module too, `proxy-wasm.md` 2.13).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let engine = Engine::default();
        let module =
            wasmtime::Module::new(&engine, bytes).map_err(|error| Error(format!("cannot compile: {error:#}")))?;
        if module.get_export("proxy_abi_version_0_2_1").is_none() {
            return Err(Error("no export `proxy_abi_version_0_2_1`: not a Proxy-Wasm 0.2.1 module".to_owned()));
        }
        let imports = module.imports().map(|import| (import.module().to_owned(), import.name().to_owned())).collect();
        let link = || {
            let mut linker = Linker::new(&engine);
            env::link(&mut linker)?;
            wasi::link(&mut linker)?;
            linker.instantiate_pre(&module)
        };
        let instance = link().map_err(|error| Error(format!("cannot link: {error:#}")))?;
        Ok(Self { instance, imports })
    }

    /// Module and name of each import, in the module's order.
    pub fn imports(&self) -> &[(String, String)] {
        &self.imports
    }
}

/// How a VM is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where all random numbers of the VM come from.
    pub seed: u64,
    /// What `proxy_get_log_level` tells: 0 trace, 1 debug, 2 info, 3 warn, 4 error, 5 critical. All lines are kept.
    pub log_level: u32,
    /// The clock at the start, in nanoseconds since 1970.
    pub start_time_ns: u64,
    /// The most memory that a VM gets, in bytes; Envoy gives 1 GiB.
    pub memory_limit: usize,
    /// Property `plugin_name`.
    pub plugin_name: String,
    /// Property `plugin_root_id`.
    pub root_id: String,
    /// Given to `proxy_on_vm_start`.
    pub vm_configuration: Vec<u8>,
    /// WASI environment variables.
    pub environment: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            log_level: 2,
            start_time_ns: 1_767_225_600_000_000_000, // 2026-01-01T00:00:00Z
            memory_limit: 1 << 30,
            plugin_name: "switchyard".to_owned(),
            root_id: "switchyard".to_owned(),
            vm_configuration: Vec::new(),
            environment: Vec::new(),
        }
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// 0 trace, 1 debug, 2 info, 3 warn, 4 error, 5 critical.
    pub level: u32,
    /// The text; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// What a host call is made to answer instead of the truth, see [`Vm::inject`].
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call does nothing and returns this status, which need not be one of the ABI.
    Status(u32),
    /// The call returns Ok and hands over these bytes.
    Answer(Vec<u8>),
    /// The call returns Ok and claims that its answer is there, without having allocated anything.
    Pointer {
        /// Where the answer is said to start.
        address: u32,
        /// How long it is said to be.
        size: u32,
    },
}

/// Why a module cannot be loaded or a VM cannot be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
