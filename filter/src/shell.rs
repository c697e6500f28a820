//! The Proxy-Wasm shell: the one part that knows a host. Compiled for wasm32-wasip1 only.
//!
//! The SDK keeps dispatch and exports; host calls are [our own](host), because the SDK's panic on statuses that hosts do
//! return, and a panic takes the worker's VM down (proxy-wasm.md 2.11, 3.2). Nothing here holds a configuration outside
//! of its root context: one VM may have several (proxy-wasm.md 2.12).
//!
//! What becomes of a request when the host fails us:
//!
//! | what fails | what happens |
//! |---|---|
//! | reading the request's headers, changing one | the request is answered with 503, details `switchyard{host_error}`; under `mode: observe` it goes on as it came |
//! | that answer, or one that the policy asks for | the request waits, until Envoy's stream idle timeout ends it: it must not go on with a client's control headers |
//! | reading a fact of the connection | the request lacks it |
//! | the clock or the tick, for a request that is to wait | it does not wait; those that do already are let go |
//! | letting a request go that has waited | it waits on, until Envoy's stream idle timeout |
//! | filter state, counters, logging, headers of the response | nothing else: it lacks that |
//!
//! All are counted in `switchyard_host_errors`; the first, second, fourth, eighth … are logged.

mod answer;
mod apply;
mod delay;
mod host;
mod metrics;
mod random;
mod read;
mod tick;

use crate::connection::Facts;
use crate::decision::Action;
use crate::document::Mode;
use crate::draw::Draws;
use crate::operations::ResponseEdit;
use crate::policy::Policy;
use crate::request::Request;
use crate::{compile_json, decide};
use answer::Answer;
use delay::{Refused, Waiting};
use host::Level;
use metrics::{Counter, Metrics};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action as Flow, ContextType, LogLevel};
use random::Random;
use std::rc::Rc;
use xxhash_rust::xxh3::xxh3_64;

/// In nanoseconds.
const MILLISECOND: u64 = 1_000_000;

proxy_wasm::main! {{
    // For its panic hook: file and line of a panic. Our own lines do not pass through `log`, whose logger panics when the
    // host does not take a line.
    proxy_wasm::set_log_level(LogLevel::Critical);
    proxy_wasm::set_root_context(|_| Box::<Root>::default());
}}

/// A plugin: what Envoy makes one of for each configuration.
#[derive(Default)]
struct Root {
    active: Option<Rc<Active>>,
    waiting: Rc<Waiting>,
}

/// A configuration in force.
#[derive(Debug)]
struct Active {
    policy: Policy,
    facts: Facts,
    metrics: Metrics,
    random: Random,
}

/// A request and its response.
struct Stream {
    id: u32,
    active: Option<Rc<Active>>,
    waiting: Rc<Waiting>,
    /// It waits, or has waited.
    waits: bool,
    /// What becomes of the response's headers; of our own answers too, which come by as responses (proxy-wasm.md 2.5).
    response: Vec<ResponseEdit<'static>>,
}

impl Context for Root {
    fn on_done(&mut self) -> bool {
        self.flush();
        true
    }
}

