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
//! | filter state, counters, logging, `set-cookie` on the response | nothing else: it lacks that |
//!
//! All are counted in `switchyard_host_errors`; the first, second, fourth, eighth … are logged.

mod apply;
mod host;
mod metrics;
mod random;
mod read;

use crate::connection::Facts;
use crate::decision::Action;
use crate::document::Mode;
use crate::draw::Draws;
use crate::policy::Policy;
use crate::request::Request;
use crate::{compile_json, decide};
use host::Level;
use metrics::{Counter, Metrics};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action as Flow, ContextType, LogLevel};
use random::Random;
use std::rc::Rc;
use xxhash_rust::xxh3::xxh3_64;

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
}

/// A configuration in force.
struct Active {
    policy: Policy,
    facts: Facts,
    metrics: Metrics,
    random: Random,
}

/// A request and its response.
struct Stream {
    active: Option<Rc<Active>>,
    /// `set-cookie` values that the response gets.
    cookies: Vec<String>,
    /// The filter answered: its own answer comes by as a response (proxy-wasm.md 2.5) and has all that it needs.
    replied: bool,
}

impl Context for Root {}

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
                self.active = Some(Rc::new(Active {
                    facts: policy.facts(),
                    policy,
                    metrics: Metrics::define(),
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

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { active: self.active.clone(), cookies: Vec::new(), replied: false }))
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

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Flow {
        let Some(active) = self.active.clone() else {
            // No host sends requests to a plugin that it has not configured.
            return self.reply(None, apply::HOST_ERROR);
        };
        match self.decide(&active) {
            Ok(flow) => flow,
            Err(error) => {
                active.metrics.host_error(&error);
                match active.policy.mode() {
                    Mode::Observe => Flow::Continue,
                    Mode::Enforce => self.reply(Some(&active), apply::HOST_ERROR),
                }
            }
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Flow {
        if !self.replied {
            for cookie in core::mem::take(&mut self.cookies) {
                if let (Err(error), Some(active)) = (host::add_response_header("set-cookie", &cookie), &self.active) {
                    active.metrics.host_error(&error);
                }
            }
        }
        Flow::Continue
    }
}

impl Stream {
    fn decide(&mut self, active: &Active) -> Result<Flow, host::Error> {
        let Active { policy, metrics, random, .. } = active;
        let wire = host::request_headers()?;
        let lines = read::lines(&wire)?;
        let properties = read::Properties::read(active.facts, metrics);
        let connection = properties.connection();
        let source_address = properties.source_address();
        let request = Request::new(&lines, source_address).with_connection(&connection);
        let draws = Draws { fresh: Some(random.next()), ..Draws::default() };
        let decision = decide(policy, &request, &draws);
        apply::tell(policy, &request, &draws, &decision, metrics);
        metrics.count(match decision.action {
            Action::Forward(_) => Counter::Forward,
            Action::Reply(_) => Counter::Reply,
            // Something of the request is missing, `:path` of a CONNECT for example: ours to leave alone.
            Action::Pass | Action::Undecidable(_) => Counter::Pass,
        });
        if policy.mode() == Mode::Observe {
            return Ok(Flow::Continue);
        }
        self.cookies = decision.cookies.iter().map(crate::decision::IssuedCookie::set_cookie).collect();
        if let Action::Reply(reply) = &decision.action {
            return Ok(self.reply(Some(active), (reply.status, reply.reason)));
        }
        apply::edits(policy, &decision, &request)?;
        Ok(Flow::Continue)
    }

    /// Answers the request. The host stops it whatever is returned; should it not have taken the answer, the request
    /// waits.
    fn reply(&mut self, active: Option<&Active>, (status, reason): (u16, &str)) -> Flow {
        self.replied = true;
        if let Err(error) = apply::reply(status, reason, &self.cookies)
            && let Some(active) = active
        {
            active.metrics.host_error(&error);
        }
        Flow::Pause
    }
}
