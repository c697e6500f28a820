//! Sends requests of users to both listeners, and says what came of each.

mod seen;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::progress::Progress;
use super::users::User;
use crate::harness::{Client, Request};

pub use seen::{Seen, Version};

/// The host that the requests are for, as a workload of the same namespace calls it.
pub const HOST: &str = "catalogdetail:3000";

/// Connections to each listener. A user always uses the same, so that its requests stay in order.
const CONNECTIONS: usize = 8;

/// One of the two listeners.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The generated one, with our filter.
    Ours,
    /// The one with the Lua script and native weighted clusters.
    Usual,
}

/// Where the listeners are.
#[derive(Clone, Copy, Debug)]
pub struct Listeners {
    /// The generated one.
    pub ours: SocketAddr,
    /// The one beside it.
    pub usual: SocketAddr,
}

/// A request to send to both listeners.
#[derive(Clone, Debug)]
pub struct Task {
    /// Who sends it: an index into the users.
    pub user: usize,
    /// Path and query.
    pub target: &'static str,
    /// Headers besides `host` and `cookie`.
    pub headers: Vec<(&'static str, &'static str)>,
}

impl Task {
    /// A plain visit of this user.
    pub fn visit(user: usize) -> Self {
        Self { user, target: "/catalogDetail", headers: Vec::new() }
    }
}

/// What came of a task at one listener.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The task's user.
    pub user: usize,
    /// The task's target.
    pub target: &'static str,
    /// Which listener.
    pub side: Side,
    /// What the upstream that answered received, or why the request counts as lost: no answer, or another status than
    /// 200.
    pub seen: Result<Seen, String>,
    /// From the first byte sent to the last received.
    pub took: Duration,
}

/// Sends every task to both listeners, over new connections that are kept alive. Answers are in the order of the tasks,
/// ours before the other's. With a `pace`, each connection rests this long after each task.
pub async fn send(
    listeners: Listeners,
    users: &Arc<Vec<User>>,
    tasks: Vec<Task>,
    pace: Duration,
    progress: &Arc<Progress>,
) -> Result<Vec<Answer>, String> {
    let mut shares: Vec<Vec<(usize, Task)>> = vec![Vec::new(); CONNECTIONS];
    for (place, task) in tasks.into_iter().enumerate() {
        let share = task.user % CONNECTIONS;
        shares[share].push((place, task));
    }
    // Dropped with this future, which ends the workers.
    let mut workers = JoinSet::new();
    for share in shares {
        workers.spawn(work(listeners, Arc::clone(users), share, pace, Arc::clone(progress)));
    }
    let mut answers = Vec::new();
    while let Some(ended) = workers.join_next().await {
        answers.extend(ended.map_err(|error| format!("a sender of requests ended early: {error}"))?);
    }
    answers.sort_by_key(|(place, answer)| (*place, answer.side == Side::Usual));
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

async fn work(
    listeners: Listeners,
    users: Arc<Vec<User>>,
    tasks: Vec<(usize, Task)>,
    pace: Duration,
    progress: Arc<Progress>,
) -> Vec<(usize, Answer)> {
    let mut ours = Client::new(listeners.ours);
    let mut usual = Client::new(listeners.usual);
    let mut answers = Vec::with_capacity(tasks.len() * 2);
    for (place, task) in tasks {
        // Whoever goes first warms the upstream's caches: the sides take turns.
        let sides = if place.is_multiple_of(2) { [Side::Ours, Side::Usual] } else { [Side::Usual, Side::Ours] };
        for side in sides {
            let client = if side == Side::Ours { &mut ours } else { &mut usual };
            answers.push((place, ask(client, side, &users[task.user], &task).await));
        }
        progress.step();
        if !pace.is_zero() {
            tokio::time::sleep(pace).await;
        }
    }
    answers
}

async fn ask(client: &mut Client, side: Side, user: &User, task: &Task) -> Answer {
    let mut request = Request::new("GET", HOST, task.target);
    if let Some(cookie) = user.cookie() {
        request = request.header("cookie", format!("uid={cookie}"));
    }
    for (name, value) in &task.headers {
        request = request.header(*name, *value);
    }
    let started = Instant::now();
    let response = client.send(&request).await;
    let took = started.elapsed();
    let seen = response.and_then(|response| {
        for cookie in response.header("set-cookie") {
            user.take(&String::from_utf8_lossy(cookie));
        }
        Seen::read(&response)
    });
    Answer { user: task.user, target: task.target, side, seen, took }
}