impl Root {
    fn flush(&self) {
        if let Some(active) = &self.active {
            active.metrics.flush();
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = match host::configuration() {
            Ok(text) => text,
            Err(status) => {
                host::log(Level::Error, &format!("switchyard: configuration refused: host answers {status}"));
                return false;
            }
        };
        match compile_json(&text) {
            Ok(policy) => {
                host::log(Level::Info, &in_force(&policy, &text));
                self.flush();
                self.active = Some(Rc::new(Active {
                    facts: policy.facts(),
                    metrics: Metrics::define(&policy),
                    policy,
                    random: Random::default(),
                }));
                true
            }
            Err(errors) => {
                for error in &errors {
                    host::log(Level::Error, &format!("switchyard: configuration refused: {error}"));
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        let flush = self.active.as_ref().and_then(|active| active.metrics.flush_due(self.waiting.tick()));
        self.waiting.release(flush);
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        let (active, waiting) = (self.active.clone(), Rc::clone(&self.waiting));
        Some(Box::new(Stream { id, active, waiting, waits: false, response: Vec::new() }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// Says which configuration is in force: the same text has the same digest everywhere.
fn in_force(policy: &Policy, text: &[u8]) -> String {
    let mode = match policy.mode() {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    };
    let (version, digest) = (env!("CARGO_PKG_VERSION"), xxh3_64(text));
    let (tags, rules) = (policy.tags().len(), policy.rules().len());
    format!("switchyard {version}: configuration {digest:016x} in force: {rules} rules, {tags} tags, mode {mode}")
}

impl Context for Stream {}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.waits {
            self.waiting.leave(self.id);
        }
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Flow {
        let Some(active) = self.active.clone() else {
            // No host sends requests to a plugin that it has not configured.
            let _ = Answer::host_error().send(b"");
            return Flow::Pause;
        };
        match self.decide(&active) {
            Ok(flow) => flow,
            Err(error) => {
                active.metrics.host_error(&error);
                self.response.clear();
                match active.policy.mode() {
                    Mode::Observe => Flow::Continue,
                    Mode::Enforce => reply(&active, &Answer::host_error(), b""),
                }
            }
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Flow {
        if let Some(active) = &self.active {
            apply::respond(&core::mem::take(&mut self.response), &active.metrics);
        }
        Flow::Continue
    }
}

impl Stream {
    fn decide(&mut self, active: &Rc<Active>) -> Result<Flow, host::Error> {
        let Active { policy, metrics, random, .. } = &**active;
        let wire = host::request_headers()?;
        let lines = read::lines(&wire)?;
        let properties = read::Properties::read(active.facts, metrics);
        let connection = properties.connection();
        let source_address = properties.source_address();
        let request = Request::new(&lines, source_address).with_connection(&connection);
        let draws = Draws { fresh: Some(random.next()), ..Draws::default() };
        let decision = decide(policy, &request, &draws);
        apply::tell(policy, &request, &draws, &decision, metrics);
        let is_observing = policy.mode() == Mode::Observe;
        let fault = decision.own_fault(policy);
        metrics.count(match decision.action {
            _ if fault.abort.is_some() && !is_observing => Counter::Abort,
            Action::Forward(_) => Counter::Forward,
            Action::Reply(_) => Counter::Reply,
            // Something of the request is missing, `:path` of a CONNECT for example: ours to leave alone.
            Action::Pass | Action::Undecidable(_) => Counter::Pass,
        });
        metrics.count_series(policy, &decision, fault.abort.is_some() && !is_observing);
        metrics.flush_soon(self.waiting.tick());
        if is_observing {
            apply::edits(policy, &decision, &request)?;
            return Ok(Flow::Continue);
        }
        let answer = Answer::of(policy, &decision);
        if answer.is_none() {
            // Also of a request that waits: once it goes on its headers cannot be changed (proxy-wasm.md 2.1).
            apply::edits(policy, &decision, &request)?;
        }
        self.response = apply::response(&decision, answer.is_some());
        match fault.delay.map(|milliseconds| self.waiting.admit(milliseconds, policy.max_delayed())) {
            Some(Ok(deadline)) => {
                metrics.count(Counter::Delay);
                self.waits = true;
                self.waiting.enter(deadline, self.id, Rc::clone(active), answer);
                return Ok(Flow::Pause);
            }
            Some(Err(Refused::Full)) => metrics.count(Counter::DelayOverflow),
            Some(Err(Refused::Host(error))) => metrics.host_error(&error),
            None => {}
        }
        let direct = if let Action::Reply(reply) = &decision.action { reply.body } else { b"" };
        Ok(answer.map_or(Flow::Continue, |answer| reply(active, &answer, direct)))
    }
}

/// Answers a request. The host stops it whatever is returned; should it not have taken the answer, the request waits.
fn reply(active: &Active, answer: &Answer, direct: &[u8]) -> Flow {
    if let Err(error) = answer.send(direct) {
        active.metrics.host_error(&error);
    }
    Flow::Pause
}
