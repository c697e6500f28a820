//! Random requests that lean towards the boundaries of a policy's conditions: just inside, just outside.

use super::regex::Regex;
use super::shrink::rename;
use super::unit::Unit;
use super::words::{HEADERS, METHODS, ORIGINS, PARAMETERS, PATHS, VALUES};
use super::world::{Entry, HASHED};
use crate::harness::Request;
use crate::rng::Rng;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Names a request to the upstream, which keeps what it received by it.
pub const ID: &str = "x-diff-id";
/// Asks the upstream for a status.
pub const ASK_STATUS: &str = "x-echo-status";
/// Asks the upstream to wait, in milliseconds.
pub const ASK_DELAY: &str = "x-echo-delay";
/// Asks the upstream to close the connection instead of answering.
pub const ASK_RESET: &str = "x-echo-reset";

/// A request to both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Where it enters.
    pub entry: Entry,
    /// The method.
    pub method: String,
    /// The `Host`.
    pub host: String,
    /// Path and query.
    pub target: String,
    /// Other headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Probe {
    /// What goes over the wire, with the name by which the upstream knows it.
    pub fn request(&self, id: &str) -> Request {
        let mut request = Request::new(&self.method, self.host.as_bytes(), self.target.as_bytes());
        for (name, value) in &self.headers {
            request = request.header(name, value.as_bytes());
        }
        request.header(ID, id).body(self.body.as_bytes())
    }

    /// It, as `requests` of a case have it.
    pub fn case(&self) -> Value {
        let mut case = json!({"method": self.method, "url": format!("http://{}{}", self.host, self.target)});
        if !self.headers.is_empty() {
            case["headers"] = json!(self.headers);
        }
        case
    }

    /// The same to another copy of its policy.
    #[must_use]
    pub fn renamed(&self, from: usize, to: usize) -> Self {
        let rename = |text: &str| rename(text, from, to);
        Self {
            host: rename(&self.host),
            target: rename(&self.target),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), rename(value))).collect(),
            ..self.clone()
        }
    }

    /// A random request to a policy.
    pub fn new(rng: &mut Rng, unit: &Unit) -> Self {
        let mut probing = Probing { rng, unit };
        probing.probe()
    }
}

struct Probing<'a> {
    rng: &'a mut Rng,
    unit: &'a Unit,
}

