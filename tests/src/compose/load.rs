//! Users that come and go for as long as the demo runs.

use std::time::Duration;

use super::resolve;
use crate::demo::{HOST, User, users};
use crate::harness::{Client, Request};

/// Users of one round: those that come back, and those without a cookie, as in `make demo`.
const RETURNING: usize = 1000;
const NEWCOMERS: usize = 250;
/// Connections that they come over.
const CONNECTIONS: usize = 4;

/// Sends so many requests a second to `name:port`, until the process ends. One in ten names a version in its path, one
/// in ten forges a tag. What Envoy answers is its own matter; what does not answer is asked again a second later.
pub async fn load(to: &str, rate: u32) -> Result<(), String> {
    let mut interval = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    let mut clients: Vec<Client> = Vec::new();
    for round in 0_u64.. {
        for (number, user) in users(round, RETURNING, NEWCOMERS).iter().enumerate() {
            interval.tick().await;
            if clients.len() < CONNECTIONS {
                match resolve(to).await {
                    Ok(address) => clients.push(Client::new(address).patience(Duration::from_secs(5))),
                    Err(error) => {
                        rest(&error).await;
                        continue;
                    }
                }
            }
            let client = number % clients.len();
            if let Err(error) = visit(&mut clients[client], user, number).await {
                clients.remove(client);
                rest(&error).await;
            }
        }
    }
    Ok(())
}

async fn visit(client: &mut Client, user: &User, number: usize) -> Result<(), String> {
    let target = match number % 20 {
        3 => "/v1/catalogDetail",
        13 => "/v2/catalogDetail",
        _ => "/catalogDetail",
    };
    let mut request = Request::new("GET", HOST, target);
    if let Some(cookie) = user.cookie() {
        request = request.header("cookie", format!("uid={cookie}"));
    }
    if number % 10 == 7 {
        request = request.header("user-type", "internal");
    }
    let response = client.send(&request).await?;
    for cookie in response.header("set-cookie") {
        user.take(&String::from_utf8_lossy(cookie));
    }
    Ok(())
}

async fn rest(error: &str) {
    eprintln!("load: {error}");
    tokio::time::sleep(Duration::from_secs(1)).await;
}
