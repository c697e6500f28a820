//! A new version takes over while requests come in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::compose::measure::Measure;
use crate::compose::metrics;
use crate::compose::policy::Policy;
use crate::compose::traffic::{Answer, Stream, get};
use crate::demo::{HOST, users};

const PATH: &str = "/catalogDetail";
/// Users of the canary, and the seed of their cookies.
const USERS: usize = 400;
const SEED: u64 = 7;
/// Connections that they come over, and how long each rests between two requests.
const CONNECTIONS: usize = 8;
const PACE: Duration = Duration::from_millis(5);
/// From an update's acceptance until every worker is held to it.
const SETTLED: Duration = Duration::from_secs(1);
/// How long a step is watched then: every user comes by, also on a slow machine.
const WATCH: Duration = Duration::from_secs(4);

/// One policy: from when on it counts, and until when.
struct Step {
    percent: u8,
    from: Instant,
    until: Instant,
}

pub async fn canary(envoy: SocketAddr) -> Result<Vec<Measure>, String> {
    let step = async |percent: u8| {
        let name = format!("07-canary-{percent}.yaml");
        Policy::of(&["07-canary.yaml", &name]).apply().await?;
        tokio::time::sleep(SETTLED).await;
        Ok::<_, String>(Instant::now())
    };
    let mut steps = Vec::new();
    let mut from = step(0).await?;
    let requests: Vec<_> = users(SEED, USERS, 0)
        .iter()
        .filter_map(|user| Some(get("canary", HOST, PATH).header("cookie", format!("uid={}", user.cookie()?))))
        .collect();
    let stream = Stream::start(envoy, &requests, CONNECTIONS, PACE);
    for next in [10, 50, 100] {
        tokio::time::sleep(WATCH).await;
        let percent = match next {
            10 => 0,
            50 => 10,
            _ => 50,
        };
        steps.push(Step { percent, from, until: Instant::now() });
        from = step(next).await?;
    }
    tokio::time::sleep(WATCH).await;
    steps.push(Step { percent: 100, from, until: Instant::now() });
    let answers = stream.stop().await;

    let mut measures = Vec::new();
    let mut versions: BTreeMap<usize, String> = BTreeMap::new();
    let mut back = 0;
    for Step { percent, from, until } in steps {
        let mut seen: BTreeMap<usize, String> = BTreeMap::new();
        for (user, answer) in &answers {
            if answer.began < from || answer.began > until || !answer.is_ok() {
                continue;
            }
            if versions.get(user).is_some_and(|version| version == "v2") && answer.upstream != "v2" {
                back += 1;
            }
            versions.insert(*user, answer.upstream.clone());
            seen.insert(*user, answer.upstream.clone());
        }
        let moved = seen.values().filter(|version| *version == "v2").count();
        measures.push(Measure::share("users at v2", moved, seen.len(), percent));
        if seen.len() < USERS {
            measures.push(Measure::all("users who came by", seen.len(), USERS));
        }
    }
    measures.push(Measure::none("moved back", back, USERS));
    measures.push(lost(&answers));
    Ok(measures)
}

pub async fn blue_green(envoy: SocketAddr) -> Result<Vec<Measure>, String> {
    Policy::of(&["08-blue.yaml"]).apply().await?;
    let stream = Stream::start(envoy, &vec![get("blue-green", HOST, PATH); CONNECTIONS], CONNECTIONS, PACE);
    tokio::time::sleep(Duration::from_secs(2)).await;
    Policy::of(&["08-green.yaml"]).apply().await?;
    tokio::time::sleep(SETTLED).await;
    let before = [arrived("catalogdetail-v1").await?, arrived("catalogdetail-v2").await?];
    tokio::time::sleep(WATCH).await;
    let answers = stream.stop().await;
    let after = [arrived("catalogdetail-v1").await?, arrived("catalogdetail-v2").await?];
    // Everybody's requests, those of the load too.
    let [blue, green] = [0, 1].map(|version| after[version] - before[version]);
    Ok(vec![
        Measure::none("requests to blue after the switch", blue, blue + green),
        Measure::at_least("to green since then", green, 1),
        lost(&answers),
    ])
}

/// All requests that arrived at a service.
async fn arrived(service: &str) -> Result<usize, String> {
    let samples = metrics::fetch(&format!("{service}:9100"), "/metrics").await?;
    Ok(metrics::sum(&samples, "catalogdetail_requests_total", &[]))
}

fn lost(answers: &[(usize, Answer)]) -> Measure {
    let bad: Vec<_> = answers.iter().filter(|(_, answer)| !answer.is_ok()).collect();
    let what = bad.first().map_or("lost".to_owned(), |(_, one)| format!("lost (status {}, {})", one.status, one.said));
    Measure::none(what, bad.len(), answers.len())
}
