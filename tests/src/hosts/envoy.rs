//! The released .wasm in a real Envoy: one for all cases, as the generator writes it, with an upstream that keeps what
//! it receives.
//!
//! Each case has the listener that the generator makes of its manifests, with a port of its own. Changed are only
//! addresses (every cluster's endpoints are the upstream), the route of what is unmatched (it goes to the upstream too,
//! so that one sees it), and what makes the decision visible: a filter behind ours copies headers that the router
//! consumes and shows filter state to the client.

mod observe;
mod rig;

use super::core::{issued, returned};
use crate::case::{CaseFile, LoweredRequest, Tally, compare};
use crate::harness::{Client, Echo, Envoy, validate};
pub(super) use observe::lines;
use observe::observe;
use rig::Rig;
pub(super) use rig::{http_filters, revealing};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs every case that can run here. Errors: Envoy or the upstream does not start.
pub async fn run_all(wasm: &Path, cases: &[CaseFile], tally: &mut Tally) -> Result<(), String> {
    let echo = Echo::named("upstream").recording().start().await?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut rig = Rig::new(wasm, echo.address());
    let (mut decided, mut to_refuse) = (Vec::new(), Vec::new());
    for case in cases {
        if !tally.can_run(&case.lowered) {
            continue;
        }
        if case.lowered.refused {
            to_refuse.push(case);
        } else if let Err(error) = rig.add(case) {
            tally.count(&case.lowered, vec![error]);
        } else {
            decided.push(case);
        }
    }
    // Each is an Envoy of its own, which takes half a second: two at a time.
    for pair in to_refuse.chunks(2) {
        let config = |index: usize| folder.path().join(format!("refused-{index}.json"));
        let first = refused(&rig, pair[0], config(0));
        match pair.get(1) {
            Some(second) => {
                let (wrong, wrong_too) = tokio::join!(first, refused(&rig, second, config(1)));
                tally.count(&pair[0].lowered, wrong);
                tally.count(&second.lowered, wrong_too);
            }
            None => tally.count(&pair[0].lowered, first.await),
        }
    }
    let config = folder.path().join("envoy.json");
    std::fs::write(&config, rig.bootstrap().to_string()).map_err(|error| error.to_string())?;
    let envoy = Envoy::start(&config).await?;
    let ports = rig::ports(&envoy).await?;
    for case in decided {
        let wrong = match ports.get(&case.lowered.name) {
            Some(address) => run(case, Client::new(*address).patience(PATIENCE), &echo).await,
            None => vec!["there is no such listener".into()],
        };
        tally.count(&case.lowered, wrong);
    }
    envoy.stop().await
}

/// What is wrong about a configuration that Envoy must refuse.
async fn refused(rig: &Rig, case: &CaseFile, config: PathBuf) -> Vec<String> {
    let Some(document) = &case.lowered.document else {
        return vec!["there is no configuration: say so in `cannotRun`".into()];
    };
    if let Err(error) = std::fs::write(&config, rig.plain(document).to_string()) {
        return vec![error.to_string()];
    }
    match validate(&config).await {
        Ok(()) => vec!["envoy takes a configuration that it must refuse".into()],
        Err(said) if said.contains("switchyard: configuration refused: ") => Vec::new(),
        Err(said) => vec![format!("envoy refuses for another reason: {said}")],
    }
}

async fn run(case: &CaseFile, mut client: Client, echo: &Echo) -> Vec<String> {
    let observing = case.lowered.document.as_ref().is_some_and(|document| document["mode"] == "observe");
    let mut wrong = Vec::new();
    for (index, request) in case.lowered.requests.iter().enumerate() {
        let found = check(&mut client, echo, request, observing).await.unwrap_or_else(|error| vec![error]);
        wrong.extend(found.into_iter().map(|line| format!("requests[{index}]: {line}")));
    }
    wrong
}

/// Sends a request and tells what is wrong about its decision.
pub(super) async fn check(
    client: &mut Client,
    echo: &Echo,
    request: &LoweredRequest,
    observing: bool,
) -> Result<Vec<String>, String> {
    if let Some(status) = request.envoy_answers {
        let response = client.send(&lines(request, None)).await?;
        let arrived = echo.received();
        return Ok(if response.status == status && arrived.is_empty() {
            Vec::new()
        } else {
            vec![format!("Envoy answers {}, not {status}; {} requests arrived", response.status, arrived.len())]
        });
    }
    let seen = observe(client, echo, request, None, observing).await?;
    let mut wrong = compare(&request.expect, &seen);
    if let Some(cookie) = issued(&seen) {
        wrong.extend(returned(&seen, &observe(client, echo, request, Some(cookie), observing).await?));
    }
    Ok(wrong)
}
