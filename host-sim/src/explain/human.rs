//! An explanation as text.

use super::request::Asked;
use super::{By, Candidate, Explanation, Why, WhyTag, Written};
use std::fmt::Write as _;
use switchyard_filter::report::{ActionName, ChanceReport, ReplyReport, Report};
use switchyard_filter::truth::Truth;

/// The explanation for people; ends with a line feed.
pub fn human(asked: &Asked, explanation: &Explanation) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}\n  at listener {}, port {}", asked.text, explanation.listener, explanation.listener_port);
    if let Some(port) = asked.port.filter(|port| *port != explanation.listener_port) {
        let _ = writeln!(out, "  the URL's port, {port}, is part of the host only: it chooses no other listener");
    }
    if explanation.assumes_other_address {
        let _ = writeln!(out, "  from an address that no rule names (say which with --source-address)");
    }
    if !explanation.why_tags.is_empty() {
        let _ = writeln!(out, "\nTags");
        for tag in &explanation.why_tags {
            self::tag(tag, explanation, &mut out);
        }
    }
    match &explanation.virtual_host {
        Some(host) => {
            let _ = writeln!(out, "\nRules for `{host}`, in order");
        }
        None => {
            let _ = writeln!(out, "\nRules\n  no VirtualService is for this host");
        }
    }
    for rule in &explanation.why_rules {
        let name = format!("{}/{}", rule.virtual_service.as_deref().unwrap_or_default(), rule.rule);
        why(&name, rule, "  ", &mut out);
    }
    if explanation.virtual_host.is_some() && explanation.why_rules.last().is_none_or(|last| last.holds == Truth::False)
    {
        let _ = writeln!(out, "  no further rule");
    }
    if explanation.candidates.is_empty() {
        let _ = writeln!(out, "\nDecision");
        decision(&explanation.decision, explanation, &mut out);
    } else {
        let missing = missing(explanation.decision.missing.as_deref().unwrap_or("the subject of a choice"));
        let _ = writeln!(out, "\nCandidates: the draw hangs on {missing}, which the request does not have");
        for candidate in &explanation.candidates {
            self::candidate(candidate, &mut out);
        }
    }
    out
}

fn tag(tag: &WhyTag, explanation: &Explanation, out: &mut String) {
    let value = match (&tag.value, tag.by) {
        (Some(value), _) => value.as_str(),
        (None, By::Unknown) => "(not known)",
        (None, _) => "(none)",
    };
    let _ = writeln!(out, "  {}: {value}{}", tag.header, place(tag.written.as_ref()));
    for rule in &tag.rules {
        why(&format!("value `{}`", rule.rule), rule, "    ", out);
    }
    let words = match tag.by {
        By::Rule => return,
        By::Split => {
            let name = format!("tag/{}", tag.header);
            explanation.draws.iter().find(|draw| draw.choice == name).map_or_else(|| "the only share".to_owned(), drawn)
        }
        By::Client => "as the client says, which `trustClient` allows".to_owned(),
        By::Nothing if tag.rules.is_empty() => "neither rules nor shares".to_owned(),
        By::Nothing => "no rule matches, and there are no shares".to_owned(),
        By::OtherHost => "not set: the host is none of the tag's".to_owned(),
        By::Unknown => "by share, see the candidates".to_owned(),
    };
    let _ = writeln!(out, "    {words}");
}

fn drawn(draw: &super::Draw) -> String {
    let who = match (draw.kept, draw.subject.as_str()) {
        (true, subject) => format!("kept by {subject}"),
        (false, "the request's id") => "by the request's id".to_owned(),
        (false, subject) => format!("by the request's id, since it has no {subject}"),
    };
    format!("drawn with a share of {}, {who} (choice {})", percent(draw.share), draw.choice)
}

fn why(name: &str, why: &Why, indent: &str, out: &mut String) {
    let sign = match why.holds {
        Truth::True => "yes",
        Truth::False => "no ",
        Truth::Unknown => "?  ",
    };
    let _ = writeln!(out, "{indent}{sign} {name}{}", place(why.written.as_ref()));
    for condition in &why.conditions {
        // Of a block that fails, only what failed is the reason.
        if why.holds == Truth::False && condition.holds != Truth::False {
            continue;
        }
        let found = match (&condition.found, condition.holds) {
            (Some(found), _) => format!("the request has `{}`", found.escape_debug()),
            (None, Truth::Unknown) => "not known".to_owned(),
            (None, _) => "the request has none".to_owned(),
        };
        let field = condition.written.as_ref().map_or("", |written| written.field.as_str());
        let _ = writeln!(out, "{indent}      {}; {found}  ({field})", condition.asks);
    }
}

fn candidate(candidate: &Candidate, out: &mut String) {
    let report = &candidate.decision;
    let tags: Vec<_> = report.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let rule = rule(report).map_or_else(String::new, |rule| format!(", rule {rule}"));
    let tags = if tags.is_empty() { String::new() } else { format!("  {}", tags.join(" ")) };
    let _ = writeln!(out, "  {:>8}{tags}{rule}: {}", percent(candidate.share), action(report));
}

