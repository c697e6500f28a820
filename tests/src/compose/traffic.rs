//! Requests of the walk, and what came of each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::serve::MARK;
use crate::harness::{Client, Request, Response};

/// Connections that requests go over unless it is said.
pub const CONNECTIONS: usize = 16;

/// A `GET` of the walk, marked with the scenario's name.
pub fn get(mark: &str, host: &str, target: &str) -> Request {
    Request::new("GET", host, target).header(MARK, mark)
}

/// What came of a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status; 0 without an answer.
    pub status: u16,
    /// Which service answered; empty where Envoy answered itself.
    pub upstream: String,
    /// The path that the service received.
    pub path: String,
    /// The values of `user-type` that it received.
    pub tags: Vec<String>,
    /// Whether Envoy says that a limit was reached.
    pub overloaded: bool,
    /// When it was sent.
    pub began: Instant,
    /// From the first byte sent to the last received.
    pub took: Duration,
    /// What went wrong, or the beginning of what is no service's answer.
    pub said: String,
}

impl Answer {
    /// Whether a service answered with 200.
    pub fn is_ok(&self) -> bool {
        self.status == 200 && !self.upstream.is_empty()
    }

    fn read(response: Result<Response, String>, began: Instant) -> Self {
        let took = began.elapsed();
        let nothing = Self {
            status: 0,
            upstream: String::new(),
            path: String::new(),
            tags: Vec::new(),
            overloaded: false,
            began,
            took,
            said: String::new(),
        };
        let response = match response {
            Ok(response) => response,
            Err(error) => return Self { said: error, ..nothing },
        };
        let overloaded = response.header("x-envoy-overloaded").next().is_some();
        let answered = Self { status: response.status, overloaded, ..nothing };
        match response.json() {
            Ok(said) => {
                let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                let headers = said["headers"].as_array().map(Vec::as_slice).unwrap_or_default();
                // Whatever the spelling: `User_Type` is the same to CGI and WSGI.
                let tags = headers.iter().filter(|pair| text(&pair[0]).replace('_', "-") == "user-type");
                let tags = tags.map(|pair| text(&pair[1])).collect();
                Self { upstream: text(&said["upstream"]), path: text(&said["path"]), tags, ..answered }
            }
            Err(_) => Self { said: response.text().chars().take(100).collect(), ..answered },
        }
    }
}

/// Sends one request and reads what comes.
pub async fn ask(client: &mut Client, request: &Request) -> Answer {
    let began = Instant::now();
    Answer::read(client.send(request).await, began)
}

/// Sends the requests over so many connections; answers are in the order of the requests.
pub async fn send(to: SocketAddr, requests: Vec<Request>, connections: usize) -> Vec<Answer> {
    let mut shares: Vec<Vec<(usize, Request)>> = vec![Vec::new(); connections];
    for (place, request) in requests.into_iter().enumerate() {
        shares[place % connections].push((place, request));
    }
    let mut workers = JoinSet::new();
    for share in shares {
        workers.spawn(async move {
            let mut client = Client::new(to);
            let mut answers = Vec::with_capacity(share.len());
            for (place, request) in share {
                answers.push((place, ask(&mut client, &request).await));
            }
            answers
        });
    }
    let mut answers: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Requests that are sent over and over, until they are stopped.
#[derive(Debug)]
pub struct Stream {
    stopped: Arc<AtomicBool>,
    workers: JoinSet<Vec<(usize, Answer)>>,
}

impl Stream {
    /// Each connection sends its share of the requests in turn and rests for `pace` after each, so that the requests of
    /// one user stay in order.
    pub fn start(to: SocketAddr, requests: &[Request], connections: usize, pace: Duration) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut workers = JoinSet::new();
        for first in 0..connections {
            let share: Vec<(usize, Request)> =
                requests.iter().cloned().enumerate().skip(first).step_by(connections).collect();
            let stopped = Arc::clone(&stopped);
            workers.spawn(async move {
                let mut client = Client::new(to);
                let mut answers = Vec::new();
                for (place, request) in share.iter().cycle() {
                    if stopped.load(Ordering::Relaxed) {
                        break;
                    }
                    answers.push((*place, ask(&mut client, request).await));
                    tokio::time::sleep(pace).await;
                }
                answers
            });
        }
        Self { stopped, workers }
    }

    /// Ends it when the requests under way are answered; each answer with the index of its request, in the order of
    /// sending.
    pub async fn stop(self) -> Vec<(usize, Answer)> {
        self.stopped.store(true, Ordering::Relaxed);
        let mut answers: Vec<_> = self.workers.join_all().await.into_iter().flatten().collect();
        answers.sort_by_key(|(_, answer)| answer.began);
        answers
    }
}
