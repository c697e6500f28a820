//! What a case expects against what Istio does: only what Istio shows.

use super::plain::Plain;
use crate::case::{ANSWER, LoweredRequest};
use crate::istio::{Exchange, Route, Routes};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use switchyard_filter::headers::{HASH, ROUTER_HINTS};

/// Response headers that the upstream and Envoy have by themselves.
const OWN: [&str; 11] = [
    "connection",
    "content-length",
    "content-type",
    "date",
    "grpc-message",
    "grpc-status",
    "server",
    "transfer-encoding",
    "vary",
    "x-envoy-decorator-operation",
    "x-envoy-upstream-service-time",
];

/// How a request fared.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Everything that differs.
    pub wrong: Vec<String>,
    /// Fields that Istio shows, whether they differ or not.
    pub compared: usize,
    /// Fields that it does not show.
    pub without_counterpart: Vec<String>,
}

/// How what Istio leaves to chance is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chance {
    /// As it fell: this must be what is expected.
    Fallen,
    /// As it can fall: what is expected must be possible.
    Possible,
}

struct Judge<'a> {
    request: &'a LoweredRequest,
    seen: &'a Exchange,
    route: Option<&'a Route>,
    numbered: bool,
    chance: Chance,
    /// Response headers that the request asks the upstream for.
    answered: Vec<(String, String)>,
    verdict: Verdict,
}

/// The route that took a request; `None`: none of a VirtualService.
pub fn taken<'a>(seen: &Exchange, routes: &'a Routes) -> Option<&'a Route> {
    routes.find(seen.route.as_deref(), seen.virtual_service.as_deref()?).next()
}

/// Compares what a request's decision was expected to be with what Istio did.
pub fn judge(
    request: &LoweredRequest,
    seen: &Exchange,
    route: Option<&Route>,
    plain: &Plain,
    chance: Chance,
) -> Verdict {
    let asked = request
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase().strip_prefix(ANSWER)?.to_owned(), value.clone())));
    let answered = asked.collect();
    let mut judge =
        Judge { request, seen, route, numbered: plain.numbered, chance, answered, verdict: Verdict::default() };
    if let Some(status) = request.envoy_answers {
        judge.same("envoyAnswers", &status.into(), &seen.status.into());
        return judge.verdict;
    }
    for (field, expected) in &request.expect {
        judge.field(field, expected);
    }
    judge.verdict
}

