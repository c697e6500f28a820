//! What the host knows: contexts, metrics, logs, shared data, clock and random numbers of one VM.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use wasmtime::{Memory, StoreLimits, StoreLimitsBuilder, TypedFunc};

use super::{
    Fault, LogLine, Options,
    headers::{Header, HeaderMap},
    status::{self, CALLS},
};

/// A metric of the process, by name; ids belong to a VM.
#[derive(Debug, Clone)]
pub(super) enum Metric {
    Counter(u64),
    Gauge(u64),
    Histogram(Vec<u64>),
}

pub(super) type Metrics = Rc<RefCell<BTreeMap<String, Metric>>>;

/// A local reply as the guest asked for it.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub status: u32,
    pub details: String,
    pub body: Vec<u8>,
    pub headers: Vec<Header>,
    pub grpc: Option<u32>,
}

/// Done when the guest's callback has returned (`proxy-wasm.md` 4.2, 5).
#[derive(Debug)]
pub(super) enum Deferred {
    Continue(u32),
    Reply(u32),
    Close(u32),
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what may be read, and what was done: they vary independently")]
pub(super) struct StreamState {
    pub root: u32,
    pub request: HeaderMap,
    pub response: HeaderMap,
    /// The maps that the guest may touch now; neither is open in the log phase, where both can be read.
    pub request_open: bool,
    pub response_open: bool,
    pub log_phase: bool,
    pub properties: BTreeMap<String, Vec<u8>>,
    pub filter_state: BTreeMap<String, Vec<u8>>,
    pub route_cache_clears: u64,
    /// Set with the first `proxy_send_local_response`; later ones are answered Ok and do nothing, as in Envoy.
    pub reply: Option<Reply>,
    pub replied: bool,
    pub paused: bool,
    pub closed: bool,
    pub misuse: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct RootState {
    /// Period and next time, in nanoseconds.
    pub tick: Option<(u64, u64)>,
}

pub(super) struct State {
    pub limits: StoreLimits,
    pub memory: Option<Memory>,
    pub allocate: Option<TypedFunc<u32, u32>>,
    pub initializing: bool,
    /// The context that host calls act on: the callback's own, or what `proxy_set_effective_context` made it.
    pub effective: u32,
    pub roots: BTreeMap<u32, RootState>,
    pub streams: BTreeMap<u32, StreamState>,
    pub deferred: VecDeque<Deferred>,
    /// Readable as buffer 7 while `proxy_on_configure` or `proxy_on_vm_start` runs, and only then.
    pub configuration: Option<Vec<u8>>,
    pub options: Options,
    pub metrics: Metrics,
    pub metric_names: BTreeMap<u32, String>,
    next_metric: [u32; 3],
    pub shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    pub log: Vec<LogLine>,
    pub calls: [u64; CALLS.len()],
    pub faults: Vec<(usize, Fault)>,
    pub now: u64,
    random: u64,
}

impl State {
    pub fn new(options: Options, metrics: Metrics) -> Self {
        Self {
            limits: StoreLimitsBuilder::new().memory_size(options.memory_limit).build(),
            memory: None,
            allocate: None,
            initializing: true,
            effective: 0,
            roots: BTreeMap::new(),
            streams: BTreeMap::new(),
            deferred: VecDeque::new(),
            configuration: None,
            now: options.start_time_ns,
            random: options.seed,
            options,
            metrics,
            metric_names: BTreeMap::new(),
            next_metric: [0, 1, 2],
            shared: BTreeMap::new(),
            log: Vec::new(),
            calls: [0; CALLS.len()],
            faults: Vec::new(),
        }
    }

    /// The stream that host calls act on now; `None` while they act on a root.
    pub fn stream(&mut self) -> Option<&mut StreamState> {
        self.streams.get_mut(&self.effective)
    }

    /// The root of the context that host calls act on now.
    pub fn root_id(&self) -> u32 {
        self.streams.get(&self.effective).map_or(self.effective, |stream| stream.root)
    }

    /// The header map `kind` for reading; in the log phase a map that never was is empty.
    pub fn map(&self, kind: u32) -> Option<&HeaderMap> {
        let stream = self.streams.get(&self.effective)?;
        match kind {
            status::REQUEST_HEADERS if stream.request_open || stream.log_phase => Some(&stream.request),
            status::RESPONSE_HEADERS if stream.response_open || stream.log_phase => Some(&stream.response),
            _ => None,
        }
    }

    /// Changes the header map `kind`. A change of request headers clears the route cache (`proxy-wasm.md` 2.3), also
    /// one that changes nothing.
    pub fn change(&mut self, kind: u32, change: impl FnOnce(&mut HeaderMap)) -> Result<(), u32> {
        let stream = self.stream().ok_or(status::BAD_ARGUMENT)?;
        match kind {
            status::REQUEST_HEADERS if stream.request_open => {
                change(&mut stream.request);
                stream.route_cache_clears += 1;
            }
            status::RESPONSE_HEADERS if stream.response_open => change(&mut stream.response),
            _ => return Err(status::BAD_ARGUMENT),
        }
        Ok(())
    }

    /// A new id for the metric `name`, one for each call (`proxy-wasm.md` 2.6); the kind is in the two lowest bits.
    pub fn define_metric(&mut self, kind: u32, name: String) -> Result<u32, u32> {
        let metric = match kind {
            0 => Metric::Counter(0),
            1 => Metric::Gauge(0),
            2 => Metric::Histogram(Vec::new()),
            _ => return Err(status::BAD_ARGUMENT),
        };
        let next = self.next_metric.get_mut(kind as usize).ok_or(status::BAD_ARGUMENT)?;
        *next += 4;
        let id = *next;
        self.metrics.borrow_mut().entry(name.clone()).or_insert(metric);
        self.metric_names.insert(id, name);
        Ok(id)
    }

    /// Changes or reads the metric `id`.
    pub fn metric<R>(&self, id: u32, act: impl FnOnce(&mut Metric) -> Result<R, u32>) -> Result<R, u32> {
        let name = self.metric_names.get(&id).ok_or(status::NOT_FOUND)?;
        act(self.metrics.borrow_mut().get_mut(name).ok_or(status::NOT_FOUND)?)
    }

    /// The next random number: splitmix64 over the seed.
    pub fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn log(&mut self, level: u32, text: &[u8]) {
        self.log.push(LogLine { level, text: String::from_utf8_lossy(text).into_owned() });
    }

    /// The injected answer to the call, if there is one.
    pub fn fault(&self, call: usize) -> Option<&Fault> {
        self.faults.iter().find(|(at, _)| *at == call).map(|(_, fault)| fault)
    }
}
