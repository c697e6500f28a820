//! VMs and plugins.

use std::{
    cell::{Ref, RefCell},
    collections::BTreeMap,
    fmt,
    rc::Rc,
    time::Duration,
};

use super::{
    Error, Fault, Header, LogLine, Module, Options,
    inner::Inner,
    state::{Metric, Metrics},
    status::{self, CALLS},
    stream::Stream,
};

/// One VM, as Envoy has one per worker. It may hold several plugins at once, old and new configurations too.
pub struct Vm {
    module: Module,
    options: Options,
    metrics: Metrics,
    inner: Rc<RefCell<Inner>>,
}

/// A configuration that the filter did not accept; plugins configured before go on (`proxy-wasm.md` 2.12).
#[derive(Debug, Clone)]
pub struct Refused {
    /// What the filter logged while it was being configured.
    pub log: Vec<LogLine>,
    /// The trap, when that was the reason.
    pub trap: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("configuration refused")?;
        if let Some(trap) = &self.trap {
            write!(f, ": {trap}")?;
        }
        self.log.iter().try_for_each(|line| write!(f, "\n{}", line.text))
    }
}

impl std::error::Error for Refused {}

impl Vm {
    /// Instantiates the module and runs `_initialize`.
    ///
    /// Errors: `_initialize` traps, needs more memory than allowed, or makes a call that is not allowed there.
    pub fn start(module: &Module, options: Options) -> Result<Self, Error> {
        let metrics = Metrics::default();
        let inner = Inner::start(module, options.clone(), Rc::clone(&metrics))?;
        Ok(Self { module: module.clone(), options, metrics, inner: Rc::new(RefCell::new(inner)) })
    }

    /// Configures a plugin: in a canary VM first, as Envoy's main thread does, and in this VM only when that accepts.
    ///
    /// The canary counts into the same metrics, as in Envoy; its log is only in [`Refused::log`].
    ///
    /// Errors: `proxy_on_vm_start` or `proxy_on_configure` returned false or trapped.
    pub fn configure(&self, configuration: &[u8]) -> Result<Plugin, Refused> {
        let mut canary = Inner::start(&self.module, self.options.clone(), Rc::clone(&self.metrics))
            .map_err(|error| Refused { log: Vec::new(), trap: Some(error.to_string()) })?;
        configure(&mut canary, configuration)?;
        drop(canary);
        let root = configure(&mut self.inner.borrow_mut(), configuration)?;
        Ok(Plugin { root: Rc::new(Root { inner: Rc::clone(&self.inner), id: root }) })
    }

    /// Makes every later call of `call` answer with `fault`, until [`Vm::clear_faults`].
    ///
    /// Errors: this host has no call of that name.
    pub fn inject(&self, call: &str, fault: Fault) -> Result<(), Error> {
        let index = status::index_of(call).ok_or_else(|| Error(format!("no host call `{call}`")))?;
        let mut inner = self.inner.borrow_mut();
        let faults = &mut inner.state_mut().faults;
        faults.retain(|(at, _)| *at != index);
        faults.push((index, fault));
        Ok(())
    }

    /// Ends what [`Vm::inject`] began.
    pub fn clear_faults(&self) {
        self.inner.borrow_mut().state_mut().faults.clear();
    }

    /// Moves the clock on and runs the ticks that fall due, each re-armed after its callback (`proxy-wasm.md` 2.1, 6).
    ///
    /// Errors: the message of the trap, when a tick trapped or the VM had failed before.
    pub fn advance(&self, time: Duration) -> Result<(), String> {
        let mut inner = self.inner.borrow_mut();
        let end = inner.state().now.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        loop {
            let due = inner.state().roots.iter().filter_map(|(id, root)| root.tick.map(|(_, next)| (next, *id))).min();
            let Some((next, root)) = due.filter(|(next, _)| *next <= end) else { break };
            let now = inner.state().now.max(next);
            inner.state_mut().now = now;
            let tick = inner.exports.tick.clone();
            inner.call(root, tick, root)?;
            if let Some((period, next)) = inner.state_mut().roots.get_mut(&root).and_then(|root| root.tick.as_mut()) {
                *next = now.saturating_add(*period);
            }
        }
        inner.state_mut().now = end;
        Ok(())
    }

    /// The message of the trap that failed this VM, if one did.
    pub fn failed(&self) -> Option<String> {
        self.inner.borrow().failed.clone()
    }

    /// Metrics by name: the value of a counter or gauge, of a histogram the number of its samples.
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        let value = |metric: &Metric| match metric {
            Metric::Counter(now) | Metric::Gauge(now) => *now,
            Metric::Histogram(samples) => samples.len() as u64,
        };
        self.metrics.borrow().iter().map(|(name, metric)| (name.clone(), value(metric))).collect()
    }

    /// All lines logged so far, of every level; those of the canary are not among them.
    pub fn log(&self) -> Vec<LogLine> {
        self.inner.borrow().state().log.clone()
    }

    /// How often each host call was made so far; calls never made are left out.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        let inner = self.inner.borrow();
        CALLS
            .iter()
            .zip(inner.state().calls)
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (*name, count))
            .collect()
    }

    /// The size of the guest's memory, in bytes; it only grows.
    pub fn memory_size(&self) -> usize {
        self.inner.borrow().memory_size()
    }
}

fn configure(inner: &mut Inner, configuration: &[u8]) -> Result<u32, Refused> {
    let before = inner.state().log.len();
    let result = inner.configure(configuration);
    let refused = |trap| Refused { log: inner.state().log.iter().skip(before).cloned().collect(), trap };
    result.map_err(|trap| refused(Some(trap)))?.ok_or_else(|| refused(None))
}

/// A configured plugin: a root context. It ends (`proxy_on_done`, `proxy_on_delete`) when it and its streams are gone.
#[derive(Clone)]
pub struct Plugin {
    root: Rc<Root>,
}

/// What keeps a root context alive.
pub(super) struct Root {
    pub inner: Rc<RefCell<Inner>>,
    pub id: u32,
}

impl Drop for Root {
    fn drop(&mut self) {
        // Borrowed only while the thread unwinds out of a host call, when there is nothing left to tell the guest.
        if let Ok(mut inner) = self.inner.try_borrow_mut() {
            // A failed VM has no contexts to end.
            let _ = inner.delete(self.id);
            inner.state_mut().roots.remove(&self.id);
        }
    }
}

impl Plugin {
    /// Sends a request without a body through the plugin, up to the end of `on_http_request_headers`.
    ///
    /// `headers` are as on the wire, pseudo headers (`:method`, `:scheme`, `:authority`, `:path`) among them; names
    /// become lower case as in a codec. `properties` are paths joined with dots, with their raw bytes, such as
    /// `("source.address", b"10.0.0.1:4711")`.
    pub fn request(&self, headers: Vec<Header>, properties: &[(&str, &[u8])]) -> Stream {
        Stream::open(Rc::clone(&self.root), headers, properties)
    }

    /// How long until the host ticks; `None` while no tick is armed.
    pub fn next_tick(&self) -> Option<Duration> {
        let inner = self.root.inner();
        let state = inner.state();
        let (_, next) = state.roots.get(&self.root.id)?.tick?;
        Some(Duration::from_nanos(next.saturating_sub(state.now)))
    }

    /// The id of the root context, as the guest knows it.
    pub fn root_id(&self) -> u32 {
        self.root.id
    }
}

impl Root {
    pub fn inner(&self) -> Ref<'_, Inner> {
        self.inner.borrow()
    }
}
