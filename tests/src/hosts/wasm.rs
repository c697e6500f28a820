//! The released .wasm in wasmtime: shell and core as they run in Envoy, without Envoy.

use super::core::{issued, returned};
use crate::case::{ANSWER, Header, Lowered, LoweredRequest, Observed, Seen, Tally, compare, joined};
use std::time::Duration;
use switchyard_filter::report::latin1;
use switchyard_host_sim::wasm_host::{Module, Options, Outcome, Plugin, Stream, Vm};

/// No case delays a request for longer.
const PATIENCE_MS: u64 = 60_000;

/// Runs every case that can run here; all in one VM, as one Envoy worker has one for all listeners.
///
/// Errors: the module does not start.
pub fn run_all<'a>(
    module: &Module,
    cases: impl IntoIterator<Item = &'a Lowered>,
    tally: &mut Tally,
) -> Result<(), String> {
    let vm = Vm::start(module, Options::default()).map_err(|error| error.to_string())?;
    for case in cases {
        if tally.can_run(case) {
            tally.count(case, run(&vm, case));
        }
    }
    match vm.failed() {
        Some(trap) => Err(format!("the VM failed: {trap}")),
        None => Ok(()),
    }
}

fn run(vm: &Vm, case: &Lowered) -> Vec<String> {
    let Some(document) = &case.document else {
        return vec!["there is no configuration: say so in `cannotRun`".into()];
    };
    let observing = document["mode"] == "observe";
    let plugin = match (vm.configure(document.to_string().as_bytes()), case.refused) {
        (Ok(plugin), false) => plugin,
        (Ok(_), true) => return vec!["the filter takes a configuration that it must refuse".into()],
        (Err(refused), true) => {
            // Refused by a decision and not by an accident, and told why.
            let told = refused.log.iter().any(|line| line.text.starts_with("switchyard: configuration refused: "));
            return match refused.trap {
                Some(trap) => vec![format!("the filter trapped: {trap}")],
                None if told => Vec::new(),
                None => vec!["the filter refused and did not log why".into()],
            };
        }
        (Err(refused), false) => {
            return refused.log.into_iter().map(|line| line.text).chain(refused.trap).collect();
        }
    };
    let mut wrong = Vec::new();
    for (index, request) in case.requests.iter().enumerate() {
        let found = check(vm, &plugin, request, observing).unwrap_or_else(|error| vec![error]);
        wrong.extend(found.into_iter().map(|line| format!("requests[{index}]: {line}")));
    }
    wrong
}

fn check(vm: &Vm, plugin: &Plugin, request: &LoweredRequest, observing: bool) -> Result<Vec<String>, String> {
    let lines = request.lines();
    let seen = observe(vm, plugin, request, lines.clone(), observing)?;
    let mut wrong = compare(&request.expect, &seen);
    if let Some(cookie) = issued(&seen) {
        let again = lines.into_iter().chain([(b"cookie".to_vec(), cookie)]).collect();
        wrong.extend(returned(&seen, &observe(vm, plugin, request, again, observing)?));
    }
    Ok(wrong)
}

fn observe(
    vm: &Vm,
    plugin: &Plugin,
    request: &LoweredRequest,
    lines: Vec<Header>,
    observing: bool,
) -> Result<Observed, String> {
    let source = format!(
        "{}:47110",
        match request.source_address {
            std::net::IpAddr::V4(v4) => v4.to_string(),
            std::net::IpAddr::V6(v6) => format!("[{v6}]"),
        }
    );
    let properties: [(&str, &[u8]); 3] = [
        ("source.address", source.as_bytes()),
        ("destination.address", b"127.0.0.1:80"),
        ("request.protocol", b"HTTP/1.1"),
    ];
    let mut stream = plugin.request(lines, &properties);
    let mut seen = Seen::default();
    let (mut delay, mut abort) = (wait(vm, &stream)?, None);
    match stream.outcome() {
        Outcome::Continued { headers } => {
            // Hints for Envoy's fault filter count as what they ask for.
            let hint = |name: &str| joined(&headers, name);
            let grpc = hint("x-envoy-fault-abort-grpc-request").map(|status| format!("grpc-{status}"));
            abort = hint("x-envoy-fault-abort-request").or(grpc);
            delay = delay.or(hint("x-envoy-fault-delay-request").and_then(|value| value.parse().ok()));
            let mirror = |number| joined(&headers, &format!("x-switchyard-mirror-{number}"));
            if abort.is_none() {
                seen.mirrors = (1..=16).filter_map(mirror).collect();
            }
            let asked = headers.iter().filter_map(|(name, value)| {
                let name = name.strip_prefix(ANSWER.as_bytes())?;
                Some((name.to_vec(), value.clone()))
            });
            let answer = [(b":status".to_vec(), b"200".to_vec())].into_iter().chain(asked).collect();
            seen.upstream = Some(headers);
            let response = stream.respond(answer)?;
            seen.response = lines_but_status(&response);
        }
        Outcome::LocalReply { status, details, headers, grpc, .. } if details.starts_with("switchyard{fault_abort") => {
            abort = Some(grpc.map_or_else(|| status.to_string(), |grpc| format!("grpc-{grpc}")));
            seen.aborted = true;
            // Those of the body are Envoy's.
            let is_envoys = |name: &str| name.starts_with("content-") || name.starts_with("grpc-");
            seen.response = lines_but_status(&headers);
            seen.response.retain(|(name, _)| !is_envoys(name));
        }
        Outcome::LocalReply { status, headers, body, .. } => {
            let status = u16::try_from(status).map_err(|_| format!("`{status}` is no status"))?;
            seen.reply = Some((status, latin1(&body)));
            seen.response = lines_but_status(&headers);
        }
        other => return Err(format!("the filter left the request {other:?}")),
    }
    let state = stream.filter_state();
    let told = |name: &str| state.get(name).map(|value| latin1(value)).unwrap_or_default();
    seen.rule = told("wasm.switchyard_rule");
    seen.tags = told("wasm.switchyard_tags");
    seen.cluster = told("wasm.switchyard_cluster");
    seen.fault = told("wasm.switchyard_fault");
    let parts = [delay.map(|delay| format!("delay={delay}")), abort.map(|status| format!("abort={status}"))];
    let injected = parts.into_iter().flatten().collect::<Vec<_>>().join(",");
    if !observing && injected != seen.fault {
        return Err(format!("the fault `{}` is decided, and `{injected}` is injected", seen.fault));
    }
    if let Some(misuse) = stream.misuse().first() {
        return Err(format!("Envoy would not have it: {misuse}"));
    }
    stream.end()?;
    seen.decision(observing)
}

/// Moves the clock until a request that waits goes on; for how many milliseconds, if it waited.
fn wait(vm: &Vm, stream: &Stream) -> Result<Option<u64>, String> {
    if stream.outcome() != Outcome::Paused {
        return Ok(None);
    }
    for waited in 1..=PATIENCE_MS {
        vm.advance(Duration::from_millis(1))?;
        if stream.outcome() != Outcome::Paused {
            return Ok(Some(waited));
        }
    }
    Err(format!("the request still waits after {PATIENCE_MS} ms"))
}

fn lines_but_status(lines: &[Header]) -> Vec<(String, String)> {
    let lines = lines.iter().filter(|(name, _)| name != b":status");
    lines.map(|(name, value)| (latin1(name), latin1(value))).collect()
}
