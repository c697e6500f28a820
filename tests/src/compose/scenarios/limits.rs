//! What DestinationRules limit: connection pools, and hosts that fail.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::compose::measure::Measure;
use crate::compose::policy::Policy;
use crate::compose::traffic::{Stream, ask, get};
use crate::harness::Client;

/// Clients of the pool, how long, and what one request takes: the tutorials' figures.
const CLIENTS: usize = 20;
const SECONDS: u64 = 10;
const SERVICE_TIME: u64 = 16;

pub async fn pool_overflow(envoy: SocketAddr) -> Result<Vec<Measure>, String> {
    Policy::demo(&["09-pool.yaml"]).apply().await?;
    let request = get("pool", "pool:3000", "/").header("x-answer-after-ms", SERVICE_TIME.to_string());
    let began = Instant::now();
    let stream = Stream::start(envoy, &vec![request; CLIENTS], CLIENTS, Duration::from_millis(1));
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let answers = stream.stop().await;
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);

    let through = answers.iter().filter(|(_, answer)| answer.is_ok()).count();
    let refused = answers.iter().filter(|(_, answer)| answer.status == 503 && answer.overloaded).count();
    // One request after the other, and at the end the one that waits.
    let most = usize::try_from(took / SERVICE_TIME).unwrap_or(usize::MAX) + 1;
    let rest = answers.len() - through;
    Ok(vec![
        Measure::between(format!("let through, one at a time of {SERVICE_TIME} ms for {SECONDS} s"), through, 50, most),
        Measure::between(
            format!("refused with 503 and overflow, of the other {rest}"),
            refused,
            rest * 95 / 100 + 1,
            rest,
        ),
    ])
}

/// Failures in a row that eject a host, and how many seconds for, as 10-ejection.yaml has them.
const FAILURES: usize = 3;
const EJECTED: f64 = 5.0;
/// What an ejection may last beyond: the interval of 1 s at which Envoy looks, and a slow machine.
const LATER: f64 = 3.0;
/// How much later than Envoy the client sees the failure that ejects.
const EARLY: f64 = 0.5;

pub async fn ejection(envoy: SocketAddr) -> Result<Vec<Measure>, String> {
    Policy::demo(&["10-ejection.yaml"]).apply().await?;
    let request = get("ejection", "replicas:3000", "/");
    let mut client = Client::new(envoy);
    let began = Instant::now();
    // One after the other, so that none is under way to a host that is just ejected.
    let (mut failures, mut answered) = (Vec::new(), Vec::new());
    while began.elapsed().as_secs_f64() < 3.0 * EJECTED + 2.0 * LATER {
        let answer = ask(&mut client, &request).await;
        let at = began.elapsed().as_secs_f64();
        if answer.status == 500 {
            failures.push(at);
        } else {
            answered.push(answer);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let runs = runs(&failures);
    // From the failure that ejects. Others may follow it: workers hear of changed hosts once a second at most (Envoy's
    // `update_merge_window`), and the second ejection comes right after the return.
    let away = |number: usize| match (runs.get(number).and_then(|run| run.get(FAILURES - 1)), runs.get(number + 1)) {
        (Some(last), Some(next)) => next[0] - last,
        _ => 0.0,
    };
    Ok(vec![
        Measure::at_least("failures before the first ejection", runs.first().map_or(0, |run| run.len()), FAILURES),
        Measure::seconds("back after", away(0), EJECTED - EARLY, EJECTED + LATER),
        Measure::at_least("failures before the second", runs.get(1).map_or(0, |run| run.len()), FAILURES),
        Measure::seconds("back after", away(1), 2.0 * EJECTED - EARLY, 2.0 * EJECTED + LATER),
        Measure::all("answers of the others", answered.iter().filter(|one| one.is_ok()).count(), answered.len()),
    ])
}

/// Failures that follow each other within 2 s, their times in seconds.
fn runs(failures: &[f64]) -> Vec<&[f64]> {
    failures.chunk_by(|one, next| next - one < 2.0).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn failures_that_follow_each_other_are_one_run() {
        assert_eq!(super::runs(&[0.1, 0.2, 0.4, 5.6, 5.7]), [&[0.1, 0.2, 0.4][..], &[5.6, 5.7]]);
    }
}
