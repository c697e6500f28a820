//! The walk: one scenario after the other, one line for each.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::measure::Measure;
use super::policy::Policy;
use super::scenarios::Scenario;
use super::{dashboard, metrics, resolve};

/// Where Envoy serves the mesh and its admin interface: the walk is in its network, as `generate --dynamic` has to be.
const ENVOY: &str = "127.0.0.1:10000";
const ADMIN: &str = "127.0.0.1:9901";
/// How long the demo may take to be up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Walks through all scenarios, then asks what the dashboard asks, then puts the policy of `make demo` back. Errors:
/// something does not hold, or could not be measured; the rest of the walk is done all the same.
pub async fn walk() -> Result<(), String> {
    let (began, since) = (Instant::now(), dashboard::now());
    let envoy = ready().await?;
    // Prometheus starts beside us: what comes before its first scrapes has no rate.
    tokio::time::sleep(Duration::from_secs(12)).await;
    println!(
        "{} scenarios, a minute and a half; shares may lie where chance leaves them in all but one case of a million",
        Scenario::ALL.len()
    );
    let mut bad = 0;
    for (number, scenario) in (1..).zip(Scenario::ALL) {
        let bar = waiting(scenario.name());
        let found = scenario.run(envoy).await;
        bar.finish_and_clear();
        bad += tell(&format!("{number:2} {}", scenario.name()), found);
    }
    Policy::demo(&[]).apply().await?;
    // Prometheus has scraped what came last.
    tokio::time::sleep(Duration::from_secs(5)).await;
    bad += tell("   dashboard", dashboard::check(since).await);
    println!("{} s", began.elapsed().as_secs());
    if bad > 0 { Err(format!("{bad} of the lines above did not hold")) } else { Ok(()) }
}

/// Prints the line of a scenario; 1 when it does not hold.
fn tell(name: &str, found: Result<Vec<Measure>, String>) -> usize {
    let (holds, text) = match found {
        Ok(measures) => {
            let texts: Vec<_> = measures.iter().map(ToString::to_string).collect();
            (!measures.is_empty() && measures.iter().all(|measure| measure.holds), texts.join("; "))
        }
        Err(error) => (false, error),
    };
    println!("{} {name}: {text}", if holds { "ok    " } else { "FAILED" });
    usize::from(!holds)
}

/// Waits until Envoy is ready and the services answer.
async fn ready() -> Result<std::net::SocketAddr, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let up = async {
            for service in ["catalogdetail-v1:9100", "catalogdetail-v2:9100", "mirror:9100", "replicas:9100"] {
                metrics::fetch(service, "/metrics").await?;
            }
            metrics::fetch(ADMIN, "/ready").await?;
            resolve(ENVOY).await
        };
        match up.await {
            Ok(address) => return Ok(address),
            Err(error) if Instant::now() > deadline => return Err(format!("the demo is not up: {error}")),
            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}

/// What is under way, on a terminal.
fn waiting(name: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(name);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
