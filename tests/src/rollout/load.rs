//! Users on connections that stay open, and what they saw.

use super::manifests::HOST;
use crate::harness::{Client, Request};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// A request of a user.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The user's number.
    pub user: usize,
    /// When it was sent.
    pub sent: Instant,
    /// How long it took.
    pub took: Duration,
    /// The version that answered with 200; otherwise what came instead.
    pub answer: Result<String, String>,
    /// Whether the upstream was asked to take its time.
    pub is_long: bool,
}

/// Users who ask again and again until they are told to stop.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    clients: usize,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// For each client how often it has asked for all of its users.
    rounds: Vec<AtomicU64>,
    /// Connections that were opened.
    connections: AtomicU64,
    seen: Mutex<Vec<Seen>>,
}

impl Load {
    /// So many clients with one connection each, each of which asks for so many users in turn; half of them by cookie,
    /// half by header. `slow` further clients, with a user each, ask for answers that take so long.
    pub fn start(to: SocketAddr, clients: usize, users: usize, slow: usize, takes: Duration) -> Self {
        Self::paced(to, clients, users, slow, takes, Duration::ZERO)
    }

    /// [`Self::start`] of clients that wait so long before each request, where others need the machine too.
    pub fn paced(to: SocketAddr, clients: usize, users: usize, slow: usize, takes: Duration, pause: Duration) -> Self {
        let rounds = (0..clients + slow).map(|_| AtomicU64::new(0)).collect();
        let shared = Arc::new(Shared { rounds, ..Shared::default() });
        let mut tasks = JoinSet::new();
        for client in 0..clients + slow {
            let is_slow = client >= clients;
            let first = if is_slow { clients * users + client - clients } else { client * users };
            let users = first..first + if is_slow { 1 } else { users };
            let takes = is_slow.then_some(takes);
            tasks.spawn(run(Arc::clone(&shared), client, Client::new(to), users, takes, pause));
        }
        Self { shared, tasks, clients: clients + slow }
    }

    /// Waits until each client has asked for all of its users once more, from now on.
    ///
    /// # Panics
    /// That takes a minute.
    pub async fn round(&self) {
        let rounds = || self.shared.rounds.iter().map(|count| count.load(Ordering::SeqCst));
        let before: Vec<_> = rounds().collect();
        let end = Instant::now() + Duration::from_mins(1);
        // One more than that, since one is under way.
        while rounds().zip(&before).any(|(now, before)| now < before + 2) {
            assert!(Instant::now() < end, "clients do not come round: {before:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Lets the requests under way come to their end, and tells what was seen, in the order of sending.
    ///
    /// # Panics
    /// A client has opened a second connection although no request failed.
    pub async fn stop(self) -> Vec<Seen> {
        let clients = self.clients as u64;
        let (seen, connections) = self.drained().await;
        if seen.iter().all(|one| one.answer.is_ok()) {
            assert_eq!(connections, clients, "connections do not outlive the changes");
        }
        seen
    }

    /// [`Self::stop`] where listeners changed, which ends connections; how many were opened, too.
    pub async fn drained(mut self) -> (Vec<Seen>, u64) {
        self.shared.stop.store(true, Ordering::SeqCst);
        while self.tasks.join_next().await.is_some() {}
        let mut seen = std::mem::take(&mut *self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner));
        seen.sort_by_key(|one| one.sent);
        (seen, self.shared.connections.load(Ordering::SeqCst))
    }
}

async fn run(
    shared: Arc<Shared>,
    number: usize,
    client: Client,
    users: std::ops::Range<usize>,
    takes: Option<Duration>,
    pause: Duration,
) {
    let mut client = client.patience(Duration::from_secs(30));
    while !shared.stop.load(Ordering::SeqCst) {
        for user in users.clone() {
            let (header, value) = if number.is_multiple_of(2) {
                ("cookie", format!("uid=u{user}"))
            } else {
                ("x-user", format!("u{user}"))
            };
            let mut request = Request::new("GET", HOST, "/").header(header, value);
            if let Some(takes) = takes {
                request = request.header("x-answer-after-ms", takes.as_millis().to_string());
            }
            if !client.is_connected() {
                shared.connections.fetch_add(1, Ordering::SeqCst);
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let sent = Instant::now();
            let answer = match client.send(&request).await {
                Ok(response) if response.status == 200 => {
                    response.json().map(|json| json["upstream"].as_str().unwrap_or_default().to_owned())
                }
                Ok(response) => Err(format!("{}: {}", response.status, response.text())),
                Err(error) => Err(error),
            };
            let seen = Seen { user, sent, took: sent.elapsed(), answer, is_long: takes.is_some() };
            shared.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        }
        shared.rounds[number].fetch_add(1, Ordering::SeqCst);
    }
}

/// What went wrong, with how often it did.
pub fn failures(seen: &[Seen]) -> BTreeMap<&str, usize> {
    let mut failures = BTreeMap::new();
    for error in seen.iter().filter_map(|one| one.answer.as_ref().err()) {
        *failures.entry(error.as_str()).or_default() += 1;
    }
    failures
}

/// The version of each user among requests that were sent between two moments.
///
/// # Errors
/// A user who saw two.
pub fn versions(seen: &[Seen], from: Instant, to: Instant) -> Result<BTreeMap<usize, &str>, String> {
    let mut versions = BTreeMap::new();
    for one in seen.iter().filter(|one| one.sent >= from && one.sent < to) {
        let Ok(version) = &one.answer else { continue };
        let first = *versions.entry(one.user).or_insert(version.as_str());
        if first != version {
            return Err(format!("user {} saw `{first}` and `{version}`", one.user));
        }
    }
    Ok(versions)
}
