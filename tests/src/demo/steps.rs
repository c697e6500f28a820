//! The demo from its beginning to its end.

mod change;
mod traffic;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tempfile::TempDir;

use super::config::Site;
use super::findings::{Answers, Findings};
use super::load::{Listeners, Side};
use super::text::ratio;
use super::users::{User, users};
use super::{Options, checks, leftovers, manifests, readme, surprise, table};
use crate::harness::{Echo, Envoy, Launch};

/// Users with a cookie of an earlier visit, and users without one; each visits four times, which makes 5,000 requests.
const RETURNING: usize = 1000;
const NEWCOMERS: usize = 250;

/// The policy that Envoy starts with, and the one that it is changed to, by the weights of the canary.
const BEFORE: (&str, [u8; 2]) = ("90-10", [90, 10]);
const AFTER: (&str, [u8; 2]) = ("50-50", [50, 50]);

/// Runs the demo. A drop of the future ends all that it started. Errors: what could not be done, or what does not hold.
pub async fn run(options: &Options) -> Result<(), String> {
    let began = Instant::now();
    let temporary =
        TempDir::with_prefix("switchyard-demo-").map_err(|error| format!("no temporary folder: {error}"))?;
    let folder = options.keep.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder).map_err(|error| format!("`{}`: {error}", folder.display()))?;
    // Envoy needs a path that means the same everywhere.
    let folder = folder.canonicalize().map_err(|error| format!("`{}`: {error}", folder.display()))?;

    println!("users: {RETURNING} with a cookie of an earlier visit, {NEWCOMERS} without; seed {}", options.seed);
    let all = Arc::new(users(options.seed, RETURNING, NEWCOMERS));
    let site = Site::new(&folder);
    let (answers, started) = serve(&site, &all).await?;

    let ours = Findings::of(Side::Ours, &all, &answers);
    let usual = Findings::of(Side::Usual, &all, &answers);
    let rows = table::rows(&ours, &usual);
    println!("\n{}", table::markdown(&rows));
    println!("{}", notes(&ours, &usual));

    let surprising = surprise::find(&answers.forged).ok_or("no forging request went to v2; take another `--seed`")?;
    println!("A forged `user-type: internal`, and v2 answered. Did it work?\n");
    println!("{}", surprise::explain(Path::new(manifests::SOURCE), surprising, &all[surprising.user]).await?);
    println!("What was recorded, decided again:\n");
    // Ports decide nothing: what was recorded under a copy replays under the original.
    println!("{}", surprise::replay(Path::new(manifests::SOURCE), &site.record(BEFORE.0)).await?);
    let rest = surprise::replay(&site.manifests(AFTER.0), &site.record(AFTER.0)).await?;
    let parity = rest.lines().find(|line| line.starts_with("Parity")).unwrap_or(&rest);
    println!("The same of what came after the change, under 50/50:\n{parity}\n");

    let mut failed = checks::failed(&ours);
    failed.extend(leftovers::left(&started));
    if let Some(path) = &options.check_readme {
        failed.extend(check_readme(path, &rows)?);
    }
    if failed.is_empty() {
        println!("All of it holds; everything that was started has ended ({:.0} s).", began.elapsed().as_secs_f64());
        return Ok(());
    }
    Err(format!("what does not hold:\n  {}", failed.join("\n  ")))
}

/// Starts everything, sends everything, stops everything. Gives the answers and where something listened.
async fn serve(site: &Site, users: &Arc<Vec<User>>) -> Result<(Answers, Vec<std::net::SocketAddr>), String> {
    let upstreams = [Echo::named("v1").start().await?, Echo::named("v2").start().await?];
    let ports = [0, 1].map(|index: usize| upstreams[index].address().port());
    for (policy, weights) in [BEFORE, AFTER] {
        manifests::copy(&site.manifests(policy), ports, weights)?;
    }
    let before = site.generate(BEFORE.0, BEFORE.1).await?;
    let after = site.generate(AFTER.0, AFTER.1).await?;
    if !before.has_same_bootstrap(&after) {
        return Err("another weight changed more than the listener".into());
    }
    site.write(&before)?;
    let (ours, usual) = site.addresses();
    let listeners = Listeners { ours, usual };
    let envoy = start(&site.bootstrap()).await?;
    let mut addresses = vec![ours, usual, envoy.admin()];
    addresses.extend(upstreams.iter().map(Echo::address));
    println!("Envoy: Switchyard on {ours}, the usual way on {usual}, upstreams v1 and v2 on ports {ports:?}\n");

    let visits = traffic::visits(listeners, users).await?;
    let pinned = traffic::pinned(listeners, users).await?;
    let forged = traffic::forged(listeners, users, &visits).await?;
    let changing = change::change(listeners, users, site, &after, &envoy).await?;
    let after = traffic::after(listeners, users).await?;

    envoy.stop().await?;
    for upstream in upstreams {
        upstream.stop().await;
    }
    Ok((Answers { visits, pinned, forged, changing, after }, addresses))
}

/// Envoy, which lets connections of replaced listeners end with their next response, as Istio runs it; one second
/// later it closes those that are left.
async fn start(bootstrap: &Path) -> Result<Envoy, String> {
    let mut launch = Launch::new(bootstrap);
    for argument in ["--drain-strategy", "immediate", "--drain-time-s", "1"] {
        launch = launch.argument(argument);
    }
    launch.start().await
}

/// What the table does not tell.
fn notes(ours: &Findings, usual: &Findings) -> String {
    let by_v2 = |found: &Findings| 100.0 * ratio(found.forged_to_v2.hits, found.forged_to_v2.of);
    format!(
        "Shares are of users where a user keeps its choice, of requests where each request draws anew.
Newcomers get their cookie with the first answer. It is random: tagged `internal` {}.
The script adds its tag to a forged one. From 1.39 on, Envoy matches each line of a header alone, so the forged one
chooses the route; before, it joins them, and then no forger is internal, drawn or not. Here v2 answered {:.1} % of the
forging requests the usual way, {:.1} % of ours (the canary's share). A script that replaces would not have that.
A share is no permission: who picks its own cookie picks its share.\n",
        ours.newcomers_tagged.text("newcomers"),
        by_v2(usual),
        by_v2(ours),
    )
}

fn check_readme(path: &Path, rows: &[table::Row]) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let found = readme::differences(&text, rows).map_err(|error| format!("`{}`: {error}", path.display()))?;
    Ok(found.into_iter().map(|one| format!("the table of `{}`: {one}", path.display())).collect())
}
