//! The requests of each step.

use std::sync::Arc;
use std::time::Duration;

use crate::demo::load::{Answer, Listeners, Side, Task, send};
use crate::demo::progress::Progress;
use crate::demo::users::User;

/// Visits of each user: with 1,250 users, 5,000 requests.
const ROUNDS: usize = 4;
const FORGED: usize = 1000;
/// Requests for each version by its path.
const PINNED: usize = 200;

/// A name for the tag in each spelling that some server takes for the same.
const SPELLINGS: [&str; 4] = ["user-type", "User-Type", "USER-TYPE", "User_Type"];

/// Plain visits: all users once, and again.
pub async fn visits(listeners: Listeners, users: &Arc<Vec<User>>) -> Result<Vec<Answer>, String> {
    let tasks = (0..ROUNDS).flat_map(|_| (0..users.len()).map(Task::visit)).collect();
    at_once("visits", listeners, users, tasks).await
}

/// `/v1/…` and `/v2/…`, of any users.
pub async fn pinned(listeners: Listeners, users: &Arc<Vec<User>>) -> Result<Vec<Answer>, String> {
    let targets = ["/v1/catalogDetail?from=demo", "/v2/catalogDetail?from=demo"];
    let tasks = (0..PINNED).flat_map(|user| targets.map(|target| Task { target, ..Task::visit(user) })).collect();
    at_once("versions by path", listeners, users, tasks).await
}

/// Visits that forge a tag, of returning users that were seen to be external on our side.
pub async fn forged(listeners: Listeners, users: &Arc<Vec<User>>, visits: &[Answer]) -> Result<Vec<Answer>, String> {
    let mut external: Vec<usize> = visits
        .iter()
        .filter(|answer| answer.side == Side::Ours && !users[answer.user].newcomer)
        .filter(|answer| answer.seen.as_ref().is_ok_and(|seen| seen.is_tagged("external")))
        .map(|answer| answer.user)
        .collect();
    external.sort_unstable();
    external.dedup();
    let forgers = external.iter().cycle().zip(SPELLINGS.iter().cycle()).take(FORGED);
    let tasks = forgers.map(|(user, name)| Task { headers: vec![(name, "internal")], ..Task::visit(*user) }).collect();
    at_once("forged tags", listeners, users, tasks).await
}

/// One more visit of every user.
pub async fn after(listeners: Listeners, users: &Arc<Vec<User>>) -> Result<Vec<Answer>, String> {
    at_once("visits after the change", listeners, users, (0..users.len()).map(Task::visit).collect()).await
}

async fn at_once(
    label: &'static str,
    listeners: Listeners,
    users: &Arc<Vec<User>>,
    tasks: Vec<Task>,
) -> Result<Vec<Answer>, String> {
    let progress = Arc::new(Progress::new(label, tasks.len()));
    let answers = send(listeners, users, tasks, Duration::ZERO, &progress).await?;
    progress.finish();
    Ok(answers)
}
