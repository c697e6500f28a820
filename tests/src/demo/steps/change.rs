//! The policy changes while requests come in steadily.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::demo::config::{Generated, Site};
use crate::demo::load::{Answer, Listeners, Task, send};
use crate::demo::progress::Progress;
use crate::demo::users::User;
use crate::harness::Envoy;

/// Requests to each listener meanwhile, and how long each connection rests between two.
const REQUESTS: usize = 3000;
const PACE: Duration = Duration::from_millis(10);
/// Requests before the change.
const LEAD: usize = 400;
/// How long Envoy may take to have the new listeners in force.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends requests, replaces the listeners in the middle, and goes on. Errors: Envoy refuses the new listeners, or is
/// not done with them when the requests are.
pub async fn change(
    listeners: Listeners,
    users: &Arc<Vec<User>>,
    site: &Site,
    after: &Generated,
    envoy: &Envoy,
) -> Result<Vec<Answer>, String> {
    let tasks = (0..REQUESTS).map(|number| Task::visit(number % users.len())).collect();
    let progress = Arc::new(Progress::new("visits while 90/10 becomes 50/50", REQUESTS));
    let (answers, applied) =
        tokio::join!(send(listeners, users, tasks, PACE, &progress), apply(site, after, envoy, &progress));
    let (answers, in_force) = (answers?, applied?);
    if in_force >= REQUESTS {
        return Err("the new policy was not in force before the last request; run the demo on a quieter machine".into());
    }
    progress.finish();
    Ok(answers)
}

/// Replaces the listeners; gives the number of requests that were answered when the new ones were in force and the
/// connections of the old ones were gone.
async fn apply(site: &Site, after: &Generated, envoy: &Envoy, progress: &Progress) -> Result<usize, String> {
    const STATS: &str = r"^listener_manager\.(lds\.update_success|lds\.update_rejected|total_filter_chains_draining)$";
    let updates = envoy.stats(STATS).await?;
    while progress.done() < LEAD {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    site.change(after)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = envoy.stats(STATS).await?;
        let grown = |name: &str| now.get(name).copied() > updates.get(name).copied();
        if grown("listener_manager.lds.update_rejected") {
            return Err(format!("envoy refuses the new listeners\n{}", envoy.log_tail()));
        }
        let draining = now.get("listener_manager.total_filter_chains_draining").copied();
        if grown("listener_manager.lds.update_success") && draining == Some(0) {
            return Ok(progress.done());
        }
        if Instant::now() > deadline {
            return Err(format!(
                "envoy did not take the new listeners within {PATIENCE:?}: {now:?}\n{}",
                envoy.log_tail()
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