impl Judge<'_> {
    fn field(&mut self, field: &str, expected: &Value) {
        let seen = self.seen;
        // What no VirtualService takes goes to its service by default, which is no decision of a policy.
        let cluster = if seen.virtual_service.is_some() { seen.cluster.as_deref() } else { None };
        let parts: Vec<&str> = cluster.map(|name| name.splitn(4, '|').collect()).unwrap_or_default();
        match (field, expected) {
            ("virtualService", _) => self.same(field, expected, &seen.virtual_service.clone().into()),
            ("rule", _) => self.rule(expected),
            ("action", Value::String(action)) => self.action(action),
            ("cluster", _) => self.destination(field, expected, cluster.map(Into::into), |name| name),
            ("host", _) => self.destination(field, expected, parts.get(3).map(|host| (*host).into()), |name| {
                name.splitn(4, '|').nth(3).unwrap_or_default()
            }),
            ("subset", _) => {
                let subset = parts.get(2).filter(|subset| !subset.is_empty());
                self.destination(field, expected, subset.map(|subset| (*subset).into()), |name| {
                    name.split('|').nth(2).unwrap_or_default()
                });
            }
            ("port", _) => {
                let port = parts.get(1).and_then(|port| port.parse::<u16>().ok());
                self.same(field, expected, &port.into());
            }
            ("path" | "authority", _) => match &seen.upstream {
                Some(received) if field == "path" => self.same(field, expected, &received.path.clone().into()),
                Some(_) => self.same(field, expected, &self.upstream("host").into()),
                // An upstream may refuse what it is sent before anyone sees it.
                None if seen.details == "via_upstream" => {
                    let sent = if field == "path" { &seen.path } else { &seen.authority };
                    self.same(field, expected, &sent.clone().into());
                }
                None => self.without(field),
            },
            ("requestHeaders" | "upstreamHeaders", Value::Object(headers)) => self.request_headers(field, headers),
            ("requestHeadersAbsent", Value::Array(names)) => {
                for name in names.iter().filter_map(Value::as_str) {
                    if is_ours(name) || seen.upstream.is_none() {
                        self.steering(field, name, &Value::Null);
                    } else {
                        self.same(&format!("{field}: {name}"), &Value::Null, &self.upstream(name).into());
                    }
                }
            }
            ("responseHeaders", Value::Array(lines)) => self.response_headers(lines),
            ("removedHeaders", Value::Array(names)) => {
                for name in names.iter().filter_map(Value::as_str) {
                    match &seen.upstream {
                        Some(_) => self.same(&format!("{field}: {name}"), &Value::Null, &self.upstream(name).into()),
                        None => self.without(field),
                    }
                }
            }
            ("removedResponseHeaders", Value::Array(names)) => {
                for name in names.iter().filter_map(Value::as_str) {
                    let found = seen.header(name).next().map(ToOwned::to_owned);
                    self.same(&format!("{field}: {name}"), &Value::Null, &found.into());
                }
            }
            ("reply", _) => self.reply(expected),
            ("fault", _) => self.fault(expected),
            ("mirrors", Value::Array(clusters)) => self.mirrors(clusters),
            ("chances", Value::Array(chances)) => self.chances(chances),
            ("timeoutMs", _) => self.timeout(expected),
            ("retries", _) => self.retries(expected),
            _ => self.without(field),
        }
    }

    fn same(&mut self, field: &str, expected: &Value, found: &Value) {
        self.verdict.compared += 1;
        if expected != found {
            self.verdict.wrong.push(format!(
                "{field}: expected {expected}, Istio has {found} (status {}, {}{})",
                self.seen.status,
                self.seen.details,
                if self.seen.flags.is_empty() { String::new() } else { format!(", {}", self.seen.flags) }
            ));
        }
    }

    fn without(&mut self, field: &str) {
        self.verdict.without_counterpart.push(field.into());
    }

    /// The name of the route, which is that of the rule, and behind a dot that of the match block.
    fn rule(&mut self, expected: &Value) {
        let found = if self.seen.virtual_service.is_some() { self.seen.route.as_deref() } else { None };
        match expected.as_str() {
            Some(name) if name.starts_with("http[") && !self.numbered => self.without("rule"),
            Some(name)
                if found.and_then(|found| found.strip_prefix(name)).is_some_and(|rest| rest.starts_with('.')) =>
            {
                self.verdict.compared += 1;
            }
            _ => self.same("rule", expected, &found.into()),
        }
    }

    /// A route of a VirtualService forwards or answers; where there is none, a virtual host without a matching rule
    /// answers 404, and so does a gateway without a virtual host, which we pass on.
    fn action(&mut self, expected: &str) {
        let found = match self.route {
            Some(_) if self.answers() => "reply",
            Some(_) => "forward",
            None if self.answers() && matches!(expected, "reply" | "pass") => expected,
            None => "pass",
        };
        self.same("action", &expected.into(), &found.into());
    }

    /// Whether Envoy answers because the policy says so: not for a fault, nor for want of an upstream.
    fn answers(&self) -> bool {
        match self.route {
            Some(route) => route.value.get("route").is_none() || self.seen.details.starts_with("cors"),
            None => self.seen.details == "route_not_found",
        }
    }

    fn reply(&mut self, expected: &Value) {
        let Value::Object(reply) = expected else {
            // What is passed on where nothing takes it is answered by no policy.
            let answers = self.route.is_some() && self.answers();
            return self.same("reply", &Value::Null, &if answers { self.seen.status.into() } else { Value::Null });
        };
        for (name, expected) in reply {
            match (name.as_str(), expected) {
                ("status", _) => self.same("reply.status", expected, &self.seen.status.into()),
                ("body", _) => {
                    let found = switchyard_filter::report::latin1(&self.seen.body);
                    self.same("reply.body", expected, &found.into());
                }
                ("headers", Value::Array(lines)) => self.own_headers(lines),
                _ => self.without(&format!("reply.{name}")),
            }
        }
    }

    /// A choice by weight is Istio's own.
    fn destination(&mut self, field: &str, expected: &Value, found: Option<String>, part: fn(&str) -> &str) {
        let possible = self.route.map(Route::destinations).unwrap_or_default();
        if self.chance == Chance::Fallen || possible.len() < 2 {
            return self.same(field, expected, &found.into());
        }
        let parts: BTreeSet<&str> = possible.iter().map(|one| part(&one.cluster)).collect();
        self.possible(field, parts.contains(expected.as_str().unwrap_or_default()), expected, &format!("{parts:?}"));
    }

    /// Something that chance decides: what is expected can happen.
    fn possible(&mut self, field: &str, can: bool, expected: &Value, choice: &str) {
        self.verdict.compared += 1;
        if !can {
            self.verdict.wrong.push(format!("{field}: expected {expected}, and Istio's choice is {choice}"));
        }
    }

    /// What is injected, by Envoy's flags; how much of it, by the route.
    fn fault(&mut self, expected: &Value) {
        let policy = self.route.map_or(Value::Null, |route| route.fault().clone());
        let (delay, abort) = self.route.map_or((0, 0), Route::fault_shares);
        let flag = |flag: &str| self.seen.flags.split(',').any(|one| one == flag);
        let (delayed, aborted) = (flag("DI"), flag("FI"));
        let number = |field: &Value| field.as_u64();
        let parts = [
            ("delayMs", delayed, delay, crate::istio::milliseconds(&policy["delay"]["fixed_delay"])),
            ("abortStatus", aborted, abort, number(&policy["abort"]["http_status"])),
            ("grpcStatus", aborted, abort, number(&policy["abort"]["grpc_status"])),
        ];
        for (name, happened, share, amount) in parts {
            let expected = match expected {
                Value::Object(fault) => match fault.get(name) {
                    Some(expected) => expected,
                    None => continue,
                },
                _ => &Value::Null,
            };
            let field = format!("fault.{name}");
            if self.chance == Chance::Fallen {
                self.same(&field, expected, &amount.filter(|_| happened).into());
            } else {
                let amount = Value::from(amount.filter(|_| share > 0));
                let can = if expected.is_null() { share < 1_000_000 } else { *expected == amount };
                self.possible(&field, can, expected, &format!("{amount} for {share} of a million"));
            }
        }
    }

    /// Copies that arrived, and where the route sends them.
    fn mirrors(&mut self, expected: &[Value]) {
        let can: Vec<(String, u64)> = self.route.map(Route::mirrors).unwrap_or_default();
        let can: Vec<&(String, u64)> = can.iter().filter(|(_, share)| *share > 0).collect();
        let known = expected.iter().all(|one| can.iter().any(|(cluster, _)| one == cluster));
        let all = Value::Array(expected.to_vec());
        self.possible("mirrors", known, &all, &format!("{can:?}"));
        if self.chance == Chance::Fallen {
            self.same("mirrors (copies)", &expected.len().into(), &self.seen.mirrored.len().into());
        }
    }

    /// The shares of delay, abort and mirrors, in this order; what never happens has no part in it, since Istio makes no
    /// mirror of it.
    fn chances(&mut self, expected: &[Value]) {
        let (delay, abort) = self.route.map_or((0, 0), Route::fault_shares);
        let mirrors = self.route.map(Route::mirrors).unwrap_or_default();
        let all = [delay, abort].into_iter().chain(mirrors.into_iter().map(|(_, share)| share));
        #[allow(clippy::cast_precision_loss, reason = "a share is at most a million")]
        let found: Vec<Value> = all.filter(|share| *share > 0).map(|share| (share as f64 / 10_000.0).into()).collect();
        let expected = expected.iter().map(|chance| chance["percent"].clone());
        let expected: Vec<Value> = expected.filter(|percent| percent.as_f64() != Some(0.0)).collect();
        self.same("chances", &expected.into(), &found.into());
    }

    fn request_headers(&mut self, field: &str, headers: &Map<String, Value>) {
        for (name, expected) in headers {
            if let Some(route) = self.route.filter(|_| name == HASH && self.seen.upstream.is_some()) {
                self.same("the hashed value", expected, &super::hashed::value(&route.value, self.seen).into());
                continue;
            }
            let Some(received) = self.seen.upstream.as_ref().filter(|_| !is_ours(name)) else {
                self.steering(field, name, expected);
                continue;
            };
            let found = match name.as_str() {
                ":path" => Some(received.path.clone()),
                ":method" => Some(received.method.clone()),
                ":authority" => self.upstream("host"),
                name => self.upstream(name),
            };
            self.same(&format!("{field}.{name}"), expected, &found.into());
        }
    }

    /// What the filter tells Envoy by a header, Istio by the route: where to, where copies go, what to hash.
    fn steering(&mut self, field: &str, name: &str, expected: &Value) {
        let Some(route) = self.route.filter(|_| self.seen.upstream.is_some()) else { return self.without(field) };
        let field = format!("{field}.{name}");
        if name == "x-switchyard-cluster" && expected.is_string() {
            self.destination(&field, expected, self.seen.cluster.clone(), |name| name);
        } else if let Some(number) = name.strip_prefix("x-switchyard-mirror-").and_then(|n| n.parse::<usize>().ok()) {
            let mirrors = route.mirrors();
            let mirror = number.checked_sub(1).and_then(|index| mirrors.get(index));
            match mirror.filter(|(_, share)| *share > 0) {
                Some((_, share)) if *share < 1_000_000 => self.without(&field),
                mirror => self.same(&field, expected, &mirror.map(|(cluster, _)| cluster.clone()).into()),
            }
        } else if name == "x-switchyard-hash" {
            let found: Vec<Value> = route.hash_policies().iter().map(|policy| self.hashed(policy).into()).collect();
            match found.as_slice() {
                [] => self.same(&field, expected, &Value::Null),
                [only] => self.same(&field, expected, only),
                // Istio gives a choice by weight the policies of every destination; we that of the chosen one.
                several => self.possible(&field, several.contains(expected), expected, &format!("{several:?}")),
            }
        } else {
            self.without(&field);
        }
    }

    /// What a hash policy of Istio's takes from this request, as it goes out.
    fn hashed(&self, policy: &Value) -> Option<String> {
        let text = |part: &str, name: &str| policy[part][name].as_str();
        if let Some(name) = text("header", "header_name") {
            let name = name.to_ascii_lowercase();
            let lines = self.seen.upstream.as_ref()?.headers.iter().filter(|(known, _)| *known == name);
            // Envoy gives several lines one hash in whatever order they come.
            let mut lines: Vec<&str> = lines.map(|(_, value)| &**value).collect();
            lines.sort_unstable();
            return (!lines.is_empty()).then(|| lines.join(","));
        }
        if let Some(name) = text("cookie", "name") {
            let cookies = self.upstream("cookie")?;
            let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
            return pairs
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.to_owned())
                .filter(|v| !v.is_empty());
        }
        if let Some(name) = text("query_parameter", "name") {
            let query = self.seen.path.as_ref()?.split_once('?')?.1.to_owned();
            let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            return pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
        }
        let by_address = policy["connection_properties"]["source_ip"] == true;
        by_address.then(|| self.request.source_address.to_string())
    }

    /// What a decision adds: of each name that is expected exactly these lines, in order, besides those that the upstream
    /// was asked to answer.
    fn response_headers(&mut self, lines: &[Value]) {
        let mut found = self.seen.response.clone();
        for line in &self.answered {
            if let Some(index) = found.iter().position(|known| known == line) {
                found.remove(index);
            }
        }
        let names: BTreeSet<&str> = lines.iter().filter_map(|line| line[0].as_str()).collect();
        for name in names {
            let values = lines.iter().filter(|line| line[0] == name).map(|line| line[1].clone());
            let found = found.iter().filter(|(known, _)| known == name).map(|(_, value)| Value::from(value.as_str()));
            self.same(&format!("responseHeaders.{name}"), &values.collect(), &found.collect());
        }
        let is_own = |name: &str| OWN.contains(&name) || (self.seen.upstream.is_none() && is_answers(name));
        let others = found.iter().filter(|(name, _)| !is_own(name) && !lines.iter().any(|line| line[0] == **name));
        let others = others.map(|(name, value)| Value::from(format!("{name}: {value}"))).collect();
        self.same("responseHeaders (others)", &Value::Array(Vec::new()), &others);
    }

    /// The headers that an answer has by itself.
    fn own_headers(&mut self, lines: &[Value]) {
        let own = self.seen.response.iter().filter(|(name, _)| is_answers(name));
        let mut found: Vec<String> = own.map(|(name, value)| format!("{name}: {value}")).collect();
        let text = |line: &Value| format!("{}: {}", line[0].as_str().unwrap_or(""), line[1].as_str().unwrap_or(""));
        let mut expected: Vec<String> = lines.iter().map(text).collect();
        found.sort();
        expected.sort();
        self.same("reply.headers", &expected.into(), &found.into());
    }

    /// How long Envoy tells the upstream that it waits: what is in force after what the client asks for.
    fn timeout(&mut self, expected: &Value) {
        let per_try = self.route.is_some_and(|route| !route.retries()["per_try_timeout"].is_null());
        if self.seen.upstream.is_none() || per_try {
            let route = self.route.and_then(Route::timeout_ms);
            return self.same("timeoutMs (of the route)", expected, &route.into());
        }
        let told = self.upstream("x-envoy-expected-rq-timeout-ms").and_then(|told| told.parse::<u64>().ok());
        self.same("timeoutMs", expected, &told.into());
    }

    fn retries(&mut self, expected: &Value) {
        let Some(route) = self.route else { return self.without("retries") };
        let policy = route.retries().clone();
        let Value::Object(expected) = expected else {
            return self.same("retries", &true.into(), &(policy.is_null() || policy["num_retries"] == 0).into());
        };
        for (name, expected) in expected {
            match name.as_str() {
                // Absent is 1 in Envoy, and istiod always writes it.
                "attempts" => self.same("retries.attempts", expected, &policy["num_retries"]),
                "perTryTimeoutMs" => {
                    let found = crate::istio::milliseconds(&policy["per_try_timeout"]);
                    self.same("retries.perTryTimeoutMs", expected, &found.into());
                }
                "retryOn" => {
                    let codes = policy["retriable_status_codes"].as_array().into_iter().flatten();
                    let mut found = tokens(policy["retry_on"].as_str().unwrap_or_default());
                    found.extend(codes.map(Value::to_string));
                    let found: Vec<String> = found.into_iter().collect();
                    let expected: Vec<String> = tokens(expected.as_str().unwrap_or_default()).into_iter().collect();
                    self.same("retries.retryOn", &expected.into(), &found.into());
                }
                _ => self.without(&format!("retries.{name}")),
            }
        }
    }

    /// A header as it came to the upstream, its lines joined.
    fn upstream(&self, name: &str) -> Option<String> {
        let lines = &self.seen.upstream.as_ref()?.headers;
        let mut values = lines.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone());
        let first = values.next()?;
        Some(values.fold(first, |all, value| all + "," + &value))
    }
}

/// Headers that an answer of the policy has by itself.
fn is_answers(name: &str) -> bool {
    name == "location" || name.starts_with("access-control-")
}

/// Conditions of a retry. `retriable-status-codes` without codes is none, and the codes themselves are in the list.
fn tokens(text: &str) -> BTreeSet<String> {
    let tokens = text.split(',').filter(|token| !token.is_empty() && *token != "retriable-status-codes");
    tokens.map(ToOwned::to_owned).collect()
}

/// Headers by which the filter tells Envoy what to do, in every spelling that it takes away: Istio has routes for that,
/// and leaves them alone.
fn is_ours(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    name.starts_with("x-switchyard-") || name.starts_with("x-envoy-fault-") || ROUTER_HINTS.contains(&&*name)
}
