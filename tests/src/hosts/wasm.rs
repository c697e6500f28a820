//! The released .wasm in wasmtime: shell and core as they run in Envoy, without Envoy.

use super::core::{issued, returned};
use crate::case::{Header, Lowered, LoweredRequest, Observed, Seen, Tally, compare};
use switchyard_filter::report::latin1;
use switchyard_host_sim::wasm_host::{Module, Options, Outcome, Plugin, Vm};

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
        let found = check(&plugin, request, observing).unwrap_or_else(|error| vec![error]);
        wrong.extend(found.into_iter().map(|line| format!("requests[{index}]: {line}")));
    }
    wrong
}

fn check(plugin: &Plugin, request: &LoweredRequest, observing: bool) -> Result<Vec<String>, String> {
    let lines = request.lines();
    let seen = observe(plugin, request, lines.clone(), observing)?;
    let mut wrong = compare(&request.expect, &seen);
    if let Some(cookie) = issued(&seen) {
        let again = lines.into_iter().chain([(b"cookie".to_vec(), cookie)]).collect();
        wrong.extend(returned(&seen, &observe(plugin, request, again, observing)?));
    }
    Ok(wrong)
}

fn observe(plugin: &Plugin, request: &LoweredRequest, lines: Vec<Header>, observing: bool) -> Result<Observed, String> {
    let source = format!(
        "{}:47110",
        match request.source_address {
            std::net::IpAddr::V4(v4) => v4.to_string(),
            std::net::IpAddr::V6(v6) => format!("[{v6}]"),
        }
    );
    let mut stream = plugin.request(lines, &[("source.address", source.as_bytes())]);
    let mut seen = Seen::default();
    match stream.outcome() {
        Outcome::Continued { headers } => {
            seen.upstream = Some(headers);
            let answer = vec![(b":status".to_vec(), b"200".to_vec())];
            let response = stream.respond(answer)?;
            seen.response = lines_but_status(&response);
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
    if let Some(misuse) = stream.misuse().first() {
        return Err(format!("Envoy would not have it: {misuse}"));
    }
    stream.end()?;
    seen.decision(observing)
}

fn lines_but_status(lines: &[Header]) -> Vec<(String, String)> {
    let lines = lines.iter().filter(|(name, _)| name != b":status");
    lines.map(|(name, value)| (latin1(name), latin1(value))).collect()
}