fn decision(report: &Report, explanation: &Explanation, out: &mut String) {
    let rule = rule(report).map_or_else(String::new, |rule| format!(", by rule {rule}"));
    // Who is answered by a fault goes nowhere, and does not come to where copies are made.
    let is_aborted = report.fault.as_ref().is_some_and(|fault| fault.abort_status.or(fault.grpc_status).is_some());
    if is_aborted {
        let _ = writeln!(out, "  answer by an injected fault{rule}");
        let _ = writeln!(out, "  without it: {}", action(report));
    } else {
        let _ = writeln!(out, "  {}{rule}", action(report));
    }
    for draw in explanation.draws.iter().filter(|draw| !draw.choice.starts_with("tag/")) {
        let _ = writeln!(out, "    {}", drawn(draw));
    }
    for chance in report.chances.iter().filter(|chance| !is_aborted || !chance.what.starts_with("mirror ")) {
        let _ = writeln!(out, "  {}", self::chance(chance));
    }
    if report.action == ActionName::Forward {
        let path = report.path.as_deref().unwrap_or_default();
        let _ = writeln!(out, "  path {}", path.escape_debug());
        // A host that is rewritten keeps its old one in this header.
        if report.request_headers.contains_key(switchyard_filter::headers::ORIGINAL_HOST) {
            let _ = writeln!(out, "  authority {}", report.authority.as_deref().unwrap_or_default().escape_debug());
        }
    }
    if let Some(timeout) = report.timeout_ms {
        let _ = writeln!(out, "  timeout {timeout} ms");
    }
    if let Some(retries) = &report.retries {
        let per_try = retries.per_try_timeout_ms.map_or_else(String::new, |ms| format!(", {ms} ms each"));
        let _ = writeln!(out, "  up to {} retries on {}{per_try}", retries.attempts, retries.retry_on);
    }
    for (name, value) in &report.request_headers {
        let _ = writeln!(out, "  sets request header {name}: {}", value.escape_debug());
    }
    for name in &report.removed_headers {
        let _ = writeln!(out, "  removes request header {name}");
    }
    if let Some(reply) = &report.reply {
        self::reply(reply, out);
    }
    for (name, value) in &report.response_headers {
        let _ = writeln!(out, "  sets response header {name}: {}", value.escape_debug());
    }
    for name in &report.removed_response_headers {
        let _ = writeln!(out, "  removes response header {name}");
    }
}

/// What an answer of our own holds.
fn reply(reply: &ReplyReport, out: &mut String) {
    for (name, value) in &reply.headers {
        let value = value.escape_debug();
        let _ = match name.as_str() {
            "location" => writeln!(out, "  to {value}"),
            _ => writeln!(out, "  with header {name}: {value}"),
        };
    }
    // One character is one byte.
    let length = reply.body.chars().count();
    if length > 0 {
        let start: String = reply.body.chars().take(100).collect();
        let more = if length > 100 { "…" } else { "" };
        let _ = writeln!(out, "  body of {length} bytes: {}{more}", start.escape_debug());
    }
}

/// What happens, and to how many: each request draws anew, so of one that is only asked about nobody knows.
fn chance(chance: &ChanceReport) -> String {
    let what = match chance.what.split_once(' ') {
        Some(("delay", time)) => format!("waits {time} first"),
        Some(("abort", status)) => match status.strip_prefix("grpc-") {
            Some(code) => format!("is answered with gRPC status {code} then"),
            None => format!("is answered {status} then"),
        },
        Some(("mirror", cluster)) => format!("is copied to {cluster}"),
        _ => chance.what.clone(),
    };
    let share = percent(chance.percent / 100.0);
    let how_many = match chance.happens {
        Some(false) if chance.percent <= 0.0 => "never: 0 % of requests".to_owned(),
        Some(true) if chance.percent >= 100.0 => "every request".to_owned(),
        Some(true) => format!("{share} of requests, and this one"),
        Some(false) => format!("{share} of requests, and not this one"),
        None => format!("{share} of requests, drawn anew for each"),
    };
    // What is certain is not drawn.
    let is_drawn = chance.percent > 0.0 && chance.percent < 100.0;
    let name = if is_drawn { format!(" (chance {})", chance.name) } else { String::new() };
    format!("{what}: {how_many}{name}")
}

/// What is missing, in words: a subject by its kind.
fn missing(text: &str) -> String {
    let subject = text.strip_prefix("subject `").and_then(|rest| rest.strip_suffix('`'));
    match subject.and_then(|subject| subject.split_once('/')) {
        Some(("query", name)) => format!("query parameter `{name}`"),
        Some((kind, name)) => format!("{kind} `{name}`"),
        None if subject == Some("source-ip") => "the source address".to_owned(),
        None => text.to_owned(),
    }
}

fn rule(report: &Report) -> Option<String> {
    Some(format!("{}/{}", report.virtual_service.as_ref()?, report.rule.as_ref()?))
}

fn action(report: &Report) -> String {
    match (report.action, &report.cluster, &report.reply) {
        (ActionName::Forward, Some(cluster), _) => format!("forward to {cluster}"),
        (ActionName::Reply, _, Some(reply)) => {
            let header = |name: &str| reply.headers.iter().any(|(header, _)| header == name);
            let what = match reply.status {
                301 | 302 | 303 | 307 | 308 if header("location") => " (a redirect)",
                200 if reply.body.is_empty() && header("access-control-allow-origin") => " (a CORS preflight)",
                _ => "",
            };
            format!("answer {}{what}", reply.status)
        }
        (ActionName::Pass, ..) => "leave it to Envoy's own routes".to_owned(),
        _ => format!("undecidable: {} is not known", missing(report.missing.as_deref().unwrap_or("something"))),
    }
}

fn place(written: Option<&Written>) -> String {
    written.map_or_else(String::new, |at| format!("  ({}:{}:{})", at.file, at.line, at.column))
}

fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}
