//! The decision itself, natively and in Node: no proxy, no plugin.

use crate::case::{Header, Lowered, LoweredRequest, Observed, Tally, compare, joined};
use serde_json::Value;
use switchyard_filter::connection::Connection;
use switchyard_filter::document::Mode;
use switchyard_filter::draw::Draws;
use switchyard_filter::edit::{apply, edits};
use switchyard_filter::report::{ActionName, Report};
use switchyard_filter::request::{Known, Request};
use switchyard_filter::{Policy, compile_json, decide};

/// The request's own random number: what stands in for a request id or a cookie that is not there.
const FRESH: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;

/// Runs a case and tells what is wrong.
pub fn run(case: &Lowered) -> Vec<String> {
    let Some(document) = &case.document else {
        return vec!["there is no configuration: say so in `cannotRun`".into()];
    };
    let policy = match (compile_json(document.to_string().as_bytes()), case.refused) {
        (Ok(policy), false) => policy,
        (Err(_), true) => return Vec::new(),
        (Ok(_), true) => return vec!["the filter takes a configuration that it must refuse".into()],
        (Err(errors), false) => return errors.iter().map(ToString::to_string).collect(),
    };
    let mut wrong = Vec::new();
    for (index, request) in case.requests.iter().enumerate() {
        wrong.extend(check(&policy, request).into_iter().map(|line| format!("requests[{index}]: {line}")));
    }
    wrong
}

/// Runs every case that can run in the tally's host.
pub fn run_all<'a>(cases: impl IntoIterator<Item = &'a Lowered>, tally: &mut Tally) {
    for case in cases {
        if tally.can_run(case) {
            tally.count(case, run(case));
        }
    }
}

fn check(policy: &Policy, request: &LoweredRequest) -> Vec<String> {
    let lines = request.lines();
    let (seen, mut wrong) = observe(policy, &lines, request);
    wrong.extend(compare(&request.expect, &seen));
    // Whoever comes back with the cookie that was issued is decided alike, and gets no other.
    if let Some(cookie) = issued(&seen) {
        let again: Vec<Header> = lines.into_iter().chain([(b"cookie".to_vec(), cookie)]).collect();
        let (back, _) = observe(policy, &again, request);
        wrong.extend(returned(&seen, &back));
    }
    wrong
}

/// The cookie of a response, as a client sends it back.
pub fn issued(seen: &Observed) -> Option<Vec<u8>> {
    let lines = seen.fields.get("responseHeaders")?.as_array()?;
    let line = lines.iter().find(|line| line[0] == "set-cookie")?;
    Some(line[1].as_str()?.split(';').next()?.into())
}

/// What is wrong about the decision of a request that came back with the cookie that it was given.
pub fn returned(first: &Observed, back: &Observed) -> Vec<String> {
    let mut wrong = Vec::new();
    for field in ["cluster", "tags", "rule"] {
        if first.fields.get(field) != back.fields.get(field) {
            let (first, back) = (&first.fields[field], &back.fields[field]);
            wrong.push(format!("{field}: was {first}, is {back} with the cookie that was issued"));
        }
    }
    if issued(back).is_some() {
        wrong.push("a cookie is issued to one who has it".into());
    }
    wrong
}

fn observe(policy: &Policy, lines: &[Header], request: &LoweredRequest) -> (Observed, Vec<String>) {
    let borrowed: Vec<(&[u8], &[u8])> = lines.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    let connection = Connection {
        protocol: Known::Present(b"HTTP/1.1"),
        source: Known::Present((request.source_address, 47110).into()),
        destination: Known::Present(([127, 0, 0, 1], 80).into()),
        server_name: Known::Absent,
        peer: Known::Absent,
    };
    let asked = Request::new(&borrowed, Some(request.source_address)).with_connection(&connection);
    let decision = decide(policy, &asked, &Draws { fresh: Some(FRESH), ..Draws::default() });
    let first = |name: &[u8]| borrowed.iter().find(|(line, _)| *line == name).map(|(_, value)| *value);
    let report = Report::new(policy, &decision, first(b":path"), first(b":authority"));
    let upstream = apply(&edits(policy, &decision, &asked), &borrowed);
    let mut wrong = Vec::new();
    if policy.mode() == Mode::Enforce && report.action != ActionName::Reply {
        // What a decision sets is what goes out, once; operations may leave several lines, or none.
        for (name, value) in &report.request_headers {
            let lines = decision.changed.iter().find(|changed| changed.name == name).map_or(1, |c| c.values.len());
            let found = upstream.iter().filter(|(line, _)| line == name.as_bytes()).count();
            if found != lines || joined(&upstream, name).as_ref() != Some(value) {
                wrong.push(format!("`{name}: {value}` is decided in {lines} lines, and {found} lines go out"));
            }
        }
        for name in &report.removed_headers {
            if let Some(value) = joined(&upstream, name) {
                wrong.push(format!("`{name}` is to be removed, and goes out: `{value}`"));
            }
        }
    }
    let is_aborted = decision.own_fault(policy).abort.is_some();
    let goes_on = policy.mode() == Mode::Observe || (report.action != ActionName::Reply && !is_aborted);
    let fields = match serde_json::to_value(&report) {
        Ok(Value::Object(fields)) => fields,
        other => return (Observed { fields: <_>::default(), upstream: None }, vec![format!("no report: {other:?}")]),
    };
    (Observed { fields, upstream: goes_on.then_some(upstream) }, wrong)
}