impl Probing<'_> {
    fn probe(&mut self) -> Probe {
        let services: Vec<&Value> = self.unit.virtual_services().collect();
        let service = self.rng.pick(&services);
        let entry = if self.rng.chance(95) { self.rng.pick(&self.unit.entries) } else { self.rng.pick(&Entry::ALL) };
        let mut probe = Probe {
            entry,
            method: "GET".into(),
            host: self.host(service, entry),
            target: "/".into(),
            headers: Vec::new(),
            body: String::new(),
        };
        let rules = service["spec"]["http"].as_array().cloned().unwrap_or_default();
        let mut rule = self.rng.pick(&rules).clone();
        let mut blocks = vec![self.block(&rule)];
        if let Some(name) = rule["delegate"]["name"].as_str() {
            let delegate = self.unit.manifests.iter().find(|one| one["metadata"]["name"] == name);
            let inner = delegate.and_then(|delegate| delegate["spec"]["http"].as_array());
            if let Some(inner) = inner.filter(|inner| !inner.is_empty()) {
                let inner = self.rng.pick(inner).clone();
                blocks.push(self.block(&inner));
                // What its root has, its own fields replace.
                if let (Value::Object(rule), Value::Object(inner)) = (&mut rule, inner) {
                    rule.extend(inner);
                }
            }
        }
        let mut path = if self.rng.chance(70) { (self.rng.pick(&PATHS)).replace(' ', "") } else { "/".into() };
        let mut query: Vec<String> = Vec::new();
        for block in blocks {
            self.meet(&block, &mut probe, &mut path, &mut query);
        }
        self.noise(&mut probe, &mut path, &mut query);
        self.lean_on(&rule, &mut probe);
        probe.target = path;
        if !query.is_empty() || self.rng.chance(2) {
            let _ = write!(probe.target, "?{}", query.join("&"));
        }
        if probe.method == "OPTIONS" && self.rng.chance(2) {
            probe.target = "*".into();
        }
        if probe.method == "POST" || self.rng.chance(3) {
            probe.body = "body".into();
        }
        probe
    }

    fn block(&mut self, rule: &Value) -> Map<String, Value> {
        let blocks: Vec<_> = rule["match"].as_array().into_iter().flatten().filter_map(Value::as_object).collect();
        if blocks.is_empty() { Map::new() } else { (self.rng.pick(&blocks)).clone() }
    }

    fn host(&mut self, service: &Value, entry: Entry) -> String {
        let hosts: Vec<&str> =
            service["spec"]["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let written = (self.rng.pick(&hosts)).to_owned();
        let mut host = match written.strip_prefix('*') {
            Some(end) => format!("{}{end}", self.rng.pick(&["a", "b", "a", "b", "a.b", "x", ""])),
            None => written,
        };
        if entry == Entry::Mesh && host.ends_with(".svc.cluster.local") || !host.contains('.') {
            let short = host.split('.').next().unwrap_or_default().to_owned();
            let forms = ["", ".demo", ".demo.svc", ".demo.svc.cluster.local", ".other", ".demo.svc.cluster"];
            host = match self.rng.below(10) {
                0..6 => format!("{short}.demo.svc.cluster.local"),
                _ => format!("{short}{}", self.rng.pick(&forms)),
            };
        }
        match self.rng.below(20) {
            0 => host.to_ascii_uppercase(),
            1 | 2 => format!("{host}:80"),
            3 => format!("{host}:8080"),
            4 if self.rng.chance(30) => format!("x{host}"),
            4 if self.rng.chance(30) => format!("{host}."),
            4 => format!("sub.{host}"),
            _ => host,
        }
    }

    /// Meets every condition of a block, or just misses some.
    fn meet(&mut self, block: &Map<String, Value>, probe: &mut Probe, path: &mut String, query: &mut Vec<String>) {
        if let Some(uri) = block.get("uri") {
            let mut met = self.value(uri, 72).unwrap_or_default();
            if block.contains_key("ignoreUriCase") && self.rng.chance(50) {
                met = flipped(&met, self.rng);
            }
            // A path has no space, and a `%` two digits.
            met = met.replace(' ', if self.rng.chance(50) { "%20" } else { "" });
            *path = if met.starts_with('/') { met } else { format!("/{met}") };
        }
        for (field, percent) in [("headers", 82), ("withoutHeaders", 40)] {
            for (name, condition) in block.get(field).and_then(Value::as_object).into_iter().flatten() {
                match &*name.to_ascii_lowercase() {
                    ":method" => {
                        probe.method = self
                            .value(condition, percent)
                            .filter(|met| is_method(met, self.rng))
                            .unwrap_or("GET".into());
                    }
                    name if name.starts_with(':') || name == "host" => {}
                    _ => self.header(name, condition, percent, probe),
                }
            }
        }
        for (name, condition) in block.get("queryParams").and_then(Value::as_object).into_iter().flatten() {
            self.parameter(name, condition, query);
        }
        if let Some(method) = block.get("method") {
            let met = self.value(method, 82).filter(|met| is_method(met, self.rng));
            probe.method = met.unwrap_or_else(|| (self.rng.pick(&METHODS)).to_owned());
        }
        if let Some(authority) = block.get("authority")
            && self.rng.chance(60)
            && let Some(met) = self.value(authority, 80).filter(|met| !met.is_empty() && !met.contains(' '))
        {
            probe.host = met;
        }
    }

    /// A value that a condition takes so many times of 100, else one just outside; `None`: nothing at all.
    fn value(&mut self, condition: &Value, percent: usize) -> Option<String> {
        let inside = if let Some(exact) = condition["exact"].as_str() {
            exact.to_owned()
        } else if let Some(prefix) = condition["prefix"].as_str() {
            let more = self.rng.pick(&["", "", "x", "/b", "b", "/"]);
            format!("{prefix}{more}")
        } else if let Some(regex) = condition["regex"].as_str() {
            self.unit.regexes.get(regex).map_or_else(String::new, |regex| Regex::sample(regex, self.rng))
        } else {
            (self.rng.pick(&VALUES)).to_owned()
        };
        if self.rng.chance(percent) {
            return Some(inside);
        }
        Some(match self.rng.below(7) {
            0 => flipped(&inside, self.rng),
            1 => inside.get(..inside.len().saturating_sub(1)).unwrap_or_default().to_owned(),
            2 => format!("{inside}x"),
            3 => format!("x{inside}"),
            4 => String::new(),
            5 => (self.rng.pick(&VALUES)).to_owned(),
            _ => return None,
        })
    }

    fn header(&mut self, name: &str, condition: &Value, percent: usize, probe: &mut Probe) {
        let Some(value) = self.value(condition, percent) else { return };
        let name = if self.rng.chance(10) { name.to_ascii_uppercase() } else { name.to_owned() };
        match self.rng.below(14) {
            // On two lines, which are one joined value.
            0 => {
                if let Some((first, second)) = value.clone().split_once(',') {
                    probe.headers.push((name.clone(), first.to_owned()));
                    probe.headers.push((name, second.to_owned()));
                    return;
                }
                probe.headers.push((name.clone(), value));
                let other = (self.rng.pick(&VALUES)).to_owned();
                probe.headers.push((name, other));
            }
            1 => probe.headers.push((name, format!(" {value}  "))),
            2 => probe.headers.push((name.replace('-', "_"), value)),
            _ => probe.headers.push((name, value)),
        }
    }

    fn parameter(&mut self, name: &str, condition: &Value, query: &mut Vec<String>) {
        let Some(value) = self.value(condition, 80) else { return };
        let value = value.replace(' ', if self.rng.chance(50) { "+" } else { "%20" });
        let one = match self.rng.below(12) {
            0 => name.to_owned(),
            1 => format!("{name}="),
            2 => format!("{}={value}", flipped(name, self.rng)),
            3 => format!("{name}=%61"),
            4 => format!("{name}={value}={value}"),
            _ => format!("{name}={value}"),
        };
        query.push(one);
        if self.rng.chance(12) {
            let again = format!("{name}={}", self.rng.pick(&["a", "b", ""]));
            let at = self.rng.below(query.len() + 1);
            query.insert(at, again);
        }
    }

    /// What no condition asks for.
    fn noise(&mut self, probe: &mut Probe, path: &mut String, query: &mut Vec<String>) {
        if self.rng.chance(20) {
            let (name, value) = (self.rng.pick(&HEADERS), self.rng.pick(&VALUES));
            probe.headers.push((name.to_owned(), value.to_owned()));
        }
        if self.rng.chance(12) {
            let (name, value) = (self.rng.pick(&PARAMETERS), self.rng.pick(&["a", "ab", ""]));
            query.push(format!("{name}={value}"));
        }
        if self.rng.chance(10) {
            *path = match self.rng.below(8) {
                0 => format!("/{path}"),
                1 => format!("{path}/../b"),
                2 => format!("/.{path}"),
                3 => format!("{path}/"),
                4 => path.replace("/b", "%2Fb"),
                5 => path.replace('a', "%61"),
                6 => format!("{path};x=1"),
                _ => format!("{path}#f"),
            };
        }
        if self.rng.chance(8) {
            self.rng.pick(&METHODS).clone_into(&mut probe.method);
        }
        if self.rng.chance(3) {
            let (name, value) = self.rng.pick(&[
                ("x-forwarded-proto", "https"),
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-host", "else.test"),
                ("te", "trailers"),
                ("accept-encoding", "gzip"),
                ("x-request-id", "00000000-0000-4000-8000-000000000001"),
            ]);
            probe.headers.push((name.to_owned(), value.to_owned()));
        }
        // Not where an OPTIONS is asked for: no gRPC call is a preflight.
        if self.rng.chance(5) && probe.method != "OPTIONS" {
            probe.method = "POST".into();
            probe.headers.push(("content-type".to_owned(), "application/grpc".to_owned()));
            if self.rng.chance(40) {
                probe.headers.push(("grpc-timeout".to_owned(), self.rng.pick(&["7S", "90S", "bad"]).to_owned()));
            }
        }
        let hashed = self.rng.pick(&["anna", "bob", "carl", "dora", "emil", "fred"]);
        probe.headers.push((HASHED.to_owned(), hashed.to_owned()));
    }

    /// What a rule's own fields react to.
    fn lean_on(&mut self, rule: &Value, probe: &mut Probe) {
        let push = |probe: &mut Probe, name: &str, value: &str| probe.headers.push((name.to_owned(), value.to_owned()));
        if rule["corsPolicy"].is_object() && self.rng.chance(80) {
            push(probe, "origin", self.rng.pick(&ORIGINS));
            let is_grpc = probe.headers.iter().any(|(_, value)| value == "application/grpc");
            if self.rng.chance(50) && !is_grpc {
                probe.method = "OPTIONS".into();
                if self.rng.chance(85) {
                    push(probe, "access-control-request-method", self.rng.pick(&["GET", "POST", ""]));
                }
                if self.rng.chance(30) {
                    push(probe, "access-control-request-headers", "x-a");
                }
            }
        }
        let retried = rule["retries"].is_object();
        if self.rng.chance(if retried { 35 } else { 2 }) {
            if self.rng.chance(80) {
                push(probe, ASK_STATUS, self.rng.pick(&["503", "500", "409", "418", "502", "404", "200"]));
            } else {
                push(probe, ASK_RESET, "1");
            }
        }
        let short = |timeout: &Value| timeout.as_str().is_some_and(|written| written.ends_with("ms"));
        if (short(&rule["timeout"]) || short(&rule["retries"]["perTryTimeout"])) && self.rng.chance(10) {
            push(probe, ASK_DELAY, "900");
        }
    }
}

/// With the case of one letter changed.
fn flipped(text: &str, rng: &mut Rng) -> String {
    let letters: Vec<usize> = text.char_indices().filter(|(_, c)| c.is_ascii_alphabetic()).map(|(at, _)| at).collect();
    if letters.is_empty() {
        return text.to_owned();
    }
    let chosen = rng.pick(&letters);
    let flip = |(at, c): (usize, char)| match at == chosen {
        true if c.is_ascii_lowercase() => c.to_ascii_uppercase(),
        true => c.to_ascii_lowercase(),
        false => c,
    };
    text.char_indices().map(flip).collect()
}

/// Envoy answers 400 to methods that it does not know: now and then is enough.
fn is_method(text: &str, rng: &mut Rng) -> bool {
    let known = METHODS.contains(&text) && text != "get";
    known || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) && rng.chance(5))
}
